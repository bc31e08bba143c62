"""What can be run, shown and quoted: ``Shell``, ``Query``, ``Tool``, ``Fact``, ``Secret``.

A command is data. It holds words, never strings to be parsed, and there is one place that quotes them (``quote``). The
page and the program use the same words: a ``Query`` is a call of psql with a file of ``ops/sql``, a ``Tool`` is the
``inv tool.…`` call that does the same.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

_PLACEHOLDER = re.compile("\ue000([A-Z_]+)\ue001")


class Secret:
    """The connection URL of a target, by name. It never holds the value: the transport looks it up at the last moment.

    Not a ``str`` on purpose: joining, formatting or dumping it is a TypeError.
    """

    __slots__ = ("target",)

    def __init__(self, target: str) -> None:
        self.target = target

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"the connection of {self.target} is a secret: pass it by environment, never in text")

    __str__ = __format__ = __add__ = __radd__ = __iter__ = _refuse

    def __repr__(self) -> str:
        return f"Secret({self.target!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.target == self.target

    def __hash__(self) -> int:
        return hash(("Secret", self.target))

    @property
    def variable(self) -> str:
        """The shell variable that stands for it on a page: ``LESSONS_URL``."""
        name = re.sub(r"[^A-Z0-9]", "_", self.target.upper()) + "_URL"
        return f"_{name}" if name[0].isdigit() else name


@dataclass(frozen=True)
class Fact:
    """A value that is known only when an earlier step has run; a whole word, shown as ``"$NAME"``."""

    name: str


Word = str | Fact


@dataclass(frozen=True)
class Host:
    """A machine behind SSH.

    Args:
        target: the target whose host it is.
        words: what reaches it from a shell: ``ssh``, its options, ``user@host``.
    """

    target: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Shell:
    """A program and its words.

    Args:
        words: the program and its arguments.
        target: the target whose database ``psql`` means.
        folder: where it runs, relative to the inventory's folder (behind SSH to the user's home); that itself where
            empty.
        env: what is added to the environment; a ``Secret`` travels only here.
        output: a file here (relative to the inventory's folder) that takes standard output whole.
        host: the machine that runs it; this one where None.
        failure: the name in ``ops.engine.hooks`` of what explains how it failed.
        result: the name there of what says what it did; the last line of its output where empty.
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
        file: the file's name; it holds one complete piece of work and runs in psql as it stands.
        target: whose connection (a libpq service of that name) is used.
        database: another database on the same server; the target's own where empty.
        parameters: psql variables; the file quotes them with ``:'name'`` and ``:"name"``.
        output: a file that takes the rows.
    """

    file: str
    target: str
    database: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    output: str = ""

    @property
    def connection(self) -> str:
        """The connection string by which psql reaches the database."""
        return f"service={self.target}" + (f" dbname={conninfo(self.database)}" if self.database else "")

    def shell(self) -> Shell:
        """The same as words for psql: no startup file, stop at the first error, bare rows."""
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
    """Something that our own Python does; shown as the ``inv tool.…`` call that does the same.

    Args:
        name: the function's name in ``ops.engine.registry.TOOLS``, with dashes.
        options: its keyword arguments, all text.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    def shell(self) -> Shell:
        """The call of the same tool from a shell."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.options.items()]
        return Shell(("inv", f"tool.{self.name}", *options), "")


Command = Shell | Query | Tool
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Completed:
    """How a program ended: its exit code (negative: the signal) and what it printed."""

    exit: int
    out: str
    err: str


class CommandRunner(Protocol):
    """What the engine asks of the place where commands run: ``ops.infra.session.session.Session``."""

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
            run: the run's id, by which the server knows its sessions.
            known: the values of facts, by name.
            on_line: is told each line that the command prints.
        """
        ...

    def redact(self, text: str) -> str:
        """Take secrets and values of rows out of a text."""
        ...

    def forget(self) -> None:
        """Ask anew, from now on, what was looked up and may have changed."""
        ...


def conninfo(value: str) -> str:
    """Quote a value for a libpq connection string; a page's placeholder is left for the shell to fill in."""
    if re.fullmatch(r"[A-Za-z0-9_.$-]+", _PLACEHOLDER.sub("x", value)):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def placeholder(name: str) -> str:
    """Text that stands for a shell variable on a page; it survives joining and is shown as ``${NAME}``."""
    return f"\ue000{name}\ue001"


def quote(word: Word) -> str:
    """Quote one word for a POSIX shell. The only place that does."""
    if isinstance(word, Fact):
        return f'"${word.name}"'
    if not _PLACEHOLDER.search(word):
        return shlex.quote(word)
    if "!" in word:
        # Within double quotes an interactive bash would take it for its history.
        parts = re.split("(\ue000[A-Z_]+\ue001)", word)
        return "".join(_PLACEHOLDER.sub(r'"${\1}"', p) if p[:1] == "\ue000" else shlex.quote(p) for p in parts if p)
    escaped = re.sub(r'([\\"$`])', r"\\\1", word)
    return '"' + _PLACEHOLDER.sub(r"${\1}", escaped) + '"'


def joined(words: Iterable[str]) -> str:
    """Words as one, for a program that splits them again as a shell does; a page's placeholders, which hold no blank,
    stay what they are."""
    return " ".join(word if _PLACEHOLDER.search(word) else quote(word) for word in words)


def reveal(text: str) -> str:
    """Show a page's placeholders in prose as ``$NAME``."""
    return _PLACEHOLDER.sub(r"$\1", text)


def show(command: Command) -> str:
    """The command as a person pastes it into a POSIX shell, in the inventory's folder."""
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
    # What begins with a dash would be an option, and `-` alone the folder before.
    return f"./{folder}" if folder.startswith("-") else folder


# Under which name a run's sessions are known on the server.
_APPLICATION = "PGAPPNAME"
# What a command behind SSH says first, on standard error, so that it can be ended or found: its number there.
SAYS_PROCESS = "generalprobe process"


def given_there(shell: Shell) -> tuple[str, ...]:
    """The variables that a command behind SSH reads from its standard input, a line each, before it begins.

    Neither its words nor the environment that sshd lets through hold them: words can be seen by everybody there.
    """
    named = [_APPLICATION]
    for word in (*shell.words, *shell.env.values()):
        if isinstance(word, str):
            named += _PLACEHOLDER.findall(word)
        else:
            named.append(word.variable if isinstance(word, Secret) else word.name)
    return tuple(dict.fromkeys(named))


def line_there(shell: Shell) -> str:
    """What the shell behind SSH is given as one line; the page shows it, and the transport sends it."""
    reads = [f"IFS= read -r {name}" for name in given_there(shell)]
    folder = shell.folder.removeprefix("~/") if shell.folder != "~" else ""
    enters = [f"cd {quote(_folder(folder))}"] if folder else []
    line = _line(shell, PGAPPNAME=Fact(_APPLICATION), PGCONNECT_TIMEOUT="10", PYTHONUNBUFFERED="1")
    return " && ".join([f'echo "{SAYS_PROCESS} $$" >&2', *reads, *enters, line])


def _env_value(value: str | Secret | Fact) -> str:
    return f'"${value.variable}"' if isinstance(value, Secret) else quote(value)


def facts(command: Command) -> Iterator[str]:
    """The names of the facts that a command needs."""
    shell = command if isinstance(command, Shell) else command.shell()
    yield from (word.name for word in (*shell.words, *shell.env.values()) if isinstance(word, Fact))


def targets(command: Command) -> Iterator[str]:
    """The names of the targets whose connection a command uses."""
    shell = command if isinstance(command, Shell) else command.shell()
    if shell.target:
        yield shell.target
    yield from (value.target for value in shell.env.values() if isinstance(value, Secret))


def fill(shell: Shell, known: Mapping[str, str]) -> Shell:
    """Put the values of facts and of a page's variables in the place of their names."""

    def value(word: Word) -> str:
        return known[word.name] if isinstance(word, Fact) else _PLACEHOLDER.sub(lambda m: known[m[1]], word)

    env = {name: v if isinstance(v, Secret) else value(v) for name, v in shell.env.items()}
    return replace(shell, words=tuple(map(value, shell.words)), env=env)
