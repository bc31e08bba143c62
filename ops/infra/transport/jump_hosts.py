"""Bastions: the jump hosts (``ProxyJump``) on the way to a host, each taken by a known key only.

Fabric opens the way hop by hop, as OpenSSH's files say it. A store over SSH does the same in ``ops.infra.stores.sftp``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fabric


class UnknownKey(Exception):
    """A host whose key is not known; ``shown`` is the key's fingerprint as ``ssh`` shows it."""

    def __init__(self, name: str, shown: str) -> None:
        super().__init__(name)
        self.shown = shown


def hops(wire: fabric.Connection) -> Iterator[fabric.Connection]:
    """A connection and the jump hosts before it."""
    import fabric

    hop: Any = wire
    while isinstance(hop, fabric.Connection):
        yield hop
        hop = hop.gateway


def check_keys(hop: fabric.Connection) -> None:
    """Take a host only by a key that OpenSSH's files know. Fabric itself would take, and not remember, any."""
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            raise UnknownKey(hostname, f"{key.get_name()} {key.fingerprint}")

    hop.client.set_missing_host_key_policy(Refuse())
    hop.client.load_system_host_keys()
    named = str(hop.ssh_config.get("userknownhostsfile", "")).split()
    for name in ("/etc/ssh/ssh_known_hosts", *named):
        if os.path.isfile(path := os.path.expanduser(name)):
            hop.client.load_system_host_keys(path)
