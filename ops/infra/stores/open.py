"""Open the store of an address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pkgutil import resolve_name

from ops.infra.stores.base import AnyStore
from ops.inventory.store_kinds import STORE_KINDS


def store_at(url: str, environ: Mapping[str, str] = os.environ) -> AnyStore:
    """Return the store of an address in the inventory."""
    opened: AnyStore = resolve_name(STORE_KINDS[url.partition(":")[0]].opened_by)(url, environ)
    return opened
