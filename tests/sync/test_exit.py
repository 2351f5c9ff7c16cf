"""A blocking store while the interpreter exits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.targets.deployments import deployment_on
from sync.test_blocking import ran
from sync.test_signals import ran as ran_on

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
import atexit, pickle, sys

later = []

@atexit.register
def last():
    # Runs after what was registered later, among it what closes stores.
    for call in later:
        call()

from statebucket.sync import open_store

def copied(value):
    return pickle.loads(pickle.dumps(value))

def used(keys):
    keys.set("k", b"v")
    keys.set("l", b"v")
    return keys

"""
LEFT = {
    "a store": "store = used(open_store(sys.argv[1]))",
    "a view": "acme = used(open_store(sys.argv[1]).tenant('acme'))",
    "a copied store": "acme = used(copied(open_store(sys.argv[1])))",
    "a copied execution": "e = used(copied(open_store(sys.argv[1]).tenant('acme').execution('e')))",
    "a listing": "keys = used(open_store(sys.argv[1])).iter_keys(); next(keys)",
    "a lease": "e = open_store(sys.argv[1]).tenant('acme').lease('e', ttl=60); e.__enter__()",
    "a later call": "store = used(open_store(sys.argv[1])); later.append(lambda: used(store))",
}


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("service", ["s3", "azure"])
def test_what_a_program_leaves_open_is_closed_without_a_word(
    service: str, left: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = request.getfixturevalue("ministack" if service == "s3" else "azurite")
    with deployment_on(service, server, tmp_path) as made:
        assert ran_on(HEAD + LEFT[left], made) == ("", "")


def test_a_call_at_exit_behind_ours_works(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(lambda: print(store.get("k")))
        from statebucket.sync import open_store
        store = open_store("memory://")
        store.set("k", b"v")
    """
    done = ran(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'v'\n", "")


def test_a_call_of_an_object_that_python_destroys_last_is_refused(tmp_path: Path) -> None:
    program = """
        import os
        from statebucket import errors
        from statebucket.sync import open_store

        class Last:
            def __init__(self):
                self.store = open_store("memory://")
                self.store.sweep()
                self.unavailable, self.write = errors.Unavailable, os.write

            def __del__(self):
                try:
                    self.store.sweep()
                except self.unavailable as error:
                    self.write(1, f"{error.outcome} {error}".encode())

        last = Last()
    """
    done = ran(program, tmp_path)
    refused = "none the interpreter has exited, so nothing is sent any more"
    assert (done.returncode, done.stdout, done.stderr) == (0, refused, "")
