"""The core knows no cloud: none of its names and texts, except docstrings, names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import statebucket

if TYPE_CHECKING:
    from collections.abc import Iterator

CORE = Path(statebucket.__file__).parent

WORDS = re.compile(
    r"(?<![a-z])(?:s3|gcs|gs|az|aws|gcp|azure|azurite|blobs?|google\w*|gcloud|amazon\w*|amz|goog|"
    r"moto|ministack|minio|ceph|boto\w*|aioboto\w*|aiobotocore|sts|arn|kms)(?![a-z])"
    r"|cloud storage|terraform/|module\.state|nosuch|slowdown|accesskey|etag|x-ms-|"
    r"storageaccount|_members\b|principal_ids|policy_json|customtime|generation\b",
    re.IGNORECASE,
)

ALLOWED = {
    "opening.py": "the table of the built-in schemes, and the extra that each needs",
    "cli/options.py": "the help of --url shows a URL of each scheme",
    "port/url.py": "the message for a URL without a scheme shows one",
    "scale/arrays.py": "the table of the variables of batch platforms, which run this program "
    "whatever cloud its store is on: no adapter could bring them, and nothing else names them",
}
"""The files whose texts may name a cloud, and why."""


class Use(NamedTuple):
    """A word of a cloud's in the code."""

    file: str
    line: int
    text: str


def uses(source: str, file: str = "") -> Iterator[Use]:
    """The names and texts in some code that are a cloud's."""
    tree = ast.parse(source)
    documentation = set(_docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if id(node) in documentation:
                continue
        elif isinstance(node, ast.Name):
            text = node.id
        elif isinstance(node, ast.Attribute):
            text = node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            text = node.arg or ""
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.alias):
            text = node.name
        else:
            continue
        if WORDS.search(text.replace("_", " ") + " " + text):
            yield Use(file, getattr(node, "lineno", 0), text)


def _docstrings(tree: ast.AST) -> Iterator[int]:
    """Texts that stand alone as a statement: docstrings, those of attributes included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def test_no_module_of_the_core_names_a_cloud() -> None:
    found = [
        use
        for path in sorted(CORE.rglob("*.py"))
        if (name := path.relative_to(CORE).as_posix()) not in ALLOWED
        for use in uses(path.read_text(), name)
    ]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_is_needed(name: str) -> None:
    source = (CORE / name).read_text()
    assert list(uses(source)), f"{name} need not be allowed any more"


@pytest.mark.parametrize(
    "code",
    [
        'remedy = "terraform/aws"',
        'if service == "s3": pass',
        "aws_rights = 1",
        "error.code == 'NoSuchKey'",
        "import boto3",
        'f"gs://{bucket}"',
        'removal = "index_tags of Azure"',
        "def on_gcs(): pass",
        "call(s3=True)",
        "header = b'x-amz-date'",
    ],
)
def test_a_cloud_in_the_code_is_seen(code: str) -> None:
    assert list(uses(code))


@pytest.mark.parametrize("code", ['"""On S3, one request."""', "x = 'is3 bits'", "# of Azure"])
def test_prose_and_other_words_are_no_cloud(code: str) -> None:
    assert not list(uses(code))
