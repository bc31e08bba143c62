"""Select the backup that ``--backup=ID|latest|before:RUN|<time>`` names, and describe it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from ops.core.errors import UsageError
from ops.core.text import age
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import PHYSICAL, UNPACKED
from ops.engine.journal import State
from ops.infra.railway.volume_cli import VolumeBackup
from ops.infra.stores import backup_kinds
from ops.infra.stores.backup_kinds import SPECIAL
from ops.infra.stores.manifest import Manifest, backups
from ops.verdict.fingerprint import not_backed_up

# The major version to pass if no server has to restore the backup.
ANY = 999
MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?\s*(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Choice:
    """A backup and its description in a line: id, age, rows, and why no newer backup was chosen."""

    manifest: Manifest
    said: str


def choose(folder: Path, wanted: str, runs: Sequence[State], major: int, *, delta: bool = False) -> Choice:
    """Return the selected backup.

    Args:
        folder: the target's folder in the store.
        wanted: the request: an id, ``latest``, ``before:RUN`` or a moment; a moment without a zone is UTC.
        runs: the target's runs.
        major: the major version of production's server.
        delta: accept a backup that holds only the rows of a delta.

    Raises:
        UsageError: no backup matches, or it cannot be restored; the message lists similar ids, and what to type.
    """
    asked = _Asked(folder, backups(folder), runs)
    wanted = wanted.strip()
    if not wanted:
        raise asked.wrong("name a backup with --backup, or a kept database with --to-replaced")
    if wanted == "latest":
        found, why = asked.newest(asked.known, "latest")
    elif wanted.startswith("before:"):
        found, why = asked.before(wanted.removeprefix("before:").strip())
    elif MOMENT.fullmatch(wanted):
        found, why = asked.at(wanted)
    else:
        found, why = asked.named(wanted), ""
    asked.fits(found, major, delta)
    return Choice(found, said(found) + why)


def said(manifest: Manifest) -> str:
    """Return the description of a backup: id, moment, age, rows."""
    rows, tables = sum(manifest.rows.values()), len(manifest.rows) - len(manifest.excluded)
    taken = f"{manifest.taken_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({age(manifest.taken_at)} ago)"
    rest = not_backed_up(manifest.excluded)
    return f"{manifest.backup}, taken {taken}, {rows:,} rows in {tables} tables" + (f"; {rest}" if rest else "")


def newest(folder: Path) -> Manifest | None:
    """Return the newest dump of production in a target's folder; None if there is none."""
    return backup_kinds.newest(backup_kinds.dumps(backups(folder)))


def said_of(one: VolumeBackup) -> str:
    """Return the description of a Railway volume backup."""
    when = f"{one.taken.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({age(one.taken)} ago)" if one.taken else "unknown age"
    return f"Railway's backup {one.name or 'without a name'} ({one.id}) of {when}"


def moment(text: str) -> datetime:
    """Parse a moment; without a zone it is UTC.

    Raises:
        ValueError: the text is no moment.
    """
    day, _, rest = re.sub(r"\s*UTC$", "Z", text.strip(), flags=re.IGNORECASE).upper().replace("T", " ").partition(" ")
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})\s*(Z|[+-]\d{2}(?::?\d{2})?)?", day)
    if not found:
        raise ValueError("not a day")
    rest = re.sub(r"^\s*(\d):", r"0\1:", rest.strip())
    clock, zone = re.fullmatch(r"([\d:.]*)\s*(.*)", rest).groups()  # type: ignore[union-attr]
    made = datetime.fromisoformat(f"{found[1]} {clock or '00:00'}{zone or found[2] or ''}")
    return made if made.tzinfo else made.replace(tzinfo=UTC)


class _Asked:
    """Hold the request's sources: the target's backups and runs."""

    def __init__(self, folder: Path, known: Sequence[Manifest], runs: Sequence[State]) -> None:
        self.folder, self.known, self.runs = folder, known, runs
        self.target = folder.name

    def wrong(self, what: str, near: Sequence[str] = (), hint: str = "") -> UsageError:
        """Return an error with the nearest ids, else the newest. The hint names the first id."""
        plain = [manifest.backup for manifest in reversed(backup_kinds.dumps(self.known))]
        ids = list(near) or plain[:4]
        word = "nearest" if near else "newest"
        listed = f"; the {word} are: {', '.join(ids)}" if ids else "; there is none yet"
        first = f"--backup={ids[0]}" if ids else f"inv backup --target={self.target}"
        return UsageError(
            f"{self.target}: {what}{listed}", hint or f"{first}   or   inv backups --target={self.target}"
        )

    def newest(self, among: Sequence[Manifest], what: str) -> tuple[Manifest, str]:
        """Return the newest ordinary dump, and a note on newer special backups."""
        plain = backup_kinds.dumps(among)
        if not plain:
            held = [manifest.backup for manifest in backup_kinds.held(among)]
            hint = f"inv unpack --target={self.target} --backup={held[-1]}" if held else ""
            raise self.wrong(f"there is no dump {what!r}" if held else f"there is no backup {what!r}", held[-3:], hint)
        if not (passed := among[among.index(plain[-1]) + 1 :]):
            return plain[-1], ""
        why = SPECIAL[backup_kinds.special(passed[-1])]
        return plain[-1], f"; {passed[-1].backup} is newer, but {why}: pass its id to select it"

    def at(self, text: str) -> tuple[Manifest, str]:
        """Return the newest backup that was taken at a moment or before."""
        try:
            then = moment(text).astimezone(UTC)
        except (ValueError, OverflowError):
            hint = '--backup="2026-11-24 03:00 UTC"   or   --backup="2026-11-24 04:00 +01:00"'
            raise UsageError(f"{self.target}: {text!r} is no moment", hint) from None
        zoned = re.search(r"(Z|UTC|[+-]\d{2}(:?\d{2})?)$", text[10:].strip(), re.IGNORECASE)
        what = f"{then:%Y-%m-%d %H:%M:%S} UTC" + ("" if zoned else " (no zone given: UTC)")
        earlier = [manifest for manifest in self.known if manifest.taken_at <= then]
        plain = backup_kinds.dumps(self.known)
        if not any(manifest in earlier for manifest in plain):
            later = [manifest.backup for manifest in plain if manifest.taken_at > then]
            raise self.wrong(f"no backup was taken at or before {what}", later[:3])
        found, why = self.newest(earlier, what)
        return found, f"; the newest at or before {what}{why}"

    def before(self, run: str) -> tuple[Manifest, str]:
        """Return the backup of production's state before a run changed it."""
        state = next((state for state in self.runs if state.run == run), None)
        if state is None:
            changing = [s.run for s in self.runs if s.effects & {Effect.RELEASES, Effect.REPLACES}]
            near = get_close_matches(run, changing, 3, 0.3) or changing[:-4:-1]
            listed = f"; the nearest are: {', '.join(near)}" if near else "; no run has changed production yet"
            hint = f"--backup=before:{near[0]}   or   " if near else ""
            raise UsageError(
                f"{self.target}: there is no run {run!r}{listed}", f"{hint}inv runs --target={self.target}"
            )
        wanted, taken = _stands_for(state)
        for name in wanted:
            if manifest := next((manifest for manifest in self.known if manifest.backup == name), None):
                return manifest, f"; production before {state.procedure} {run}{taken}"
        if not wanted:
            raise self.wrong(
                f"{state.procedure} {run} has not changed production's data, so there is no backup from before it"
            )
        raise self.wrong(f"the backup before {state.procedure} {run} ({wanted[0]}) does not exist, or is unfinished")

    def named(self, wanted: str) -> Manifest:
        """Return the backup with an id."""
        found = next((manifest for manifest in self.known if manifest.backup == wanted), None)
        if found is not None:
            return found
        if re.fullmatch(r"[A-Za-z0-9_]+(\.partial)?", wanted):
            bare = wanted.removesuffix(".partial")
            if (self.folder / "backups" / f"{bare}.partial").is_dir():
                run = re.sub(r"_(last|safety|delta|pgbackrest)$", "", bare)
                hint = f"inv resume --run={run}   or   inv backups --target={self.target}"
                if bare.endswith(UNPACKED):
                    hint = f"inv unpack --target={self.target} --backup={bare.removesuffix(UNPACKED)}{PHYSICAL}"
                raise self.wrong(f"backup {bare} was never finished: it has no manifest", hint=hint)
            if bare.endswith("_delta") and (self.folder / "backups" / bare).is_dir():
                self._refuse_delta(bare)
        near = get_close_matches(wanted, [manifest.backup for manifest in self.known], 3, 0.6)
        raise self.wrong(f"there is no backup {wanted!r}", near)

    def _refuse_delta(self, name: str) -> None:
        raise self.wrong(
            f"{name} holds only rows written since a backup, and no complete database",
            hint=f"inv salvage --backup={name} --table=TABLE --target={self.target}   or   --backup=latest",
        )

    def _refuse_physical(self, manifest: Manifest) -> None:
        """Refuse a backup of pgBackRest, which is no dump."""
        unpacked = manifest.backup.removesuffix(PHYSICAL) + UNPACKED
        there = any(one.backup == unpacked for one in self.known)
        hint = f"--backup={unpacked}" if there else f"inv unpack --target={self.target} --backup={manifest.backup}"
        raise UsageError(
            f"{self.target}: {manifest.backup} is a backup of pgBackRest, and no dump"
            + ("; it is unpacked already" if there else "; it has to be unpacked first"),
            hint,
        )

    def fits(self, manifest: Manifest, major: int, delta: bool) -> None:
        """Refuse a backup that production's server cannot restore."""
        if manifest.delta_of and not delta:
            self._refuse_delta(manifest.backup)
        if manifest.engine:
            self._refuse_physical(manifest)
        theirs = manifest.server // 10000
        if theirs > major:
            older = [m.backup for m in backup_kinds.dumps(self.known) if m.server // 10000 <= major]
            way = f"--backup={older[-1]}   or   " if older else ""
            raise UsageError(
                f"{self.target}: backup {manifest.backup} is of PostgreSQL {theirs}; production's server is {major}"
                "; an older server can't restore the dump of a newer server",
                f"{way}point {self.target} at a server of PostgreSQL {theirs} or newer",
            )


def _stands_for(state: State) -> tuple[list[str], str]:
    """Return the ids of backups of production's state before a run, the best first, and a note on later writes."""
    if Effect.RELEASES in state.effects:
        inputs: dict[str, str] = state.header["inputs"]  # type: ignore[assignment]
        last = f"{state.run}_last"
        if state.did(StepEffect.LAST, StepEffect.SEALS):
            return [last], ", taken while production was frozen"
        taken = f" (production was not frozen: the backup lacks rows written until the migrations of {state.run})"
        return [str(inputs["backup"])], taken
    if Effect.SAVES in state.effects:
        return [f"{state.run}_safety"], ""
    return [], ""
