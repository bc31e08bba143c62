"""A manager of systemd of the tests' own: PID 1 of namespaces that have their own units, stamps and cgroup."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

MANAGER = Path("/lib/systemd/systemd")
CGROUPS = Path("/sys/fs/cgroup/systemd")
# No unit of this machine is there, and nothing that the manager sets at its start reaches the kernel of all.
BOOT = """
mount --make-rprivate /
mount -t proc proc /proc
mount -o bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs cgroups /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
mkdir /sys/fs/cgroup/systemd/{name}
echo 0 > /sys/fs/cgroup/systemd/{name}/cgroup.procs
umount /sys/fs/cgroup/systemd
exec unshare --cgroup bash -ec '
mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
for folder in /run /etc/systemd/system /var/lib/systemd; do mount -t tmpfs own $folder; done
mkdir -p /run/systemd/system /run/lock
for unit in sysinit basic timers shutdown; do
  printf "[Unit]\\nDefaultDependencies=no\\n" > /etc/systemd/system/$unit.target
done
printf "[Unit]\\nDefaultDependencies=no\\nWants=timers.target\\n" > /etc/systemd/system/default.target
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=tests SYSTEMD_UNIT_PATH=/etc/systemd/system \\
  SYSTEMD_GENERATOR_PATH=/nowhere SYSTEMD_LOG_TARGET=console {manager} --system'
"""


class Manager:
    """A manager that runs; ``run`` runs words where it is PID 1."""

    def __init__(self, pid: int) -> None:
        self.enter = ["nsenter", f"--target={pid}", "--pid", "--mount", "--cgroup", "--uts", "--ipc"]

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        chdir = [f"--wd={cwd}"] if cwd else []
        return subprocess.run(
            [*self.enter, *chdir, *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=180,
            stdin=subprocess.DEVNULL,
        )


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Manager]:
    """Start a manager; skips where none can be had."""
    needed = ("unshare", "nsenter", "systemctl", "bash")
    if os.geteuid() != 0 or not MANAGER.exists() or not all(map(shutil.which, needed)):
        pytest.skip("systemd is not there, or we are not root: apt-get install systemd, and run the tests as root")
    name, said = f"tests-{uuid.uuid4().hex[:8]}", folder / "systemd.out"
    apart = ["--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child=KILL"]
    with said.open("w") as out:
        script = BOOT.format(name=name, manager=MANAGER)
        process = subprocess.Popen(["unshare", *apart, "bash", "-ec", script], stdout=out, stderr=out)
    try:
        yield _answering(process, said)
    finally:
        process.kill()
        process.wait(10)
        _forget(CGROUPS / name)


def _answering(process: subprocess.Popen[bytes], said: Path) -> Manager:
    for _ in range(100):
        if process.poll() is not None:
            break
        if child := Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            manager = Manager(int(child[0]))
            if manager.run("systemctl", "is-system-running").stdout.strip() == "running":
                return manager
        time.sleep(0.1)
    pytest.skip(f"systemd did not start here: {said.read_text()[-300:]}")


def _forget(cgroup: Path) -> None:
    """Remove the cgroup, once all that was in it has ended."""
    for _ in range(50):
        folders = sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True)
        with contextlib.suppress(OSError):
            for path in (*folders, cgroup):
                path.rmdir()
            return
        time.sleep(0.1)
