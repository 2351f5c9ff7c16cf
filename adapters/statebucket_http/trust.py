"""TLS settings: whose certificates are trusted; imported only if an endpoint has TLS."""

from __future__ import annotations

import os
import ssl
from binascii import a2b_base64
from contextlib import suppress
from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

_HASH_DIGITS = 8
# Where systems keep their issuers, for a Python that was built elsewhere and looks in other places.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)


class Trust:
    """The issuers that vouch for a service: a bundle's, or else the system's.

    Reading all of the system's issuers takes 23 ms (144 issuers, OpenSSL 3.0). So at first they are
    looked up by hash in a folder if the system has one (.1 ms), or only the service's usual ones
    are read (3 ms). The rest is read only for a certificate that these do not vouch for.

    Args:
        bundle: A PEM file of issuers, in place of the system's.
        authorities: Names in the certificates of the service's usual issuers.

    Attributes:
        context: The TLS settings.
        complete: Whether it has all issuers.
        empty: Whether the system has none.
    """

    def __init__(self, bundle: str | None, authorities: Sequence[bytes] = ()) -> None:
        self._bundle = bundle
        self.complete = self.empty = False
        folder = None if bundle is not None else _hashed_folder()
        usual = b"" if bundle is not None or folder is not None else _usual(authorities)
        if folder is not None:
            self.context = _context()
            self.context.load_verify_locations(capath=folder)
        elif usual:
            self.context = _context()
            self.context.load_verify_locations(cadata=usual)
        else:
            self.complete_it()

    def complete_it(self) -> None:
        """Trusts all issuers from now on."""
        self.context = self._all()
        self.complete = True

    def _all(self) -> ssl.SSLContext:
        context = _context()
        if self._bundle is None:
            context.load_default_certs()
            if _lacks_issuers(context) and _hashed_folder() is None:
                self.empty = not _load_elsewhere(context)
            return context
        try:
            if os.path.isdir(self._bundle):  # noqa: PTH112  (pathlib costs 5 ms)
                context.load_verify_locations(capath=self._bundle)
            else:
                context.load_verify_locations(cafile=self._bundle)
        except OSError as error:  # SSLError, too
            raise InvalidArgument(f"the CA bundle {self._bundle!r} cannot be read") from error
        return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies the certificate and its host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _lacks_issuers(context: ssl.SSLContext) -> bool:
    try:
        return not context.cert_store_stats()["x509"]
    except NotImplementedError:  # of `truststore`, whose contexts look for them themselves
        return False


def _load_elsewhere(context: ssl.SSLContext) -> bool:
    """Loads the system's issuers from where Python does not look; False if there are none.

    An issuers' file or folder that the environment names is the user's choice, even if it is empty:
    then nothing is looked for, and nothing is known to be missing.
    """
    paths = ssl.get_default_verify_paths()
    if os.environ.get(paths.openssl_cafile_env) or os.environ.get(paths.openssl_capath_env):
        return True
    for path in _BUNDLES:
        with suppress(OSError):  # SSLError, too
            context.load_verify_locations(cafile=path)
            return True
    return False


def _usual(authorities: Sequence[bytes]) -> bytes:
    """The system's issuers with one of the names in their certificates, as DER."""
    path = ssl.get_default_verify_paths().cafile
    if path is None or not authorities:
        return b""
    found = []
    with suppress(OSError, ValueError), open(path, "rb") as file:  # noqa: PTH123  (as above)
        for block in file.read().split(b"-----BEGIN CERTIFICATE-----")[1:]:
            certificate = a2b_base64(block.partition(b"-----END")[0])
            if any(name in certificate for name in authorities):
                found.append(certificate)
    return b"".join(found)


def _hashed_folder() -> str | None:
    """The folder of the system's issuers, if they can be looked up in it by hash."""
    paths = ssl.get_default_verify_paths()
    if os.environ.get(paths.openssl_cafile_env) or paths.capath is None:
        return None  # a file of the user's counts first
    with suppress(OSError), os.scandir(paths.capath) as entries:
        if any(_is_hashed(entry.name) for entry in entries):
            return paths.capath
    return None


def _is_hashed(name: str) -> bool:
    """Whether a file of issuers is named by their hash, as ``002c0b4f.0`` is."""
    digits, _, number = name.partition(".")
    hexadecimal = len(digits) == _HASH_DIGITS and not digits.strip("0123456789abcdef")
    return hexadecimal and number.isascii() and number.isdecimal()
