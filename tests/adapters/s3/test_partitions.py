"""Which endpoints are AWS's."""

from __future__ import annotations

import pytest

from statebucket_s3.partitions import is_foreign


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://s3.eu-west-1.amazonaws.com",
        "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com/path",
        "https://s3.cn-north-1.amazonaws.com.cn",
        "https://s3.eusc-de-east-1.amazonaws.eu",
        "https://s3.us-iso-east-1.c2s.ic.gov",
    ],
)
def test_aws_in_each_partition_is_not_foreign(url: str | None) -> None:
    assert not is_foreign(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000",
        "https://minio.example/amazonaws.com",
        "https://amazonaws.com.example",
        "https://notamazonaws.com",
    ],
)
def test_another_service_is_foreign_whatever_its_url_mentions(url: str) -> None:
    assert is_foreign(url)
