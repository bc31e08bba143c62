"""Obtain a page's inputs from the inventory, with shell variables in place of the servers' results.

Each need has its placeholders, and the lines of shell that set the variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ops.application.probe import app_inputs
from ops.backups.pgbackrest.stanza import inputs_of
from ops.engine.command import placeholder, quote
from ops.engine.database_names import named
from ops.engine.inputs import PHYSICAL, UNPACKED, AppInputs, PgBackRestInputs, RunInputs, SalvageInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure
from ops.infra.railway.railway_cli import Place, ssh_words
from ops.infra.session.derived_targets import rehearsal_of
from ops.infra.session.session import Session
from ops.infra.stores.backup_kinds import SPECIAL
from ops.infra.transport.ssh import plainly
from ops.inventory.targets import Target
from ops.procedures.planning.dump_options import DATABASE_ON
from ops.procedures.planning.from_inventory import Given, from_inventory, join

# The tables of a salvage by hand: the backup's table and the live one; others as table=table, separated by commas.
SALVAGED = [
    ': "${TABLE:?export TABLE=public.lessons_lesson: the table of the backup}"',
    'export TABLE INTO="${INTO:-$TABLE}"    # the live table for its rows',
    'export RELATED="${RELATED:-}"          # tables with dependent rows to salvage, too: public.a=public.a,…',
    'export LINKED="${LINKED:-}"            # tables whose links to the rows were cleared: public.b=public.b,…',
]
NO_STANZA = [
    ': "${STANZA:?the inventory has no pgbackrest: add it (docs/how-to/pgbackrest.md), then run inv runbooks}"',
    ': "${ASIDE:?the folder for restored copies}"',
]
NO_APP = [
    ': "${APP:?the inventory has no app: add it, then run inv runbooks}"',
    ': "${MANAGE:?the program that runs the commands of manage.py}"',
]


class Page:
    """Obtain inputs without querying a server.

    Args:
        session: the inventory and the connections to its hosts.
        target: a production target's name.
    """

    def __init__(self, session: Session, target: str) -> None:
        self.session, self.entry = session, session.inventory.target(target)

    def begin(self, procedure: Procedure) -> Given:
        """Return the inputs of every page."""
        session, entry, run = self.session, self.entry, placeholder("RUN")
        host = session.host(entry.name)
        given = {
            "run": run,
            "database": placeholder("DATABASE"),
            "system": placeholder("SYSTEM"),
            "backup": run,
            "test": entry.test or "",
            "test_server": {
                "database": placeholder("TEST_DATABASE"),
                "system": placeholder("TEST_SYSTEM"),
                "like": self._like(),
            },
            "app": app_inputs(session, entry.name),
            "ssh": host.words if host else (),
            "railway": {"app": placeholder("RAILWAY") if entry.railway else ""},
            "deploy": {"commit": placeholder("RELEASE")},
            "release": {"certificate": run},
            "jobs": entry.dump.jobs or 2,
            "dump": {**self._beside(), "compress": entry.dump.compress or placeholder("COMPRESS")},
        }
        return join(from_inventory(entry), given)

    def obtain(self, need: Need, given: Given) -> Given:
        """Return the placeholders of one need."""
        return PAGES[need].inputs(self.entry, given) if need in PAGES else {}

    def end(self, given: Given) -> Given:
        """Return nothing: no input of a page depends on all needs."""
        return {}

    def _beside(self) -> Given:
        """Return how to reach the shell in which pg_dump runs beside the database, with its IDs as variables."""
        if self.entry.pg_dump == "container":
            return {"over": ssh_words(Place(*(placeholder(name) for name in DATABASE_ON)))}
        if self.entry.pg_dump == "host" and (host := self.session.host(self.entry.name)):
            return {"over": plainly(host.words), "port": placeholder("DATABASE_PORT")}
        return {}

    def _like(self) -> str:
        """Return the database to create a clone like: production on the same server, else the server's default."""
        test = self.session.inventory.targets.get(self.entry.test or "")
        embedded = test is not None and self.entry.database.kind == test.database.kind == "embedded"
        return placeholder("DATABASE") if embedded else "postgres"


@dataclass(frozen=True)
class PagePart:
    """Hold the placeholders of a need, and the lines of shell that set them."""

    inputs: Callable[[Target, Given], Given]
    lines: Callable[[RunInputs], list[str]] = lambda _: []


def _migrations(entry: Target, _: Given) -> Given:
    """Return the inputs of the migrations. Without an application in the inventory, the reader sets its variables."""
    app = AppInputs(folder=placeholder("APP"), manage=(placeholder("MANAGE"),), database_env="DATABASE_URL")
    return {"freezes": True, "release": {"draws": True}, **({} if entry.app else {"app": app})}


def _no_app(c: RunInputs) -> list[str]:
    return NO_APP if c.app and c.app.folder == placeholder("APP") else []


def _backup(lines: Callable[[RunInputs], list[str]], **more: object) -> PagePart:
    return PagePart(lambda *_: {"backup": placeholder("BACKUP"), **more}, lines)


def _newest_dump(c: RunInputs) -> list[str]:
    return _newest(c, " ".join(("grep -v", *(f"-e {end}" for end in (*SPECIAL, ".partial")))))


def _newest_of_stanza(c: RunInputs) -> list[str]:
    return [*_no_stanza(c), *_newest(c, f"grep {PHYSICAL}$")]


def _newest(c: RunInputs, meant: str) -> list[str]:
    there = quote(f"{c.folder}/backups")
    newest = f'export BACKUP="${{BACKUP:-$(ls {there} | {meant} | tail -n 1)}}"'
    chosen = 'echo "The backup is $BACKUP."'
    return ["# For another backup than the newest, first: export BACKUP=ID", f"ls {there}", newest, chosen]


def _rehearsal(entry: Target, given: Given) -> Given:
    if not entry.test or entry.defang is None:
        return {}
    database = named(given["test_server"]["database"], "rehearsal")
    return {"test": rehearsal_of(entry.test), "test_server": {"database": database, "exists": False}}


def _new_backup(entry: Target, _: Given) -> Given:
    replica = {"standby": True, "standby_port": placeholder("STANDBY_PORT"), "max_lag": entry.dump.max_lag}
    more = replica if entry.dump.from_ == "standby" else {}
    return {"dump": {"exclude": entry.dump.exclude, "rate": entry.dump.rate, **more}}


def _salvage(*_: object) -> Given:
    """Return one table to salvage. The reader names the related tables, so all rows are restored."""
    one = (placeholder("TABLE"), placeholder("INTO"))
    related, linked = (placeholder("RELATED"), ""), (placeholder("LINKED"), "")
    found = SalvageInputs(tables=(one,), related=(related,), linked=(linked,), whole=True)
    return {"backup": placeholder("BACKUP"), "salvage": found}


def _stanza(entry: Target) -> PgBackRestInputs:
    """Return the inventory's stanza, or variables that the reader sets."""
    if entry.pgbackrest:
        return inputs_of(entry, entry.pgbackrest, ("runuser", "-u", entry.pgbackrest.user, "--"))
    return PgBackRestInputs(
        stanza=placeholder("STANZA"),
        folder=f"{placeholder('ASIDE')}/{entry.name}",
        user="postgres",
        as_user=("runuser", "-u", "postgres", "--"),
    )


def _no_stanza(c: RunInputs) -> list[str]:
    return NO_STANZA if c.pgbackrest and c.pgbackrest.stanza == placeholder("STANZA") else []


def _of_stanza(entry: Target, _: Given) -> Given:
    return {"backup": placeholder("BACKUP"), "pgbackrest": _stanza(entry)}


def _certificate(c: RunInputs) -> list[str]:
    there = quote(f"{c.folder}/certificates")
    newest = f'export CERTIFICATE="$(basename "$(ls {there} | grep .json$ | tail -n 1)" .json)"'
    return [*_newest_dump(c), newest]


def _kept(c: RunInputs) -> list[str]:
    """Return the lines that set the kept database (the newest, unless `KEPT` names one) and its oid."""
    psql = f"psql -XqAt 'service={c.target} dbname=postgres'"
    mine = "starts_with(datname, :'live' || '_replaced_')"
    newest = f"SELECT datname FROM pg_database WHERE {mine} ORDER BY datname DESC LIMIT 1"
    number = "SELECT oid FROM pg_database WHERE datname = :'kept'"
    return [
        f"""export KEPT="${{KEPT:-$({psql} -v live="$DATABASE" <<< "{newest}")}}\"""",
        f"""export KEPT_OID="$({psql} -v kept="$KEPT" <<< "{number}")\"""",
    ]


KEPT = PagePart(lambda *_: {"kept": {"name": placeholder("KEPT"), "oid": placeholder("KEPT_OID")}}, _kept)
# A need that is missing here has no placeholder.
PAGES: dict[Need, PagePart] = {
    Need.TEST_DATABASE: PagePart(lambda entry, _: {"defang": {}} if entry.defang is not None else {}),
    Need.REHEARSAL_DATABASE: PagePart(_rehearsal),
    Need.MIGRATIONS: PagePart(_migrations, _no_app),
    Need.CLONE: _backup(_newest_dump),
    Need.MIGRATED_CLONE: _backup(_newest_dump),
    Need.CERTIFICATE: PagePart(
        lambda *_: {"backup": placeholder("BACKUP"), "release": {"certificate": placeholder("CERTIFICATE")}},
        _certificate,
    ),
    Need.BACKUP_TO_RESTORE: _backup(_newest_dump),
    Need.BACKUP_TO_SALVAGE: PagePart(_salvage, lambda c: [*_newest_dump(c), *SALVAGED]),
    Need.FAILED_RELEASE: PagePart(
        lambda *_: {"rollback": {"failed_run": placeholder("FAILED_RUN")}, "frozen": True},
        lambda _: ['export FAILED_RUN="${BACKUP%_last}"'],
    ),
    Need.KEPT_TO_SWAP_IN: KEPT,
    Need.KEPT_TO_DISCARD: KEPT,
    Need.BACKUP_TO_PROVE: PagePart(
        lambda entry, _: {"backup": placeholder("BACKUP"), "beside": {"trial": not entry.test}}, _newest_dump
    ),
    Need.VOLUME_BACKUP: PagePart(
        lambda *_: {
            "railway": {
                "database": "/".join(map(placeholder, DATABASE_ON)),
                "volume_backup": placeholder("VOLUME_BACKUP"),
            },
            "freezes": True,
        },
        lambda _: [': "${VOLUME_BACKUP:?export VOLUME_BACKUP=ID: the ID of a volume backup that inv backups lists}"'],
    ),
    Need.STANZA: PagePart(
        lambda entry, given: {"backup": f"{given['run']}{PHYSICAL}", "pgbackrest": _stanza(entry)}, _no_stanza
    ),
    Need.STANZA_BACKUP: PagePart(_of_stanza, _newest_of_stanza),
    Need.BACKUP_TO_UNPACK: PagePart(
        _of_stanza,
        lambda c: [*_newest_of_stanza(c), f'export UNPACKED="${{BACKUP%{PHYSICAL}}}{UNPACKED}"'],
    ),
    Need.NEW_BACKUP: PagePart(_new_backup),
}


def variables(c: RunInputs, procedure: Procedure) -> list[str]:
    """Return the lines of shell that set the variables of a page's blocks."""
    lines = ["umask 077", 'export RUN="$(date -u +%Y%m%d_%H%M%S)_hand"']
    lines += [line for need, part in PAGES.items() if need in procedure.needs for line in part.lines(c)]
    if c.deploys:
        lines.append(f'export RELEASE="${{RELEASE:-$({_head(c)})}}"')
    return lines


def _head(c: RunInputs) -> str:
    """Return the command that prints the application's commit."""
    if not c.ssh:
        return "git rev-parse HEAD"
    folder = f"cd {quote(c.app.folder)} && " if c.app else ""
    # Otherwise ssh would read the next pasted lines as input.
    return " ".join(map(quote, (*c.ssh, f"{folder}git rev-parse HEAD"))) + " < /dev/null"
