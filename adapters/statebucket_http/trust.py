"""Whose certificates are trusted: TLS's settings; imported only where an endpoint has TLS."""

from __future__ import annotations

import os
import re
import ssl
from contextlib import suppress

from statebucket.errors import InvalidArgument

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


class Trust:
    """The issuers that vouch for a service: a bundle's, or else the system's.

    The system's are looked up in a folder by their hash where it has one, which takes .2 ms. To
    read them all takes 28 ms (144 issuers, OpenSSL 3.0), and is left for a certificate whose issuer
    the folder does not have.

    Args:
        bundle: A PEM file of issuers, in place of the system's.
    """

    def __init__(self, bundle: str | None) -> None:
        self._bundle = bundle
        folder = None if bundle is not None else _hashed_folder()
        self.complete = folder is None
        self.context = self._all() if folder is None else _context()
        if folder is not None:
            self.context.load_verify_locations(capath=folder)

    def complete_it(self) -> None:
        """Trusts all the system's issuers from now on, since the folder was not enough."""
        self.context = self._all()
        self.complete = True

    def _all(self) -> ssl.SSLContext:
        context = _context()
        if self._bundle is None:
            context.load_default_certs()
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


def _hashed_folder() -> str | None:
    """The folder of the system's issuers, where they can be looked up in it by their hash."""
    paths = ssl.get_default_verify_paths()
    if os.environ.get(paths.openssl_cafile_env) or paths.capath is None:
        return None  # a file of the user's counts first
    with suppress(OSError), os.scandir(paths.capath) as entries:
        if any(_HASHED.fullmatch(entry.name) for entry in entries):
            return paths.capath
    return None
