"""The kinds of stores: the form of each kind's address in the inventory, and the class that opens the store."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ops.inventory.fields import bad

# A host of SSH (an address or a name of ~/.ssh/config), and a folder there, from the root or the user's home.
_PORT = r"(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?"
_NAMED = r"(?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])"
_BUCKET, _PREFIX = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", r"(?:/[^\s@]*)?"
_OBJECTS = "ops.infra.stores.object_store:Store"


@dataclass(frozen=True)
class StoreKind:
    """One kind of store.

    Args:
        written: an example of an address, for messages.
        rest: a pattern for the text after ``SCHEME://``; it must not match a password.
        opened_by: ``module:class``. The class takes the address and the environment. The module is imported when a
            store is opened.
        hint: what to type if an address of this kind is not well-formed.
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
    """Validate a store's folder or address. A password in it is refused."""
    scheme, elsewhere, rest = value.partition("://")
    if elsewhere:
        kind = STORE_KINDS.get(scheme)
        if not kind or not re.fullmatch(kind.rest, rest) or ".." in value:
            *most, last = (one.written for one in STORE_KINDS.values())
            kinds = f"{', '.join(most)} or {last}"
            raise bad(f"should be a folder, or {kinds}, without a password", kind.hint if kind else "")
    # The folder becomes part of commands: expand `~` here; a leading dash would be an option, and psql runs what
    # follows a leading bar as a program.
    value = os.path.expanduser(value)
    return f"./{value}" if value.startswith(("-", "|", "~", "\\")) else value


def store_folder(store: str) -> str:
    """Return the folder of a store: the store itself, or a remote store's working copy beside the inventory."""
    scheme, elsewhere, rest = store.partition("://")
    rest = re.sub("[:~]", "_", rest) if scheme == "ssh" else rest
    return f".store/{scheme}/{rest.strip('/')}" if elsewhere else store
