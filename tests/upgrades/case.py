"""A case: an application, the versions between which it is upgraded, its settings and data, and what is right."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One folder of ``corpus``: ``case.toml``, ``seed.py`` and the project's own applications.

    ``old`` and ``new`` are pip requirements; ``apps`` go to INSTALLED_APPS; ``settings`` is Python appended to both
    releases' settings, ``settings_old`` and ``settings_new`` to one. ``makemigrations`` names applications whose
    migrations the old release writes, ``makemigrations_new`` those that the new release adds some to. ``own/`` of the
    folder goes into both releases, ``own_new/`` over the new one; ``like`` takes these and the seed from another case.
    ``expect`` is what is right: ``promoted`` or ``refused``; with ``refused`` come ``tables`` (which of them are lost
    or changed) and ``why`` (what the migrations do to them).
    """

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    apps: tuple[str, ...] = ()
    apps_new: tuple[str, ...] = ()
    python: str = "3.11"
    python_old: str = ""
    settings: str = ""
    settings_old: str = ""
    settings_new: str = ""
    makemigrations: tuple[str, ...] = ()
    makemigrations_new: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    like: str = ""
    expect: str = "promoted"
    tables: tuple[str, ...] = ()
    why: str = ""
    queries: dict[str, list[str]] = field(default_factory=dict, hash=False)

    @property
    def folder(self) -> Path:
        """Where its seed and its own applications lie."""
        return CORPUS / (self.like or self.name)

    @property
    def python_for_old(self) -> str:
        """The Python of the old release."""
        return self.python_old or self.python

    @property
    def filled(self) -> str:
        """A digest of all that the filled database at the old release comes from."""
        told = [self.python_for_old, *self.old, "", *self.apps, self.settings, self.settings_old, *self.makemigrations]
        digest = hashlib.sha256("\0".join(told + list(self.before)).encode())
        helpers = [CORPUS.parent / name for name in ("seeding.py", "autofill.py")]
        for path in [*helpers, self.folder / "seed.py", *sorted((self.folder / "own").rglob("*.py"))]:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]


def names() -> list[str]:
    """All cases."""
    return sorted(path.parent.name for path in CORPUS.glob("*/case.toml"))


def read(name: str) -> Case:
    """Read a case's folder."""
    told = tomllib.loads((CORPUS / name / "case.toml").read_text())
    return Case(name, **{key: tuple(value) if isinstance(value, list) else value for key, value in told.items()})
