"""A process and its fork never send the same value where it must be unique."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from statebucket import Version, errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket.sync import BlockingStateStore
    from support.fault_proxy.proxy import Recorded
    from support.places import Place

_REQUEST_ID = "x-ms-client-request-id"
_WRITE_ID = rb'writeid"?: ?"?([0-9a-f]{16})'
_BOUNDARY = "boundary="


def marks(request: Recorded) -> Iterator[str]:
    """What must not be in another request: its id, the write's id, and the end of its parts."""
    headers = "\n".join(f"{name.lower()}: {value}" for name, value in request.headers)
    yield from (found.decode() for found in re.findall(_WRITE_ID, headers.encode()))
    yield from (found.decode() for found in re.findall(_WRITE_ID, request.body))
    for value in (request.header(_REQUEST_ID), request.header("content-type")):
        if value is not None and (value is request.header(_REQUEST_ID) or _BOUNDARY in value):
            yield value


def work(store: BlockingStateStore) -> None:
    """Writes, one of which loses, and a batch."""
    for key in ("a", "b"):
        store.set(key, b"v")
    with pytest.raises(errors.VersionConflict):
        store.set("a", b"v", if_version=Version.ABSENT)
    store.delete_many(["a", "b"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from 3.12 on, with threads
@pytest.mark.parametrize("place", ["s3+http", "gcs+http", "azure+http"], indirect=True)
def test_a_fork_repeats_no_id_of_its_parents(place: Place) -> None:
    assert place.proxy is not None
    # So long a deadline that no try is given up on a busy machine, and sent again with its id.
    with place.blocking(deadline=60) as store:
        work(store)
        child = os.fork()
        if not child:
            status = 1
            try:
                work(store)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        work(store)
    sent = Counter(mark for request in place.proxy.requests for mark in marks(request))
    assert len(sent) >= 9  # three writes in each of three rounds
    assert [mark for mark, times in sent.items() if times > 1] == []
