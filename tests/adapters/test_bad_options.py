"""Every option of every engine refuses what it cannot be when a store is opened."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest

from statebucket import errors, open_store
from statebucket_azure.http.options import HTTPOptions as AzureHTTPOptions
from statebucket_azure.sdk.options import AzureOptions
from statebucket_gcs.http.options import HTTPOptions as GCSHTTPOptions
from statebucket_gcs.sdk.options import SDKOptions
from statebucket_s3.http.options import HTTPOptions as S3HTTPOptions
from statebucket_s3.sdk.options import S3Options
from support.nonsense import NONE, TEXT, Argument, faults

ENGINES: dict[str, tuple[str, Any]] = {
    "s3": ("s3://bucket?region=eu-west-1", S3Options),
    "s3+http": ("s3://bucket?region=eu-west-1&engine=http", S3HTTPOptions),
    "gs": ("gs://bucket", SDKOptions),
    "gs+http": ("gs://bucket?engine=http", GCSHTTPOptions),
    "az": ("az://container?account=name", AzureOptions),
    "az+http": ("az://container?account=name&engine=http", AzureHTTPOptions),
}


def kinds(hint: object) -> tuple[object, ...]:
    return get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is Union else (hint,)


def allowed(hint: object) -> frozenset[str]:
    """What a field's type allows."""
    found: frozenset[str] = frozenset()
    for one in kinds(hint):
        if one is bool:
            found |= {"true"}
        elif one is str:
            found |= TEXT
        elif one is NoneType or one is Any:
            found |= NONE
        else:
            assert get_origin(one) is Literal, hint
    return found


TABLE = [
    Argument(engine, field.name, allowed(field.type))
    for engine, (_, kind) in ENGINES.items()
    for field in msgspec.structs.fields(kind)
]


@pytest.mark.parametrize("argument", TABLE, ids=lambda one: f"{one.call}.{one.name}")
@pytest.mark.asyncio
async def test_what_an_option_cannot_be_is_refused(argument: Argument) -> None:
    url, _ = ENGINES[argument.call]

    async def act(value: object) -> None:
        given: dict[str, Any] = {argument.name: value}
        open_store(url, **given)

    # The message never shows a value: it may be a secret.
    also = (errors.InvalidCredentials,)
    allows = argument.allows | ({"long"} if argument.name == "account_key" else set())
    tried = argument._replace(allows=allows)  # which is good base64
    assert await faults(tried, act, lambda: 0, also=also, shows=False) == []
