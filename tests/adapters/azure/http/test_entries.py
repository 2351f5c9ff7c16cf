"""A long page of blobs is read as the XML parser reads it."""

from __future__ import annotations

import pytest

from statebucket.errors import Unavailable
from statebucket_azure.http.replies import page_of, root_of
from statebucket_azure.listing import page_of as parsed
from statebucket_http.wire import Reply

# As the service writes them.
HEAD = (
    '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults '
    'ServiceEndpoint="https://a.blob.core.windows.net/" ContainerName="c"><Prefix>p/</Prefix>'
    "<MaxResults>1000</MaxResults><Blobs>"
)
BLOB = (
    "<Blob><Name>p/k{number}</Name><Properties>"
    "<Creation-Time>Fri, 20 Nov 2026 10:00:00 GMT</Creation-Time>"
    "<Last-Modified>Fri, 20 Nov 2026 10:00:{number:02} GMT</Last-Modified>"
    "<Etag>0x8DE2801{number}</Etag><Content-Length>{number}</Content-Length>"
    "<Content-Type>application/json</Content-Type><Content-Encoding /><Content-Language />"
    "<Content-CRC64 /><Content-MD5>XrY7u+Ae7tCTyyK7j1rNww==</Content-MD5><Cache-Control />"
    "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
    "<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>"
    "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>{tags}</Properties>"
    "{metadata}<OrMetadata /></Blob>"
)
END = "</Blobs><NextMarker>t</NextMarker></EnumerationResults>"
META = "<Metadata><writeid>w{number}</writeid>{more}</Metadata>"


def blob(number: int) -> str:
    metadata = META.format(number=number, more="")
    return BLOB.format(number=number, tags="", metadata=metadata)


def expiring(number: int) -> str:
    metadata = META.format(number=number, more="<ExpiresAt>1790000000000</ExpiresAt>")
    return BLOB.format(number=number, tags="<TagCount>1</TagCount>", metadata=metadata)


def bare(number: int) -> str:
    return BLOB.format(number=number, tags="", metadata="<Metadata />")


def folder(number: int) -> str:
    metadata = "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>"
    return BLOB.format(number=number, tags="", metadata=metadata)


def encoded(number: int) -> str:
    return blob(number).replace("<Name>p/", '<Name Encoded="true">p/%EF%BF%BF')


def escaped(number: int) -> str:
    return blob(number).replace("<Name>p/", "<Name>p/a&amp;b")


def odd(number: int) -> str:
    return blob(number).replace("Fri, 20 Nov", "some day")


KINDS = [blob, expiring, bare, folder, encoded, escaped, odd]


@pytest.mark.parametrize("kinds", [[blob], KINDS[:2], KINDS[:4], KINDS[4:5], KINDS[5:], KINDS])
def test_a_long_page_is_read_as_the_parser_reads_it(kinds: list[object]) -> None:
    blobs = "".join(kinds[number % len(kinds)](number) for number in range(60))  # type: ignore[operator]
    body = (HEAD + blobs + END).encode()
    page = page_of(Reply(200, {}, body), "c", "p/", None)
    assert page == parsed(root_of(body), "c", "p/", None)
    assert page.following == "t"
    assert len(page.objects) == 60 - blobs.count("hdi_isfolder>t")


@pytest.mark.parametrize(("begin", "end"), [("<!--", "-->"), ("<X>", "</X>")])
def test_blobs_that_stand_elsewhere_are_none_of_the_page(begin: str, end: str) -> None:
    blobs = "".join(map(blob, range(60)))
    body = f"{HEAD}{begin}{blobs}{end}{END}".encode()
    page = page_of(Reply(200, {}, body), "c", "p/", None)
    assert page == parsed(root_of(body), "c", "p/", None)
    assert page.objects == []


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("<Etag>0x8DE28017</Etag>", ""),
        ("<Etag>0x8DE28017</Etag>", "<Etag/>"),
        ("<Content-Length>7<", "<Content-Length>x<"),
        ("<Name>p/k7</Name>", ""),
        ('ContainerName="c"', 'ContainerName="d"'),
        ("<Prefix>p/", "<Prefix>q/"),
        ("<NextMarker>t", "<NextMarker>before"),
        (END, ""),
        (HEAD, HEAD[:-7]),
        ("?>", "?><!DOCTYPE x>"),
        ("<Blobs>", "<Blobs>\0"),
    ],
)
def test_a_long_page_that_is_none_is_refused(text: str, other: str) -> None:
    body = HEAD + "".join(map(blob, range(60))) + END
    assert text in body
    reply = Reply(200, {}, body.replace(text, other, 1).encode())
    with pytest.raises(Unavailable):
        page_of(reply, "c", "p/", "before")
