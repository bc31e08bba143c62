"""What `pgbackrest verify` prints, as 2.45 does, and what is made of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.backups.pgbackrest import verify as module
from ops.backups.pgbackrest.verify import read_verify, verify
from ops.core.errors import OpsError
from ops.engine.command import Completed
from ops.engine.inputs import PgBackRestInputs
from ops.infra.session.session import Session

LABEL, OLD = "20261127-174823F_20261127-174830I", "20261120-020000F"
WELL = f"""stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 4, total valid WAL: 4
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {OLD}, status: valid, total files checked: 1260, total valid files: 1260
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {LABEL}, status: valid, total files checked: 1261, total valid files: 1261
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""
BAD = WELL.replace("status: ok", "status: error")
OURS = f"backup: {LABEL}, status: valid, total files checked: 1261, total valid files: 1261\n    missing: 0, checksum"
LOST = BAD.replace(
    f"{OURS} invalid: 0",
    OURS.replace("status: valid", "status: invalid")
    .replace("valid files: 1261", "valid files: 1259")
    .replace("0,", "1,")
    + " invalid: 1",
)
OTHER = BAD.replace(f"{OLD}, status: valid", f"{OLD}, status: invalid").replace(
    "valid files: 1260", "valid files: 1259"
)
WAL = BAD.replace("valid WAL: 4\n    missing: 0", "valid WAL: 3\n    missing: 1")
EMPTY = "stanza: main\nstatus: error\n  No usable backup.info file\n  No usable archive.info file\n"
UNREAD = BAD.replace(f"{LABEL}, status: valid, total files checked: 1261, total valid files: 1261",
                     f"{LABEL}, status: invalid, total files checked: 0, total valid files: 0")  # fmt: skip


def asked(monkeypatch: pytest.MonkeyPatch, out: str, code: int = 0, err: str = "", version: str = "2.45") -> list[Any]:
    """Let pgBackRest print that; gives what it was called with."""
    calls: list[Any] = []
    given = PgBackRestInputs(stanza="main", config="/etc/my conf", kind="incr", folder="/srv/aside/shop", user="me",
                           as_user=(), bin="")  # fmt: skip

    def run(words: tuple[str, ...]) -> Completed:
        calls.append(words)
        return Completed(code, out, err)

    numbers = tuple(int(part) for part in version.split("."))
    said = ("", err.strip())
    on = SimpleNamespace(given=given, run=run, version=lambda: numbers, said=lambda done: said)
    monkeypatch.setattr(module, "OnStanza", lambda session, target: on)
    return calls


def ask() -> str:
    return verify(cast(Session, None), cast(Any, SimpleNamespace(target="shop", label=LABEL)))


def test_what_is_whole_is_said_with_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = asked(monkeypatch, WELL)
    assert ask() == "pgbackrest verify read 1,261 files and 4 of WAL"
    assert calls[0][1:] == ("--config=/etc/my conf", "--stanza=main", "--output=text", "--verbose", "verify")
    asked(monkeypatch, OTHER)
    assert ask() == f"pgbackrest verify read 1,261 files and 4 of WAL; {OLD} are invalid"
    calls = asked(monkeypatch, WELL, version="2.55.1")
    assert ask() and f"--set={LABEL}" in calls[0]


@pytest.mark.parametrize(
    ("out", "code", "said"),
    [
        (LOST, 0, f"{LABEL} is damaged: invalid, 2 of 1,261 files (missing: 1, checksum invalid: 1)"),
        (LOST, 82, f"{LABEL} is damaged: invalid, 2 of 1,261 files"),
        (WAL, 0, f"{LABEL} is valid, but 1 of 4 WAL files of its archive 15-1 are damaged (missing: 1)"),
        (UNREAD, 0, f"{LABEL} is damaged: invalid, none of its files was read"),
        (EMPTY, 0, f"does not list {LABEL}: No usable backup.info file; No usable archive.info file"),
        (WELL.replace(LABEL, "20261201-000000F"), 0, f"does not list {LABEL}"),
        (
            WELL.replace(f"{LABEL}, status: valid", f"{LABEL}, status: in-progress"),
            0,
            "is damaged: in-progress",
        ),
        ("", 0, f"has no result for {LABEL}: no status in the output"),
        ("", 31, f"has no result for {LABEL}: invalid command 'verify'"),
    ],
)
def test_a_fault_is_one_line_that_names_the_label_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, out: str, code: int, said: str
) -> None:
    asked(monkeypatch, out, code, "invalid command 'verify'" if code == 31 else "")
    with pytest.raises(OpsError) as caught:
        ask()
    assert said in caught.value.message and "\n" not in caught.value.message
    assert caught.value.hint.startswith("pgbackrest '--config=/etc/my conf' --stanza=main ")
    full = "is damaged" in caught.value.message or "WAL files" in caught.value.message
    assert ("--type=full backup; inv backup --target=shop" in caught.value.hint) == full


@pytest.mark.parametrize("text", ["", "x", "status ok", "backup: x, status: valid"])
def test_what_it_does_not_print_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no status"):
        read_verify(text)
