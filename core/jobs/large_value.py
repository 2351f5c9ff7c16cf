"""A large value in parts, so that memory holds one part at a time."""

from typing import BinaryIO

from statebucket.sync import BlockingExecutionStore

PART = 8 * 2**20


def put(execution: BlockingExecutionStore, source: BinaryIO) -> None:
    """Stores what is read from a file; the number of parts comes last."""
    count = 0
    while part := source.read(PART):
        execution.set(f"part-{count}", part)
        count += 1
    execution.set_json("parts", count)


def get(execution: BlockingExecutionStore, target: BinaryIO) -> None:
    """Writes what was stored to a file."""
    for number in range(execution.get_json("parts", int) or 0):
        part = execution.get(f"part-{number}")
        if part is None:
            raise FileNotFoundError(f"part {number} is missing")
        target.write(part)
