"""What the doctor makes of the inventory's owner, group and bits."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.doctor import connection


@pytest.mark.parametrize(
    ("group", "members", "said"),
    [
        ("me", [], None),
        ("me", ["me"], None),
        ("me", ["me", "other"], "can be written by its group"),
        ("staff", [], "can be written by its group"),
        (None, [], "can be written by its group"),
    ],
)
def test_a_group_that_others_are_in_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str | None, members: list[str], said: str | None
) -> None:
    def named(_: int) -> SimpleNamespace:
        if group is None:
            raise KeyError
        return SimpleNamespace(gr_name=group, gr_mem=members)

    monkeypatch.setattr("grp.getgrgid", named)
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name="me"))
    file = tmp_path / "inventory.yaml"
    file.touch()
    os.chmod(file, 0o664)
    found = connection._open_to(file)
    assert (found and found.status, bool(found and said and said in found.said)) == (said and "warn", bool(said))
    os.chmod(file, 0o644)
    assert connection._open_to(file) is None
