"""The requests of S3's REST API, as a bucket needs them."""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import md5
from typing import TYPE_CHECKING

from statebucket.contract.versions import Version
from statebucket.port.expiry import TAG
from statebucket.port.url import quoted
from statebucket_http.paths import path_of
from statebucket_http.wire import Request
from statebucket_s3.codes import OPTIONAL, TAGGING, Requested
from statebucket_s3.versions import if_match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from statebucket.port.bucket import Write
    from statebucket_s3.options import BucketOptions

_CALLS = {
    "PUT": "PutObject",
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
    "POST": "DeleteObjects",
}
_MINIMUM_SIZE = "x-amz-transition-default-minimum-object-size"


class S3Requests:
    """Builds the requests to one bucket.

    Args:
        options: The store's options.
    """

    def __init__(self, options: BucketOptions) -> None:
        self._options = options
        self._encryption: dict[str, str] = {}
        if options.sse is not None:
            self._encryption["x-amz-server-side-encryption"] = options.sse
        if options.sse_kms_key_id is not None:
            key = options.sse_kms_key_id
            self._encryption["x-amz-server-side-encryption-aws-kms-key-id"] = key

    def put(self, write: Write, condition: Version | None) -> Request:
        """``PutObject``."""
        headers = {"content-type": write.content_type, **self._encryption}
        if write.expiry is not None and write.expiry.days is not None and self._options.ttl_tags:
            headers[TAGGING] = f"{TAG}={write.expiry.days}"
        if condition is not None:
            if condition == Version.ABSENT:
                headers["if-none-match"] = "*"
            else:
                headers["if-match"] = if_match(condition, self._options)
        for name, value in write.metadata.items():
            headers[f"x-amz-meta-{name}"] = value
        more = (write.tail,) if write.tail else ()
        return Request("PUT", path_of(write.name), "", headers, write.body, more)

    def get(self, name: str) -> Request:
        """``GetObject``, with the body's checksum."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        return Request("GET", path_of(name), "", headers, tail_header="x-amz-meta-tail")

    def get_range(self, name: str, start: int, length: int) -> Request:
        """``GetObject``, of a part."""
        return Request("GET", path_of(name), "", {"range": f"bytes={start}-{start + length - 1}"})

    def head(self, name: str) -> Request:
        """``HeadObject``."""
        return Request("HEAD", path_of(name))

    def delete(self, name: str, condition: Version | None) -> Request:
        """``DeleteObject``."""
        headers = {} if condition is None else {"if-match": if_match(condition, self._options)}
        return Request("DELETE", path_of(name), "", headers)

    def delete_many(self, names: Sequence[str]) -> Request:
        """``DeleteObjects``; the reply names only failures."""
        from statebucket_s3.http.xml_documents import text_of  # noqa: PLC0415  (not on a cold start)

        plain = text_of("".join(names))
        keys = names if len(plain) == sum(map(len, names)) else map(text_of, names)
        objects = "".join([f"<Object><Key>{key}</Key></Object>" for key in keys])
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<Delete xmlns="{space}">{objects}<Quiet>true</Quiet></Delete>'.encode()
        return _of_xml("POST", "delete=", body)

    def list(
        self,
        prefix: str,
        after: str | None,
        limit: int,
        delimiter: str = "",
        start_after: str | None = None,
    ) -> Request:
        """``ListObjectsV2``; names come percent-encoded, since XML cannot contain all of them."""
        parts = []
        if after is not None:
            parts.append(f"continuation-token={quoted(after)}")
        if delimiter:
            parts.append(f"delimiter={quoted(delimiter)}")
        parts.append(f"encoding-type=url&list-type=2&max-keys={limit}")
        parts.append(f"prefix={quoted(prefix)}")
        if start_after is not None and after is None:  # a token says where the page begins
            parts.append(f"start-after={quoted(start_after)}")
        return Request("GET", "", "&".join(parts))

    def read_lifecycle(self) -> Request:
        """``GetBucketLifecycleConfiguration``."""
        return Request("GET", "", "lifecycle=")

    def write_lifecycle(self, arguments: Mapping[str, Any]) -> Request:
        """``PutBucketLifecycleConfiguration``.

        Args:
            arguments: What `statebucket_s3.lifecycle.write` returns.
        """
        from statebucket_s3.http import lifecycle_xml  # noqa: PLC0415  (rarely needed)

        body, minimum = lifecycle_xml.written(arguments)
        return _of_xml("PUT", "lifecycle=", body, {_MINIMUM_SIZE: minimum} if minimum else {})

    def remove_lifecycle(self) -> Request:
        """``DeleteBucketLifecycle``."""
        return Request("DELETE", "", "lifecycle=")


def _of_xml(method: str, query: str, body: bytes, more: Mapping[str, str] = {}) -> Request:
    """A request with its body's MD5, for services that know no other checksum, too."""
    digest = b2a_base64(md5(body, usedforsecurity=False).digest(), newline=False).decode()
    return Request(
        method, "", query, {"content-type": "application/xml", "content-md5": digest, **more}, body
    )


def requested_of(request: Request) -> Requested:
    """A request, with S3's names of operations and headers."""
    name = request.query.partition("=")[0]
    if name == "lifecycle" and request.method == "DELETE":
        call = "DeleteBucketLifecycle"
    elif name == "lifecycle":
        call = f"{request.method.capitalize()}BucketLifecycleConfiguration"
    else:
        call = "ListObjectsV2" if request.method == "GET" and name else _CALLS[request.method]
    return Requested(call, [header for header in OPTIONAL if header in request.headers])
