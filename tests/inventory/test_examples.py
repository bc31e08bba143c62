"""The inventories that the documentation shows are read as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ops.infra.transport.ssh import host_of
from ops.inventory.load import load

EXAMPLES = sorted((Path(__file__).parents[2] / "docs/reference/inventories").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_read(path: Path) -> None:
    found = load(path)
    assert found.target(None).kind == "production"
    assert found.test_of(found.target(None)).kind == "test"
    over = {name: host_of(name, target.connection) for name, target in found.targets.items()}
    assert all(over.values()) == (path.stem == "ssh" or path.stem.endswith("bastion"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_ansible_reads_it(path: Path) -> None:
    program = Path(sys.executable).with_name("ansible-inventory")
    done = subprocess.run([program, "-i", str(path), "--graph"], capture_output=True, text=True)
    assert done.returncode == 0 and "shop-test" in done.stdout, done.stderr


def test_there_are_some() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "local",
        "railway-bastion",
        "railway-laptop",
        "railway-test-project",
        "ssh",
    ]
