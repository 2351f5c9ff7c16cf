"""Which source supplies the keys: the same as in botocore's chain in the same environment."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import pytest
from botocore.session import get_session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.s3.http.sources import ARN, JSON, ROLE, ROLES_PATH, TOKEN_PATH, XML, body, moment
from adapters.s3.http.sources import sts_body as of_web_identity
from statebucket.errors import InvalidCredentials, StateBucketError
from statebucket.port.waiting import step
from statebucket_s3.http.credentials import CredentialSource
from statebucket_s3.http.options import HTTPOptions
from statebucket_s3.http.settings import read_settings
from support.fault_proxy.messages import Reply
from support.fault_proxy.proxy import AnswerWith, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.fault_proxy.record import Recorded

# What a profile may hold, on either side of what botocore asks first.
SETTINGS = {
    "region": "region = eu-west-1",
    "keys": "aws_access_key_id = of-{file}\naws_secret_access_key = s",
    "half a key": "aws_access_key_id = half-of-{file}",
    "role": f"role_arn = {ARN}",
    "role of an instance": f"role_arn = {ARN}\ncredential_source = Ec2InstanceMetadata",
    "web identity": f"role_arn = {ARN}\nweb_identity_token_file = {{folder}}/token",
    "process": "credential_process = cat {folder}/process.json",
    "sso": "sso_account_id = 1",
}
SECTIONS = {"config": ("default", "profile dev", "dev"), "credentials": ("default", "dev")}


class Surroundings(NamedTuple):
    """What a program finds: the environment's variables, and files by their names."""

    variables: Mapping[str, str]
    files: Mapping[str, str]


def variables(url: str, folder: str) -> st.SearchStrategy[dict[str, str]]:
    """Environments; ``url`` is a service that plays all of AWS's."""
    keys: list[dict[str, str]] = [
        {},
        {},
        {"AWS_ACCESS_KEY_ID": "of-environment"},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "s"},
        {"AWS_ACCESS_KEY_ID": "of-environment", "AWS_SECRET_ACCESS_KEY": "s"},
    ]
    tokens: list[dict[str, str]] = [
        {},
        {"AWS_SESSION_TOKEN": "t"},
        {"AWS_SECURITY_TOKEN": "u"},
        {"AWS_SESSION_TOKEN": "t", "AWS_SECURITY_TOKEN": "u"},
        {"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": moment(36000)},
        {"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": moment(-10)},
    ]
    profiles: list[dict[str, str]] = [
        {},
        {},
        {"AWS_PROFILE": "dev"},
        {"AWS_PROFILE": "missing"},
        {"AWS_PROFILE": "missing", "AWS_DEFAULT_PROFILE": "dev"},
    ]
    identities: list[dict[str, str]] = [
        {},
        {},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token", "AWS_ROLE_ARN": ARN},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{folder}/token"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": ""},
        {"AWS_ROLE_ARN": ARN},
    ]
    containers: list[dict[str, str]] = [{}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/task"}]
    old: list[dict[str, str]] = [
        {},
        {},
        {"BOTO_CONFIG": f"{folder}/boto"},
        {"AWS_CREDENTIAL_FILE": f"{folder}/old"},
    ]
    machines: list[dict[str, str]] = [{}, {"AWS_EC2_METADATA_DISABLED": "true"}]
    parts = [keys, tokens, profiles, identities, containers, old, machines]
    return st.tuples(*(st.sampled_from(part) for part in parts)).map(
        lambda chosen: {name: text for part in chosen for name, text in part.items()}
    )


def files() -> st.SearchStrategy[dict[str, str]]:
    """AWS's two configuration files."""

    def written(file: str, sections: Mapping[str, list[str]]) -> str:
        return "\n".join(
            line for name, kinds in sections.items() for line in (f"[{name}]", *kinds)
        ).replace("{file}", file)

    def one(file: str) -> st.SearchStrategy[str]:
        kinds = st.lists(
            st.sampled_from(list(SETTINGS.values())),
            max_size=2,
            unique_by=lambda kind: kind.partition(" ")[0],  # botocore reads no setting twice
        )
        sections = st.dictionaries(st.sampled_from(SECTIONS[file]), kinds, max_size=3)
        return sections.map(lambda chosen: written(file, chosen))

    return st.fixed_dictionaries({file: one(file) for file in SECTIONS})


def aws(request: Recorded) -> Reply:
    """What the services of AWS answer, each with a key of its own."""
    if request.method == "PUT" and request.target == TOKEN_PATH:
        return Reply(200, (), b"token")
    if request.target == "/task":
        return Reply(200, JSON, body("of-container"))
    if request.target == ROLES_PATH:
        return Reply(200, (), ROLE.encode())
    if request.target == ROLES_PATH + ROLE:
        return Reply(200, JSON, body("of-instance"))
    (action,) = parse_qs(request.body.decode()).get("Action", ["none"])
    if action == "AssumeRoleWithWebIdentity":
        return Reply(200, XML, of_web_identity("of-web-identity", moment(3600)))
    if action == "AssumeRole":
        said = of_web_identity("of-role", moment(3600))
        return Reply(200, XML, said.replace(b"WithWebIdentity", b""))
    return Reply(404, (), b"")


class Chosen(NamedTuple):
    """A key, as far as both have it."""

    access_key_id: str
    secret: str
    token: str | None


def ours() -> Chosen | None:
    options = HTTPOptions()
    try:
        found = step(CredentialSource(options, read_settings(options), 10.0).get())
    except StateBucketError:
        return None
    return Chosen(found.access_key_id, found.secret_access_key, found.session_token)


def botocores() -> Chosen | None:
    try:
        credentials: Any = get_session().get_credentials()
        found = None if credentials is None else credentials.get_frozen_credentials()
    except Exception:  # noqa: BLE001  (its providers raise what they like)
        return None
    return None if found is None else Chosen(found.access_key, found.secret_key, found.token)


@pytest.fixture(scope="module")
def service() -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", 1) as proxy:
        proxy.always(AnswerWith(aws))
        yield proxy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the settings name."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "token").write_text("a token")
    said = {"Version": 1, "AccessKeyId": "of-process", "SecretAccessKey": "s"}
    (folder / "process.json").write_text(json.dumps(said))
    (folder / "old").write_text("AWSAccessKeyId=of-old-file\nAWSSecretKey=s\n")
    (folder / "boto").write_text(
        "[Credentials]\naws_access_key_id = of-boto\naws_secret_access_key = s\n"
    )
    return folder


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_keys_are_those_that_botocore_chooses(
    service: FaultProxy, folder: Path, data: st.DataObject
) -> None:
    chosen = data.draw(variables(service.url, str(folder)))
    for name, text in data.draw(files()).items():
        (folder / name).write_text(text.replace("{folder}", str(folder)))
    with surrounded(service, folder, chosen):
        found, expected = ours(), botocores()
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "botocore.session", None)
            assert ours() in {found, None}
        if chosen.get("AWS_ACCESS_KEY_ID") and expected is None and found is not None:
            # botocore misses the profile, which keys in the environment do not need.
            assert "AWS_PROFILE" in chosen
            assert found.access_key_id == "of-environment"
        else:
            assert found == expected


@contextmanager
def surrounded(service: FaultProxy, folder: Path, chosen: Mapping[str, str]) -> Iterator[None]:
    """Has the environment be this, and no more that is of AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO"))]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
        patch.setenv("AWS_ENDPOINT_URL_STS", service.url)
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("HOME", str(folder))
        for name, text in chosen.items():
            patch.setenv(name, text)
        yield


ALL = {
    "AWS_ACCESS_KEY_ID": "of-environment",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "{folder}/token",
    "AWS_ROLE_ARN": ARN,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/task",
}


@pytest.mark.parametrize(
    ("left_out", "config", "wins"),
    [
        (0, "", "of-environment"),
        (0, SETTINGS["role of an instance"], "of-environment"),
        (2, SETTINGS["role of an instance"], "of-role"),
        (2, SETTINGS["keys"], "of-web-identity"),
        (2, SETTINGS["process"], "of-web-identity"),
        (4, SETTINGS["web identity"], "of-web-identity"),
        (4, SETTINGS["keys"], "of-config"),
        (4, SETTINGS["process"], "of-process"),
        (4, SETTINGS["region"], "of-container"),
        (5, SETTINGS["region"], "of-instance"),
    ],
)
def test_the_order(
    service: FaultProxy, folder: Path, left_out: int, config: str, wins: str
) -> None:
    text = f"[default]\n{config}".format(file="config", folder=folder)
    (folder / "config").write_text(text)
    (folder / "credentials").write_text("")
    chosen = {
        name: value.format(folder=folder, url=service.url)
        for name, value in list(ALL.items())[left_out:]
    }
    with surrounded(service, folder, chosen):
        found = ours()
        assert found == botocores()
    assert found is not None
    assert found.access_key_id == wins


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_missing_profile_is_reported(service: FaultProxy, folder: Path, variable: str) -> None:
    for name in SECTIONS:
        (folder / name).write_text("[dev]\nregion = eu-west-1\n" if name == "config" else "")
    with surrounded(service, folder, {variable: "dev"}):  # a section that is no profile
        options = HTTPOptions()
        source = CredentialSource(options, read_settings(options), 10.0)
        with pytest.raises(InvalidCredentials, match=r"profile 'dev'.* is in neither"):
            step(source.get())
