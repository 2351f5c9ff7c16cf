"""Object names: how tenants, executions and keys become names in a bucket, and back.

```
{prefix}/tenants/{tenant}/snapshots/{execution}
{prefix}/tenants/{tenant}/executions/{execution}/{key}
{prefix}/tenants/{tenant}/keys/{key}
{prefix}/tenants/{tenant}/leases/{execution}
{prefix}/shared/executions/{execution}/{key}
{prefix}/shared/keys/{key}
{prefix}/owners/{execution}
```

Each id or key is one path segment. ASCII letters, digits, ``-``, ``_`` and a ``.`` that is neither
first nor last stand for themselves; every other byte of the UTF-8 form is ``~`` and two capital hex
digits. The form is reversible and free of collisions, and no segment of it can be ``.`` or ``..``
or hold a ``/``, so that an id cannot leave its prefix.
"""

from __future__ import annotations

import re

from statebucket.errors import InvalidKey, shown

MAX_NAME_BYTES = 1024
"""The longest object name that S3, GCS and Azure all take, in bytes."""

_PLAIN = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_DOT = ord(".")
_KEEP = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_ESCAPED = re.compile(r"~([0-9A-F]{2})")


def encode(text: str, *, what: str = "key") -> str:
    """Returns ``text`` as one segment of an object name.

    Args:
        text: An id or key.
        what: What it is, for the error message.

    Raises:
        InvalidKey: It is not a string, is empty, or holds a lone surrogate.
    """
    if not isinstance(text, str):
        raise InvalidKey(f"{what} must be a string, not {type(text).__name__}: {shown(text)}")
    text = str.__str__(text)  # not a subclass of str, which may format as something else
    if _PLAIN.fullmatch(text):
        return text
    if not text:
        raise InvalidKey(f"{what} must not be empty")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise InvalidKey(
            f"{what} holds a lone surrogate, which has no UTF-8 form: {shown(text)}"
        ) from None
    last = len(raw) - 1
    return "".join(
        chr(byte) if byte in _KEEP or (byte == _DOT and 0 < at < last) else f"~{byte:02X}"
        for at, byte in enumerate(raw)
    )


def decode(segment: str) -> str | None:
    """Returns the id or key behind ``segment``, or None where `encode` never writes it."""
    if _PLAIN.fullmatch(segment):
        return segment
    try:
        text = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), segment).encode("latin-1").decode()
    except UnicodeError:
        return None
    return text if text and encode(text) == segment else None


class Names:
    """The object names of one store.

    Args:
        prefix: The part of the bucket that the store keeps to, without a slash at either end, or
            empty.
    """

    __slots__ = ("owners", "prefix", "root", "shared", "tenants")

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.root = f"{prefix}/" if prefix else ""
        self.tenants = f"{self.root}tenants/"
        self.shared = f"{self.root}shared/"
        self.owners = f"{self.root}owners/"

    def owner(self, execution_id: str) -> str:
        """The record of which tenant owns an execution."""
        return checked(self.owners + encode_execution(execution_id))

    def tenant(self, tenant_id: str) -> str:
        """The prefix of everything that belongs to a tenant, with its closing slash."""
        return checked(f"{self.tenants}{encode(tenant_id, what='tenant id')}/")

    def snapshots(self, tenant_id: str) -> str:
        """The prefix of a tenant's snapshots."""
        return self.tenant(tenant_id) + "snapshots/"

    def snapshot(self, tenant_id: str, execution_id: str) -> str:
        """The latest snapshot of an execution."""
        return checked(self.snapshots(tenant_id) + encode_execution(execution_id))

    def lease(self, tenant_id: str, execution_id: str) -> str:
        """The lease on an execution."""
        return checked(f"{self.tenant(tenant_id)}leases/{encode_execution(execution_id)}")

    def scope(self, tenant_id: str | None) -> str:
        """The prefix of a tenant's objects, or of those that no tenant owns."""
        return self.shared if tenant_id is None else self.tenant(tenant_id)

    def executions(self, tenant_id: str | None) -> str:
        """The prefix of the keys of all executions in a scope."""
        return self.scope(tenant_id) + "executions/"

    def execution(self, tenant_id: str | None, execution_id: str) -> str:
        """The prefix of the keys of one execution in a scope."""
        # An id is as long as its snapshot's (or owner record's) name allows. Where this prefix is
        # over the limit then, no key can lie below it.
        if tenant_id is None:
            self.owner(execution_id)
        else:
            self.snapshot(tenant_id, execution_id)
        return f"{self.executions(tenant_id)}{encode_execution(execution_id)}/"

    def keys(self, tenant_id: str | None) -> str:
        """The prefix of a scope's keys that belong to no execution."""
        return self.scope(tenant_id) + "keys/"

    def key(self, tenant_id: str | None, key: str) -> str:
        """The object of a key: ``exec:{execution_id}:{rest}`` belongs to that execution."""
        if isinstance(key, str) and key.startswith(EXECUTION_KEY):
            execution_id, _, rest = key[len(EXECUTION_KEY) :].partition(":")
            if not execution_id or not rest:
                raise InvalidKey(
                    f"a key that starts with 'exec:' must read 'exec:{{execution_id}}:{{rest}}', "
                    f"neither part empty: {shown(key)}"
                )
            return checked(self.execution(tenant_id, execution_id) + encode(rest))
        return checked(self.keys(tenant_id) + encode(key))


EXECUTION_KEY = "exec:"
"""How the keys that belong to an execution begin."""


def execution_key(execution_id: str, rest: str) -> str:
    """The key, as callers write it, of ``rest`` under an execution."""
    return f"{EXECUTION_KEY}{execution_id}:{rest}"


def encode_execution(execution_id: str) -> str:
    """Returns an execution id as a segment.

    Raises:
        InvalidKey: It is empty, no string, or holds a ``:``.
    """
    segment = encode(execution_id, what="execution id")
    if ":" in execution_id:
        raise InvalidKey(f"an execution id must not contain ':': {shown(execution_id)}")
    return segment


def checked(name: str) -> str:
    """Returns ``name`` if every cloud takes it.

    Raises:
        InvalidKey: The whole name, prefix included, is over 1,024 bytes.
    """
    # Names are ASCII: segments are escaped and prefixes are checked when a URL is read.
    if len(name) > MAX_NAME_BYTES:
        raise InvalidKey(
            f"the object name would be {len(name)} bytes, over the limit of {MAX_NAME_BYTES} "
            f"(prefix and escapes included): {name[:80]!r}…"
        )
    return name
