"""The suite over every kind of store, a plain folder too, goes on: backups and runs there, as two machines see them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ops.core.errors import OpsError, Refused, Unreachable
from ops.core.files import make_folder
from ops.engine.journal import Journal
from ops.infra.stores.base import AnyStore
from ops.infra.stores.manifest import backups, damage, seal
from ops.infra.stores.open import store_at
from ops.infra.stores.remote_backup import MANIFEST, StoredBackup
from ops.infra.stores.working_copy import WorkingCopy
from tests.infra.stores.test_manifest import FILES, dumped, facts
from tests.support.stores.places import Place

pytestmark = pytest.mark.usefixtures("no_sums")
B1, DAT = "20261127_030000_aaaa", "dump/1.dat.gz"
LAST = "20261127_040000_bbbb_last"
JOURNAL = "runs/r/journal.jsonl"


class Machine:
    """One engineer's machine: the target's folder in a plain store, or the one that follows a remote store."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.plain, self.told = place.kind == "folder", list[str]()
        # What treats a folder as a remote store reaches a plain one, too.
        self.store = store_at(f"file://{place.url}") if self.plain else place.store
        self.folder = (Path(place.url) if self.plain else folder) / "shop"

    @property
    def here(self) -> Path:
        """The backup's folder."""
        return self.folder / "backups" / B1

    @property
    def journal(self) -> bytes:
        """What the run's journal holds here."""
        return (self.folder / JOURNAL).read_bytes()

    def copy(self) -> WorkingCopy:
        """What follows the store, as a new process has it."""
        return WorkingCopy(self.store, "shop", self.folder, self.told.append)

    def stored(self) -> StoredBackup:
        """The backup in the store."""
        return StoredBackup(self.store, "shop", self.folder, B1)

    def known(self) -> list[str]:
        """The backups that it knows of."""
        if not self.plain:
            self.copy().follow()
        return [one.backup for one in backups(self.folder)]

    def dump(self) -> None:
        """A dump has ended."""
        dumped(self.folder, B1)

    def seal(self) -> None:
        """It gets its manifest and its name here."""
        seal(self.here.with_name(f"{B1}.partial"), self.here, facts(B1))

    def make(self) -> None:
        """All of a backup, in the store."""
        self.dump()
        self.seal()
        if not self.plain:
            self.stored().put()

    def said(self) -> str:
        """What is wrong with what is stored, by reading all of it; nothing where it is well."""
        try:
            if self.plain:
                return "; ".join(damage(self.here))
            self.stored().check(deep=True)
        except OpsError as error:
            return error.message
        return ""

    def harm(self, name: str, content: bytes | None) -> bytes:
        """Have something else stored in place of a file, or nothing; gives what was there."""
        key, path = f"shop/backups/{B1}/{name}", self.folder.with_name("harmed")
        whole = self.store.read(key)[0] if self.store.tag(key) else b""
        if content is None:
            self.store.delete([key])
        else:
            path.write_bytes(content)
            self.store.put(key, path)
        return whole

    def append(self, event: str) -> None:
        """Go on with the run."""
        make_folder((self.folder / JOURNAL).parent)
        with (self.folder / JOURNAL).open("a") as file:
            file.write(json.dumps({"event": event}) + "\n")


def machines(place: Place, tmp_path: Path) -> tuple[Machine, Machine]:
    """Two of them with the same store."""
    return Machine(place, tmp_path / "one"), Machine(place, tmp_path / "other")


# --- when it is a backup ---------------------------------------------------------------------------------------------


def test_it_is_a_backup_once_its_manifest_is_there(
    anywhere: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines(anywhere, tmp_path)
    one.dump()
    assert one.known() == other.known() == []
    if not one.plain:
        one.seal()
        with monkeypatch.context() as patch, pytest.raises(Unreachable, match="^shop: away"):
            patch.setattr(one.store, "put", but_the_manifest(one.store))
            one.stored().put()
        assert other.known() == [] and "the manifest is missing, so this is not a backup" in one.said()
        assert one.stored().put() == 0
    else:
        one.seal()
    assert one.known() == other.known() == [B1] and one.said() == ""


def but_the_manifest(store: AnyStore) -> Callable[[str, Path], str]:
    put = store.put

    def send(key: str, path: Path) -> str:
        if key.endswith(MANIFEST):
            raise Unreachable("away")
        return put(key, path)

    return send


def test_an_upload_that_is_cut_leaves_no_backup_and_goes_on_where_it_was(
    lined: Place, small: int, tmp_path: Path
) -> None:
    one, other = machines(lined, tmp_path)
    one.dump()
    large = one.folder / f"backups/{B1}.partial/dump/2.dat"
    large.write_bytes(os.urandom(3 * small))
    one.seal()
    lined.line.limit = lined.line.passed + 2 * small
    with pytest.raises(Unreachable) as caught:
        one.stored().put()
    assert caught.value.message.startswith(f"shop: {lined.url}: ") and "\n" not in caught.value.message
    lined.line.mend()
    assert other.known() == [] and "the manifest is missing" in one.said()
    # The small ones were sent before it.
    assert one.stored().put() == 3 * small
    assert other.known() == [B1] and one.said() == ""


@pytest.mark.parametrize("there", [True, False])
def test_what_another_backup_has_there_is_copied_inside_the_store(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    one, _ = machines(place, tmp_path)
    one.make()
    if not there:
        one.stored().remove()
    dumped(one.folder, LAST)
    partial = one.folder / f"backups/{LAST}.partial"
    (partial / "base/dump").mkdir(parents=True)
    os.link(one.here / DAT, partial / "base" / DAT)
    seal(partial, partial.with_name(LAST), facts(LAST) | {"base": B1})
    sent, put = list[str](), one.store.put
    with monkeypatch.context() as patch:
        patch.setattr(one.store, "put", lambda key, path: sent.append(key) or put(key, path))  # type: ignore[func-returns-value]
        last = StoredBackup(one.store, "shop", one.folder, LAST)
        last.put()
    assert any(key.endswith(f"base/{DAT}") for key in sent) is not there
    last.check(deep=True)
    one.stored().remove()
    last.check(deep=True)


def test_what_an_attempt_before_has_sent_is_not_taken_for_it(place: Place, tmp_path: Path) -> None:
    one, _ = machines(place, tmp_path)
    one.make()
    (one.here / ".sent.json").unlink()
    one.harm(DAT, FLIPPED)
    assert one.stored().put() > 0 and one.said() == ""


def test_a_removal_that_is_cut_off_leaves_no_backup(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines(place, tmp_path)
    one.make()
    delete, gone = one.store.delete, list[str]()

    def once(keys: Iterable[str]) -> None:
        first = next(iter(keys))
        delete([first])
        gone.append(first)
        raise Unreachable("away")

    with monkeypatch.context() as patch, pytest.raises(Unreachable, match="away"):
        patch.setattr(one.store, "delete", once)
        one.stored().remove()
    assert gone == [f"shop/backups/{B1}/{MANIFEST}"] and other.known() == []
    one.stored().remove()
    assert one.store.listed("") == {}


# --- what is damaged there -------------------------------------------------------------------------------------------

FLIPPED = FILES[DAT][:3] + bytes([FILES[DAT][3] ^ 1]) + FILES[DAT][4:]
# A file of the backup, what is there in its place, what is said.
HARMS = (
    (DAT, FLIPPED, f"{DAT} does not match the manifest"),
    (DAT, FILES[DAT][:-1], f"{DAT} does not match the manifest"),
    (DAT, None, f"{DAT} is missing"),
    (MANIFEST, b'{"backup": "2026', "manifest is damaged"),
    (MANIFEST, None, "the manifest is missing"),
)


def test_what_is_not_what_was_written_is_told(anywhere: Place, tmp_path: Path) -> None:
    one, other = machines(anywhere, tmp_path)
    one.make()
    assert one.said() == other.said() == ""
    for name, content, said in HARMS:
        whole = one.harm(name, content)
        assert said in other.said() and "\n" not in other.said()
        one.harm(name, whole)
    assert one.said() == ""


def test_what_was_fetched_is_not_taken_for_what_was_written(place: Place, tmp_path: Path) -> None:
    one, other = machines(place, tmp_path)
    one.make()
    assert other.known() == [B1]
    one.harm(DAT, FLIPPED)
    other.stored().fetch()
    assert damage(other.here) == [f"{DAT} does not match the manifest"]
    one.harm(DAT, None)
    with pytest.raises(Unreachable, match=f"{DAT}: does not exist in the store$"):
        other.stored().fetch()


def test_what_is_damaged_or_missing_here_is_fetched_again(place: Place, tmp_path: Path) -> None:
    one, other = machines(place, tmp_path)
    one.make()
    assert other.known() == [B1]
    # The list of the store has brought the fingerprint.
    assert other.stored().fetch() == sum(len(FILES[name]) for name in FILES if name != "fingerprint.jsonl")
    assert damage(other.here) == [] and other.stored().fetch() == 0
    (other.here / DAT).write_bytes(b"x" * len(FILES[DAT]))
    (other.here / "dump/toc.dat").unlink()
    assert other.stored().fetch() == len(FILES[DAT]) + len(FILES["dump/toc.dat"])
    assert damage(other.here) == []
    assert all(path.stat().st_mode & 0o077 == 0 for path in other.folder.rglob("*"))


# --- runs that two machines go on with -------------------------------------------------------------------------------


def test_what_was_fetched_or_sent_is_no_news(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = machines(place, tmp_path)
    one.append("planned")
    one.copy().push("r")
    assert other.known() == [] and other.journal == one.journal
    for machine in (one, other):
        for name in ("get", "read", "put", "swap"):
            monkeypatch.setattr(machine.store, name, lambda *given: pytest.fail(f"asked for {given}"))
        copy = machine.copy()
        copy.follow()
        assert copy.trouble is None and machine.told == []


def test_two_machines_do_not_go_on_with_one_run(place: Place, tmp_path: Path) -> None:
    one, other = machines(place, tmp_path)
    one.append("planned")
    one.copy().push("r")
    # As if it was gone on with here while the store was away, and on the other machine, too.
    copy = one.copy()
    other.known()
    other.append("resumed")
    other.copy().push("r")
    one.append("undoing")
    ours = one.journal
    with pytest.raises(Refused, match="resumed on another machine"):
        copy.push("r")
    one.copy().follow()
    [said] = one.told
    assert said.startswith(f"shop: {JOURNAL} was written on this and on another machine; the local file is ")
    assert one.journal == other.journal == one.store.read(f"shop/{JOURNAL}")[0]
    [aside] = (one.folder / JOURNAL).parent.glob(".*.diverged")
    assert aside.name in said and aside.read_bytes() == ours


def test_a_journal_that_was_sent_before_a_stop_is_gone_on_with(place: Place, tmp_path: Path) -> None:
    one, other = machines(place, tmp_path)
    one.append("planned")
    one.copy().push("r")
    for event in ("undoing", "undone"):
        # Stopped after it was sent, and before it was noted that it was; by this process, or found by the next one.
        (one.folder / "runs/r/.store.json").unlink()
        one.append(event)
        one.copy().push("r") if event == "undoing" else one.copy().follow()
        assert one.store.read(f"shop/{JOURNAL}")[0] == one.journal
    assert one.told == [] and not list(one.folder.rglob("*.diverged"))
    copy = one.copy()
    other.known()
    other.append("resumed")
    other.copy().push("r")
    one.append("ended")
    with pytest.raises(Refused, match="resumed on another machine"):
        copy.push("r")


def test_one_hand_at_a_time_writes_a_journal_of_a_plain_folder(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    one, other = machines(place_of("folder"), tmp_path)
    assert one.folder == other.folder
    one.append("planned")
    held = Journal(one.folder / "runs/r")
    with pytest.raises(Refused, match="another process on this machine is executing"):
        Journal(other.folder / "runs/r")
    held.close()


# --- a store that is away --------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_told_once_and_what_is_here_is_used(
    lined: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.infra.stores.object_store.QUICK", (10, 0.1))
    one, other = machines(lined, tmp_path)
    one.make()
    other.known()
    lined.line.sever()
    assert other.known() == [B1]
    [said] = other.told
    assert said.endswith("; using the local copy") and "\n" not in said
    copy = other.copy()
    with pytest.raises(Refused, match="^shop: .*; nothing was changed$"):
        copy.must_answer()
    other.append("planned")
    copy.push("r")
    lined.line.mend()
    other.copy().follow()
    assert other.store.read(f"shop/{JOURNAL}")[0] == other.journal
