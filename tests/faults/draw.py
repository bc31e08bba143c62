"""Which part of the matrix a commit strikes: the share rotates with the commit's number, the blow with its hash.

``OPS_FAULTS=1/12`` strikes at a twelfth of the places, another twelfth with each commit; ``OPS_FAULTS=all`` deals every
blow at every place; without it, one blow falls at each place. ``OPS_FAULTS_COMMIT=HASH:NUMBER`` repeats the draw of
another commit.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from tests.support.project import ROOT

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Draw:
    """What one commit strikes.

    Args:
        commit: its hash.
        number: how many commits there are up to it.
        of: one place in so many; every place where 0.
        everything: the whole cross product of places and blows.
    """

    commit: str
    number: int
    of: int = 0
    everything: bool = False

    def takes(self, text: str) -> bool:
        """Return True if something named by ``text`` is in this commit's share."""
        return not self.of or (zlib.crc32(text.encode()) + self.number) % self.of == 0

    def turn(self, text: str, kinds: Sequence[Kind]) -> Kind:
        """One of some kinds: another one each time that the share of ``text`` comes round."""
        return kinds[(zlib.crc32(f"turn {text}".encode()) + self.number // max(self.of, 1)) % len(kinds)]

    def pick(self, text: str, kinds: Sequence[Kind]) -> Kind:
        """One of some kinds by the commit's hash."""
        return kinds[zlib.crc32(f"{text} {self.commit}".encode()) % len(kinds)]

    @property
    def environ(self) -> dict[str, str]:
        """What hands the draw to a process."""
        share = "all" if self.everything else f"1/{self.of}" if self.of else ""
        return {"OPS_FAULTS": share, "OPS_FAULTS_COMMIT": f"{self.commit}:{self.number}"}


def drawn() -> Draw:
    """The draw of this process, by its environment."""
    return _read(os.environ.get("OPS_FAULTS", ""), os.environ.get("OPS_FAULTS_COMMIT", ""))


def share_of(name: str) -> Draw:
    """The draw of this commit whose share a variable gives, as ``1/2``; everything where it is not set."""
    return replace(drawn(), of=int(os.environ.get(name, "").partition("/")[2] or 0))


@cache
def _read(share: str, commit: str) -> Draw:
    given, _, number = (commit or head()).partition(":")
    of = share.partition("/")[2]
    return Draw(given, int(number), int(of or 0), share == "all")


@cache
def head() -> str:
    """The commit that is tested, as HASH:NUMBER; the same one each time where there is no git."""
    said = subprocess.run(["git", "rev-list", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    return f"{said[0]}:{len(said)}" if said else "none:0"
