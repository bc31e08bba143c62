"""What a restore of Railway's own backup knows of a database that does not answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.core.errors import Refused, Unreachable
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning import volume_backup
from ops.procedures.planning.look import Look
from ops.procedures.planning.request import Wanted


def known(folder: Path, monkeypatch: pytest.MonkeyPatch, no_safety: bool) -> dict[str, Any]:
    def away(*_: object) -> None:
        raise Unreachable("shop: the server does not answer")

    (folder / "inventory.yaml").write_text(
        'all: {children: {production: {hosts: {shop: {database: "env:SHOP", store: backups}}}}}'
    )
    session = Session(load(folder / "inventory.yaml"), {"SHOP": "postgresql://a/shop"})
    monkeypatch.setattr(volume_backup, "identity", away)
    monkeypatch.setattr(volume_backup, "some_tools", lambda _: [SimpleNamespace(major=15), SimpleNamespace(major=17)])
    ours = cast(Any, SimpleNamespace(system="7"))
    entry, wanted = session.inventory.target("shop"), Wanted(no_safety=no_safety)
    return volume_backup._database(Look(session, entry, PROCEDURES["railway-restore"], wanted), ours)


def test_without_a_last_dump_it_goes_on_only_where_that_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="no safety backup can be made; nothing was changed") as caught:
        known(tmp_path, monkeypatch, no_safety=False)
    assert "--no-safety" in caught.value.hint
    found = known(tmp_path, monkeypatch, no_safety=True)
    assert found == {"database": "shop", "system": "7", "dump": {"compress": "1"}, "tools": "17"}
