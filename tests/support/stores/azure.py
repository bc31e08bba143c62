"""Azurite, Microsoft's own emulator of Azure's blobs, in memory and on loopback; and Microsoft's own client of it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

PROGRAM = Path(__file__).parent / "azurite/node_modules/azurite/dist/src/blob/main.js"
# The emulator's own account, which everybody knows.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# One that it speaks, and not what the newest client would.
VERSION = "2024-11-04"
AGES = timedelta(days=1)


def keys(server: str) -> dict[str, str]:
    """Who we are there, and where that is."""
    return {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": f"{server}/{ACCOUNT}",
    }


@contextlib.contextmanager
def started(folder: Path) -> Iterator[str]:
    """Start it on a free port; gives its address. Skips where it is not installed."""
    node = shutil.which("node")
    if not node or not PROGRAM.is_file():
        pytest.skip(
            "no azurite: npm ci --prefix tests/support/stores/azurite --ignore-scripts --omit=dev --omit=optional"
        )
    words = [node, str(PROGRAM), "--blobHost", "127.0.0.1", "--blobPort", "0"]
    said = folder / "azurite.out"
    with said.open("w") as out:
        options = ["--inMemoryPersistence", "--disableTelemetry", "--silent"]
        process = subprocess.Popen([*words, *options], stdout=out, stderr=out, cwd=folder)
    try:
        yield _address(process, said)
    finally:
        process.terminate()
        process.wait(20)


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    for _ in range(600):
        if found := re.search(r"listens on (http://\S+)", said.read_text()):
            return found[1]
        assert process.poll() is None, said.read_text()
        time.sleep(0.1)
    raise AssertionError(said.read_text())


def client(server: str, container: str) -> ContainerClient:
    """Microsoft's own client of a container."""
    return ContainerClient(f"{server}/{ACCOUNT}", container, credential=KEY, api_version=VERSION)


def make_container(server: str) -> str:
    """Make a container; gives its name."""
    name = f"c{uuid.uuid4().hex[:12]}"
    client(server, name).create_container()
    return name


def signature(container: str, rights: str = "racwdl", ends: timedelta = AGES) -> str:
    """A shared access signature for a container."""
    may, until = ContainerSasPermissions.from_string(rights), datetime.now(UTC) + ends
    return generate_container_sas(ACCOUNT, container, KEY, permission=may, expiry=until, start=until - 2 * AGES)
