"""Shared Key, which signs requests with the account's key.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

from __future__ import annotations

import time
from base64 import b64decode
from binascii import Error, b2a_base64
from typing import TYPE_CHECKING

from statebucket.errors import InvalidCredentials
from statebucket_azure.options import CONNECTION_STRING
from statebucket_http.signing import HeaderForms, SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class SharedKey:
    """Signs requests with an account's key.

    Args:
        account: The account's name.
        key: Its key, as Azure shows it.

    Raises:
        InvalidCredentials: The key is not valid; the message does not show it.
    """

    def __init__(self, account: str, key: str) -> None:
        if not (account.isascii() and account.isprintable()):
            raise InvalidCredentials(
                "the account's name contains a line break or another invalid character"
            )
        try:
            secret = b64decode(key, validate=True)
        except (Error, ValueError):
            secret = b""
        if not secret:
            raise InvalidCredentials(
                "the account's key is not valid base64: check account_key, or AccountKey in "
                f"{CONNECTION_STRING}"
            )
        self.account = account
        self._key = SigningKey(secret)
        self._forms = HeaderForms("x-ms-")

    def authorization(
        self, method: str, path: str, query: str, headers: Mapping[str, str], length: int
    ) -> str:
        """The ``Authorization`` header of a request.

        Args:
            method: The HTTP method.
            path: The path, percent-encoded as it is sent.
            query: The query, percent-encoded, its parameters in order of their names.
            headers: The headers, names in lower case; of them ``x-ms-date`` is needed.
            length: The bytes of the body.
        """
        return self._header(
            f"{self._beginning(method, headers, length)}{path}{_canonical(query) if query else ''}"
        )

    def signer(self, method: str, headers: Mapping[str, str], base: str) -> Callable[[str], str]:
        """Returns a function that makes the header of requests with neither a query nor a body.

        Args:
            method: The method of all the requests.
            headers: The headers of all the requests, as for `authorization`.
            base: How all paths begin; the function takes the rest of a path.
        """
        beginning = self._beginning(method, headers, 0) + base
        return lambda path: self._header(beginning + path)

    def _beginning(self, method: str, headers: Mapping[str, str], length: int) -> str:
        """The signed text, up to the path."""
        get = headers.get
        # Azure sorts as if they had no hyphens; with ours that makes no difference.
        form = self._forms.of(headers)
        lines = form.lines % form.values(headers)
        return (
            f"{method}\n{get('content-encoding', '')}\n\n{length or ''}\n{get('content-md5', '')}\n"
            f"{get('content-type', '')}\n\n\n{get('if-match', '')}\n{get('if-none-match', '')}\n\n"
            f"\n{lines}\n/{self.account}"
        )

    def _header(self, text: str) -> str:
        signature = b2a_base64(self._key.sign(text.encode()), newline=False).decode()
        return f"SharedKey {self.account}:{signature}"

    def __repr__(self) -> str:
        return f"SharedKey({self.account!r}, …)"


def _canonical(query: str) -> str:
    """The parameters of a query in the form that is signed: decoded, one per line."""
    from urllib.parse import unquote  # noqa: PLC0415  (a first load needs none)

    pairs = [parameter.partition("=") for parameter in query.split("&")]
    return "".join([f"\n{name.lower()}:{unquote(value)}" for name, _, value in pairs])


def http_date(seconds: float) -> str:
    """A time in HTTP's form, in any locale: ``Thu, 26 Nov 2026 08:00:00 GMT``."""
    at = time.gmtime(seconds)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )
