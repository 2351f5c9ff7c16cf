"""The statebucket key of an entry: ``kv/{collection}/{key}``.

Only this module writes and reads these keys. In a collection's name ``/`` and ``%``, and in a key
``%``, are written as ``%2F`` and ``%25``, so that no two entries share a name and no collection's
prefix begins with another's. A name that is too long for an object is replaced by ``%h`` and its
hash, and nothing else begins with ``%h``; the entry itself contains the full name.
"""

from __future__ import annotations

import hashlib

from statebucket.errors import InvalidArgument, shown

ROOT = "kv/"
_HASHED = "%h"

# In bytes of an object's name, which may have 1,024; a byte of a character takes up to 3. The rest
# is for the store's prefix and its tenant.
_COLLECTION_BYTES = 200
_KEY_BYTES = 500


def collection_prefix(collection: str) -> str:
    """How the names of a collection's entries begin.

    Raises:
        InvalidArgument: The collection is not a text.
    """
    _check_text("collection", collection)
    segment = collection.replace("%", "%25").replace("/", "%2F")
    return f"{ROOT}{_short(segment, collection, _COLLECTION_BYTES)}/"


def entry_name(collection: str, key: str) -> str:
    """The name of an entry.

    Raises:
        InvalidArgument: The collection or the key is not a text.
    """
    _check_text("key", key)
    return collection_prefix(collection) + _short(key.replace("%", "%25"), key, _KEY_BYTES)


def prefix_of(name: str) -> str:
    """The prefix of the collection that an entry's name belongs to."""
    return name[: name.index("/", len(ROOT)) + 1]


def behind(prefix: str) -> str:
    """A name after all names of a collection and before those of the next one.

    Listings are in the order of escaped names: ``/`` is ``~2F``, and ``:``, ``~3A``, comes after
    it.
    """
    return prefix[:-1] + ":"


def collection_of(prefix: str) -> str | None:
    """The collection whose entries begin with a prefix; None if only the entries name it."""
    return _long(prefix[len(ROOT) : -1])


def key_of(prefix: str, name: str) -> str | None:
    """The key in an entry's name; None if only the entry contains it."""
    return _long(name[len(prefix) :])


def _check_text(what: str, given: object) -> None:
    # py-key-value checks it itself, but not in all of its calls.
    if not isinstance(given, str):
        raise InvalidArgument(f"{what} must be a text: {shown(given)}")


def _short(escaped: str, plain: str, limit: int) -> str:
    if sum(_length(character) for character in escaped) <= limit:
        return escaped
    return _HASHED + hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _length(character: str) -> int:
    """The bytes that a character takes in an object's name."""
    if character.isascii() and (character.isalnum() or character in "-_"):
        return 1
    return 3 * len(character.encode("utf-8", "surrogatepass"))


def _long(escaped: str) -> str | None:
    if escaped.startswith(_HASHED):
        return None
    return escaped.replace("%2F", "/").replace("%25", "%")
