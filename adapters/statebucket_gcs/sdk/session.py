"""The SDK's client and its session: endpoint, credentials, proxies and certificates."""

from __future__ import annotations

from http import HTTPStatus
from logging import getLogger
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from google.auth import default
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import TransportError
from google.auth.transport.requests import Request
from google.cloud.storage import Client  # type: ignore[import-untyped]
from requests import Session
from requests.adapters import HTTPAdapter

from statebucket.errors import InvalidCredentials
from statebucket.port.endpoint import proxy_for, require_tls
from statebucket_gcs.errors import HINT
from statebucket_gcs.options import METADATA_HOSTS, ca_bundle, emulator

if TYPE_CHECKING:
    from logging import LogRecord

    from requests import PreparedRequest

    from statebucket_gcs.sdk.options import SDKOptions

_PROXIES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Link:
    """What a request needs of an SDK client.

    Attributes:
        client: The client.
        http: Its authorised session.
        base: The endpoint's URL.
        headers: The headers of every request.

    Args:
        client: The client.
        insecure: Whether credentials may be sent in clear text to another machine.

    Raises:
        InvalidArgument: They would be sent in clear text, which ``insecure`` does not allow.
    """

    def __init__(self, client: Any, *, insecure: bool) -> None:  # noqa: ANN401  (the SDK is untyped)
        sdk = client._connection  # noqa: SLF001  (the SDK has no public way to its session)
        self.client = client
        self.http = client._http  # noqa: SLF001
        self.base = base_of(client)
        if not isinstance(client._credentials, AnonymousCredentials):  # noqa: SLF001
            require_tls(self.base, insecure=insecure)
        self.headers = {
            **{name.lower(): value for name, value in sdk.extra_headers.items()},
            # The service compresses listings only if both headers say gzip.
            "user-agent": f"statebucket {sdk.user_agent.strip()} (gzip)",
            "accept-encoding": "gzip",
        }


def base_of(client: Any) -> str:  # noqa: ANN401  (the SDK is untyped)
    """The URL that an SDK client sends its requests to."""
    base: str = client._connection.get_api_base_url_for_mtls().rstrip("/")  # noqa: SLF001  (as above)
    # Other languages' SDKs take STORAGE_EMULATOR_HOST without a scheme.
    return base if "://" in base else f"http://{base}"


def connect(options: SDKOptions, connections: int) -> Any:  # noqa: ANN401  (the SDK is untyped)
    """Makes an SDK client; its credentials may take a request.

    Args:
        options: The adapter's options.
        connections: The most connections to keep.

    Raises:
        InvalidArgument: The environment names an invalid proxy or file of certificates.
        InvalidCredentials: The file of credentials is not one.
    """
    endpoint = options.endpoint_url
    certificates = ca_bundle() or True
    try:
        client = Client(
            project=options.project,
            credentials=_credentials(options),
            client_options={"api_endpoint": endpoint.rstrip("/")} if endpoint else None,
        )
    except (AttributeError, TypeError, ValueError, LookupError) as error:  # raised for other JSON
        raise InvalidCredentials(
            f"no usable credentials: the credentials file is malformed ({HINT})"
        ) from error
    session = client._http  # noqa: SLF001  (as above)
    if not session.is_mtls:  # the SDK's own adapter then holds the client's certificate
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=0))
        tokens = _TokenSession()
        session._auth_request = _SingleTry(tokens)  # noqa: SLF001  (the SDK's would try again)
        session._auth_request_session = tokens  # noqa: SLF001  (which is closed with the session)
    else:
        tokens = session._auth_request.session  # noqa: SLF001
        tokens.auth = keep_authorization
        tokens.max_redirects = 0  # see _TokenSession
    # requests would look for proxies on each request, which takes a fifth of its time, and for a
    # password in ~/.netrc, which would take the place of the token.
    session.trust_env = False
    session.verify = certificates
    session.proxies = _proxies(base_of(client))
    return client


def _credentials(options: SDKOptions) -> Any:  # noqa: ANN401  (of many kinds)
    """The credentials that the options or the environment name; None for the SDK's own choice."""
    if options.anonymous:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    if emulator() is not None:
        return None
    # With scopes, which the client adds, this would ask Cloud Resource Manager for the project of a
    # federated identity, and without them it warns that there is none: no request needs one.
    logger = getLogger("google.auth._default")
    logger.addFilter(_needs_no_project)
    try:
        credentials, _ = default()
    finally:
        logger.removeFilter(_needs_no_project)
    return credentials


def _needs_no_project(record: LogRecord) -> bool:
    return "No project ID" not in str(record.msg)


def keep_authorization(request: PreparedRequest) -> PreparedRequest:
    """For requests' ``auth``: sends a request as it is, without a password from ``~/.netrc``."""
    return request


class _TokenSession(Session):
    """Sends requests for tokens, to various hosts, without a password from ``~/.netrc``.

    No redirect is followed: it would take what is exchanged for a token to another host.
    """

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = 0
        self.trust_env = False
        self.verify = ca_bundle() or True

    def merge_environment_settings(self, url: Any, proxies: Any, *rest: Any) -> Any:  # noqa: ANN401
        """Adds the proxy that the environment names for a URL."""
        return super().merge_environment_settings(url, _proxies(url) | (proxies or {}), *rest)


class _SingleTry(Request):
    """Sends a token request once, though the SDK would repeat it: the core retries."""

    def __call__(self, *what: Any, **how: Any) -> Any:  # noqa: ANN401  (the SDK is untyped)
        """Sends a request for a token."""
        answer = super().__call__(*what, **how)  # type: ignore[no-untyped-call]
        if answer.status in _TRANSIENT or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransportError(f"the token service answered {answer.status}")  # type: ignore[no-untyped-call]
        return answer


def _proxies(url: str) -> dict[str, str]:
    """The proxy for a URL, in the form that `requests` takes."""
    if urlsplit(url).hostname in METADATA_HOSTS:  # as for their addresses: see `proxy_for`
        return {}
    proxy = proxy_for(url, schemes=_PROXIES)
    return {} if proxy is None else {"all": proxy.with_user()}
