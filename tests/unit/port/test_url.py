"""Store URLs: what they may contain, what they must not, and what errors show of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statebucket import errors, open_store
from statebucket.port import url as url_module

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("url", "name", "prefix"),
    [
        ("memory://", "memory", ""),
        ("memory://shared", "memory", ""),
        ("memory://shared/", "memory", ""),
        ("sqlite:///relative.db", "sqlite", ""),
        ("sqlite:////tmp/absolute.db", "sqlite", ""),
        ("sqlite:///some folder/état.db", "sqlite", ""),
        ("s3://bucket", "s3", ""),
        ("s3://bucket/", "s3", ""),
        ("s3://bucket/prefix", "s3", "prefix"),
        ("s3://bucket/prefix/", "s3", "prefix"),
        ("s3://bucket.with.dots/a/b-c_d.e", "s3", "a/b-c_d.e"),
        ("s3://bucket/team=x/env=prod", "s3", "team=x/env=prod"),
        ("s3://bucket/.hidden", "s3", ".hidden"),
        ("sqlite:////home/me@example.org/state.db", "sqlite", ""),
        ("S3://bucket/Prefix?region=eu-west-1&endpoint_url=http://127.0.0.1:1", "s3", "Prefix"),
    ],
)
def test_what_opens(url: str, name: str, prefix: str) -> None:
    store = open_store(url)
    assert store.name == name
    assert f"prefix={prefix!r}" in repr(store)
    assert ("bucket='bucket" in repr(store)) == (name == "s3")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bucket/prefix",
        "s3:bucket",
        "s3:/bucket",
        "://bucket",
        "s3://",
        "s3:///prefix",
        "s3://-bucket",
        "s3://bucket:8080/prefix",
        "s3://bucket#fragment",
        "s3://bucket?region",
        "s3://bucket?region=a&region=b",
        "s3://[bucket",
        "s3://buck\net/prefix",
        "s3://bucket/pre\tfix",
        "memory://name/path",
        "sqlite://",
        "sqlite:///",
        "sqlite://relative.db",
        "sqlite://host/file.db",
        "sqlite:///folder/",
        "sqlite:///:memory:",
        "sqlite:///fi\x00le.db",
        "sqlite:///fi\nle.db",
    ],
    ids=ascii,
)
def test_what_is_no_store_url(url: str) -> None:
    with pytest.raises(errors.InvalidURL) as caught:
        open_store(url)
    assert isinstance(caught.value, errors.InvalidInput)


@pytest.mark.parametrize("query", ["region", "region=a&", "hunter2;sig", "a=b&c"])
def test_a_query_without_an_equals_sign_is_refused_with_the_form_that_it_must_have(
    query: str,
) -> None:
    with pytest.raises(errors.InvalidURL, match="must be name=value") as caught:
        open_store(f"s3://bucket/prefix?{query}")
    assert "'s3://bucket/prefix'" in str(caught.value)
    assert query not in str(caught.value)  # it may be a secret


@pytest.mark.parametrize("url", [3, b"s3://bucket", ["s3://bucket"]], ids=repr)
def test_a_url_is_text(url: Any) -> None:
    with pytest.raises(errors.InvalidURL, match="must be a string"):
        open_store(url)


@pytest.mark.parametrize("segment", ["", ".", "..", "a.", "a b", "é", "%20", "a\\b", "a~€", "a^b"])
def test_a_prefix_segment_that_some_cloud_or_proxy_would_change_is_refused(segment: str) -> None:
    with pytest.raises(errors.InvalidURL, match="prefix segment"):
        open_store(f"s3://bucket/a/{segment}/b")


def test_a_prefix_has_256_characters_at_most() -> None:
    open_store(f"s3://bucket/{'x' * 256}")
    with pytest.raises(errors.InvalidURL, match="257"):
        open_store(f"s3://bucket/{'x' * 257}")


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{PASSWORD}@bucket/prefix",
        f"s3://{PASSWORD}@bucket/prefix",
        # A password may itself hold what ends a host.
        f"s3://AKIA:{PASSWORD}/more@bucket/prefix",
        f"s3://AKIA:{PASSWORD}?more@bucket/prefix",
        f"s3://AKIA:{PASSWORD}#more@bucket/prefix",
        f"s3://AKIA:{PASSWORD}@[bucket",
        f"s3:AKIA:{PASSWORD}@bucket",
        f"AKIA:{PASSWORD}@bucket",
        # A password without a user, a host or a slash where one should be.
        f"s3://bucket/prefix@{PASSWORD}",
        f"s3://AKIA/{PASSWORD}@bucket",
        f"s3://bucket/a/{PASSWORD}@b/c",
        f"s3:{PASSWORD}",
        f"s3:/{PASSWORD}",
        PASSWORD,
        f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={PASSWORD}",
        # A parameter where the path should be.
        f"az://container/prefix;sig={PASSWORD}",
        f"az://container;sig={PASSWORD}/prefix",
        f"az://container/prefix&sig={PASSWORD}",
        f"az://container/sig={PASSWORD}",
        f"s3://bucket/prefix;{PASSWORD}",
        f"s3://bucket/prefix%3Fsig={PASSWORD}",
        f"s3://bucket;{PASSWORD}",
        f"s3://bucket/AccountKey={PASSWORD}/more",
        f"s3://bucket?endpoint_url=http://127.0.0.1;{PASSWORD}",
        f"s3://bucket?endpoint_url={PASSWORD}",
        f"gs://bucket?endpoint_url=127.0.0.1/{PASSWORD}",
        f"unknown://AKIA:{PASSWORD}@bucket/prefix",
        f"sqlite://user:{PASSWORD}@/file.db",
        f"s3://bucket?endpoint_url=http://user:{PASSWORD}@127.0.0.1:9000",
        f"s3://bucket?endpoint_url=http%3A%2F%2Fuser%3A{PASSWORD}%40127.0.0.1",
        f"s3://bucket?endpoint_url=http://user:{PASSWORD}/more@127.0.0.1",
        f"s3://bucket?endpoint_url=http://{PASSWORD}@[127",
        *(
            f"s3://bucket/prefix?{name}={PASSWORD}"
            for name in (
                "secret",
                "aws_secret_access_key",
                "AWS_ACCESS_KEY_ID",
                "access_key",
                "accesskey",
                "key",
                "account_key",
                "token",
                "session_token",
                "X-Amz-Security-Token",
                "X-Amz-Signature",
                "X-Amz-Credential",
                "password",
                "passwd",
                "sig",
                "sas",
                "sas_token",
                "connection_string",
                "connectionString",
                "credentials",
            )
        ),
    ],
)
def test_a_url_that_carries_a_secret_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(errors.InvalidURL) as caught:
        open_store(url)
    _shows_nothing(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://bucket/prefix?AccountKey={PASSWORD}",
        f"s3://bucket/prefix?unknown={PASSWORD}",
        f"s3://bucket/prefix?deadline={PASSWORD}",
        f"s3://bucket/prefix?ttl_tags={PASSWORD}",
        f"s3://bucket/prefix?sse={PASSWORD}",
        f"s3://bucket/prefix?addressing_style='{PASSWORD}'",
        f"s3://bucket/prefix?{PASSWORD}",
        f"s3://bucket/prefix#{PASSWORD}",
        f"s3://bucket/a b?x={PASSWORD}",
        f"s3:///?region={PASSWORD}",
        f"unknown://bucket?x={PASSWORD}",
    ],
)
def test_no_error_shows_the_value_of_a_parameter(url: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        open_store(url)
    _shows_nothing(caught.value)


def _shows_nothing(error: BaseException) -> None:
    assert PASSWORD not in str(error)
    assert PASSWORD not in repr(error)
    assert error.__cause__ is None  # what a traceback would print besides
    assert error.__context__ is None  # what some loggers show even if it is suppressed


@pytest.mark.parametrize(
    ("url", "options", "named"),
    [
        ("s3://bucket?regoin=x", {}, "regoin"),
        ("s3://bucket", {"regoin": "x"}, "regoin"),
        ("s3://bucket?clock=1", {}, "clock"),  # an option, but none for a URL
        ("s3://bucket?finished_ttl=60", {}, "finished_ttl"),
        ("s3://bucket", {"region": 3}, "region"),
        ("memory://?x=1", {}, "x"),
        ("memory://", {"region": "x"}, "region"),
        ("sqlite:///file.db?mode=ro", {}, "mode"),
        ("sqlite:///file.db", {"timeout": 3}, "timeout"),
    ],
)
def test_an_unknown_or_wrong_option_is_refused_by_name(
    url: str, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"option '.*{named}'"):
        open_store(url, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"deadline": []},
            "the option 'deadline' must be a positive timedelta or number of seconds",
        ),
        (
            {"deadline": 0},
            "the option 'deadline' must be a positive timedelta or number of seconds",
        ),
        ({"max_in_flight": "x"}, "the option 'max_in_flight' must be a whole number, not text"),
        ({"max_in_flight": 0}, "the option 'max_in_flight' must be a whole number >= 1"),
        ({"owner_index": "x"}, "the option 'owner_index' must be true or false, not text"),
        (
            {"max_in_flight": "5"},
            "the option 'max_in_flight' must be a whole number, not text, as in max_in_flight=5",
        ),
        (
            {"owner_index": "false"},
            "the option 'owner_index' must be True or False, as in owner_index=False",
        ),
        (
            {"owner_index": 1},
            "the option 'owner_index' must be True or False, as in owner_index=True",
        ),
        ({"engine": 3}, "the option 'engine' must be text, not a whole number"),
        ({"dealine": 3}, "there is no option 'dealine'; available: deadline, engine, "),
        ({"\ud800": "x"}, r"the option '\ud800' contains a lone surrogate"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_in_plain_words(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"^{re.escape(message)}"):
        open_store("memory://", **options)


def test_a_url_may_name_a_tenant_and_a_keyword_wins() -> None:
    assert open_store("memory://").tenant_id is None
    assert open_store("memory://?tenant=acme").tenant_id == "acme"
    assert open_store("memory://?tenant=a%2Fb%20c").tenant_id == "a/b c"
    assert open_store("memory://?tenant=acme", tenant="other").tenant_id == "other"
    with pytest.raises(errors.InvalidKey):
        open_store("memory://?tenant=")


def test_a_deadline_may_be_a_timedelta() -> None:
    assert open_store("memory://", deadline=timedelta(seconds=3)).context.deadline == 3
    with pytest.raises(errors.InvalidArgument, match="must be a positive timedelta"):
        open_store("memory://", deadline=timedelta(0))


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("deadline", ["0", "-1", "nan", "inf", "86401", "5s", "", "null", "true"]),
        ("owner_index", ["maybe", "", "2", "null", "yes"]),
        ("max_in_flight", ["0", "-1", "1.5", "", "many", "inf"]),
    ],
)
def test_options_of_the_core_in_a_url_are_what_they_may_be(option: str, values: list[str]) -> None:
    for value in values:
        with pytest.raises(errors.InvalidArgument, match=option):
            open_store(f"memory://?{option}={value}")


@pytest.mark.parametrize(
    ("option", "values"),
    [
        (
            "deadline",
            [0, -1, float("nan"), float("inf"), True, "soon", [1], 10**400, 86_401, "\ud800"],
        ),
        ("owner_index", [2, "maybe", [], 0.5, "\ud800"]),
        ("max_in_flight", [0, -1, True, 1.5, "many", "\ud800"]),
        ("engine", [3, b"sdk"]),
        ("tenant", [3, b"acme"]),
    ],
)
def test_keyword_options_of_the_core_are_what_they_may_be(option: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(errors.InvalidArgument, match=option):
            open_store("memory://", **{option: value})


NO_DURATIONS = [0, -1, timedelta(0), float("nan"), float("inf"), True, "60", b"60", [60]]


@pytest.mark.parametrize("value", NO_DURATIONS, ids=repr)
@pytest.mark.parametrize("option", ["deadline", "retention", "finished_ttl"])
def test_each_duration_of_a_keyword_follows_the_same_rule(option: str, value: Any) -> None:
    kind = errors.InvalidArgument if option == "deadline" else errors.InvalidTTL
    with pytest.raises(kind) as caught:
        open_store("memory://", **{option: value})
    text = caught.value.message
    assert text.startswith(
        f"the option {option!r} must be a positive timedelta or number of seconds"
    )
    assert text.endswith(f": {errors.shown(value)}")


@pytest.mark.parametrize("text", ["", "soon", "1d", "true"])
def test_retention_in_a_url_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="option 'retention'"):
        open_store(f"memory://?retention={text}")
    with pytest.raises(errors.InvalidTTL, match="option 'retention'"):
        open_store("memory://?retention=0")
    with pytest.raises(errors.InvalidArgument, match="'retention' must not be null: leave it out"):
        open_store("memory://?retention=null")


def test_a_url_of_the_environment_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATEBUCKET_URL", "state.db")
    with pytest.raises(errors.InvalidURL, match=r"^STATEBUCKET_URL: a store URL must begin with"):
        open_store()


def test_a_message_shows_a_long_url_in_short() -> None:
    for url in (f"s3://bucket/{'p' * 9_000}#f", f"s3://{'b' * 9_000}%/", "x" * 100_000):
        with pytest.raises(errors.InvalidURL) as caught:
            open_store(url)
        assert len(str(caught.value)) < 600
    with pytest.raises(errors.InvalidURL, match=r"at most 16,384 characters; this one has 20,005"):
        open_store(f"s3://{'b' * 20_000}")
    with pytest.raises(errors.InvalidURL, match="lone surrogate"):
        open_store("sqlite:///\udcff.db")


@pytest.mark.parametrize(
    ("url", "options", "seconds"),
    [
        ("memory://", {}, None),
        ("memory://?retention=86400", {}, 86400),
        ("memory://?retention=86400", {"retention": timedelta(hours=1)}, 3600),
        ("memory://", {"retention": 0.5}, 0.5),
    ],
)
@pytest.mark.asyncio
async def test_retention_may_stand_in_the_url(
    url: str, options: dict[str, Any], seconds: float | None
) -> None:
    async with open_store(url, clock=lambda: 1000, **options) as store:
        await store.set("k", b"v")
        stored = await store.get_stored("k")
    assert stored is not None
    expected = None if seconds is None else datetime.fromtimestamp(1000 + seconds, UTC)
    assert stored.expires_at == expected


PARTS = st.sampled_from(["s3", "S3", "http", "x1", "1x", "", "a+b", "é"])
TEXT = st.text(st.sampled_from("ab1.-_~/:?=&%+#;@[]é \\"), max_size=12)


@given(
    st.one_of(
        st.builds("{}://{}".format, PARTS, TEXT),
        st.builds("{}://host:{}/{}?{}".format, PARTS, st.integers(-1, 70_000), TEXT, TEXT),
        TEXT,
    )
)
@example("http://127.0.0.1:65535/x?a=b")
@example("http://127.0.0.1:65536/x?a=b")
@example("http://Host:/x")
def test_a_url_is_taken_apart_as_the_standard_library_does(url: str) -> None:
    def parts(split: Callable[[str], Any]) -> object:
        try:
            found = split(url)
            whole = (found.scheme, found.netloc, found.path, found.query, found.fragment)
        except ValueError:
            return None
        try:
            return (*whole, found.hostname, found.port)
        except ValueError:
            return whole

    assert parts(url_module.split) == parts(urlsplit)


@given(TEXT, TEXT)
def test_parameters_are_read_as_the_standard_library_does(first: str, second: str) -> None:
    query = f"{first}&{second}".replace("#", "")
    try:
        expected = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        expected = None
    try:
        read = list(url_module.StoreURL(f"x://h/?{query}").parameters.items())
    except errors.InvalidURL as error:
        repeated = expected is not None and len(dict(expected)) < len(expected)
        refused = "secret" in error.message or "user or password" in error.message or repeated
        assert expected is None or refused
    else:
        assert read == expected
