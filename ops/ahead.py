"""Sends what is finished of a dump into the remote store while the rest is still written.

``python -m ops.ahead STORE PREFIX FOLDER ENDED PID``: `dump.sql` begins it beside a dump that takes some seconds, and
waits for it. It ends when the dump has (a file ``ENDED`` is there then), or at once where psql (``PID``) or the folder
is gone. What it did is noted in the folder; the step that puts a backup into the store sends the rest, and again what
is not as noted. So nothing that goes wrong here makes a backup fail.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ops.age import DUMP
from ops.errors import FAILED, OpsError
from ops.sent import about, noted
from ops.store import PIECE, AnyStore, store_at
from ops.stored import SENT

# pg_dump writes them from the first byte to the last one, and never again.
TABLE = re.compile(r"(?:\d+|blob_\d+)\.dat(?:\.\w+)?")
# What is one stream, and only grows.
STREAMS = (DUMP, "dump")
# Seconds: a file that has not grown for so long is taken for finished; how often the dump is looked at.
STILL, PAUSE = 3.0, 0.2


class Ahead:
    """The parts of one dump, and the store that they go to.

    Args:
        store: the store.
        prefix: where in it, ``TARGET/backups/ID``.
        folder: the dump's folder, until it is sealed.
        end: the file that is there once pg_dump has ended, well or not.
    """

    def __init__(self, store: AnyStore, prefix: str, folder: Path, end: Path) -> None:
        self.store, self.prefix, self.folder, self.end = store, prefix, folder, end

    @property
    def ended(self) -> bool:
        """Whether pg_dump has come to an end, a good one or not."""
        return self.end.exists()

    def send(self) -> None:
        """Send until the dump has ended; what has grown meanwhile is not noted.

        Raises:
            Unreachable: the store does not answer, or does not let us.
        """
        with noted(self.folder / SENT) as known:
            while not self.ended:
                for name in filter(lambda name: (self.folder / name).is_file(), STREAMS):
                    self._follow(self.folder / name)
                    known[name] = (self.store.tag(self._key(name)), *about(self.folder / name))
                for path in self._finished():
                    name = path.relative_to(self.folder).as_posix()
                    seen = about(path)
                    if name not in known or known[name][1:] != seen:
                        known[name] = (self.store.put(self._key(name), path), *seen)
                    if self.ended:
                        return
                time.sleep(PAUSE)

    def _finished(self) -> Iterator[Path]:
        now = time.time()
        for path in sorted((self.folder / "dump").glob("*.dat*")):
            if TABLE.fullmatch(path.name) and now - path.stat().st_mtime > STILL:
                yield path

    def _follow(self, path: Path) -> None:
        """Send a file that grows, as far as it has come, until the dump has ended."""
        with path.open("rb") as file, self.store.growing(self._key(path.name)) as take:
            while True:
                ended = self.ended
                while content := file.read(PIECE):
                    take(content)
                if ended:
                    return
                time.sleep(PAUSE)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"


def leave_when(gone: Callable[[], bool]) -> None:
    """End this process at once where nobody waits for it: nothing of an older dump may arrive after a newer one."""

    def watch() -> None:
        while not gone():
            time.sleep(PAUSE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def abandoned(folder: Path, pid: int) -> Callable[[], bool]:
    """Says whether the folder is another one by now, or psql has gone."""
    inode = folder.stat().st_ino

    def gone() -> bool:
        try:
            os.kill(pid, 0)
            return folder.stat().st_ino != inode
        except OSError:
            return True

    return gone


def main(words: Sequence[str]) -> int:
    """Send what is finished of the dump in a folder."""
    if len(words) != 5 or not words[4].isdigit():
        print("python -m ops.ahead STORE PREFIX FOLDER ENDED PID", file=sys.stderr)
        return 2
    url, prefix, folder, end = words[0], words[1], Path(words[2]), Path(words[3])
    try:
        leave_when(abandoned(folder, int(words[4])))
        Ahead(store_at(url), prefix, folder, end).send()
    except OpsError as error:
        print(f"{error.message}; it is sent after the dump", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{folder}: {error.strerror or error}; it is sent after the dump", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
