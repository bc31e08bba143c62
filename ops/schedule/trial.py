"""Whether what is about to be installed can work: it is called once as cron would, and runs nothing."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from pathlib import Path

from ops.dumping import some_tools
from ops.errors import DONE, OpsError, UsageError
from ops.inventory import Target
from ops.main import Options, world_of
from ops.schedule.crontab import command
from ops.schedule.kept import Installed, read
from ops.schedule.running import environment
from ops.schedule.variables import variables
from ops.world import World

# These restore: a clone into the test database, and a drill beside it where there is one.
RESTORE = ("clone-prod-to-test", "drill")


def poor() -> dict[str, str]:
    """The environment that cron gives (crontab(5)); that of systemd's user manager is not much richer."""
    me = pwd.getpwuid(os.geteuid())
    who = {"HOME": me.pw_dir, "LOGNAME": me.pw_name, "USER": me.pw_name}
    return {**who, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}


def try_out(world: World, installed: Installed, file: Path) -> None:
    """Call what is about to be installed once, as cron would, and let it only look.

    Args:
        file: it, written where nothing calls it yet.

    Raises:
        UsageError: the target's address is nowhere that cron or systemd would find it.
        OpsError: it would not run; says why.
    """
    for entry in _entries(world, installed):
        _has_address(world, installed, entry)
    words = command(installed, str(file), "--look", "--json")
    done = subprocess.run(["/bin/sh", "-c", words], env=poor(), capture_output=True, text=True, errors="replace")
    if done.returncode == DONE:
        return
    said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
    hint = "inv doctor"
    try:
        told = json.loads(said)
        said, hint = str(told["reason"]), str(told["hint"])
    except (ValueError, TypeError, KeyError):
        pass
    where = f"called as {installed.by} would, with PATH={poor()['PATH']} and no variables of yours, it does not work"
    raise UsageError(f"{installed.target}: {where}: {said}", hint)


def look(file: Path) -> int:
    """From within such a call: whether a task would find inventory, addresses, tools, and itself."""
    installed = read(file)
    os.environ.update(environment(installed, os.environ))
    world = world_of(Options(inventory=installed.inventory))
    for entry in _entries(world, installed):
        world.url(entry.name)
    some_tools(world)
    _tasks_are_there(installed)
    return DONE


def _entries(world: World, installed: Installed) -> list[Target]:
    entry = world.inventory.target(installed.target)
    if entry.test is None and "clone-prod-to-test" not in installed.tasks:
        return [entry]
    return [entry, world.inventory.test_of(entry)] if set(RESTORE) & set(installed.tasks) else [entry]


def _has_address(world: World, installed: Installed, entry: Target) -> None:
    name = entry.database.value
    if entry.database.kind != "env":
        return
    if not installed.environment:
        where = f"{world.inventory.file.name}:{entry.line}: {entry.name}: database: {entry.database}"
        way = f"schedule: {{environment: secrets/environment}}   with a line {name}=…, chmod 600; or"
        raise UsageError(
            f"{where}: {installed.by} has no variables of your shell", f"{way} database: file:secrets/database-url"
        )
    if not variables(Path(installed.environment)).get(name):
        raise UsageError(
            f"{entry.name}: {installed.environment} has no line {name}=…",
            f"{name}=postgresql://USER:PASSWORD@HOST:5432/DATABASE   in that file",
        )


def _tasks_are_there(installed: Installed) -> None:
    call = [*installed.inv, "--list", "--list-format=json"]
    done = subprocess.run(call, cwd=installed.folder, capture_output=True, text=True)
    try:
        known = {str(one["name"]) for one in json.loads(done.stdout)["tasks"]}
    except (ValueError, KeyError, TypeError):
        raise OpsError(f"{installed.target}: {installed.inv[0]} --list: {done.stderr.strip()[-200:]}") from None
    if lacking := [task for task in installed.tasks if task not in known]:
        raise UsageError(f"{installed.target}: there is no task {lacking[0]!r}", "pip install --upgrade generalprobe")
