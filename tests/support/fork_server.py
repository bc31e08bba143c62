"""Start ``python manage.py`` and ``inv`` as forks of a process that has imported Django and us: 0.1 s, not 0.4 or more.

The ``python`` and ``inv`` in ``Launcher.folder`` come first on the tests' PATH. They send their arguments, environment,
folder, umask and open files to the server, which forks; the fork does what a new interpreter would: with the same
arguments, environment, standard files, exit code and signals, in a session of its own. The real interpreter does
everything else, and everything where no server runs. The product knows nothing of it.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What a project of the tests imports before it knows its settings.
PRELOADED = (
    "django.core.management.commands.migrate",
    "django.core.management.commands.shell",
    "django.core.management.commands.check",
    "django.core.management.commands.makemigrations",
    "django.core.checks",
    "django.contrib.auth.management",
    "django.contrib.auth.password_validation",
    "django.contrib.contenttypes.management",
    "django.db.backends.postgresql.base",
    "django.db.migrations.autodetector",
    "django.db.models",
    "django.contrib.postgres.fields",
    "django.contrib.postgres.operations",
    "django.forms",
    "sqlite3",
    "django.views.debug",
    "django.template.defaultfilters",
    "django.template.defaulttags",
    "django.template.loader_tags",
    "django.middleware.cache",
    "django.views.decorators.csrf",
    "django.core.cache.backends.locmem",
    "django.contrib.auth.hashers",
    "pprint",
    "invoke.program",
    "ops.cli.run",
    "ops.tasks",
    "psycopg",
    "ast",
    "inspect",
    "json",
    "hashlib",
)
SHIM = """#!{base} -IS
import os, sys
path = {socket!r}
if ({inv} or sys.argv[1:2] == ["manage.py"]):
    import _socket, marshal, signal
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        link.connect(path)
    except OSError:
        link = None
    if link:
        mask = os.umask(0)
        os.umask(mask)
        said = marshal.dumps(({words} + sys.argv[1:], os.getcwd(), dict(os.environb), mask))
        files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, frame: link.send(bytes([number])))
        link.sendmsg([len(said).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
        sent = 0
        while sent < len(said):
            sent += link.send(said[sent:])
        status = int.from_bytes(link.recv(4), "big")
        if os.WIFSIGNALED(status):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
            os.kill(os.getpid(), os.WTERMSIG(status))
        os._exit(os.WEXITSTATUS(status))
os.execv("{python}", ["{python}"] + {real} + sys.argv[1:])
"""


@dataclass(frozen=True)
class Launcher:
    """A running server: what a project's environment needs to use it."""

    folder: Path
    socket: Path

    def environ(self, env: dict[str, str]) -> dict[str, str]:
        """An environment in which ``python manage.py`` is quick."""
        return env | {"PATH": os.pathsep.join([str(self.folder), env["PATH"]])}

    @property
    def python(self) -> str:
        """The program, for where PATH is another one."""
        return str(self.folder / "python")


@cache
def launcher() -> Launcher:
    """The server of this process, started when it is first asked for; it ends with the process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(launched())


@contextlib.contextmanager
def launched() -> Iterator[Launcher]:
    """Run a server until the block ends."""
    with tempfile.TemporaryDirectory(prefix="django-") as name:
        found = Launcher(Path(name) / "bin", Path(name) / "socket")
        found.folder.mkdir()
        base = getattr(sys, "_base_executable", sys.executable)
        given = {"base": base, "socket": str(found.socket), "python": sys.executable}
        python, inv = found.folder / "python", found.folder / "inv"
        python.write_text(SHIM.format(**given, inv=False, words=[], real=[]))
        inv.write_text(SHIM.format(**given, inv=True, words=["inv"], real=["-m", "invoke"]))
        # A test may run a project as another user.
        for path in (Path(name), found.folder, python, inv):
            path.chmod(0o755)
        words = [sys.executable, "-m", "tests.support.fork_server", str(found.socket)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            try:
                yield found
            finally:
                process.terminate()


def _serve(path: str) -> list[str]:
    """Fork for each request; return its arguments in the fork."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen(64)
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    for one in (server, wake, sys.stdin.buffer):
        selector.register(one, selectors.EVENT_READ)
    links: dict[int, socket.socket] = {}
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is server:
                link, _ = server.accept()
                pid = _forked(link, [server, wake, woken, *links.values()])
                if isinstance(pid, list):
                    return pid
                if pid:
                    links[pid] = link
                    selector.register(link, selectors.EVENT_READ, pid)
            elif key.fileobj is wake:
                with contextlib.suppress(BlockingIOError):
                    wake.recv(4096)
                _reap(links, selector)
            elif key.data is None:
                # The tests have ended, in whatever way.
                raise SystemExit
            else:
                _heard(links, selector, key.data)


def _forked(link: socket.socket, others: list[socket.socket]) -> int | list[str]:
    files = array.array("i")
    head, ancillary, _, _ = link.recvmsg(4, socket.CMSG_SPACE(3 * files.itemsize))
    if not ancillary:
        link.close()
        return 0
    files.frombytes(ancillary[0][2])
    said, size = b"", int.from_bytes(head, "big")
    while len(said) < size:
        said += link.recv(size - len(said))
    if pid := os.fork():
        for number in files:
            os.close(number)
        return pid
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for one in (*others, link):
        one.close()
    for number, target in zip(files, (0, 1, 2), strict=True):
        os.dup2(number, target)
        os.close(number)
    words, folder, env, mask = marshal.loads(said)
    os.environ.clear()
    os.environb.update(env)
    os.chdir(folder)
    os.umask(mask)
    own = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [folder, *own, *(path for path in sys.path[1:] if path not in own)]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    _open_standard_files()
    return list(words)


def _open_standard_files() -> None:
    """Open them anew: those of the server remember what they were."""
    through = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        raw = open(number, "wb", closefd=False)  # noqa: SIM115
        live = os.isatty(number) or number == 2
        given = {"encoding": "utf-8", "errors": errors, "line_buffering": live, "write_through": through}
        setattr(sys, name, io.TextIOWrapper(raw, **given))


def _reap(links: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if link := links.pop(pid, None):
                selector.unregister(link)
                with contextlib.suppress(OSError):
                    link.send(status.to_bytes(4, "big"))
                link.close()


def _heard(links: dict[int, socket.socket], selector: selectors.BaseSelector, pid: int) -> None:
    """A signal for the fork; or the launcher is gone: it was killed, and so is the fork."""
    link = links.get(pid)
    if link is None:
        return
    try:
        said = link.recv(16)
    except OSError:
        said = b""
    with contextlib.suppress(ProcessLookupError):
        for number in said or (signal.SIGKILL,):
            os.killpg(pid, number)
    if not said:
        selector.unregister(link)
        links.pop(pid).close()


def _code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


def _run() -> int:
    """What the interpreter does with a script, up to its exit code."""
    try:
        if sys.argv[0] == "inv":
            from invoke.program import Program

            Program().run(list(sys.argv))
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        return _code(error)
    except KeyboardInterrupt:
        traceback.print_exc()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main(path: str) -> None:
    """Serve; and, in a fork, be ``python manage.py`` or ``inv``."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    sys.argv = _serve(path)
    code = _run()
    # The interpreter's own end takes 0.2 s in a fork: it writes to, and so copies, all that was shared.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
