"""State of AWS's own tools for Lambda functions, in object storage.

`StatebucketPersistenceLayer` keeps the idempotency records of AWS Lambda Powertools, and
`StatebucketSerDes` the large results of AWS Lambda durable functions::

    from statebucket.sync import open_store
    from statebucket_aws import StatebucketPersistenceLayer

    layer = StatebucketPersistenceLayer(open_store("s3://bucket/prefix?engine=http"))

Each loads its framework on first use, so that either works without the other. README.md in this
folder says what each call costs and promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statebucket_aws.idempotency import StatebucketPersistenceLayer
    from statebucket_aws.serdes import StatebucketSerDes

__all__ = ["StatebucketPersistenceLayer", "StatebucketSerDes"]


def __getattr__(name: str) -> object:
    if name == "StatebucketPersistenceLayer":
        try:
            import aws_lambda_powertools.utilities.idempotency  # noqa: F401, PLC0415  (is it installed?)
        except ImportError as error:
            raise _missing("aws-lambda-powertools and boto3", "powertools") from error
        from statebucket_aws.idempotency import StatebucketPersistenceLayer  # noqa: PLC0415

        return StatebucketPersistenceLayer
    if name == "StatebucketSerDes":
        try:
            import aws_durable_execution_sdk_python.serdes  # noqa: F401, PLC0415  (as above)
        except ImportError as error:
            raise _missing("aws-durable-execution-sdk-python", "durable") from error
        from statebucket_aws.serdes import StatebucketSerDes  # noqa: PLC0415

        return StatebucketSerDes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _missing(framework: str, extra: str) -> ImportError:
    return ImportError(
        f'this class of statebucket_aws needs {framework}: pip install "statebucket[{extra}]"'
    )
