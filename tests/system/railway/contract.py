"""Hold the flags that the builders use against an installed CLI's own ``--help``; it asks nothing of Railway."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from ops.infra.railway import railway_cli, volume_cli
from ops.infra.railway.railway_cli import Place

PLACE = Place("project", "environment", "service")
CALLS = (
    railway_cli.status_words("project", "environment"),
    railway_cli.variable_words(PLACE),
    railway_cli.deployment_words(PLACE),
    railway_cli.deploy_words(PLACE, "up"),
    railway_cli.deploy_words(PLACE, "redeploy"),
    railway_cli.back_words("id"),
    railway_cli.log_words(PLACE, "id", build=True),
    railway_cli.ssh_words(PLACE)[:-1],
    volume_cli.restoring("id").cli(PLACE),
    *(call.cli(PLACE) for call in (volume_cli.listing(), volume_cli.creation("name"), volume_cli.locking("id"))),
    *(call.cli(PLACE) for call in (volume_cli.schedule_listing(), volume_cli.scheduling(volume_cli.KINDS))),
    volume_cli.scheduling(()).cli(PLACE),
    volume_cli.locking("id").api("instance"),
    volume_cli.staged_words(PLACE),
)
# Words of a call that are its command, as far as the first flag or value.
COMMANDS = {
    "status",
    "variable",
    "list",
    "deployment",
    "up",
    "redeploy",
    "api",
    "logs",
    "postgres",
    "pitr",
    "backup",
    "create",
    "lock",
    "restore",
    "ssh",
    "schedule",
    "set",
}


def missing(words: tuple[str, ...]) -> list[str]:
    """The flags of a call that its command's help does not name."""
    command = [word for word in words[1:] if word in COMMANDS]
    said = subprocess.run(["railway", *command, "--help"], capture_output=True, text=True)
    if said.returncode:
        return [f"there is no such command: {said.stderr.strip()}"]
    flags = [word.split("=")[0] for word in words if word.startswith("-")]
    return [flag for flag in flags if not named(flag, said.stdout)]


def named(flag: str, text: str) -> bool:
    """Whether a help text names a flag as a word of its own."""
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text) is not None


def main() -> int:
    """Say which flags are not there; 1 where any is."""
    if shutil.which("railway") is None:
        print("railway-contract: skipped, the railway CLI is not installed (npm install -g @railway/cli)")
        return 0
    wrong = {" ".join(words[:5]): found for words in CALLS if (found := missing(words))}
    for call, flags in wrong.items():
        print(f"{call}: {', '.join(flags)}")
    print(f"railway-contract: {len(CALLS) - len(wrong)} of {len(CALLS)} calls are as this CLI takes them")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
