"""Jump hosts (``ProxyJump``, bastions): accept each only with a known host key.

Fabric connects hop by hop as OpenSSH's files define. A store over SSH does the same in ``ops.infra.stores.sftp``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fabric


class UnknownKey(Exception):
    """The key of a host is unknown; ``shown`` is the key's fingerprint in the form of ``ssh``."""

    def __init__(self, name: str, shown: str) -> None:
        super().__init__(name)
        self.shown = shown


def hops(wire: fabric.Connection) -> Iterator[fabric.Connection]:
    """Yield a connection and its jump hosts."""
    import fabric

    hop: Any = wire
    while isinstance(hop, fabric.Connection):
        yield hop
        hop = hop.gateway


def check_keys(hop: fabric.Connection) -> None:
    """Accept a host only with a key in OpenSSH's files. Fabric would accept any key."""
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
