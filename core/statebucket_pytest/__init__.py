"""Fixtures for the tests of programs that use statebucket: a pytest plugin.

pytest loads it in every run where statebucket is installed. Therefore it stands in a package of its
own and imports nothing but pytest: statebucket, moto and the SDK are loaded by the tests that ask
for a fixture, and by no others.

* ``state_clock``: a `statebucket.testing.Clock`, which stands still until the test moves it;
* ``state_store``: a store in memory that runs by ``state_clock``;
* ``sync_state_store``: a blocking one, of `statebucket.sync`, by the same clock;
* ``s3_state_store``: one on S3, played by moto, with a bucket of its own, by the same clock;
* ``s3_state_url``: the URL of such a bucket, for a store with other options: a blocking one, one
  with ``engine="http"``, or the one that a handler opens from its environment.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket import StateStore
    from statebucket.sync import BlockingStateStore
    from statebucket.testing import Clock

_REGION = "us-east-1"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": _REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    # The user's own, ~/.aws/config and ~/.aws/credentials, may name profiles, proxies, endpoints.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture
def state_clock() -> Clock:
    """A clock for TTLs: ``state_clock.advance(timedelta(hours=2))``."""
    from statebucket.testing.clock import Clock  # noqa: PLC0415  (see the top)

    return Clock()


@pytest.fixture
def state_store(state_clock: Clock) -> StateStore:
    """An empty store in memory, by the test's ``state_clock``.

    It serves tests of pytest-asyncio and of anyio's plugin on asyncio.
    """
    from statebucket import open_store  # noqa: PLC0415  (see the top)

    return open_store("memory://", clock=state_clock)


@pytest.fixture
def sync_state_store(state_clock: Clock) -> BlockingStateStore:
    """An empty blocking store in memory, by ``state_clock``; not that of ``state_store``.

    It takes the place of a handler's own:
    ``monkeypatch.setattr(handler, "store", sync_state_store)``.
    """
    from statebucket.sync import open_store  # noqa: PLC0415  (see the top)

    return open_store("memory://", clock=state_clock)


@pytest.fixture(scope="session")
def _statebucket_moto() -> Iterator[str]:
    try:
        from statebucket_pytest.moto import serve  # noqa: PLC0415  (see the top)
    except ImportError as error:
        pytest.fail(
            f"s3_state_url and s3_state_store need {error.name}: pip install "
            "'statebucket[s3,testing-s3]'; with engine=http 'statebucket[testing-s3]' is enough",
            pytrace=False,
        )
    with serve() as url:
        yield url


@pytest.fixture
def s3_state_url(_statebucket_moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket on S3, played by moto; no request leaves the machine.

    Until the test ends, the environment has credentials that no real cloud takes, no other AWS
    variable, none of the user's AWS files, and no proxy for this machine.
    """
    from uuid import uuid4  # noqa: PLC0415  (see the top)

    from boto3.session import Session  # noqa: PLC0415

    for name in [name for name in os.environ if name.upper().startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # moto is on this machine, wherever a proxy may be.
    direct = [os.environ.get(name) for name in ("NO_PROXY", "no_proxy")]
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, ",".join(filter(None, [*direct, "127.0.0.1"])))
    bucket = f"state-{uuid4().hex}"
    # Not boto3.client, whose default session the program may have set up with a profile.
    client = Session().client("s3", endpoint_url=_statebucket_moto, region_name=_REGION)
    client.create_bucket(Bucket=bucket)
    client.close()
    return f"s3://{bucket}/test?endpoint_url={_statebucket_moto}&region={_REGION}"


@pytest.fixture
def s3_state_store(s3_state_url: str, state_clock: Clock) -> StateStore:
    """An empty store at ``s3_state_url``, by ``state_clock``."""
    from statebucket import open_store  # noqa: PLC0415  (see the top)

    return open_store(s3_state_url, clock=state_clock)
