"""Find the hosts that ``~/.ssh/config`` names."""

from __future__ import annotations

import re
from pathlib import Path

# They hold code and run no application.
CODE_HOSTS = re.compile(r"(^|[.@-])(github|gitlab|bitbucket|codeberg)([.-]|$)")


def named_hosts(home: Path) -> list[str]:
    """Return the names of the hosts in a user's SSH configuration: no patterns, and no hosts of repositories."""
    import paramiko

    file = home / ".ssh/config"
    try:
        found = paramiko.SSHConfig.from_path(str(file)).get_hostnames() if file.is_file() else set()
    except (OSError, UnicodeError, paramiko.ConfigParseError):
        return []
    return sorted(name for name in found if re.fullmatch(r"[A-Za-z0-9_][\w.-]*", name) and not CODE_HOSTS.search(name))
