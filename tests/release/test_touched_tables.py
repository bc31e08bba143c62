"""What users may have written while a production that is not frozen was migrated; which tables operations reach."""

from __future__ import annotations

import pytest

from ops.application.operations import Application, Field, Operation
from ops.release.touched_tables import ROWS, SHAPE, reaches
from ops.verdict.moment import Moment, pace

TABLES = ["public.shop_order", "public.shop_line", "public.auth_user", 'crm."Note"']
MODELS = {"shop.order": "shop_order", "shop.line": "shop_line", "auth.user": "auth_user", "crm.note": "Note"}


def moment(at: float, database: int = 1, **updated: int) -> Moment:
    return Moment(snapshot="745:747:745", database=database, at=at, updated=updated)


@pytest.mark.parametrize(
    ("then", "now", "seconds", "most"),
    [
        (moment(0, a=100), moment(10, a=1100), 2, 602),
        (moment(0, a=5), moment(600, a=5), 60, 1),
        (moment(0, a=5), moment(10, a=5), 10, 9),
        (moment(0), moment(10), 10, 0),
        (moment(0, a=100), moment(10, a=50), 2, 32),
        (moment(0, a=100, gone=7), moment(10, a=100), 10, 9),
        (moment(0, database=2), moment(10, a=9), 2, 0),
        (None, moment(10, a=9), 2, 0),
    ],
    ids=["busy", "quiet for long", "quiet", "never", "counted anew", "a table is gone", "another database", "unknown"],
)
def test_users_may_have_written_thrice_as_much(then: Moment | None, now: Moment, seconds: float, most: int) -> None:
    found = pace(then, now)
    assert (found.changed("a", seconds), found.gone("a", seconds)) == (most, 0)


def test_a_row_is_recent_by_the_oldest_transaction_at_work() -> None:
    assert moment(0).recent == "age(x.xmin) <= age('745'::xid)"
    assert Moment(snapshot=f"{2**32 + 5}:{2**32 + 5}:", database=1, at=0).recent == "age(x.xmin) <= age('5'::xid)"


def operation(kind: str, table: str = "", **more: object) -> Operation:
    given = {"migration": "shop.0002_x", "index": 0, "kind": kind, "acts_as": kind, "table": table, "new_table": table}
    return Operation.model_validate({**given, "opaque": kind in ("RunPython", "RunSQL"), **more})


NARROW, WIDE = Field(name="total", kind="x", type="integer"), Field(name="total", kind="x", type="bigint")
RENAMED = operation("RenameModel", "shop_order", new_table="shop_sale", tables_renamed=[("shop_order", "shop_sale")])
CASES: dict[str, tuple[list[Operation], dict[str, str]]] = {
    "a new column": ([operation("AddField", "shop_order")], {"public.shop_order": SHAPE}),
    "another type": (
        [operation("AlterField", "shop_order", before=NARROW, after=WIDE)],
        {"public.shop_order": ROWS},
    ),
    "another help text": (
        [operation("AlterField", "shop_order", before=NARROW, after=NARROW)],
        {"public.shop_order": SHAPE},
    ),
    "models only": ([operation("RemoveField", "shop_order", state_only=True)], {}),
    "code that names a model": ([operation("RunPython", code="Line.objects.all()")], {"public.shop_line": ROWS}),
    "SQL that names a table": ([operation("RunSQL", code='delete from crm."Note"')], {'crm."Note"': ROWS}),
    "code that names nothing": ([operation("RunPython", code="call_command('x')")], dict.fromkeys(TABLES, ROWS)),
    "a new column of a renamed table": (
        [RENAMED, operation("AddField", "shop_sale")],
        {"public.shop_order": SHAPE},
    ),
    "both": (
        [operation("RunSQL", code="update shop_line set x = 1"), operation("AddField", "shop_line")],
        {"public.shop_line": ROWS},
    ),
    "a new table": ([operation("CreateModel", "", new_table="shop_new")], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_operations_name_is_reached(case: str) -> None:
    operations, reached = CASES[case]
    app = Application(operations=tuple(operations), models_before=MODELS, models_after=MODELS)
    assert reaches(app, TABLES) == reached
