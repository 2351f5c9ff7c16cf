"""A large value in parts, so that memory holds one part at a time."""

from typing import BinaryIO

from statebucket.sync import BlockingExecutionStore


def put(execution: BlockingExecutionStore, source: BinaryIO) -> None:
    """Stores what is read from a file; the number of parts comes after them."""
    count = 0
    for count, part in enumerate(iter(lambda: source.read(8 * 2**20), b""), 1):
        execution.set(f"part-{count}", part)
    execution.set_json("parts", count)
    execution.delete_many(
        [key for key in execution.iter_keys(prefix="part-") if int(key[5:]) > count]
    )


def get(execution: BlockingExecutionStore, target: BinaryIO) -> None:
    """Writes what was stored to a file."""
    if (count := execution.get_json("parts", int)) is None:
        raise FileNotFoundError("there is no value, or not all of it")
    for number in range(1, count + 1):
        part = execution.get(f"part-{number}")
        if part is None:
            raise FileNotFoundError(f"part {number} is missing")
        target.write(part)
