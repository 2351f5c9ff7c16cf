"""Certificates for a proxy that speaks TLS."""

from __future__ import annotations

import ssl

import trustme


def untrusted(host: str) -> tuple[ssl.SSLContext, bytes]:
    """Make a certificate that is valid except for its issuer, which is unknown.

    Args:
        host: The host it is for.

    Returns:
        A server's context with that certificate, and the issuer's certificate as PEM, with
        which a test can show that only trust is missing.
    """
    issuer = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(host).configure_cert(context)
    return context, issuer.cert_pem.bytes()
