"""Where tokens come from: the identity that the environment assigns a function or machine.

The order is that of azure-identity's ``DefaultAzureCredential``. Managed identities, federated
token files and client secrets need no package; azure-identity handles the rest.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from statebucket.errors import AdapterNotInstalled, InvalidCredentials, Unavailable, excerpt
from statebucket.port.token_files import token_in
from statebucket_azure.http.token_services import IMDS, RESOURCE, TokenService, no_token
from statebucket_azure.options import CONNECTION_STRING

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.port.renewal import Token

_SCOPE = f"{RESOURCE}/.default"
_AUTHORITY = "https://login.microsoftonline.com"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_IMDS_PATH = "/metadata/identity/oauth2/token"
_IMDS_STATUSES = frozenset({404, 408, 410, 429})  # it is being updated, or has too many requests
_KINDS = ("environmentcredential", "workloadidentitycredential", "managedidentitycredential")
_PROBE = 3.0  # a third of it for a metadata service that may not exist


class Tokens:
    """The source of tokens, found with the first token.

    Args:
        deadline: Seconds that a call of the store may take.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._source: Callable[[], Token] | None = None
        self._default: Any = None
        self._patience = min(deadline, _PROBE)

    def token(self) -> Token:
        """A token; blocks.

        Raises:
            AdapterNotInstalled: It needs azure-identity, which is missing.
            InvalidCredentials: There is no token, or the identity is refused.
            InvalidArgument: The environment names a service that would be reached in clear text.
            Unavailable: Its source cannot be reached, or fails.
        """
        if self._source is None:
            self._source = self._found()
        return self._source()

    def _found(self) -> Callable[[], Token]:
        environ = os.environ
        chosen = environ.get("AZURE_TOKEN_CREDENTIALS", "").strip().lower()
        allowed = _KINDS if chosen in {"", "prod"} else (chosen,)
        principal = all(environ.get(name) for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"))
        if _KINDS[0] in allowed and principal:
            if environ.get("AZURE_CLIENT_SECRET"):
                return self._client_secret
            if environ.get("AZURE_CLIENT_CERTIFICATE_PATH"):
                return self._from_sdk("a client certificate")
        if _KINDS[1] in allowed and principal and environ.get("AZURE_FEDERATED_TOKEN_FILE"):
            if environ.get("AZURE_KUBERNETES_TOKEN_PROXY"):
                return self._from_sdk("a token proxy of Kubernetes")
            return self._federated
        if _KINDS[2] in allowed:
            return self._managed(alone=chosen != "")
        return self._from_sdk(f"AZURE_TOKEN_CREDENTIALS={chosen}")

    def _managed(self, *, alone: bool) -> Callable[[], Token]:
        """The managed identity of this machine, if the environment shows that there is one.

        Args:
            alone: Whether to try nothing else.
        """
        environ = os.environ
        if environ.get("IDENTITY_ENDPOINT") and environ.get("IDENTITY_HEADER"):
            if environ.get("IDENTITY_SERVER_THUMBPRINT"):
                return self._from_sdk("Service Fabric")
            return self._app_service
        for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT"):  # Azure Arc; Azure ML, Cloud Shell
            if environ.get(name):
                return self._from_sdk(name)
        if alone or environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST"):
            return self._imds
        return self._imds_or_sdk

    def _app_service(self) -> Token:
        """A token of the managed identity of a function or web app."""
        service = TokenService(
            "the managed identity's endpoint",
            os.environ["IDENTITY_ENDPOINT"],
            self._deadline,
            platform=True,
        )
        query = {"api-version": "2019-08-01", "resource": RESOURCE, **_client_id()}
        return service.ask(
            service.query(query, {"x-identity-header": os.environ["IDENTITY_HEADER"]})
        )

    def _imds(self) -> Token:
        """A token of the managed identity of a virtual machine."""
        return _ask_imds(self._deadline)

    def _imds_or_sdk(self) -> Token:
        """A token of a virtual machine's identity, or of azure-identity if there is none."""
        try:
            token = _ask_imds(self._patience)
        except (InvalidCredentials, Unavailable) as error:
            if error.outcome == "unknown":  # it took the request, so it exists and is slow
                self._patience = self._deadline
                raise Unavailable(error.message) from error
            # Networks without it may reply 404 in its place, but in another form.
            if error.transient and error.code not in {None, "404"}:
                raise
            if not _installed():
                raise no_token(
                    "the environment names no identity, and this machine has none (for the login "
                    "of az, and others: pip install azure-identity)"
                ) from error
        else:
            self._source = self._imds
            return token
        self._source = self._of_sdk
        return self._of_sdk()

    def _federated(self) -> Token:
        """A token in exchange for that in a file, as in a Kubernetes pod."""
        service = self._entra()
        return service.ask(service.form(_assertion()))

    def _client_secret(self) -> Token:
        """A token in exchange for an application's secret."""
        service = self._entra()
        return service.ask(
            service.form({**_application(), "client_secret": os.environ["AZURE_CLIENT_SECRET"]})
        )

    def _entra(self) -> TokenService:
        """Microsoft Entra, which returns a token for a proof of being this application."""
        environ = os.environ
        authority = environ.get("AZURE_AUTHORITY_HOST") or _AUTHORITY
        if "://" not in authority:
            authority = f"https://{authority}"
        tenant = quote(environ["AZURE_TENANT_ID"].strip(), safe="")
        url = f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        return TokenService("Microsoft Entra", url, self._deadline)

    def _from_sdk(self, what: str) -> Callable[[], Token]:
        """A token from a source that azure-identity handles."""
        if not _installed():
            raise AdapterNotInstalled(
                f"engine=http leaves {what} to azure-identity: pip install azure-identity. "
                f"{CONNECTION_STRING}, managed identities, federated token files and client "
                "secrets need nothing"
            )
        return self._of_sdk

    def _of_sdk(self) -> Token:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415  (240 ms)

        from statebucket_azure.http.callers_tokens import asked  # noqa: PLC0415

        if self._default is None:
            try:
                self._default = DefaultAzureCredential()
            except ValueError as error:  # of AZURE_TOKEN_CREDENTIALS
                raise no_token(excerpt(error)) from None
        return asked(self._default)


def _application() -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "scope": _SCOPE,
    }


def _assertion() -> dict[str, str]:
    """A form with the token of a file."""
    try:
        assertion = token_in(os.environ["AZURE_FEDERATED_TOKEN_FILE"])
    except (OSError, ValueError) as error:
        raise no_token(
            f"AZURE_FEDERATED_TOKEN_FILE cannot be read ({type(error).__name__})"
        ) from None
    return {
        **_application(),
        "client_assertion": assertion,
        "client_assertion_type": _ASSERTION,
    }


def _ask_imds(deadline: float) -> Token:
    host = os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or IMDS
    service = TokenService(
        "the machine's metadata service (IMDS)",
        f"{host.rstrip('/')}{_IMDS_PATH}",
        deadline,
        _IMDS_STATUSES,
    )
    query = {"api-version": "2018-02-01", "resource": RESOURCE, **_client_id()}
    return service.ask(service.query(query, {"metadata": "true"}))


def _client_id() -> dict[str, str]:
    """Which identity of a function or machine to use; none for its own."""
    named = os.environ.get("AZURE_CLIENT_ID")
    return {"client_id": named} if named else {}


def _installed() -> bool:
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:  # not even azure
        return False
