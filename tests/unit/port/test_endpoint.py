"""When credentials may be sent in clear text, and which proxy the environment names."""

from __future__ import annotations

import pytest

from statebucket.errors import InvalidArgument
from statebucket.port.endpoint import is_loopback, is_private_network, proxy_for, require_tls

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "bucket.localhost", "s3.localhost"]
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)
    shown = f"[{host}]" if ":" in host else host
    require_tls(f"http://{shown}:9000")


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "minio", "example.com", "localhost.example.com", "127.0.0.1.example.com"]
)
def test_another_machine_gets_no_credentials_in_clear_text(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InvalidArgument, match=r"clear text.*https://.*insecure_endpoint=true"):
        require_tls(f"http://{host}:9000/path")
    require_tls(f"http://{host}:9000", insecure=True)
    require_tls(f"https://{host}")


@pytest.mark.parametrize(
    ("host", "private"),
    [
        *[(host, True) for host in ("10.0.0.1", "172.16.1.3", "192.168.1.1")],
        *[(host, False) for host in ("172.32.0.1", "192.0.2.1", "8.8.8.8", "10.example")],
        ("fd00::1", True),
        ("2001:db8::1", False),
    ],
)
def test_addresses_of_private_networks(host: str, *, private: bool) -> None:
    assert is_private_network(host) == private


@pytest.mark.parametrize(
    ("variable", "value", "url", "authorization"),
    [
        ("HTTPS_PROXY", "http://proxy:3128", "http://proxy:3128", None),
        ("https_proxy", "proxy:3128", "http://proxy:3128", None),
        ("https_proxy", " proxy ", "http://proxy", None),
        ("https_proxy", "https://proxy", "https://proxy", None),
        ("ALL_PROXY", "http://[::1]:3128", "http://[::1]:3128", None),
        ("https_proxy", f"me:{PASSWORD}@proxy:1", "http://proxy:1", "Basic bWU6aHVudGVyMg=="),
        ("https_proxy", "http://me:a%40b@proxy:1/", "http://proxy:1", "Basic bWU6YUBi"),
        ("HTTP_PROXY", "http://proxy:3128", None, None),
    ],
)
def test_the_proxy_of_a_url(
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    url: str | None,
    authorization: str | None,
) -> None:
    monkeypatch.setenv(variable, value)
    proxy = proxy_for("https://storage.example")
    assert (proxy and proxy.url) == url
    if proxy is not None:
        assert proxy.authorization == authorization
        assert PASSWORD not in repr(proxy)
        if authorization:
            user, _, host = proxy.with_user().removeprefix("http://").rpartition("@")
            assert user in {f"me:{PASSWORD}", "me:a%40b"}
            assert host == "proxy:1"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:10000", "localhost", "[::1]:9000", "169.254.169.254", "[fe80::1]"]
)
def test_plain_http_to_this_machine_or_its_link_goes_through_no_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    assert proxy_for(f"http://{host}") is None
    assert proxy_for(f"https://{host}") is not None


@pytest.mark.parametrize(
    ("excluded", "url"),
    [
        ("storage.example", "https://storage.example"),
        (".example", "https://storage.example/x"),
        ("storage.example:8443", "https://storage.example:8443"),
        ("*", "https://storage.example"),
        ("10.0.0.0/8, other", "https://10.1.2.3:9000"),
        ("nonsense/x, fd00::/8", "https://[fd00::1]"),
        ("fd00::1", "https://[fd00::1]:9000"),
        ("[fd00::1]", "https://[fd00::1]"),
        ("[fd00::1]:9000", "https://[fd00::1]:9000"),
    ],
)
def test_what_no_proxy_excludes(monkeypatch: pytest.MonkeyPatch, excluded: str, url: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert proxy_for(url) is not None
    monkeypatch.setenv("NO_PROXY", excluded)
    assert proxy_for(url) is None
    assert proxy_for("https://11.0.0.1") is None or excluded != "*"


@pytest.mark.parametrize(
    "value",
    [
        f"http://me:{PASSWORD}@",
        f"http://me:{PASSWORD}@proxy:port",
        f"ftp://me:{PASSWORD}@proxy",
        f"http://me:{PASSWORD}@pro xy",
        f"http://m\u00e9:{PASSWORD}@proxy",
        f"http://me:{PASSWORD}%0D%0A@proxy",
        f"http://[{PASSWORD}",
        "://",
    ],
)
def test_what_is_not_a_proxy_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(InvalidArgument, match=r"https_proxy.*http://host:port") as caught:
        proxy_for("https://storage.example")
    assert PASSWORD not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
