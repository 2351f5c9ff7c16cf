"""A long page of a listing is read as the XML parser reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.errors import Unavailable
from statebucket_http.wire import Reply
from statebucket_s3.http.replies import page_of, prefixes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.port.bucket import Page

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
    "<Prefix>p/</Prefix><EncodingType>url</EncodingType>"
    "<NextContinuationToken>t</NextContinuationToken><IsTruncated>true</IsTruncated>"
)
END = "</ListBucketResult>"
PLAIN = (
    "<Contents><Key>p/k{n}</Key><LastModified>2026-11-20T10:00:{n:02}.000Z</LastModified>"
    "<ETag>&quot;{n:032x}&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
    "<ChecksumType>FULL_OBJECT</ChecksumType><Size>{n}</Size><StorageClass>STANDARD</StorageClass>"
    "</Contents>"
)
OTHERS = [
    PLAIN.replace("p/k", "p/%7Ea+b"),
    PLAIN.replace("<ChecksumType>FULL_OBJECT</ChecksumType>", ""),
    PLAIN.replace("<Size>", "<Owner><ID>i</ID><DisplayName/></Owner><Size>"),
    PLAIN.replace("&quot;", "&#34;"),
    PLAIN.replace("<Key>p/k{n}</Key>", "").replace("<Size>", "<Key>p/k{n}</Key><Size>"),
    PLAIN.replace("p/k", "p/é"),
    PLAIN.replace(".000Z", ""),
    PLAIN.replace("><", ">\n  <"),
]
LEFT = [
    PLAIN.replace("p/k", "p/&amp;"),
    PLAIN.replace("CRC32<", "CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1<"),
    PLAIN.replace("<LastModified>2026-11-20T10:00:{n:02}.000Z</LastModified>", ""),
]


def read(entries: list[str]) -> Page:
    body = HEAD + "".join(entries) + END
    return page_of(Reply(200, {}, body.encode()), "p/", None)


@pytest.mark.parametrize("forms", [[PLAIN], *[[PLAIN, one] for one in OTHERS + LEFT], OTHERS])
def test_a_long_page_is_read_as_short_ones_are(forms: list[str]) -> None:
    entries = [forms[n % len(forms)].format(n=n) for n in range(60)]
    page = read(entries)
    # Pages of a few entries are the parser's.
    assert page.objects == [one for entry in entries for one in read([entry]).objects]
    assert (len(page.objects), page.following) == (60, "t")


@pytest.mark.parametrize(("begin", "end"), [("<!--", "-->"), ("<X>", "</X>")])
def test_entries_that_stand_elsewhere_are_none_of_the_page(begin: str, end: str) -> None:
    assert read([begin, *(PLAIN.format(n=n) for n in range(60)), end]).objects == []


@pytest.mark.parametrize("said", ["", "<Value>false</Value>", "maybe"])
@pytest.mark.parametrize("read_page", [page_of, prefixes_of])
def test_a_page_that_does_not_say_whether_more_follows_is_refused(
    read_page: Callable[[Reply, str, None], object], said: str
) -> None:
    body = f"<ListBucketResult><IsTruncated>{said}</IsTruncated></ListBucketResult>"
    with pytest.raises(Unavailable):
        read_page(Reply(200, {}, body.encode()), "p/", None)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("<Key>p/k7</Key>", ""),
        ("<Key>p/k7</Key>", "<Key><a>p/k7</a></Key>"),
        ("<Size>7</Size>", "<Size>x</Size>"),
        ("<Size>7</Size>", ""),
        ("<Size>7</Size>", "<Size/>"),
        (f"&quot;{7:032x}&quot;", ""),
        ("<Prefix>p/", "<Prefix>q/"),
        ("<NextContinuationToken>t", "<NextContinuationToken>before"),
        ("ListBucketResult", "Other"),
        (END, ""),
        ("?>", "?><!DOCTYPE x>"),
    ],
)
def test_a_long_page_that_is_none_is_refused(text: str, other: str) -> None:
    body = HEAD + "".join(PLAIN.format(n=n) for n in range(60)) + END
    assert text in body
    with pytest.raises(Unavailable):
        page_of(Reply(200, {}, body.replace(text, other).encode()), "p/", "before")
