"""The domains of AWS, one per partition, and names that tell kinds of buckets."""

from __future__ import annotations

from statebucket.port.url import split

DIRECTORIES = ("--x-s3", "--xa-s3")
"""How the names of directory buckets (S3 Express) end, and those of access points to them:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-directory-buckets-naming.html"""

SUFFIXES = (  # by the prefix of their regions; longer prefixes come first
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
    ("cn-", "amazonaws.com.cn"),
    ("", "amazonaws.com"),
)

_DUALSTACK = {  # for access over IPv6, too
    "amazonaws.com": "api.aws",
    "amazonaws.com.cn": "api.amazonwebservices.com.cn",
    "amazonaws.eu": "api.amazonwebservices.eu",
    "c2s.ic.gov": "api.aws.ic.gov",
    "sc2s.sgov.gov": "api.aws.scloud",
    "cloud.adc-e.uk": "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov": "api.aws.hci.ic.gov",
}


_LONGEST = 63


def is_region(text: str) -> bool:
    """Whether a text can be a region, which becomes a part of host names."""
    letters = text.isascii() and text.replace("-", "").isalnum()
    return letters and len(text) <= _LONGEST and "-" not in {text[0], text[-1]}


def suffix_of(region: str) -> str:
    """The domain of a region's AWS services."""
    return next(suffix for prefix, suffix in SUFFIXES if region.startswith(prefix))


def dualstack_suffix_of(region: str) -> str:
    """The domain of a region's services with IPv6, too; S3 is not one of them."""
    return _DUALSTACK[suffix_of(region)]


def is_foreign(endpoint_url: str | None) -> bool:
    """Whether an endpoint is not AWS's; its service then also acts as STS.

    Args:
        endpoint_url: The endpoint; None for AWS's own.
    """
    host = "" if endpoint_url is None else split(endpoint_url).hostname or ""
    return bool(host) and not any(host.endswith(f".{suffix}") for _, suffix in SUFFIXES)
