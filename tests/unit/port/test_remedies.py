"""A remedy in each reader's form, and which of a cloud's remedies an error needs."""

from __future__ import annotations

import msgspec
import pytest

from statebucket import errors
from statebucket.port.remedies import Remedies, Remedy, TerraformLine

LINE = TerraformLine("example/module", "rights = true")
MODULE = TerraformLine("example/module")


@pytest.mark.parametrize(
    ("remedy", "python", "shell", "json"),
    [
        (
            Remedy(call="sweep()", command="statebucket sweep"),
            *("sweep()", "statebucket sweep"),
            {"call": "sweep()", "command": "statebucket sweep"},
        ),
        (Remedy(command="login"), "login", "login", {"command": "login"}),
        (Remedy(call="sweep()"), "sweep()", "sweep()", {"call": "sweep()"}),
        (Remedy(advice="wait"), "wait", "wait", {"advice": "wait"}),
        (
            Remedy(advice="log in", command="login"),
            *("log in: login", "log in: login"),
            {"advice": "log in", "command": "login"},
        ),
        (
            Remedy(terraform=LINE, command="grant"),
            *("rights = true  # example/module; or grant",) * 2,
            {
                "command": "grant",
                "terraform": {"module": "example/module", "line": "rights = true"},
            },
        ),
        (
            Remedy(terraform=MODULE),
            *('module "state" { source = "example/module" … }',) * 2,
            {"terraform": {"module": "example/module"}},
        ),
    ],
)
def test_a_remedy_is_worded_for_its_reader(
    remedy: Remedy, python: str, shell: str, json: dict[str, object]
) -> None:
    assert str(remedy) == python
    assert remedy.shell == shell
    assert msgspec.to_builtins(remedy) == json


ALL = Remedies(**{name: Remedy(advice=name) for name in Remedies.__struct_fields__})


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.InvalidCredentials("x"), "credentials"),
        (errors.AccessDenied("x"), "rights"),
        (errors.BucketNotFound("x"), "bucket"),
        (errors.CorruptObject("x"), "damaged"),
        (errors.Throttled("x"), "network"),
        (errors.DeadlineExceeded("x"), "network"),
        (errors.RequestRejected("x"), None),
    ],
)
def test_an_error_calls_for_the_remedy_of_its_cause(
    error: errors.StateBucketError, name: str | None
) -> None:
    assert ALL.of(error) == (None if name is None else Remedy(advice=name))
    tenants = "tenant_rights" if name == "rights" else name
    assert ALL.of(error, tenant=True) == (None if tenants is None else Remedy(advice=tenants))


def test_every_cloud_has_remedies_by_default() -> None:
    for kind in (errors.AccessDenied, errors.BucketNotFound, errors.Unavailable):
        assert str(Remedies().of(kind("x")))
