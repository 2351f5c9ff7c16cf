"""Files in which a platform leaves tokens."""

from __future__ import annotations


def token_in(path: str) -> str:
    """The token in a file, without white space around it.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no token. Unlike Python's decoding error, it does not show the content.
    """
    with open(path, "rb") as file:  # noqa: PTH123  (pathlib costs 5 ms)
        content = file.read().strip()
    if not content or not content.isascii() or not content.decode().isprintable():
        raise ValueError("no token, or one with a line break or another invalid character")
    return content.decode()
