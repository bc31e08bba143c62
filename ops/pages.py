"""The runbooks: every procedure's page, rendered from the inventory without looking at any server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ops import console, render
from ops.bind import DEFANGS, NEEDS_STORE, REHEARSES, encryption, health_inputs, railway_wishes
from ops.command import placeholder, quote
from ops.counted import SPECIAL
from ops.dumping import DATABASE_ON
from ops.engine.bound import BACKUP, DRILL, UNPACK
from ops.engine.stanza import inputs_of
from ops.errors import DIFFERS, DONE
from ops.files import write_whole
from ops.inputs import PHYSICAL, UNPACKED, DefangInputs, Inputs, PhysicalInputs, SalvageInputs, named
from ops.inventory import Inventory, Target
from ops.main import Options, target_of, world_of
from ops.plan import make_plan
from ops.probes import app_inputs
from ops.procedures.catalog import PROCEDURES
from ops.railway import Place, ssh_words
from ops.rehearsal import rehearsal_of
from ops.ssh import plainly
from ops.world import World

# What is to come back, by hand: the backup's table and the live one; others as table=table, with commas between.
SALVAGED = [
    ': "${TABLE:?export TABLE=public.lessons_lesson: the table of the backup}"',
    'export TABLE INTO="${INTO:-$TABLE}"    # the live table that its rows go into',
    'export RELATED="${RELATED:-}"          # tables whose rows belong to them and come along: public.a=public.a,…',
    'export LINKED="${LINKED:-}"            # tables whose links to them were emptied: public.b=public.b,…',
]


# What is about one of pgBackRest's backups that is there.
OF_PHYSICAL = (DRILL, UNPACK)


def page_inputs(world: World, target: str, procedure: str) -> Inputs:
    """A target's inputs with shell variables in the place of what only a look at the servers tells."""
    entry = world.inventory.target(target)
    run = placeholder("RUN")
    takes = ("drill", "rollback", "auto-rollback", "salvage", "promote", "migrate-test", "verify", *OF_PHYSICAL)
    backup = placeholder("BACKUP") if procedure in takes else run
    health, host = health_inputs(entry), world.host(target)
    rehearses = bool(entry.test) and entry.defang is not None and procedure in REHEARSES
    test_database = placeholder("TEST_DATABASE")
    return Inputs(
        run=run,
        target=target,
        database=placeholder("DATABASE"),
        system=placeholder("SYSTEM"),
        store=entry.folder,
        remote=entry.remote,
        **encryption(entry),
        backup=f"{run}{PHYSICAL}" if procedure == BACKUP else backup,
        physical=_physical(entry) if procedure in (BACKUP, *OF_PHYSICAL) else None,
        test=rehearsal_of(entry.test or "") if rehearses else entry.test or "",
        test_database=named(test_database, "rehearsal") if rehearses else test_database,
        test_exists=not rehearses,
        test_system=placeholder("TEST_SYSTEM"),
        test_like=_like(world.inventory, target),
        app=app_inputs(world, target),
        ssh=host.words if host else (),
        checks=entry.checks,
        deploy=entry.deploy or (),
        railway=placeholder("RAILWAY") if entry.railway else "",
        railway_database="/".join(map(placeholder, DATABASE_ON)),
        volume_backup=placeholder("VOLUME_BACKUP"),
        freezes=procedure == "railway-restore",
        **railway_wishes(entry),
        **_beside(world, entry),
        health=health.get("health", ()),
        asked_health=health.get("asked_health"),
        kept=placeholder("KEPT"),
        kept_oid=placeholder("KEPT_OID"),
        keep_replaced=entry.keep_replaced,
        failed_run=placeholder("FAILED_RUN"),
        frozen=procedure not in ("rollback", "rollback-to-replaced", "salvage", "railway-restore"),
        salvage=_salvage() if procedure == "salvage" else None,
        defang=DefangInputs() if procedure in DEFANGS and entry.defang is not None else None,
        release=placeholder("RELEASE"),
        certificate=placeholder("CERTIFICATE") if procedure == "promote" else run,
        certificate_hours=entry.certificate_hours,
        lock_timeout=entry.lock_timeout,
        retries=entry.retries,
        jobs=entry.dump.jobs or 2,
        compress=entry.dump.compress or placeholder("COMPRESS"),
        exclude=entry.dump.exclude if procedure in NEEDS_STORE else (),
        rate=entry.dump.rate if procedure in NEEDS_STORE else 0,
    )


def _physical(entry: Target) -> PhysicalInputs:
    """The inventory's stanza; where it has none, the variables of whoever reads the page."""
    if entry.pgbackrest:
        return inputs_of(entry, entry.pgbackrest, ("runuser", "-u", entry.pgbackrest.user, "--"))
    return PhysicalInputs(
        stanza=placeholder("STANZA"),
        folder=f"{placeholder('ASIDE')}/{entry.name}",
        user="postgres",
        as_user=("runuser", "-u", "postgres", "--"),
    )


def _beside(world: World, entry: Target) -> dict[str, Any]:
    """How the shell beside the database is reached in which pg_dump runs; its IDs are looked up by the page."""
    if entry.pg_dump == "container":
        return {"dump_over": ssh_words(Place(*(placeholder(name) for name in DATABASE_ON)))}
    if entry.pg_dump == "host" and (host := world.host(entry.name)):
        return {"dump_over": plainly(host.words), "dump_port": placeholder("DATABASE_PORT")}
    return {}


def _salvage() -> SalvageInputs:
    """One table by hand; which others lead to it is the operator's to say, so all rows are restored beside."""
    one = (placeholder("TABLE"), placeholder("INTO"))
    related, linked = (placeholder("RELATED"), ""), (placeholder("LINKED"), "")
    return SalvageInputs(tables=(one,), related=(related,), linked=(linked,), whole=True)


def _like(inventory: Inventory, target: str) -> str:
    """On one server the clone is created like production; elsewhere like that server's own default."""
    entry = inventory.target(target)
    test = inventory.targets.get(entry.test or "")
    embedded = test is not None and entry.database.kind == test.database.kind == "embedded"
    return placeholder("DATABASE") if embedded else "postgres"


def variables(c: Inputs, procedure: str) -> list[str]:
    """The lines of shell that set what a page's blocks name."""
    lines = ["umask 077", 'export RUN="$(date -u +%Y%m%d_%H%M%S)_hand"']
    if c.physical and c.physical.stanza == placeholder("STANZA"):
        lines += [
            ': "${STANZA:?the inventory has no pgbackrest: add it (docs/pgbackrest.md), and then: inv runbooks}"',
            ': "${ASIDE:?the folder for what is restored aside}"',
        ]
    if not c.backup.startswith(c.run):
        there = quote(f"{c.folder}/backups")
        others = " ".join(("grep -v", *(f"-e {end}" for end in (*SPECIAL, ".partial"))))
        meant = f"grep {PHYSICAL}$" if procedure in OF_PHYSICAL else others
        newest = f"$(ls {there} | {meant} | tail -n 1)"
        lines += [f"ls {there}", f'export BACKUP="${{BACKUP:-{newest}}}"']
    if procedure == UNPACK:
        lines.append(f'export UNPACKED="${{BACKUP%{PHYSICAL}}}{UNPACKED}"')
    if procedure == "promote":
        there = quote(f"{c.folder}/certificates")
        lines.append(f'export CERTIFICATE="$(basename "$(ls {there} | grep .json$ | tail -n 1)" .json)"')
    if procedure in ("rollback-to-replaced", "discard-replaced"):
        lines += kept_variables(c)
    if procedure == "railway-restore":
        lines.append(': "${VOLUME_BACKUP:?export VOLUME_BACKUP=ID: of Railway, as inv backups lists it}"')
    if procedure == "auto-rollback":
        lines.append('export FAILED_RUN="${BACKUP%_last}"')
    if c.salvage:
        lines += SALVAGED
    if c.deploys:
        lines.append(f'export RELEASE="${{RELEASE:-$({_head(c)})}}"')
    return lines


def _head(c: Inputs) -> str:
    """What says which commit the application is at."""
    if not c.ssh:
        return "git rev-parse HEAD"
    folder = f"cd {quote(c.app.folder)} && " if c.app else ""
    # Else it would take what is pasted next for its own input.
    return " ".join(map(quote, (*c.ssh, f"{folder}git rev-parse HEAD"))) + " < /dev/null"


def kept_variables(c: Inputs) -> list[str]:
    """Which kept database is meant: the newest that was replaced, unless `KEPT` names one; and its number."""
    psql = f"psql -XqAt 'service={c.target} dbname=postgres'"
    mine = "starts_with(datname, :'live' || '_replaced_')"
    newest = f"SELECT datname FROM pg_database WHERE {mine} ORDER BY datname DESC LIMIT 1"
    number = "SELECT oid FROM pg_database WHERE datname = :'kept'"
    return [
        f"""export KEPT="${{KEPT:-$({psql} -v live="$DATABASE" <<< "{newest}")}}\"""",
        f"""export KEPT_OID="$({psql} -v kept="$KEPT" <<< "{number}")\"""",
    ]


def pages(world: World, target: str) -> dict[str, str]:
    """File name to text of every page for a target."""
    made = {}
    for name, procedure in PROCEDURES.items():
        c = page_inputs(world, target, name)
        made[f"{name}.md"] = render.page(make_plan(procedure, c), variables(c, name))
    # No procedure: it stops where a person decides, so it says what to type and does not run.
    made["recover.md"] = render.template("recover.md.j2").render(target=target)
    return made


def write_pages(options: Options, out: str, check: bool) -> int:
    """Write the pages, or say which have drifted."""
    world = world_of(options)
    folder = world.inventory.path(out)
    screen = console.Console(options.json)
    made = pages(world, target_of(world, options))
    drifted = [name for name, text in made.items() if _differs(folder / name, text)]
    drifted += sorted(path.name for path in folder.glob("*.md") if path.name not in made and path.name != "README.md")
    if check:
        for name in drifted:
            screen.text(f"{out}/{name}: not what the definitions say")
        screen.text("Try: inv runbooks" if drifted else f"{len(made)} pages are what the definitions say")
        if options.json:
            screen.show({"event": "runbooks", "drifted": drifted})
        return DIFFERS if drifted else DONE
    for name in drifted:
        if name in made:
            write_whole(folder / name, made[name])
            (folder / name).chmod(0o644)
    screen.text(f"{len(made)} pages in {out}/, {len(drifted)} written")
    return DONE


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text() != text
