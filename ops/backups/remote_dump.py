"""Receive a dump as one stream from pg_dump beside the database: ``python -m ops.backups.remote_dump``.

dump.sql calls this program. pg_dump runs in a shell that ``railway ssh`` or ``ssh`` opens: in the database's
container, or on the target's host. Neither the exit code nor other output of the channel is trusted. The stream is
base64, because some relays do not transmit all bytes. Its first and last line contain a random token. The last line
names the number of bytes and their sha256, computed beside the database. A stream with another end or another sha256
is refused."""

from __future__ import annotations

import binascii
import hashlib
import json
import os
import re
import secrets
import select
import shlex
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from configparser import RawConfigParser
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ops.core.errors import FAILED, OpsError, StepFailed, Unreachable
from ops.core.files import write_whole
from ops.engine.command import OnLine, joined, quote
from ops.infra.postgres.client import said_error
from ops.infra.railway import railway_cli
from ops.infra.railway.service import environ

# Seconds of silence after which the connection counts as lost: before the stream begins, and during the stream.
BEGINS, SILENCE = 180, 900
# Harmless lines of the CLI.
_CHATTER = ("Using SSH key from", "Warning: Permanently added")
# For a POSIX shell; contains no secret. A container knows its database by its own variables; a host reads them from
# standard input. The script creates only pipes, so that the dump does not fill the remote disk.
SCRIPT = r"""umask 077
t=$1 system=$2 snapshot=$3 compress=$4 PGAPPNAME=$5 PGDATABASE=$6 PGOPTIONS=$7 told=$8
PGCONNECT_TIMEOUT=10
export PGAPPNAME PGDATABASE PGOPTIONS PGCONNECT_TIMEOUT
shift 8
for p in psql pg_dump pg_restore base64 sha256sum mkfifo tee; do
  command -v $p > /dev/null || { echo "error: $p is missing where pg_dump has to run" >&2; exit 1; }
done
d=$(mktemp -d) || exit 1
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM PIPE
if [ "$told" = told ]; then
  while IFS= read -r one; do export "$one"; done
else
  PGHOST=127.0.0.1 PGPORT=${PGPORT:-5432} PGSSLMODE=disable
  PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}} PGPASSWORD=${PGPASSWORD:-${POSTGRES_PASSWORD:-}}
  export PGHOST PGPORT PGSSLMODE PGUSER PGPASSWORD
fi
asked="SELECT system_identifier, current_setting('server_version_num')::int / 10000 FROM pg_control_system()"
found=$(psql -XqAtw -c "$asked" < /dev/null) || exit 1
major=${found#*|} found=${found%|*}
[ "$found" = "$system" ] || { echo "error: the shell reaches another server: $found, not $system" >&2; exit 1; }
looks() { version=$(pg_dump --version); have=${version##*) }; have=${have%%[!0-9]*}; }
looks
[ "$have" -ge "$major" ] || { PATH=/usr/lib/postgresql/$major/bin:/usr/pgsql-$major/bin:$PATH; looks; }
[ "$have" -ge "$major" ] || { echo "error: the server is PostgreSQL $major, pg_dump there is $have" >&2; exit 1; }
echo "generalprobe $t begin"
if [ -z "$snapshot" ]; then
  echo "generalprobe $t end $(sha256sum < /dev/null | cut -d ' ' -f 1) 0 0 $version"
  exit 0
fi
mkfifo "$d/a" "$d/b" "$d/c" || exit 1
sha256sum < "$d/a" > "$d/sum" &
{ pg_restore --list > "$d/list" 2> /dev/null; echo $? > "$d/listed"; cat > /dev/null; } < "$d/b" &
wc -c < "$d/c" > "$d/bytes" &
{ pg_dump --format=custom --compress="$compress" --snapshot="$snapshot" --no-password "$@" < /dev/null
  echo $? > "$d/exit"; } | tee "$d/a" "$d/b" "$d/c" | base64 -w 8000
wait
echo
[ "$(cat "$d/exit")" = 0 ] || { echo "generalprobe $t failed"; exit 1; }
[ "$(cat "$d/listed")" = 0 ] || { echo "error: pg_restore cannot read the output of pg_dump" >&2; exit 1; }
read -r sum rest < "$d/sum"
echo "generalprobe $t end $sum $(($(cat "$d/bytes"))) $(grep -vc "^;" "$d/list") $version"
"""


@dataclass(frozen=True)
class Wanted:
    """Describe the dump. No field is secret.

    ``snapshot`` is empty for a test of the connection. ``options`` are further options of pg_dump. ``settings`` are
    the ``PGOPTIONS`` of its sessions."""

    database: str
    system: str
    snapshot: str = ""
    compress: str = ""
    application: str = "generalprobe"
    options: tuple[str, ...] = ()
    settings: str = ""


@dataclass(frozen=True)
class Streamed:
    """The report of the sender: sha256 and length of the dump, entries of its list, output of ``pg_dump --version``."""

    sha256: str
    bytes: int
    entries: int
    client: str

    @property
    def version(self) -> str:
        """Return the version of pg_dump, such as ``18.1``."""
        found = re.search(r"\) (\d+(?:\.\d+)?)", self.client)
        return found[1] if found else ""

    @property
    def major(self) -> str:
        """Return the major version of pg_dump."""
        return self.version.split(".")[0]


def read_report(path: Path) -> Streamed | None:
    """Read the report of a stream; None for a dump that was not streamed.

    Raises:
        StepFailed: the file is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
        return Streamed(**json.loads(text)) if text else None
    except (OSError, ValueError, TypeError):
        raise StepFailed(f"{path}: the report of the streamed dump can't be read", "inv backup") from None


def line(wanted: Wanted, token: str, reads: bool) -> str:
    """Return the command for the remote shell as one line.

    The line passes through CLIs that quote words and through CLIs that do not."""
    place = (token, wanted.system, wanted.snapshot, wanted.compress)
    told = (wanted.application, wanted.database, wanted.settings, "told" if reads else "knows")
    return " ".join(map(quote, ("sh", "-c", SCRIPT, "dump", *place, *told, *wanted.options)))


def receive(
    over: Sequence[str], wanted: Wanted, into: IO[bytes], given: str = "", heard: OnLine | None = None
) -> Streamed:
    """Run pg_dump in the remote shell and write its output.

    Args:
        over: the words that open the remote shell.
        into: receives the dump.
        given: lines of environment for a shell that does not know the database; a secret.
        heard: called with each line of the remote standard error.

    Raises:
        OpsError: the dump is incomplete, whatever the exit code.
    """
    token = secrets.token_hex(8)
    program = _Program(over, line(wanted, token, bool(given)), given, heard)
    try:
        found = _Stream(program, token, into).read()
    finally:
        program.end()
    return found


class _Program:
    """Run the program that opens the remote shell; a thread forwards its standard error."""

    def __init__(self, over: Sequence[str], last: str, given: str, heard: OnLine | None) -> None:
        self.name = " ".join(over[:2]) if over[0] == "railway" else over[0]
        self.over, self.said, self.heard = over, list[str](), heard
        env = environ(os.environ) if over[0] == "railway" else dict(os.environ)
        stdin = subprocess.PIPE if given else subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(
                [*over, last], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
            )
        except OSError as error:
            where = railway_cli.meaning("", 127) if over[0] == "railway" else (f"{over[0]}: {error.strerror}", "")
            raise Unreachable(f"{self.name}: {where[0]}", where[1]) from None
        self._hears = threading.Thread(target=self._hear, daemon=True)
        self._hears.start()
        if self.process.stdin:
            try:
                with self.process.stdin as pipe:
                    pipe.write(given.encode())
            except OSError:
                pass  # The program has ended already, and its output names the cause.

    def _hear(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            for raw in said:
                text = raw.decode(errors="replace").rstrip()
                if text and not text.startswith(_CHATTER):
                    self.said.append(text)
                    if self.heard:
                        self.heard(text)

    def piece(self, patience: float) -> bytes:
        """Return the next output; empty at the end. ``patience`` is the longest silence in seconds."""
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        if not select.select([handle], [], [], patience)[0]:
            hint = "repeat the command; inv doctor   checks the connection"
            raise Unreachable(f"{self.name}: no output for {patience} s", hint)
        return os.read(handle, 1 << 18)

    def ended(self) -> int:
        """Return the exit code after the output has ended."""
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            return -1
        self._hears.join(5)
        return code

    def end(self) -> None:
        """Terminate the program if it still runs. The remote program ends when it can no longer write."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class _Stream:
    """Decode the lines between the first and the last marked line, and nothing else."""

    def __init__(self, program: _Program, token: str, into: IO[bytes]) -> None:
        self.program, self.into = program, into
        self.mark = f"generalprobe {token} ".encode()
        self.hash, self.size = hashlib.sha256(), 0
        self.begun, self.last = False, b""
        self.before: list[str] = []

    def read(self) -> Streamed:
        rest = b""
        while piece := self.program.piece(SILENCE if self.begun else BEGINS):
            *lines, rest = (rest + piece).split(b"\n")
            for one in lines:
                self._take(one.rstrip(b"\r"))
        self._take(rest.rstrip(b"\r"))
        return self._whole()

    def _take(self, text: bytes) -> None:
        if text.startswith(self.mark):
            word = text.removeprefix(self.mark)
            self.begun, self.last = True, word if word != b"begin" else self.last
        elif not self.begun:
            self.before += [text.decode(errors="replace")] if text.strip() else []
        elif text and not self.last:
            try:
                content = binascii.a2b_base64(text, strict_mode=True)
            except binascii.Error:
                said = text[:60].decode(errors="replace")
                raise StepFailed(f"{self.program.name}: unexpected bytes in the dump's stream: {said}") from None
            self.hash.update(content)
            self.size += len(content)
            self.into.write(content)

    def _whole(self) -> Streamed:
        name, code = self.program.name, self.program.ended()
        if not self.begun:
            raise self._nothing(code)
        if self.last == b"failed":
            raise StepFailed(f"{name}: pg_dump failed: {(self.program.said or ['without a message'])[-1]}")
        word, _, rest = self.last.partition(b" ")
        if word != b"end":
            said = f": {self.program.said[-1]}" if self.program.said else ""
            raise StepFailed(f"{name}: the stream was cut off after {self.size:,} bytes (exit code {code}){said}")
        try:
            digest, size, entries, client = rest.decode(errors="replace").split(" ", 3)
            found = Streamed(digest, int(size), int(entries), client)
        except ValueError:
            raise StepFailed(f"{name}: the last line of the stream is damaged: {rest[:80]!r}") from None
        if (found.sha256, found.bytes) != (self.hash.hexdigest(), self.size):
            raise StepFailed(
                f"{name}: received and sent bytes differ: {self.size:,} bytes with sha256 "
                f"{self.hash.hexdigest()[:12]} were received, {found.bytes:,} with {found.sha256[:12]} were sent"
            )
        return found

    def _nothing(self, code: int) -> OpsError:
        """Return the error of a shell that did not start the dump, with the reason as far as reported."""
        name, said = self.program.name, "\n".join(self.program.said)
        if "error: " in said:
            return StepFailed(f"{name}: {said_error(said)}")
        if code == 0:
            words = f" (output: {self.before[-1][:200]})" if self.before else ""
            return Unreachable(f"{name}: ended with 0 and ran nothing{words}", "repeat the command in a minute")
        if self.program.over[0] != "railway":
            lines = [*self.program.said, *self.before] or [f"exit code {code} without a message"]
            return Unreachable(f"{name}: {lines[-1]}", f"{joined(self.program.over)} true")
        meant, hint = railway_cli.meaning(said or "\n".join(self.before), code)
        return Unreachable(f"{name}: {meant}", hint)


def told(environment: Mapping[str, str], service: str, port: str, database: str) -> str:
    """Return the database's connection parameters as lines of environment for a shell on the target's host.

    They are not written to a disk there.

    Args:
        environment: names the service file, whose address leads through the tunnel.
        port: the server's port as the host knows it.

    Returns:
        a secret.
    """
    from psycopg.pq import Conninfo

    parts = {**_parts(environment, service), "port": port, "dbname": database}
    passfile = Path(parts.get("passfile", ""))
    if "passfile" in parts and passfile.parent == Path(environment.get("PGSERVICEFILE", "")).parent:
        # The tool wrote this file for a password that is too long for a service file; the host has no such file.
        parts["password"] = re.sub(r"\\(.)", r"\1", passfile.read_text().strip().removeprefix("*:*:*:*:"))
        del parts["passfile"]
    names = {one.keyword.decode(): one.envvar.decode() for one in Conninfo.get_defaults() if one.envvar}
    mine = {key: value for key, value in parts.items() if key in names and key != "hostaddr"}
    return "".join(f"{names[key]}={value}\n" for key, value in mine.items())


def _parts(environment: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the parameters of a service in the service file; a secret."""
    found = RawConfigParser(delimiters=("=",), comment_prefixes=("#",), inline_comment_prefixes=None)
    found.read(environment.get("PGSERVICEFILE", ""), encoding="utf-8")
    return dict(found.items(service)) if found.has_section(service) else {}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> int:
    """Write the dump to standard output, and the stream's report to a file."""
    if len(words) < 8:
        said = "OVER SERVICE PORT DATABASE SYSTEM SNAPSHOT COMPRESS REPORT [OPTION…]"
        print(f"python -m ops.backups.remote_dump {said}", file=sys.stderr)
        return 2
    over, service, port, database, system, snapshot, compress, report, *options = words
    application = os.environ.get("PGAPPNAME", "generalprobe")
    settings = _parts(os.environ, service).get("options", "")
    wanted = Wanted(database, system, snapshot, compress, application, tuple(options), settings)
    try:
        given = told(os.environ, service, port, database) if port else ""
        found = receive(shlex.split(over), wanted, sys.stdout.buffer, given, _tell)
        sys.stdout.buffer.flush()
        os.fsync(sys.stdout.fileno()) if sys.stdout.buffer.seekable() else None
        write_whole(Path(report), json.dumps(asdict(found)) + "\n")
    except OpsError as error:
        print(f"error: {error.message}" + (f" (Try: {error.hint})" if error.hint else ""), file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"error: the dump could not be written: {error.strerror or error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
