"""AWS's configuration files: which parts are a profile, and that errors hide their contents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.errors import InvalidArgument
from statebucket_s3.http.profiles import Profile
from support.error_texts import texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize(
    "content",
    [
        b"aws_secret_access_key = hunter2\n",
        b"[default]\nhunter2\n",
        b"[default]\naws_secret_access_key = hunter2\xff\n",
    ],
)
def test_a_file_that_is_none_of_aws_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(InvalidArgument, match="cannot be read") as caught:
        Profile()
    assert "hunter2" not in "".join(texts(caught.value))


def test_the_file_with_the_keys_comes_first_and_no_secret_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config, shared = tmp_path / "config", tmp_path / "credentials"
    config.write_text('[profile "dev"]\nregion = a\nca_bundle = b\n[other]\nregion = c\n')
    shared.write_text("[dev]\nregion = d\naws_secret_access_key = hunter2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_PROFILE", "dev")
    profile = Profile()
    assert (profile.get("region"), profile.get("ca_bundle")) == ("d", "b")
    assert profile.settings == {"region", "ca_bundle", "aws_secret_access_key"}
    assert profile.get("aws_secret_access_key") is None
    assert not profile.missing
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert Profile().missing
