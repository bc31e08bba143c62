"""How much longer a call takes than `inv --list` on an empty tasks.py: side by side, interleaved, medians.

Run: `make bench`. Targets: `inv --list` takes at most 1.3 times as long; a mistyped task and `inv status` of a released
project take less than 0.5 s of processor time, the programs that they start included.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import usage  # noqa: E402
from bench.servers import cannot, programs, served  # noqa: E402
from ops.core.errors import OpsError  # noqa: E402
from ops.infra.postgres.embedded_server import Server  # noqa: E402
from tests.projects import write_project  # noqa: E402
from tests.support.project import Project, project_env  # noqa: E402

ROUNDS = 15
LONGER, LONGEST = 1.3, 0.5
# Each call with its exit code.
CALLS = {"--list": 0, "statsu": 2, "status": 0, "": 0}
EMPTY = "empty tasks.py"


def released(server: Server, place: Path) -> Project:
    """Make a project with a backup, a clone and a finished release."""
    project = Project(place, server.url("shop"), server.url("shop_test"))
    project.env = project_env(server, project.production, project.test, quick=False)
    project.env.pop("PYTHONDONTWRITEBYTECODE")
    write_project(place, "b", {})
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
    for words in (("migrate", "lessons", "0001"), ("migrate", "contenttypes"), ("migrate", "auth"), ("fill",)):
        project.manage(*words)
    usage.run(project.command("release", "--confirm=shop"), place, project.env)
    return project


def measure(project: Project, empty: Path) -> dict[str, list[usage.Usage]]:
    """Return what each call took in each round; the calls take turns."""
    taken: dict[str, list[usage.Usage]] = {name: [] for name in (*CALLS, EMPTY)}
    for _ in range(ROUNDS + 1):
        for name, code in CALLS.items():
            words = project.command(*name.split())
            taken[name].append(usage.run(words, project.folder, project.env, code=code))
        taken[EMPTY].append(usage.run(project.command("--list"), empty, project.env))
    return {name: rounds[1:] for name, rounds in taken.items()}


def show(taken: dict[str, list[usage.Usage]]) -> None:
    """Print a line for each call: seconds, their ratio to the empty tasks.py, and seconds of processor time."""
    for name, rounds in taken.items():
        ratio = statistics.median(a.seconds / b.seconds for a, b in zip(rounds, taken[EMPTY], strict=True))
        seconds, cpu = (statistics.median(getattr(one, key) for one in rounds) for key in ("seconds", "cpu"))
        target = f"ratio {LONGER:.2f}" if name == "--list" else f"cpu {LONGEST:.2f} s"
        met = ratio <= LONGER if name == "--list" else cpu < LONGEST
        said = "" if name == EMPTY else f"  target {target}  {'ok' if met else 'MISSED'}"
        title = name if name == EMPTY else f"inv {name}"
        print(f"{title:16}{seconds * 1000:6.0f} ms  ratio {ratio:4.2f}  cpu {cpu:4.2f} s{said}")


def main() -> int:
    """Measure and print; 1 only where that could not be done."""
    try:
        with served(programs([15, 16, 17, 18])) as server, tempfile.TemporaryDirectory() as name:
            empty, place = Path(name) / "empty", Path(name) / "released"
            empty.mkdir()
            (empty / "tasks.py").write_text("from invoke import task\n\n\n@task\ndef nothing(c):\n    '''Nothing.'''\n")
            show(measure(released(server, place), empty))
    except (OpsError, psycopg.Error, OSError) as error:
        return cannot(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
