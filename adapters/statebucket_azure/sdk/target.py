"""Where a store's container is, and the credentials for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from statebucket.errors import InvalidArgument, InvalidCredentials
from statebucket.port.endpoint import require_tls
from statebucket.port.timeouts import idle_limit
from statebucket_azure.connection_strings import account_at, from_environment, no_connection_string
from statebucket_azure.options import CONNECTION_STRING

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.port.bucket import Location
    from statebucket_azure.sdk.options import AzureOptions


class Target:
    """A container and the credentials for it, found without a request.

    Args:
        container: The container's name.
        options: The options.
        location: The store's URL, parsed.

    Attributes:
        account: The account's name; None if nothing names it.

    Raises:
        InvalidURL: There is no account, or two that differ.
        InvalidArgument: An option or the connection string is not valid, or credentials would be
            sent in clear text.
        InvalidCredentials: There are no credentials to try.
    """

    def __init__(self, container: str, options: AzureOptions, location: Location) -> None:
        self.container = container
        self._options = options
        self._location = location
        self.max_in_flight = location.max_in_flight
        # Seconds without a byte: long enough for a slow service, short enough for another try.
        self.idle = idle_limit(location.deadline)
        self.client = None if options.client is None else _callers(options.client, container)
        self.credential = options.credential
        self.make_credential: Callable[..., Any] | None = None
        if self.client is not None:
            self.account = _account_of(self.client) or options.account
            options.check_account(_account_of(self.client), "the client")
            _check_clear_text(self.client, options)
            return
        settings = {} if self.credential is not None else from_environment(options.endpoint_url)
        url = "" if settings else options.account_url()
        if not settings and self.credential is None:
            self.make_credential = _default_credential()
        if (self.make_credential or hasattr(self.credential, "get_token")) and not url.startswith(
            "https://"
        ):
            raise InvalidArgument(
                "endpoint_url must be https:// with token credentials, which the Azure SDK sends "
                f"over TLS only; for an emulator set {CONNECTION_STRING}"
            )
        secret = ";".join(f"{name}={value}" for name, value in settings.items())

        # A closure, so that no repr shows the secret.
        def connect(credential: Any, **how: Any) -> ContainerClient:  # noqa: ANN401
            if secret:
                return ContainerClient.from_connection_string(secret, container, **how)
            return ContainerClient(url, container, credential, **how)

        self.connect = connect
        try:
            client = connect(self.credential)
        except (TypeError, ValueError):
            client = None
        if client is None:  # out of the handler: the SDK's text may quote a secret
            if secret:
                raise no_connection_string()
            raise InvalidArgument("credential is not supported by the Azure SDK")
        where = CONNECTION_STRING if secret else "endpoint_url"
        self.account = settings.get("accountname") or _account_of(client) or options.account
        options.check_account(settings.get("accountname") or _account_of(client), where)
        if self.make_credential is None:
            _check_clear_text(client, options)

    def beside(self, container: str) -> Target:
        """Another container of the account, with the same options.

        Raises:
            InvalidArgument: The caller's client is for a single container.
        """
        return Target(container, self._options, self._location)


def _account_of(client: ContainerClient) -> str | None:
    """The account that a client's credential or host names; None if neither does."""
    credential = client.credential
    if isinstance(credential, AzureNamedKeyCredential):
        return credential.named_key.name
    if hasattr(credential, "account_key"):
        account: str = credential.account_name
        return account
    return account_at(client.url)


def _check_clear_text(client: ContainerClient, options: AzureOptions) -> None:
    if client.credential is not None or "sig=" in client.url:
        require_tls(client.url, insecure=options.insecure_endpoint)


def _default_credential() -> Callable[..., Any]:
    try:
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415  (slow to load)
    except ImportError:
        raise InvalidCredentials(
            f"no credentials for Azure: set {CONNECTION_STRING}, "
            "or pip install azure-identity for managed identities and the like"
        ) from None
    return DefaultAzureCredential


def _callers(client: object, container: str) -> ContainerClient:
    """The caller's own client, for the container."""
    if isinstance(client, BlobServiceClient):
        return client.get_container_client(container)
    if not isinstance(client, ContainerClient):
        raise InvalidArgument(
            "client must be a ContainerClient or BlobServiceClient of azure.storage.blob.aio, "
            f"not {type(client).__module__}.{type(client).__name__}"
        )
    if client.container_name != container:
        raise InvalidArgument(
            f"client is for container {client.container_name!r}, the URL for {container!r}"
        )
    return client
