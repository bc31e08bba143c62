"""Test a schedule before its installation, in the minimal environment of cron and systemd. No task runs."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from pathlib import Path

from ops.cli.options import Options, open_session
from ops.core.errors import DONE, OpsError, UsageError
from ops.infra.session.client_tools import some_tools
from ops.infra.session.derived_targets import dumped_targets, key_of
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.inventory.targets import Reference, Target
from ops.schedule.crontab import command
from ops.schedule.task_runner import environment
from ops.schedule.task_state import Installed, read

# These tasks restore a backup on the test server.
RESTORE = ("clone-prod-to-test", "drill")


def try_out(installed: Installed, folder: Path) -> None:
    """Call ``inv scheduled --look`` as cron or systemd would.

    Args:
        installed: the schedule to test.
        folder: the folder for a temporary file with the schedule.

    Raises:
        UsageError: the tasks would not run; the message has the reason.
    """
    file = folder / "trial.json"
    me = pwd.getpwuid(os.geteuid())
    # The environment of crontab(5). That of systemd's user manager has only a few more variables.
    poor = {"HOME": me.pw_dir, "LOGNAME": me.pw_name, "USER": me.pw_name, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    words = ["/bin/sh", "-c", command(installed, str(file), "--look", "--json")]
    try:
        installed.write(file)
        done = subprocess.run(words, env=poor, capture_output=True, text=True, errors="replace")
    finally:
        file.unlink(missing_ok=True)
    if done.returncode == DONE:
        return
    said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
    hint = "inv doctor"
    try:
        told = json.loads(said)
        said, hint = str(told["reason"]), str(told["hint"])
    except (ValueError, TypeError, KeyError):
        pass
    where = f"the tasks would fail under {installed.by}, with PATH={poor['PATH']} and none of your shell's variables"
    raise UsageError(f"{installed.target}: {where}: {said}", hint)


def look(file: Path) -> int:
    """Check, in the environment of cron or systemd, that a task finds the inventory, addresses, tools and tasks.

    Args:
        file: the schedule.

    Returns:
        0.

    Raises:
        OpsError: something was not found.
    """
    installed = read(file)
    os.environ.update(environment(installed, os.environ))
    session = open_session(Options(inventory=installed.inventory))
    for entry in _entries(session, installed):
        for name in dumped_targets(entry):
            _must_have_address(session, installed, entry, *key_of(name, entry))
            session.url(name)
    some_tools(session)
    _must_have_tasks(installed)
    return DONE


def _entries(session: Session, installed: Installed) -> list[Target]:
    entry = session.inventory.target(installed.target)
    if entry.test is None and "clone-prod-to-test" not in installed.tasks:
        return [entry]
    return [entry, session.inventory.test_of(entry)] if set(RESTORE) & set(installed.tasks) else [entry]


def _must_have_address(
    session: Session, installed: Installed, entry: Target, key: str, reference: Reference
) -> None:
    name = reference.value
    if reference.kind != "env" or os.environ.get(name):
        return
    at = f"{where(session.inventory, entry)}: {key}: {reference}"
    if installed.environment:
        raise UsageError(
            f"{at}: {installed.environment} has no line {name}=…",
            f"{name}=postgresql://USER:PASSWORD@HOST:5432/DATABASE   in that file",
        )
    way = f"schedule: {{environment: secrets/environment}}   with a line {name}=…, chmod 600; or"
    raise UsageError(
        f"{at}: {installed.by} has no variables of your shell", f"{way} {key}: file:secrets/{key}-url"
    )


def _must_have_tasks(installed: Installed) -> None:
    call = [*installed.inv, "--list", "--list-format=json"]
    done = subprocess.run(call, cwd=installed.folder, capture_output=True, text=True)
    try:
        known = {str(one["name"]) for one in json.loads(done.stdout)["tasks"]}
    except (ValueError, KeyError, TypeError):
        raise OpsError(f"{installed.target}: {installed.inv[0]} --list: {done.stderr.strip()[-200:]}") from None
    if lacking := [task for task in installed.tasks if task not in known]:
        raise UsageError(f"{installed.target}: there is no task {lacking[0]!r}", "pip install --upgrade generalprobe")
