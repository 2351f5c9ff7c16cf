"""The storage servers that the tests run against, one module each.

Every module offers the same shape: ``running_<name>()``, a context manager that gives a
`Server`, and ``missing()``, which says why the server cannot run here, or None.

All of them bind to 127.0.0.1 on a free port and end with the test process, even if it is killed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

Service = Literal["s3", "gcs", "azure"]

AZURE_ACCOUNT = "devstoreaccount1"
# Not a secret: the key that Azurite's documentation publishes and every Azurite accepts.
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running storage server, with what an SDK needs to reach it.

    Attributes:
        name: The server's name, such as "moto" or "azurite".
        service: The service whose API it speaks.
        url: Its URL, without a slash at the end.
        access_key: The account's or key's name; any value will do for the S3 servers.
        secret_key: The secret that belongs to it.
        pid: The server's process.
    """

    name: str
    service: Service
    url: str
    access_key: str
    secret_key: str = field(repr=False)
    pid: int

    @property
    def host(self) -> str:
        """The address it listens on."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.url).port or 0

    @property
    def netloc(self) -> str:
        """Host and port in the form of a client's Host header."""
        return urlsplit(self.url).netloc

    @property
    def account_url(self) -> str:
        """Azure's account URL; emulators take the account from the path."""
        return f"{self.url}/{self.access_key}"

    @property
    def connection_string(self) -> str:
        """Azure's connection string for the blob service."""
        scheme = urlsplit(self.url).scheme
        return (
            f"DefaultEndpointsProtocol={scheme};AccountName={self.access_key};"
            f"AccountKey={self.secret_key};BlobEndpoint={self.account_url};"
        )

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables by which clients find this server.

        The SDKs of S3 and Cloud Storage read theirs; Azure's leaves it to the application.
        """
        if self.service == "s3":
            return {
                "AWS_ENDPOINT_URL_S3": self.url,
                "AWS_ACCESS_KEY_ID": self.access_key,
                "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_DEFAULT_REGION": "us-east-1",
                # Or a test without credentials asks the metadata address, off this machine.
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        if self.service == "gcs":
            return {"STORAGE_EMULATOR_HOST": self.url}
        return {"AZURE_STORAGE_CONNECTION_STRING": self.connection_string}

    def via(self, url: str) -> Server:
        """Give the same server as seen through a proxy.

        Args:
            url: The proxy's URL.

        Returns:
            A copy whose URL, and all that derives from it, name the proxy.
        """
        return replace(self, url=url.rstrip("/"))
