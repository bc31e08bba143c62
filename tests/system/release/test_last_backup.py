"""The last backup of a release holds what changed since the rehearsal's backup; the rest is linked from there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyrage
import pytest

from ops.infra.stores.manifest import read_manifest
from ops.verdict.fingerprint import read as read_fingerprint
from tests.conftest import ROOT, Project
from tests.support.project import begin, ended

Scene = Callable[..., Project]
BIG = "CREATE TABLE {0} AS SELECT n, md5(n::text) AS t FROM generate_series(1, 40000) n"


def prepared(scene: Scene, **target: object) -> Project:
    """A production with two large tables, of which one has an odd name."""
    shop = scene("filled", **target)
    for name in ("still", '"Odd. $Name"'):
        shop.query(BIG.format(name))
    return shop


def released(shop: Project, change: str = "") -> Path:
    """Release, with a change between rehearsal and freeze; gives the last backup's folder."""
    for words in (["clone-prod-to-test"], ["migrate-test"], ["verify"], ["promote", "--confirm=shop"]):
        if words[0] == "promote" and change:
            shop.query(change)
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
    return last(shop)


def last(shop: Project) -> Path:
    return max(shop.folder.glob("backups/shop/backups/*_last"))


def taken(folder: Path) -> set[str]:
    """The tables whose rows come from another backup."""
    path = folder / "base/tables.jsonl"
    return {json.loads(line)["table"] for line in path.read_text().splitlines()} if path.exists() else set()


def test_a_rollback_to_it_has_the_changed_and_the_unchanged_rows(scene: Scene) -> None:
    shop = prepared(scene)
    shop.query(BIG.format("changed"))
    folder = released(shop, "UPDATE changed SET t = 'new' WHERE n <= 100")
    assert taken(folder) == {"still", "Odd. $Name"}
    manifest = read_manifest(folder)
    base = folder.with_name(manifest.base)
    linked = [name for name in manifest.files if name.startswith("base/dump/")]
    assert len(linked) == 3
    assert all((folder / name).samefile(base / name.removeprefix("base/")) for name in linked)
    journals = shop.folder.glob("backups/shop/runs/*/journal.jsonl")
    assert any("rows taken from there" in path.read_text() for path in journals)
    before = shop.query("SELECT sum(hashtext(t::text)) FROM still t")
    # It holds all of its files by itself: retention may remove the other one.
    shutil.rmtree(base)
    assert shop.inv("check-backups", "--deep").code == 0
    drill = shop.inv("drill", f"--backup={folder.name}")
    assert drill.code == 0, drill.out + drill.err
    back = shop.inv("rollback", f"--backup={folder.name}", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT sum(hashtext(t::text)) FROM still t") == before
    assert shop.query("SELECT count(*) FROM changed WHERE t = 'new'") == [(100,)]
    assert shop.query('SELECT count(*) FROM "Odd. $Name"') == [(40000,)]
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


@pytest.mark.slow
def test_lost_rows_come_back_from_the_linked_part_and_from_the_new_one(scene: Scene) -> None:
    shop = prepared(scene)
    for name in ("still", '"Odd. $Name"'):
        shop.query(f"ALTER TABLE {name} ADD PRIMARY KEY (n)")
    folder = released(shop, """UPDATE "Odd. $Name" SET t = 'new' WHERE n <= 100""")
    assert taken(folder) == {"still"}
    shop.query('DELETE FROM still WHERE n > 39000; DELETE FROM "Odd. $Name" WHERE n <= 50')
    for name in ("still", 'public."Odd. $Name"'):
        done = shop.inv("salvage", f"--backup={folder.name}", f"--table={name}", "--confirm=shop")
        assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*), max(t) FROM still")[0][0] == 40000
    assert shop.query("""SELECT count(*), count(*) FILTER (WHERE t = 'new') FROM "Odd. $Name" """) == [(40000, 100)]


def test_a_table_made_anew_with_the_same_rows_is_dumped(scene: Scene) -> None:
    shop = prepared(scene)
    again = "CREATE TABLE other AS TABLE still; DROP TABLE still; ALTER TABLE other RENAME TO still"
    assert taken(released(shop, again)) == {"Odd. $Name"}


@pytest.mark.slow
def test_a_backup_where_all_changed_is_a_whole_one(scene: Scene) -> None:
    shop = prepared(scene)
    folder = released(shop, """UPDATE still SET t = 'new' WHERE n = 1; DELETE FROM "Odd. $Name" WHERE n = 1""")
    assert not (folder / "base").exists() and read_manifest(folder).base == ""


@pytest.mark.slow
def test_a_missing_or_damaged_linked_file_is_named(scene: Scene) -> None:
    shop = prepared(scene)
    folder = released(shop)
    (name, *_) = (name for name in read_manifest(folder).files if name.endswith(".dat.gz") and "base" in name)
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    for words, said in ((content[:-1] + b"x", "does not match the manifest"), (b"", "is missing")):
        if words:
            path.write_bytes(words)
        else:
            path.unlink()
        done = shop.inv("rollback", f"--backup={folder.name}", "--confirm=shop")
        assert done.code == 3 and f"{name} {said}" in done.out + done.err, done.out + done.err
        checked = shop.inv("check-backups", "--deep")
        assert checked.code != 0 and name in checked.out + checked.err, checked.out + checked.err


@pytest.mark.slow
def test_a_backup_that_cannot_be_used_costs_a_whole_dump_and_is_named(scene: Scene) -> None:
    shop = prepared(scene)
    for words in (["clone-prod-to-test"], ["migrate-test"], ["verify"]):
        assert shop.inv(*words).code == 0
    process = begin(shop, "last-backup.dump", "promote", "--confirm=shop")
    process.kill()
    ended(process)
    (base,) = shop.folder.glob("backups/shop/backups/*[0-9a-f]")
    (base / "list.txt").rename(base / "gone.txt")
    done = shop.inv("resume", "--confirm=shop")
    (base / "gone.txt").rename(base / "list.txt")
    assert not taken(last(shop)) if done.code == 0 else "damaged" in done.out + done.err, done.out + done.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sealed", "slow"])
def test_a_dump_that_is_one_stream_is_linked_whole(scene: Scene, tmp_path: Path, kind: str) -> None:
    key = pyrage.x25519.Identity.generate()
    path = tmp_path / "key.txt"
    path.write_text(f"{key}\n")
    path.chmod(0o600)
    sealed = {"encrypt": {"recipients": [str(key.to_public())], "identity": f"file:{path}"}}
    shop = prepared(scene, **(sealed if kind == "sealed" else {"dump": {"max_rate": "500MB"}}))
    folder = released(shop, """UPDATE still SET t = 'new' WHERE n <= 100""")
    assert taken(folder) == {"Odd. $Name"}
    assert (folder / ("base/dump.age" if kind == "sealed" else "base/dump")).is_file()
    back = shop.inv("rollback", f"--backup={folder.name}", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("""SELECT count(*) FROM "Odd. $Name" """) == [(40000,)]
    assert shop.query("SELECT count(*), count(*) FILTER (WHERE t = 'new') FROM still") == [(40000, 100)]


def test_production_is_read_again_only_if_something_was_written_since(scene: Scene) -> None:
    """The fingerprint of the last backup is that of production before the migrations, while nothing is written."""
    shop = scene("interrupted")
    run = max((shop.folder / "backups/shop/runs").glob("*"))
    with psycopg.connect(shop.production, autocommit=True) as user:
        user.execute("SET default_transaction_read_only = off")
        user.execute("SELECT txid_current()")
    assert shop.inv("resume", "--confirm=shop").code == 0
    lines = (run / "production-before.jsonl").read_text().splitlines()
    assert not any(line.startswith('{"moment"') for line in lines), "it was read again"


@pytest.mark.slow
def test_the_page_without_the_tool_restores_it(scene: Scene, make_database: Callable[..., str]) -> None:
    shop = prepared(scene)
    folder = released(shop)
    assert taken(folder) == {"still", "Odd. $Name"}
    page = (ROOT / "docs/how-to/without-the-tool.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (block,) = (one for one in blocks if "base/dump" in one)
    url = make_database("by_hand", "template0")
    block = re.sub(r"^(?:dropdb|createdb) .*\n", "", block, flags=re.MULTILINE)
    script = "set -e\n" + block.replace("--dbname=shop_restored", f"--dbname={url}")
    done = subprocess.run(["bash"], input=script, cwd=folder, env=shop.env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    restored = Project(shop.folder, url, url, shop.env).fingerprint()
    dumped = read_fingerprint(folder / "fingerprint.jsonl").tables
    assert {name: rows for name, (rows, _) in restored.items()} == {name: table.rows for name, table in dumped.items()}
    assert restored["public.still"] == shop.fingerprint()["public.still"]
