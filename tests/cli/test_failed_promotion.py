"""What ``--auto-rollback`` decides, by hand-made states, plans and errors: no server, no process, no application."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops.backups import selection
from ops.cli import all_actions  # noqa: F401
from ops.cli import failed_promotion as auto_rollback
from ops.cli.console import Console
from ops.core.errors import DataDiffers, Interrupted, OpsError, Refused, StepFailed, Unreachable, UsageError
from ops.engine.inputs import AppInputs, DeployInputs, RailwayInputs, ReleaseInputs, RunInputs, TestServerInputs
from ops.engine.journal import Event, Journal, State
from ops.engine.plan import Plan, make_plan
from ops.engine.step import Procedure
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.procedures.planning.live import Live
from ops.procedures.planning.request import Wanted
from ops.procedures.promote import promote
from ops.procedures.release import release
from ops.release import certificate
from tests.release.test_certificate import CERTIFICATE

INVENTORY = "all: {children: {production: {hosts: {shop: {database: env:X}}}}}"
RUN, BACK = "20261124_120000_aaaa", "20261124_123000_bbbb"
# The migrations of the certificate, in their order.
FIRST, SECOND = "app.0002", "app.0003"
INPUTS = RunInputs(
    run=RUN,
    target="shop",
    database="shop",
    store="backups",
    remote="s3://kept",
    test="test",
    test_server=TestServerInputs(database="shop_test"),
    backup="20261124_110000_cccc",
    app=AppInputs(folder="shop", manage=("python", "manage.py"), database_env="X"),
    release=ReleaseInputs(
        pending=(FIRST, SECOND), checks=(("check_shop",),), certificate=CERTIFICATE.certificate, auto_rollback=True
    ),
    deploy=DeployInputs(command=("deploy",)),
    railway=RailwayInputs(backups=True),
    apart=True,
    freezes=True,
)
FROZEN = make_plan(promote, INPUTS)
OPEN = make_plan(promote, INPUTS.replace(freezes=False))
RELEASE = make_plan(release, INPUTS)
FAILED = StepFailed("shop: it broke", "look at it")
# What production's server said when the run had frozen it, and says now.
SERVER = {"database": "16384", "read_only": "on", "since": [["16384", "0", "771"]], "comment": ""}
OPENED = {"read_only": "off", "since": []}
HEADER: Event = {"event": "run", "run": RUN, "procedure": "promote", "target": "shop", "inputs": {}}
AGAIN = "correct what failed, then   inv release --target=shop"
TO_LAST = f"inv rollback --target=shop --backup={RUN}_last"


def stopped(plan: Plan, step: str, how: str = "failed") -> State:
    """Where a run stands all whose steps went well until this one, which a gate refused, or which was begun."""
    state, names = State(HEADER), [planned.name for planned in plan.steps]
    for name in names[: names.index(step)]:
        state.mark(name, "done")
    if how != "refused":
        state.mark(step, "begun")
    state.mark(step, how)
    return state


HALF_WAY = stopped(FROZEN, "promote.migrate")


@dataclass
class Bench:
    """A store with the certificate and the release's journal; what production has, and how the way back goes."""

    session: Session
    out: io.StringIO = field(default_factory=io.StringIO)
    has: tuple[str, ...] | BaseException = (FIRST,)
    left: OpsError | None = None
    server: dict[str, Any] = field(default_factory=lambda: dict(SERVER))
    atomic: bool = True
    unbound: BaseException | None = None
    way_back: OpsError | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    worked: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.session.inventory.path("backups/shop/runs") / RUN

    @property
    def events(self) -> list[Event]:
        return events(self.folder)

    def applied(self, *_: object) -> tuple[str, ...]:
        return raising(self.has) if isinstance(self.has, BaseException) else self.has

    def probe(self, *_: object) -> dict[str, Any]:
        return {"pending": [{"name": name, "atomic": self.atomic} for name in BOTH if name not in self.applied()]}

    def bind(self, source: Live, procedure: Procedure) -> RunInputs:
        self.asked.append((procedure.name, source.entry.name, source.wanted))
        if self.unbound:
            raise self.unbound
        of_its_own = {"run": BACK, "backup": f"{RUN}_last", "rollback": {"failed_run": RUN}, "test": ""}
        return INPUTS.replace(**of_its_own, release={"auto_rollback": False}, frozen=True, freezes=False)

    def work(self, plan: Plan, reason: str, state: State | None = None, undo: bool = False) -> None:
        self.worked.append((plan.procedure.name, plan.inputs.run, reason, state, undo))
        if self.way_back:
            raise self.way_back
        if undo:
            append(self.folder, {"event": "outcome", "outcome": "done", "undone": True})

    def take(self, plan: Plan = FROZEN, state: State = HALF_WAY, error: OpsError = FAILED) -> int:
        return auto_rollback.take_back(self.session, plan, state, error, Console(out=self.out), self.work)

    @property
    def way(self) -> str:
        """Which way was taken, of the three."""
        return ", ".join("undo" if undo else name.removeprefix("auto-") for name, *_, undo in self.worked) or "none"


def raising(error: BaseException) -> Any:
    raise error


def append(folder: Path, *new: Event) -> None:
    log = Journal(folder)
    for event in new:
        log.append(event)
    log.close()


def events(folder: Path) -> list[Event]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    made = Bench(Session(load(tmp_path / "inventory.yaml"), {"PATH": "/usr/bin:/bin"}))
    certificate.write(tmp_path / "backups/shop", CERTIFICATE)
    append(made.folder, HEADER)
    monkeypatch.setattr("ops.release.production.production_state.applied", made.applied)
    monkeypatch.setattr("ops.release.production.production_state.probe", made.probe)
    monkeypatch.setattr("ops.release.production.production_state.server", lambda *_: dict(made.server))
    monkeypatch.setattr(auto_rollback, "asked", lambda *_: lambda _: made.left)
    note = made.session.inventory.path(INPUTS.freeze_note)
    note.write_text(json.dumps(SERVER) + "\n{}\n")
    monkeypatch.setattr(auto_rollback, "bind", made.bind)
    return made


# --- whether it acts at all ------------------------------------------------------------------------------------------

NOT_ITS_OWN = {
    "nothing was begun": (FROZEN, State(HEADER), FAILED),
    "the rehearsal failed": (RELEASE, stopped(RELEASE, "verify.account"), DataDiffers("rows would be lost")),
    "a gate refused the freeze": (FROZEN, stopped(FROZEN, "promote.freeze", "refused"), Refused("no window")),
    "it failed before the migrations, and nothing was frozen": (OPEN, stopped(OPEN, "promote.hold"), FAILED),
    "Ctrl-C in the freeze": (FROZEN, stopped(FROZEN, "promote.freeze", "begun"), Interrupted("interrupted")),
    "Ctrl-C in the migrations": (FROZEN, stopped(FROZEN, "promote.migrate", "begun"), Interrupted("interrupted")),
    "Ctrl-C in the checks": (FROZEN, stopped(FROZEN, "promote.checks", "begun"), Interrupted("interrupted")),
}


@pytest.mark.parametrize("case", NOT_ITS_OWN)
def test_it_leaves_alone_what_did_not_touch_production_and_what_a_person_stopped(bench: Bench, case: str) -> None:
    plan, state, error = NOT_ITS_OWN[case]
    with pytest.raises(OpsError) as caught:
        bench.take(plan, state, error)
    assert caught.value is error
    assert (bench.worked, bench.asked, bench.out.getvalue(), bench.events) == ([], [], "", [HEADER])


# Where a step failed: what production has of the migrations, and which way is taken.
BOTH = (FIRST, SECOND)
WAYS = [
    ("promote.freeze", (), "undo"),
    ("promote.note_freeze", (), "undo"),
    ("last-backup.dump", (), "undo"),
    ("last-backup.seal", (), "undo"),
    ("last-backup.railway", (), "undo"),
    ("promote.fingerprint_before", (), "undo"),
    ("promote.hold", (), "undo"),
    ("promote.migrate", ("app.0001",), "undo"),
    ("promote.migrate", (FIRST,), "rollback"),
    ("promote.migrate", (SECOND,), "rollback"),
    ("promote.account", BOTH, "rollback"),
    ("promote.checks", BOTH, "rollback"),
    ("promote.deploy", BOTH, "rollback"),
    ("promote.unfreeze", BOTH, "none"),
    ("last-backup.store", BOTH, "none"),
]


@pytest.mark.parametrize(("step", "has", "way"), WAYS)
def test_each_step_that_fails_leads_to_one_way(bench: Bench, step: str, has: tuple[str, ...], way: str) -> None:
    bench.has = has
    assert bench.take(state=stopped(FROZEN, step)) == 4
    assert bench.way == way


def test_each_step_of_a_promotion_stands_in_that_table() -> None:
    assert list(dict.fromkeys(step for step, _, _ in WAYS)) == [planned.name for planned in FROZEN.steps]


@pytest.mark.parametrize("step", ["promote.hold", "promote.migrate"])
def test_before_the_migrations_it_is_not_asked_what_is_applied(bench: Bench, step: str) -> None:
    bench.has = AssertionError("it was asked")
    assert bench.take(state=stopped(FROZEN, step, "refused"), error=Refused("shop: no")) == 3
    assert bench.way == "undo"


@pytest.mark.parametrize(("seal", "way"), [("done", "rollback"), ("", "none"), ("failed", "none")])
@pytest.mark.parametrize("since", [SERVER["since"], [["16384", "0", "772"]]])
def test_it_rolls_back_only_what_is_frozen_since_before_the_last_backup(
    bench: Bench, seal: str, way: str, since: list[list[str]]
) -> None:
    state = State(HEADER)
    for name, status in (("promote.freeze", "done"), ("last-backup.seal", seal), ("promote.migrate", "begun")):
        if status:
            state.mark(name, status)
    bench.server["since"] = since
    same = since == SERVER["since"]
    assert bench.take(state=state) == 4
    assert bench.way == (way if same else "none") and bool(bench.asked) == (same and way == "rollback")


def test_a_freeze_that_was_not_noted_proves_nothing(bench: Bench) -> None:
    bench.session.inventory.path(INPUTS.freeze_note).unlink()
    assert bench.take() == 4 and bench.way == "none"


def test_where_the_plan_froze_nothing_the_migrations_are_undone_or_left(bench: Bench) -> None:
    bench.server |= OPENED
    for bench.has, way in (((), "undo"), (BOTH, "none")):
        bench.worked.clear()
        assert bench.take(OPEN, stopped(OPEN, "promote.migrate")) == 4
        assert bench.way == way
    assert bench.events[-1]["hint"] == f"inv rollback --target=shop --backup={INPUTS.backup}"


def test_what_is_not_recorded_and_not_proved_to_be_as_before_is_not_undone(bench: Bench) -> None:
    bench.has, bench.left = (), DataDiffers("a row more")
    assert bench.take() == 4 and bench.way == "rollback"
    bench.worked.clear()
    assert bench.take(OPEN, stopped(OPEN, "promote.migrate")) == 4 and bench.way == "none"
    assert "no migration is recorded, but production is not proved to be unchanged" in bench.out.getvalue()


# --- what is done ----------------------------------------------------------------------------------------------------


def test_the_undo_is_that_of_the_failed_run(bench: Bench) -> None:
    bench.has = ()
    bench.take()
    assert bench.worked == [("promote", RUN, "", HALF_WAY, True)] and bench.asked == []
    said = "shop: --auto-rollback: no migration is applied, so the release is undone"
    assert bench.out.getvalue().startswith(f"\n{said}\n")


def test_the_rollback_is_a_run_of_its_own_to_the_last_backup(bench: Bench) -> None:
    bench.take()
    assert bench.asked == [("auto-rollback", "shop", Wanted(f"{RUN}_last", failed_run=RUN))]
    assert bench.worked == [("auto-rollback", BACK, f"--auto-rollback of promote {RUN}", None, False)]
    said = f"production has been frozen without interruption since before its last backup {RUN}_last, so that backup"
    assert bench.out.getvalue().startswith(f"\nshop: --auto-rollback: {said} contains every row\n")


@pytest.mark.parametrize("has", [(), (FIRST,)])
@pytest.mark.parametrize(
    "error", [StepFailed("shop: 502"), Interrupted("interrupted"), DataDiffers("no"), Refused("lock")]
)
def test_a_way_back_that_fails_says_so_itself(bench: Bench, has: tuple[str, ...], error: OpsError) -> None:
    bench.has, bench.way_back = has, error
    with pytest.raises(OpsError) as caught:
        bench.take()
    assert caught.value is error
    assert bench.events == [HEADER] and "FAILED" not in bench.out.getvalue()


@pytest.mark.parametrize("where", ["has", "unbound", "ours"])
def test_ctrl_c_and_a_fault_of_ours_are_not_swallowed(bench: Bench, where: str) -> None:
    error = ValueError("no plan can be made of it") if where == "ours" else KeyboardInterrupt()
    setattr(bench, "has" if where == "has" else "unbound", error)
    with pytest.raises(type(error)) as caught:
        bench.take()
    assert caught.value is error and bench.worked == [] and bench.events == [HEADER]


# --- what is said at the end -----------------------------------------------------------------------------------------

# What happened before; then the reason's end, what stands, what to type, and what else the event has.
ENDS: dict[str, tuple[dict[str, object], str, str, str, dict[str, object]]] = {
    "nothing was applied": (
        {"has": ()},
        "rolled back",
        "rolled back: no migration was applied, and production takes writes again",
        AGAIN,
        {"undone": True},
    ),
    "it was rolled back": (
        {},
        "rolled back",
        f"rolled back by run {BACK}: production is as it was before the release, proved row for row, and takes writes "
        "again; the release's database is retained",
        AGAIN,
        {"rolled_back_by": BACK},
    ),
    "production does not answer": (
        {"has": Unreachable("shop: no connection")},
        "not rolled back",
        "not rolled back: the state of production could not be read: shop: no connection",
        f"inv resume --run={RUN}",
        {},
    ),
    "production refuses the connection": (
        {"has": Unreachable('shop: the database refuses the connection: role "x" does not exist')},
        "not rolled back",
        "not rolled back: the state of production could not be read: "
        'shop: the database refuses the connection: role "x" does not exist',
        f"inv resume --run={RUN}",
        {},
    ),
    "it answers what nobody expected": (
        {"has": ValueError("?")},
        "not rolled back",
        "not rolled back: the state of production could not be read: ValueError: ?: an internal error",
        f"inv resume --run={RUN}",
        {},
    ),
    "the last backup can't be restored": (
        {"unbound": UsageError("shop: it is damaged", "inv backups")},
        "not rolled back",
        "not rolled back automatically: shop: it is damaged",
        f"{TO_LAST}   or   inv backups",
        {},
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_release_ends_with_a_second_outcome(bench: Bench, case: str) -> None:
    before, reason, stands, hint, more = ENDS[case]
    for name, value in before.items():
        setattr(bench, name, value)
    assert bench.take() == 4
    event = bench.events[-1]
    assert str(event.pop("at")).startswith("2")
    told = {"event": "outcome", "procedure": "promote", "target": "shop", "run": RUN, "outcome": "failed", "exit": 4}
    assert event == told | {"reason": f"shop: it broke; {reason}", "hint": hint, "stands": stands} | more
    assert bench.out.getvalue().endswith(f"\nFAILED  shop: it broke; {reason}\nState: {stands}\nTry: {hint}\n"), (
        bench.out.getvalue()
    )


def test_what_was_not_frozen_is_said_with_the_command(bench: Bench) -> None:
    bench.server["since"] = []
    assert bench.take() == 4
    why = (
        "not rolled back automatically: production was not frozen continuously since before its last backup, so rows "
        "could be lost"
    )
    event = bench.events[-1]
    assert (event["stands"], event["hint"], event["reason"]) == (why, TO_LAST, "shop: it broke; not rolled back")
    assert "rolled_back_by" not in event and "undone" not in event


def test_a_last_backup_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(UsageError) as missing:
        selection.choose(bench.session.inventory.path("backups/shop"), f"{RUN}_last", [], 17)
    bench.unbound = missing.value
    assert bench.take() == 4
    assert f"not rolled back automatically: shop: there is no backup '{RUN}_last'" in str(bench.events[-1]["stands"])
    assert bench.events[-1]["hint"] == f"{TO_LAST}   or   inv backup --target=shop   or   inv backups --target=shop"


@pytest.mark.parametrize("has", [(), (FIRST,), Unreachable("gone")])
@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (StepFailed("it broke"), 4, "failed"),
        (Unreachable("it broke"), 4, "failed"),
        (OpsError("it broke"), 4, "failed"),
        (Refused("it broke"), 3, "refused"),
        (DataDiffers("it broke", verdict={}), 5, "refused"),
    ],
)
def test_the_exit_code_stays_that_of_what_failed(
    bench: Bench, has: Any, error: OpsError, code: int, outcome: str
) -> None:
    bench.has = has
    assert bench.take(error=error) == code
    event = bench.events[-1]
    assert (event["exit"], event["outcome"]) == (code, outcome)
    assert str(event["reason"]).startswith("it broke; ")


@pytest.mark.parametrize("full", [Refused("another process works on it"), OSError(28, "No space left on device")])
def test_an_end_that_cannot_be_written_is_still_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, full: Exception
) -> None:
    monkeypatch.setattr(auto_rollback, "Journal", lambda *_: raising(full))
    assert bench.take() == 4
    assert bench.events == [HEADER] and f"State: rolled back by run {BACK}" in bench.out.getvalue()
