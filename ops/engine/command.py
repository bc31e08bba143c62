"""Commands as data: ``Shell``, ``Query``, ``Tool``, with ``Fact`` and ``Secret`` as values.

A command contains words, never strings to be parsed. Only ``quote`` quotes words. The page and the program use the same
words: a ``Query`` is a call of psql with a file of ``ops/sql``, a ``Tool`` is the call ``inv tool.…``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

_PLACEHOLDER = re.compile("\ue000([A-Z_]+)\ue001")


class Secret:
    """The connection URL of a target, by the target's name. The transport looks up the value when a command starts.

    ``Secret`` is no ``str``, so that joining, formatting or dumping it raises TypeError.
    """

    __slots__ = ("target",)

    def __init__(self, target: str) -> None:
        self.target = target

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"the connection of {self.target} is a secret: pass it in the environment, never in text")

    __str__ = __format__ = __add__ = __radd__ = __iter__ = _refuse

    def __repr__(self) -> str:
        return f"Secret({self.target!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.target == self.target

    def __hash__(self) -> int:
        return hash(("Secret", self.target))

    @property
    def variable(self) -> str:
        """The shell variable of the URL on a page: ``LESSONS_URL``."""
        name = re.sub(r"[^A-Z0-9]", "_", self.target.upper()) + "_URL"
        return f"_{name}" if name[0].isdigit() else name


@dataclass(frozen=True)
class Fact:
    """A value that an earlier step finds; it is a complete word, shown as ``"$NAME"``."""

    name: str


Word = str | Fact


@dataclass(frozen=True)
class Host:
    """A machine behind SSH.

    Args:
        target: the target whose host the machine is.
        words: the words that reach the machine from a shell: ``ssh``, its options, ``user@host``.
    """

    target: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Shell:
    """A program and its words.

    Args:
        words: the program and its arguments.
        target: the target whose database ``psql`` connects to.
        folder: the working folder, relative to the inventory's folder (behind SSH: to the user's home); empty for
            that folder itself.
        env: variables that are added to the environment; a ``Secret`` is passed only in ``env``.
        output: the file on this machine (relative to the inventory's folder) that receives standard output.
        host: the machine that runs the program; None for this machine.
        failure: the name in ``ops.engine.hooks`` of the function that explains a failure.
        result: the name in ``ops.engine.hooks`` of the function that describes the result; if empty, the result is
            the last line of the output.
    """

    words: tuple[Word, ...]
    target: str
    folder: str = ""
    env: Mapping[str, str | Secret | Fact] = field(default_factory=dict)
    output: str = ""
    host: Host | None = None
    failure: str = "program"
    result: str = ""


@dataclass(frozen=True)
class Query:
    """One file of ``ops/sql``, run by psql on the database of ``target``.

    Args:
        file: the file's name; the file runs in psql without changes.
        target: the target whose connection (the libpq service of the same name) is used.
        database: another database on the same server; empty for the target's database.
        parameters: psql variables; the file quotes them with ``:'name'`` and ``:"name"``.
        output: the file that receives the rows.
    """

    file: str
    target: str
    database: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    output: str = ""

    @property
    def connection(self) -> str:
        """The connection string of psql."""
        return f"service={self.target}" + (f" dbname={conninfo(self.database)}" if self.database else "")

    def shell(self) -> Shell:
        """Return the call of psql: no startup file, stop at the first error, rows only."""
        variables = [word for name, value in self.parameters.items() for word in ("-v", f"{name}={value}")]
        words = [
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            *variables,
            "-f",
            f"{placeholder('OPS_SQL')}/{self.file}",
            self.connection,
        ]
        return Shell(tuple(words), self.target, output=self.output)


@dataclass(frozen=True)
class Tool:
    """A registered Python function; shown as the call ``inv tool.…``.

    Args:
        name: the function's name in ``ops.engine.registry.TOOLS``, with dashes.
        options: the keyword arguments, all of them text.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    def shell(self) -> Shell:
        """Return the call of the tool from a shell."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.options.items()]
        return Shell(("inv", f"tool.{self.name}", *options), "")


Command = Shell | Query | Tool
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Completed:
    """The result of a program: the exit code (negative: the signal), standard output and standard error."""

    exit: int
    out: str
    err: str


class CommandRunner(Protocol):
    """The part of ``ops.infra.session.session.Session`` that the engine uses."""

    def run(
        self,
        command: Shell | Query,
        *,
        run: str = "",
        known: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command to its end.

        Args:
            run: the run's ID, which the server shows as the application name of the sessions.
            known: the values of facts, by name.
            on_line: called with each line that the command prints.
        """
        ...

    def redact(self, text: str) -> str:
        """Remove secrets and row values from a text."""
        ...

    def forget(self) -> None:
        """Clear the cache of lookups that may have changed."""
        ...


def conninfo(value: str) -> str:
    """Quote a value for a libpq connection string; leave the placeholders of a page for the shell."""
    if re.fullmatch(r"[A-Za-z0-9_.$-]+", _PLACEHOLDER.sub("x", value)):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def placeholder(name: str) -> str:
    """Return text that represents a shell variable on a page; it may be joined to text, and is shown as ``${NAME}``."""
    return f"\ue000{name}\ue001"


def quote(word: Word) -> str:
    """Quote one word for a POSIX shell. No other function quotes words."""
    if isinstance(word, Fact):
        return f'"${word.name}"'
    if not _PLACEHOLDER.search(word):
        return shlex.quote(word)
    if "!" in word:
        # Within double quotes an interactive bash would expand "!" from its history.
        parts = re.split("(\ue000[A-Z_]+\ue001)", word)
        return "".join(_PLACEHOLDER.sub(r'"${\1}"', p) if p[:1] == "\ue000" else shlex.quote(p) for p in parts if p)
    escaped = re.sub(r'([\\"$`])', r"\\\1", word)
    return '"' + _PLACEHOLDER.sub(r"${\1}", escaped) + '"'


def joined(words: Iterable[str]) -> str:
    """Join words for a program that splits them as a shell does; leave placeholders, which contain no blank, as is."""
    return " ".join(word if _PLACEHOLDER.search(word) else quote(word) for word in words)


def reveal(text: str) -> str:
    """Show a page's placeholders in prose as ``$NAME``."""
    return _PLACEHOLDER.sub(r"$\1", text)


def show(command: Command) -> str:
    """Return the command as text to paste into a POSIX shell in the inventory's folder."""
    shell = command if isinstance(command, Shell) else command.shell()
    if shell.host:
        given = " ".join(f'"${name}"' for name in given_there(shell))
        over = " ".join(quote(word) for word in shell.host.words)
        line = f"printf '%s\\n' {given} | {over} {shlex.quote(line_there(shell))}"
    else:
        line = _line(shell)
        if shell.folder:
            line = f"(cd {quote(_folder(shell.folder))} && {line})"
    return f"{line} > {quote(shell.output)}" if shell.output else line


def _line(shell: Shell, **more: str | Fact) -> str:
    env = {**more, **shell.env}
    words = [f"{name}={_env_value(value)}" for name, value in env.items()]
    return " ".join([*words, *(quote(word) for word in shell.words)])


def _folder(folder: str) -> str:
    # `cd` would take a leading dash for an option, and `-` for the previous folder.
    return f"./{folder}" if folder.startswith("-") else folder


# The variable with the application name of a run's sessions.
_APPLICATION = "PGAPPNAME"
# A command behind SSH first prints this and its process number to standard error, so that it can be found and ended.
SAYS_PROCESS = "generalprobe process"


def given_there(shell: Shell) -> tuple[str, ...]:
    """Return the variables that a command behind SSH reads from standard input first, one per line.

    The command's words do not contain the values, since every user of the machine can see words. sshd accepts few
    environment variables.
    """
    named = [_APPLICATION]
    for word in (*shell.words, *shell.env.values()):
        if isinstance(word, str):
            named += _PLACEHOLDER.findall(word)
        else:
            named.append(word.variable if isinstance(word, Secret) else word.name)
    return tuple(dict.fromkeys(named))


def line_there(shell: Shell) -> str:
    """Return the line for the shell behind SSH; the page shows the line, and the transport sends it."""
    reads = [f"IFS= read -r {name}" for name in given_there(shell)]
    folder = shell.folder.removeprefix("~/") if shell.folder != "~" else ""
    enters = [f"cd {quote(_folder(folder))}"] if folder else []
    line = _line(shell, PGAPPNAME=Fact(_APPLICATION), PGCONNECT_TIMEOUT="10", PYTHONUNBUFFERED="1")
    return " && ".join([f'echo "{SAYS_PROCESS} $$" >&2', *reads, *enters, line])


def _env_value(value: str | Secret | Fact) -> str:
    return f'"${value.variable}"' if isinstance(value, Secret) else quote(value)


def facts(command: Command) -> Iterator[str]:
    """Yield the names of the facts that a command needs."""
    shell = command if isinstance(command, Shell) else command.shell()
    yield from (word.name for word in (*shell.words, *shell.env.values()) if isinstance(word, Fact))


def targets(command: Command) -> Iterator[str]:
    """Yield the names of the targets whose connections a command uses."""
    shell = command if isinstance(command, Shell) else command.shell()
    if shell.target:
        yield shell.target
    yield from (value.target for value in shell.env.values() if isinstance(value, Secret))


def fill(shell: Shell, known: Mapping[str, str]) -> Shell:
    """Replace facts and placeholders by their values."""

    def value(word: Word) -> str:
        return known[word.name] if isinstance(word, Fact) else _PLACEHOLDER.sub(lambda m: known[m[1]], word)

    env = {name: v if isinstance(v, Secret) else value(v) for name, v in shell.env.items()}
    return replace(shell, words=tuple(map(value, shell.words)), env=env)
