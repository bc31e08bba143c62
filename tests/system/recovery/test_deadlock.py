"""Jobs of pg_restore that wait for each other: the restore is done again from its beginning, a few times."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.engine import runner
from ops.infra.postgres.client import PROGRAMS, Tools, installed
from ops.infra.session import client_tools
from tests.support.project import Project

Make = Callable[..., Project]

# Restores; then two sessions of that database wait for each other, and the server's own words are pg_restore's error.
WRAPPER = """#!/bin/sh
{real} "$@" || exit
case " $* " in *"/restored.rest "*) ;; *) exit 0 ;; esac
echo . >> {count}
[ "$(wc -l < {count})" -gt {times} ] && exit 0
for word; do case "$word" in --dbname=*) where="${{word#--dbname=}}" ;; esac; done
lock() {{ {psql} -XqAt "$where" -c "BEGIN; LOCK $1; SELECT pg_sleep(0.5); LOCK $2; COMMIT" > /dev/null; }}
one=public.lessons_lesson two=public.lessons_teacher
{{ lock $one $two & lock $two $one; wait; }} 2> {count}.said
sed 's/^ERROR:/pg_restore: error: could not execute query: ERROR:/' {count}.said >&2
exit 1
"""


@pytest.fixture
def deadlocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Let the first restores end by a deadlock; gives the file that has a line for each restore."""
    [*_, tools] = installed("")

    def make(times: int) -> Path:
        folder, count = tmp_path / "bin", tmp_path / "restores"
        folder.mkdir()
        for name in PROGRAMS:
            (folder / name).symlink_to(tools.folder / name)
        (folder / "pg_restore").unlink()
        given = {"real": tools.folder / "pg_restore", "psql": tools.folder / "psql", "count": count}
        quoted = {name: shlex.quote(str(path)) for name, path in given.items()}
        (folder / "pg_restore").write_text(WRAPPER.format(**quoted, times=times))
        (folder / "pg_restore").chmod(0o755)
        monkeypatch.setattr(client_tools, "installed", lambda _: [Tools(tools.major, folder)])
        monkeypatch.setattr(runner, "PAUSES", (0.1,))
        return count

    return make


@pytest.mark.slow
@pytest.mark.parametrize("words", ["rollback --backup=latest --confirm=shop", "drill", "clone-prod-to-test"])
def test_the_restore_is_done_again(scene: Make, deadlocked: Callable[[int], Path], words: str) -> None:
    shop = scene("backed_up")
    before, count = shop.fingerprint(), deadlocked(1)
    done = shop.inv(*words.split())
    assert done.code == 0, done.out + done.err
    assert len(count.read_text().splitlines()) == 2
    assert "deadlock detected" in (count.parent / "restores.said").read_text()
    assert shop.fingerprint() == before


@pytest.mark.slow
def test_one_that_happens_each_time_is_named(scene: Make, deadlocked: Callable[[int], Path]) -> None:
    shop = scene("backed_up")
    count = deadlocked(99)
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 4 and "two jobs of pg_restore" in done.out and "`dump: {jobs: 1}`" in done.out, done.out
    assert len(count.read_text().splitlines()) == 3, "as often as the step says"
    assert shop.beside("replaced") == []
