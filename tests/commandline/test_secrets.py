"""The password is in no word of any process, in nothing that is said, and in no file that is left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Project


def watched(shop: Project, *words: str, code: int = 0) -> set[bytes]:
    """Call ``inv`` and look at the words of all processes meanwhile; gives them.

    What was said must not hold the password; what was left in the project's folder neither.
    """
    secret = shop.production.split(":")[2].split("@")[0]
    process = subprocess.Popen(
        shop.command(*words),
        cwd=shop.folder,
        env=shop.env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    lines: set[bytes] = set()
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.add(path.read_bytes())
            except OSError:
                continue
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.returncode == code, said
    assert not [line for line in lines if secret.encode() in line]
    assert secret not in said
    for path in shop.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    return lines


def test_no_secret_is_seen_in_a_release(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert shop.inv("runbooks").code == 0
    lines = watched(shop, "release", "--confirm=shop")
    assert any(b"pg_dump" in line for line in lines), "the watch saw nothing"


@pytest.mark.slow
def test_no_secret_is_seen_on_the_ways_back(project: Callable[..., Project], tmp_path: Path) -> None:
    shop = project("c", deploy=["test", "!", "-e", str(tmp_path / "broken")], health=["true"], keep_replaced=0)
    watched(shop, "release", "--confirm=shop")
    with psycopg.connect(shop.production, autocommit=True) as c:
        c.execute("DELETE FROM lessons_booking WHERE id <= 5")
    watched(shop, "salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop")
    lines = watched(shop, "rollback", "--backup=latest", "--freeze", "--export", "--confirm=shop")
    assert any(b"pg_restore" in line for line in lines), "the watch saw nothing"
    for task in ("recover", "status", "backups", "doctor"):
        watched(shop, task)
    watched(shop, "rollback", "--to-replaced", "--confirm=shop")
    kept = shop.beside("replaced")[0]
    watched(shop, "discard-replaced", kept, f"--confirm={kept}")
    watched(shop, "rollback", "--backup=latest", "--confirm=shop")
    (tmp_path / "broken").touch()
    watched(shop, "release", "--auto-rollback", "--confirm=shop", code=4)
