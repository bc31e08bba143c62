"""A place for backups and runs, of any kind, as a test has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.infra.stores.base import AnyStore
from ops.infra.stores.open import store_at
from tests.support.ssh_servers import KINDS, SSHD
from tests.support.stores import azure, s3
from tests.support.stores.hosts import Far
from tests.support.stores.lines import Line

# Hosts behind SSH: OpenSSH's server, and asyncssh's where there is no other one, or there is time.
HOSTS = tuple(pytest.param(kind, marks=[pytest.mark.slow] * (kind != "openssh" and bool(SSHD))) for kind in KINDS)
SSH = "openssh" if SSHD else "asyncssh"
# What can be cut off; all that is a store; all that a project may name.
LINED = ("s3", "azure", "google", *HOSTS)
REMOTE = ("file", *LINED)
PLACES = ("folder", *REMOTE)

Plant = Callable[[Mapping[str, bytes]], None]


@dataclass
class Place:
    """One of them.

    Args:
        kind: ``folder``, ``file``, ``s3``, ``azure``, ``google``, ``openssh`` or ``asyncssh``.
        url: as the inventory names it.
        plant: puts files there, past the store.
        lines: the line to it, where there is one.
        env: who we are there.
    """

    kind: str
    url: str
    plant: Plant
    lines: list[Line] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> Line:
        """The line to it."""
        [found] = self.lines
        return found

    @property
    def store(self) -> AnyStore:
        """The store, as a process has it that knows nothing of another one."""
        return store_at(self.url)


def in_folder(kind: str, folder: Path) -> Place:
    """A folder, as it is or treated as a remote store."""
    return Place(kind, f"file://{folder}" if kind == "file" else str(folder), _into(folder))


def in_bucket(kind: str, bucket: str, line: Line, env: dict[str, str]) -> Place:
    """A bucket of moto's, under Amazon's name or Google's."""

    def plant(objects: Mapping[str, bytes]) -> None:
        s3.plant(bucket, {f"kept/{key}": content for key, content in objects.items()})

    return Place(kind, f"{'gs' if kind == 'google' else 's3'}://{bucket}/kept", plant, [line], env)


def in_azure(server: str, container: str, line: Line) -> Place:
    """A container of Azure's."""
    client = azure.client(server, container)

    def plant(objects: Mapping[str, bytes]) -> None:
        for key, content in objects.items():
            client.upload_blob(f"kept/{key}", content)

    return Place("azure", f"az://{container}/kept", plant, [line], azure.keys(line.url))


def behind_ssh(kind: str, far: Far) -> Place:
    """A folder on another host."""
    return Place(kind, far.url, _into(far.folder), [far.line], {"HOME": str(far.login.home)})


def _into(folder: Path) -> Plant:
    def plant(files: Mapping[str, bytes]) -> None:
        for key, content in files.items():
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(content)

    return plant
