"""A store goes into another process whether it was used here or not, on every service."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors, open_store
from support.places import SERVICES, Place

if TYPE_CHECKING:
    from support.warnings_guard import Noise

SECRET = "not-to-be-shown"


@pytest.mark.parametrize("place", SERVICES, indirect=True)
def test_a_store_is_opened_again_from_its_url(
    place: Place, monkeypatch: pytest.MonkeyPatch, noise: Noise
) -> None:
    for name, value in place.environ.items():
        monkeypatch.setenv(name, value)

    async def work() -> None:
        async with open_store(place.url, tenant="acme") as store:
            before = pickle.dumps(store)
            await store.set("k", b"v")
            assert pickle.dumps(store) == before
            for secret in place.environ.values():
                assert secret.encode() not in before or secret in place.url
            async with pickle.loads(before) as other:
                assert await other.get("k") == b"v"
                assert repr(other) == repr(store)

    asyncio.run(work())
    assert noise == []


class Client:
    """Credentials of the caller's that show a secret when they cannot be pickled."""

    token = None

    def get_token(self, *_: Any, **__: Any) -> Any:
        """What Azure's credentials have."""

    def refresh(self, _: Any) -> None:
        """What Google's credentials have."""

    def __reduce__(self) -> Any:
        raise ValueError(SECRET)


@pytest.mark.parametrize(
    ("url", "option"),
    [
        ("gs://b?engine=http", "credentials"),
        ("az://b?account=example1&engine=http", "credential"),
    ],
)
def test_an_object_of_the_callers_that_cannot_be_pickled_is_named(url: str, option: str) -> None:
    options: dict[str, Any] = {option: Client()}
    store = open_store(url, **options)
    with pytest.raises(errors.UnsupportedOperation, match=f"{option}=, whose Client") as caught:
        pickle.dumps(store)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
