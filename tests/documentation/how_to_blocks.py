"""In which state of a project each block of a how-to page runs; or why it can't be run by a test."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import yaml

from tests.schedules import write_crontab
from tests.support.project import Project
from tests.system.backups.test_fresh import age
from tests.system.defang.test_defang import shop_with
from tests.system.recovery.test_salvage import REUSED, incident

Make = Callable[..., Project]
State = Callable[[Make], Project]


@dataclass(frozen=True)
class Block:
    """One block of a page, in the page's order.

    Args:
        first: its first line, so that a block that was added or moved is noticed.
        state: makes the project in which it runs; None: it goes on in the project of the block before.
        why_not: why a test can't run it.
        codes: the exit codes that are not 0, by the number of the command; the page has to name them.
        before: what a person does before a command, by its number.
        left_out: why a test can't run one of its commands, by its number.
        each: its commands are alternatives: each runs in a project of its own.
    """

    first: str
    state: State | None = None
    why_not: str = ""
    codes: Mapping[int, int] = field(default_factory=dict)
    before: Mapping[int, Callable[[Project], object]] = field(default_factory=dict)
    left_out: Mapping[int, str] = field(default_factory=dict)
    each: bool = False


def at(name: str, variant: str = "b", **target: object) -> State:
    """Return the state that is a scene (``tests.support.scenes.SCENES``)."""
    return lambda scene: scene(name, variant, **target)


def lost(scene: Make) -> Project:
    """Rows were lost by a migration, and users have written since."""
    shop = scene("filled", "a")
    incident(shop, *REUSED)
    return shop


def masked(scene: Make) -> Project:
    """A shop with people in it, and masks."""
    return shop_with(lambda variant, **target: scene("filled", variant, **target))


def own(scene: Make) -> Project:
    """A Django project without any file of ours."""
    shop = scene("filled")
    for name in ("inventory.yaml", "tasks.py"):
        (shop.folder / name).unlink()
    return Project(shop.folder / "shop", shop.production, shop.test, shop.env)


def scheduled(scene: Make) -> Project:
    """A shop with a schedule in its inventory, and a crontab of its own."""
    shop = scene("backed_up")
    shop.env["PATH"] = f"{write_crontab(shop.folder.parent / 'bin').parent}:{shop.env['PATH']}"
    path = shop.folder / "environment"
    path.write_text(f"DATABASE_URL={shop.production}\nTEST_DATABASE_URL={shop.test}\n")
    path.chmod(0o600)
    given = yaml.safe_load((shop.folder / "inventory.yaml").read_text())
    # A moment that does not come while a test runs.
    wanted = {"backup": "0 3 29 2 *", "environment": "environment"}
    given["all"]["children"]["production"]["hosts"]["shop"]["schedule"] = wanted
    (shop.folder / "inventory.yaml").write_text(yaml.safe_dump(given))
    return shop


def declare(shop: Project) -> None:
    """Complete the draft, as a person does, in a repository."""
    path = shop.folder / "shop/migrations.expect.yaml"
    assert 'why: ""' in path.read_text()
    path.write_text(path.read_text().replace('why: ""', 'why: "agreed with Anna"'))
    subprocess.run(["git", "init", "-q"], cwd=path.parent, check=True)


MACHINE = "changes this machine's own PostgreSQL and /etc; tests/system/pgbackrest does the same on a server of its own"
STANZA = "needs a stanza of pgBackRest; tests/system/pgbackrest runs these tasks"
NOT_PUBLISHED = "tests/system/cli/test_new_user.py installs the wheel: the package index has none of this commit"

BLOCKS: dict[str, list[Block]] = {
    "allow-a-loss": [
        Block("inv verify --write-expectations", at("rehearsed", "a", checks=[]), codes={0: 5}, before={1: declare}),
        Block("inv verify --write-expectations", at("rehearsed", "a", checks=[]), codes={0: 5}),
    ],
    "bring-rows-back": [Block("inv salvage --backup=20261124_021500_a1b2 --table=lessons_lesson", lost)],
    "disk-space": [
        Block("inv prune-backups --plan", at("backed_up")),
        Block("inv status", at("replaced", keep_replaced=0)),
        Block("inv status", at("interrupted")),
    ],
    "encryption": [Block("mkdir -p secrets", at("backed_up"))],
    "failed-promotion": [Block("inv status", at("interrupted"))],
    "freeze": [Block("inv status", at("interrupted")), Block("inv freeze", at("backed_up"))],
    "interrupted-run": [
        Block("inv status", at("interrupted")),
        Block("inv resume", at("interrupted")),
        Block("inv undo", at("interrupted")),
        Block("inv status", at("interrupted")),
    ],
    "locks": [Block("inv status", at("backed_up"))],
    "mask-clones": [Block("inv clone-prod-to-test", masked)],
    "monitoring": [
        Block("inv check-backups", at("backed_up"), before={1: lambda shop: age(shop, 3)}),
        Block("inv backups", at("backed_up")),
    ],
    "own-project": [
        Block("pip install generalprobe", why_not=NOT_PUBLISHED),
        Block("export DATABASE_URL=postgresql://shop_owner:PASSWORD@db.example.com:5432/shop", own),
        Block("inv doctor"),
        Block("inv plan"),
        Block("inv status", scheduled, left_out={1: NOT_PUBLISHED}),
    ],
    "pgbackrest": [
        Block("inv backup", why_not=STANZA),
        Block("apt-get install pgbackrest", why_not=MACHINE),
        Block("inv doctor", why_not=STANZA),
        Block("inv unpack --backup=20261127_054222_c390_pgbackrest", why_not=STANZA),
        Block("systemctl stop postgresql@15-main", why_not=MACHINE),
        Block("inv check-backups --deep", why_not=STANZA),
    ],
    "plan-the-time": [Block("inv release --plan", at("filled")), Block("inv clone-prod-to-test", at("filled"))],
    "retention": [Block("inv prune-backups --plan", at("backed_up"))],
    "roll-back": [
        Block("inv backups", at("written")),
        Block("inv recover", at("rolled_back")),
        Block("inv undo", at("rolled_back")),
        Block("inv status", at("replaced"), each=True),
        Block("inv discard-replaced shop_replaced_20261123_021500_a1b2", at("replaced", keep_replaced=0)),
        Block("inv unpack --backup=latest", why_not=STANZA),
    ],
    "schedules": [Block("inv schedule --install --plan", scheduled)],
    "ssh": [
        Block(
            "printf '%s\\n' \"$PGAPPNAME\" \"$SHOP_URL\" | ssh deploy@shop.example.com "
            "'echo \"generalprobe process $$\" >&2 && IFS= read -r PGAPPNAME && …'",
            why_not="an excerpt; tests/system/ssh pastes the whole line from a runbook",
        )
    ],
    "stores": [
        Block(
            "export AZURE_STORAGE_ACCOUNT_NAME=shopbackups",
            why_not="needs an account of Azure; tests/system/stores uses Microsoft's own emulator",
        )
    ],
    "without-a-terminal": [Block("inv release --target=shop --confirm=shop --json", at("filled"))],
    "without-the-tool": [
        Block("ls backups/shop/backups", at("backed_up")),
        Block("export PGHOST=db.example.com PGUSER=shop_owner"),
        Block("dropdb --if-exists shop_restored", why_not="the backup of the block before has no folder `base`"),
        Block("psql --dbname=postgres --command='ALTER DATABASE shop RENAME TO shop_before' "
              "--command='ALTER DATABASE shop_restored RENAME TO shop'"),
        Block("psql --dbname=postgres --command='ALTER DATABASE shop RESET default_transaction_read_only'"),
    ],
}
