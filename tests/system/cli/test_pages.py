"""The page and the program are the same: a page's blocks, pasted into bash, do what the engine does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT, Project

# Rows that hold the moment at which a migration ran.
DATED = {"public.django_migrations"}
SERVICES = (("shop", "DATABASE_URL"), ("shop-test", "TEST_DATABASE_URL"), ("shop-test.restore", "TEST_DATABASE_URL"))
SEQUENCES = "SELECT schemaname || '.' || sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"


def blocks(page: str) -> str:
    """The page's own blocks in their order, without those that undo."""
    return "\n".join(re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


def paste(shop: Project, name: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the blocks of a page as one would paste them, stopping at the first error."""
    script = "set -e\n" + blocks((shop.folder / "runbooks" / f"{name}.md").read_text())
    return subprocess.run(["bash"], input=script, cwd=shop.folder, env=shop.env | env, capture_output=True, text=True)


def content(shop: Project) -> dict[str, tuple[int, str]]:
    return {name: found for name, found in shop.fingerprint().items() if name not in DATED}


def number_again(shop: Project, numbers: list[tuple[str, int]]) -> None:
    """A rollback gives out no number twice. By hand the release is to begin with the same ones as before."""
    for name, last in numbers:
        shop.query(f"SELECT setval('{name}', {last})")


def test_the_pages_of_this_checkout_are_what_the_definitions_say() -> None:
    words = [sys.executable, "-m", "invoke", "runbooks", "--check"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_that_was_edited_by_hand_is_noticed(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert shop.inv("runbooks").code == 0
    page = shop.folder / "runbooks/release.md"
    page.write_text(page.read_text().replace("ON_ERROR_STOP=1", "ON_ERROR_STOP=0", 1))
    done = shop.inv("runbooks", "--check")
    assert done.code == 5
    assert "release.md" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["c"])
def test_release_and_rollback_by_hand_equal_the_engine(project: Callable[..., Project], variant: str) -> None:
    shop = project(variant)
    before, numbers = shop.fingerprint(), shop.query(SEQUENCES)
    assert shop.inv("release", "--confirm=shop").code == 0
    by_engine = content(shop)
    assert shop.inv("rollback", "--backup=latest", "--confirm=shop").code == 0
    assert shop.fingerprint() == before
    number_again(shop, numbers)

    assert shop.inv("runbooks").code == 0
    done = paste(shop, "release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(shop) == by_engine
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    backup = sorted(path.name for path in (shop.folder / "backups/shop/backups").glob("*_hand_last"))[-1]

    done = paste(shop, "rollback", BACKUP=backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.fingerprint() == before
    assert any(name.endswith("_hand_safety") for name in shop.inv("backups").out.split())


@pytest.mark.slow
def test_the_incident_by_hand_stops_before_production(project: Callable[..., Project]) -> None:
    shop = project("a")
    before = shop.fingerprint()
    assert shop.inv("runbooks").code == 0
    done = paste(shop, "release")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "1,000 rows and 1,000 values or links would be lost" in done.stdout + done.stderr
    assert shop.fingerprint() == before


def test_a_page_stops_at_once_where_its_variables_are_not_to_be_had(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert shop.inv("runbooks").code == 0
    done = paste(shop, "backup", DATABASE_URL="postgresql://shop:secretsecret@127.0.0.1:1/shop")
    assert done.returncode == 1 and "the database does not answer" in done.stdout, done.stdout + done.stderr
    assert "secretsecret" not in done.stdout + done.stderr and not list(shop.folder.glob("backups/shop/runs/*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["backup", "clone-prod-to-test"])
def test_a_page_tells_how_to_set_its_variables_without_the_tool(
    project: Callable[..., Project], tmp_path: Path, name: str
) -> None:
    shop = project("b")
    assert shop.inv("runbooks").code == 0
    page = (shop.folder / f"runbooks/{name}.md").read_text()
    (head,) = re.findall(r"^```ini\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (by_hand,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    first, *rest = blocks(page).splitlines()
    assert "inv environment" in first
    services = tmp_path / "services"
    for section, variable in SERVICES:
        parts = psycopg.conninfo.conninfo_to_dict(shop.env[variable])
        for key in ("host", "port", "user", "password", "dbname"):
            blank = re.compile(rf"(\[{re.escape(section)}\]\n(?:\w+=.*\n)*?{key}=).*")
            head = blank.sub(lambda found, value=parts[key]: f"{found[1]}{value}", head)
    services.write_text(head)
    services.chmod(0o600)
    with psycopg.connect(shop.production, autocommit=True) as connection:
        connection.execute("CREATE DATABASE {}".format(shop.env["TEST_DATABASE_URL"].rsplit("/", 1)[1].split("?")[0]))
    script = "\n".join(["set -e", by_hand.replace("PGSERVICEFILE=…", f"PGSERVICEFILE={services}"), *rest])
    assert "…" not in script.split("umask")[0]
    done = subprocess.run(["bash"], input=script, cwd=shop.folder, env=shop.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(shop.folder.glob("backups/shop/backups/*_hand/manifest.json"))


def test_what_comes_next_is_told_and_never_pasted_with_the_page() -> None:
    page = (ROOT / "runbooks/release.md").read_text()
    assert 'wrong, type in the same shell: `inv rollback --target=lessons "--backup=${RUN}_last"`' in page
    assert "inv rollback" not in blocks(page)


@pytest.mark.slow
def test_undo_blocks_take_a_rollback_back(scene: Callable[..., Project]) -> None:
    shop = scene("released")
    migrated = shop.fingerprint()
    assert shop.inv("runbooks").code == 0
    page = (shop.folder / "runbooks/rollback.md").read_text()
    undo = re.findall(r'^```bash title="undo"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL)[-1]
    done = subprocess.run(
        ["bash"],
        input="set -e\n" + blocks(page).rsplit('case "$PGSERVICEFILE"', 1)[0] + undo,
        cwd=shop.folder,
        env=shop.env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.fingerprint() == migrated


@pytest.mark.parametrize("path", sorted(Path(ROOT / "runbooks").glob("*.md")), ids=lambda path: path.stem)
def test_a_page_begins_with_a_table_of_its_steps(path: Path) -> None:
    begin, rest = path.read_text().split("\n## ", 1)
    assert "| number | title | what it changes | typical time | how to undo it |" in begin
    rows = [line.strip("| ").split(" | ") for line in begin.splitlines() if line.startswith("| [")]
    titles = re.findall(r"^(?:## )?([1-9]\d*)\. (.*)$", rest, re.MULTILINE)
    shown = [(re.sub(r"\W", "", row[0].split("](")[0]), row[1].removesuffix(" *(not always)*")) for row in rows]
    assert shown == titles and all(len(row) == 5 and all(row) for row in rows), rows
    for row, (number, title) in zip(rows, titles, strict=True):
        words = re.findall(r"[\w-]+", title.lower().replace("'", ""))
        assert row[0] == f"[{number}](#{number}-{'-'.join(words)})"


def test_pages_hold_no_blank_promises() -> None:
    for path in Path(ROOT / "runbooks").glob("*.md"):
        text = path.read_text()
        assert "Done when" in text and "When it fails" in text, path
        assert "To undo" in text or "Cannot be undone" in text or path.name in {"verify.md"}, path
        assert not re.search(r"\{\{|\}\}|[\ue000\ue001]|None\b", text), path
