"""A delta holds what was copied into it, or the run stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.core.errors import StepFailed
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.recovery.rollback.export import check_delta

INVENTORY = 'all: {children: {production: {hosts: {shop: {database: "env:SHOP", store: backups}}}}}'


def test_every_table_must_hold_as_many_rows_as_were_copied(
    named: Callable[..., str], make_database: Callable[[str], str], tmp_path: Path
) -> None:
    delta = named(
        "delta", "CREATE TABLE one (n int)", "INSERT INTO one SELECT generate_series(1, 3)", "CREATE TABLE no ()"
    )
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    session = Session(load(tmp_path / "inventory.yaml"), {"SHOP": make_database("live")})

    def check(copied: dict[str, int] | None, database: str = delta) -> str:
        report = tmp_path / "copied.json"
        report.unlink(missing_ok=True)
        if copied is not None:
            report.write_text(json.dumps(copied))
        return check_delta(session, target="shop", database=database, report="copied.json")

    assert check({"public.one": 3, "public.no": 0}) == "the delta holds 3 rows"
    for copied, database, said in [
        ({"public.one": 4}, delta, "shop: public.one: not all of 4 rows are in the delta"),
        ({"public.one": 2}, delta, "shop: public.one: not all of 2 rows are in the delta"),
        ({"public.one": 3, "public.gone": 1}, delta, "shop: public.gone: not all of 1 rows are in the delta"),
        (None, delta, "the copy of the delta is incomplete"),
        ({"public.one": 3}, f"{delta}_not_there", "the copy of the delta is incomplete"),
    ]:
        with pytest.raises(StepFailed, match=said):
            check(copied, database)
