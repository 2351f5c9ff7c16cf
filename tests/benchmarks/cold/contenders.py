# ruff: noqa: PLC0415  (that nothing is imported before it is needed is what is measured)
"""The subjects, each in its own process: from nothing to a loaded snapshot.

Each function does the imports and calls that its users write, prints the processor time since the
process started, and ends the process there and then. ``prepare_…`` stores what it will load.
"""

import os
import sys
import time

ENDPOINT = os.environ.get("BENCH_ENDPOINT", "")
TLS_ENDPOINT = os.environ.get("BENCH_TLS_ENDPOINT", "")
DATABASE = os.environ.get("BENCH_DATABASE", "")
BUCKET = "bench"
REGION = "us-east-1"
STORE_URL = f"s3://{BUCKET}/app?region={REGION}&endpoint_url={ENDPOINT}"
TLS_STORE_URL = f"s3://{BUCKET}/app?region={REGION}&endpoint_url={TLS_ENDPOINT}"
OBJECT = "app/tenants/acme/snapshots/e1"


def _done(loaded: object) -> None:
    """Tell that it is there, and stop the clock."""
    assert loaded
    sys.stdout.write(f"{time.process_time():.6f}\n")
    sys.stdout.flush()
    os._exit(0)


def statebucket_s3() -> None:
    """Our store on S3."""
    import asyncio

    from statebucket import open_store

    store = open_store(STORE_URL).tenant("acme")

    async def main() -> None:
        _done(await store.load_snapshot("e1"))

    asyncio.run(main())


def statebucket_s3_blocking() -> None:
    """Our blocking store on S3."""
    from statebucket.sync import open_store

    _done(open_store(STORE_URL).tenant("acme").load_snapshot("e1"))


def statebucket_http() -> None:
    """Our store on S3, on the lean engine."""
    import asyncio

    from statebucket import open_store

    store = open_store(STORE_URL, engine="http").tenant("acme")

    async def main() -> None:
        _done(await store.load_snapshot("e1"))

    asyncio.run(main())


def prepare_statebucket_s3() -> None:
    """The snapshot that most of the others load."""
    _save(STORE_URL)


def statebucket_http_blocking() -> None:
    """Our blocking store on S3, on the lean engine: without an event loop."""
    from statebucket.sync import open_store

    _done(open_store(STORE_URL, engine="http").tenant("acme").load_snapshot("e1"))


def statebucket_http_blocking_tls() -> None:
    """The same over TLS."""
    from statebucket.sync import open_store

    _done(open_store(TLS_STORE_URL, engine="http").tenant("acme").load_snapshot("e1"))


def prepare_statebucket_http_blocking_tls() -> None:
    """The snapshot that is loaded over TLS."""
    _save(f"{TLS_STORE_URL}&engine=http")


def statebucket_sqlite() -> None:
    """Our store on an SQLite file."""
    import asyncio

    from statebucket import open_store

    store = open_store(f"sqlite:///{DATABASE}").tenant("acme")

    async def main() -> None:
        _done(await store.load_snapshot("e1"))

    asyncio.run(main())


def prepare_statebucket_sqlite() -> None:
    """The snapshot in the file."""
    _save(f"sqlite:///{DATABASE}")


def _save(url: str) -> None:
    from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId
    from statebucket.sync import open_store

    snapshot = ExecutionSnapshot(
        execution_id=ExecutionId("e1"),
        tenant_id=TenantId("acme"),
        state=ExecutionState.RUNNING,
        sequence_number=7,
        variables={"text": "x" * 700},
    )
    with open_store(url) as store:
        store.save_snapshot(snapshot)


def aiobotocore() -> None:
    """The SDK under aioboto3, by hand."""
    import asyncio
    import json

    from aiobotocore.session import get_session

    async def main() -> None:
        client = get_session().create_client("s3", region_name=REGION, endpoint_url=ENDPOINT)
        async with client as s3:
            reply = await s3.get_object(Bucket=BUCKET, Key=OBJECT)
            async with reply["Body"] as body:
                _done(json.loads(await body.read()))

    asyncio.run(main())


def aioboto3() -> None:
    """aioboto3, by hand."""
    import asyncio
    import json

    import aioboto3

    async def main() -> None:
        client = aioboto3.Session().client("s3", region_name=REGION, endpoint_url=ENDPOINT)
        async with client as s3:
            reply = await s3.get_object(Bucket=BUCKET, Key=OBJECT)
            async with reply["Body"] as body:
                _done(json.loads(await body.read()))

    asyncio.run(main())


def boto3() -> None:
    """boto3, by hand."""
    import json

    import boto3

    s3 = boto3.client("s3", region_name=REGION, endpoint_url=ENDPOINT)
    _done(json.loads(s3.get_object(Bucket=BUCKET, Key=OBJECT)["Body"].read()))


def obstore() -> None:
    """obstore, in Rust, by hand."""
    import json

    from obstore.store import S3Store

    store = S3Store(BUCKET, region=REGION, endpoint=ENDPOINT, client_options={"allow_http": True})
    _done(json.loads(bytes(store.get(OBJECT).bytes())))


def obstore_tls() -> None:
    """The same over TLS."""
    import json

    from obstore.store import S3Store

    store = S3Store(BUCKET, region=REGION, endpoint=TLS_ENDPOINT)
    _done(json.loads(bytes(store.get(OBJECT).bytes())))


def py_key_value() -> None:
    """py-key-value's S3 store."""
    import asyncio

    from key_value.aio.stores.s3 import S3Store

    async def main() -> None:
        async with S3Store(bucket_name=BUCKET, region_name=REGION, endpoint_url=ENDPOINT) as store:
            _done(await store.get(key="e1", collection="app"))

    asyncio.run(main())


def prepare_py_key_value() -> None:
    """Its own form of a value."""
    import asyncio

    from key_value.aio.stores.s3 import S3Store

    async def main() -> None:
        async with S3Store(bucket_name=BUCKET, region_name=REGION, endpoint_url=ENDPOINT) as store:
            await store.put(key="e1", collection="app", value={"text": "x" * 700})

    asyncio.run(main())


def import_base() -> None:
    """What nothing below can be faster than."""
    import asyncio

    import msgspec

    _done((asyncio, msgspec))


def import_statebucket() -> None:
    """Our import alone."""
    import asyncio

    import msgspec

    import statebucket

    _done((asyncio, msgspec, statebucket))
