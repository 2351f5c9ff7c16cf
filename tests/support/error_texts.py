"""The texts that errors show, for tests that look for secrets in them."""

from __future__ import annotations

from traceback import walk_tb

from rich.pretty import pretty_repr


def texts(error: BaseException | None) -> list[str]:
    """The texts and reprs of an error and of all that it wraps, including hidden ones."""
    found: list[str] = []
    while error is not None:
        found += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return found


_ADAPTERS = ("statebucket_s3.", "statebucket_azure.", "statebucket_gcs.")


def locals_behind(error: BaseException | None) -> list[str]:
    """What loggers such as rich's show that add the locals of frames in the adapters' modules.

    Frames of `statebucket_http`, which have what it sends and receives, are left out, and so is the
    XML reader of S3, which has what it receives.
    """
    found: list[str] = []
    while error is not None:
        for frame, _ in walk_tb(error.__traceback__):
            module = frame.f_globals.get("__name__", "")
            if module.startswith(_ADAPTERS) and module != "statebucket_s3.http.xml_documents":
                name = frame.f_code.co_qualname
                for of, value in frame.f_locals.items():
                    found += [f"{name} {of}={value!r}", f"{name} {of}={_by_rich(value)}"]
        error = error.__cause__ or error.__context__
    return found


def _by_rich(value: object) -> str:
    return pretty_repr(value, max_width=1000, max_length=20, max_depth=3)
