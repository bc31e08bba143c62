"""What works on a table whose rows stay out of a backup, and how those tables are told."""

from __future__ import annotations

import pytest

from ops.application.operations import Application, Link, Operation
from ops.engine.plan import make_plan
from ops.infra.session.session import Session
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page
from ops.release.touched_tables import works_on
from ops.verdict.fingerprint import not_backed_up
from tests.procedures.test_catalog import SHIPPED

LOG = {"public.audit_log": 1_200_000, 'stats."Odd ""one"': 0}


def operation(**given: object) -> Operation:
    return Operation.model_validate({"migration": "shop.0002", "index": 0, "kind": "X", **given})


@pytest.mark.parametrize(
    "one",
    [
        operation(table="audit_log", column="note"),
        operation(new_table="audit_log"),
        operation(acts_as="DeleteModel", table="other", throughs=("audit_log",)),
        operation(tables_renamed=(("audit_log", "log"),)),
        operation(opaque=True, code="UPDATE public.audit_log SET note = ''"),
        operation(opaque=True, code='apps.get_model("shop", "AuditLog").objects.update(note="")'),
        operation(table='Odd "one'),
    ],
)
def test_what_works_on_such_a_table_is_told(one: Operation) -> None:
    app = Application(operations=(one,), models_before={"shop.auditlog": "audit_log"})
    (said,) = works_on(app, LOG)
    assert said.startswith("shop.0002: X changes ")
    assert works_on(app, ["public.other_log"]) == []


def test_what_works_on_others_is_not() -> None:
    words = "UPDATE audit_log_of_old SET note = ''"
    app = Application(operations=(operation(table="order"), operation(opaque=True, code=words)))
    assert works_on(app, LOG) == []


def test_a_new_key_that_leads_there_is_told_and_an_old_one_is_not() -> None:
    old = Link("shop_seen", "log_id", "audit_log", "id", True)
    new = Link("shop_read", "log_id", "audit_log", "id", True)
    app = Application(links_before=(old,), links_after=(old, new, new._replace(table="free", constraint=False)))
    assert works_on(app, LOG) == ["a new foreign key of shop_read references public.audit_log"]


def test_they_are_told_with_their_rows() -> None:
    assert not_backed_up({}) == ""
    assert not_backed_up({"public.a": 1}) == "1 table was not backed up: public.a (about 1 row)"
    assert not_backed_up(LOG) == (
        '2 tables were not backed up: public.audit_log (about 1,200,000 rows), stats."Odd ""one" (about 0 rows)'
    )
    many = {f"public.t{n}": n for n in range(5)}
    assert not_backed_up(many).endswith("public.t2 (about 2 rows) and 2 more")


@pytest.mark.parametrize("name", PROCEDURES)
def test_what_is_taken_to_lose_nothing_holds_every_table_and_is_not_slowed(name: str) -> None:
    given = {"dump": {"exclude": ("audit_log",), "rate": 1}, "freezes": True, "rollback": {"export": True}}
    inputs = bind(Page(Session(SHIPPED, {}), "lessons"), PROCEDURES[name]).replace(**given)
    for step in make_plan(PROCEDURES[name], inputs).steps:
        gates = [command for gate in step.gates for command in gate.commands]
        for command in (*step.commands, *gates):
            told = getattr(command, "parameters", None) or getattr(command, "options", {})
            assert {"exclude", "rate"}.isdisjoint(told) or step.name == "backup.dump", step.name
