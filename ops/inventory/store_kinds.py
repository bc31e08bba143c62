"""The kinds of stores: how the address of each is written in the inventory, and which class opens it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ops.inventory.fields import bad

# A host behind SSH, maybe a name of ~/.ssh/config, and a folder there, from its root or from the user's home.
_PORT = r"(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?"
_NAMED = r"(?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])"
_BUCKET, _PREFIX = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", r"(?:/[^\s@]*)?"
_OBJECTS = "ops.infra.stores.object_store:Store"


@dataclass(frozen=True)
class StoreKind:
    """One kind of store.

    Args:
        written: an address of this kind, for a person.
        rest: a pattern of what follows ``SCHEME://``; it takes no password.
        opened_by: ``module:class``; it takes the address and the environment, and is imported when a store is opened.
        hint: what to type where an address of this kind is not well-formed.
    """

    written: str
    rest: str
    opened_by: str
    hint: str = ""


# By scheme.
STORE_KINDS = {
    "s3": StoreKind("s3://bucket/prefix", _BUCKET + _PREFIX, _OBJECTS),
    "gs": StoreKind("gs://bucket/prefix", _BUCKET + _PREFIX, _OBJECTS),
    "az": StoreKind(
        "az://container/prefix",
        r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]" + _PREFIX,
        _OBJECTS,
        "store: az://container/prefix   (a container's name has a-z, 0-9 and -)",
    ),
    "ssh": StoreKind(
        "ssh://user@host/folder",
        rf"{_NAMED}{_PORT}(?:/~)?/[\w.+=,/-]*[\w.+=,-]/*",
        "ops.infra.stores.ssh_store:SshStore",
        "store: ssh://user@host/folder",
    ),
    "file": StoreKind("file:///folder", r"/[^\s@]+", _OBJECTS),
}


def store_name(value: str) -> str:
    """A folder, or the address of a store without a password."""
    scheme, elsewhere, rest = value.partition("://")
    if elsewhere:
        kind = STORE_KINDS.get(scheme)
        if not kind or not re.fullmatch(kind.rest, rest) or ".." in value:
            *most, last = (one.written for one in STORE_KINDS.values())
            kinds = f"{', '.join(most)} or {last}"
            raise bad(f"should be a folder, or {kinds}, without a password", kind.hint if kind else "")
    # It leads into commands: `~` is opened here, a dash would be an option, and psql takes a bar for a program.
    value = os.path.expanduser(value)
    return f"./{value}" if value.startswith(("-", "|", "~", "\\")) else value


def store_folder(store: str) -> str:
    """The folder of a store: itself, or where a remote store's working copy is, beside the inventory."""
    scheme, elsewhere, rest = store.partition("://")
    rest = re.sub("[:~]", "_", rest) if scheme == "ssh" else rest
    return f".store/{scheme}/{rest.strip('/')}" if elsewhere else store
