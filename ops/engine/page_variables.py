"""Find what a page uses of `inv environment`, and how to set it by hand, for a shell in which that fails."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ops.engine.command import Secret, quote
from ops.engine.inputs import RunInputs

# Without those that have a default.
_USED = re.compile(r"\$\{?([A-Z][A-Z_]*)\b(?!:-)")
# The page's first block sets them, or this module's caller.
_GIVEN = {"RUN", "PGSERVICEFILE", "PGAPPNAME", "PATH", "HOME"}


def services(commands: Iterable[str]) -> list[str]:
    """Return the sections of the service file that commands use."""
    return [name for text in commands for name in re.findall(r"\bservice=([\w.@-]+)", text)]


def set_by_hand(commands: Iterable[str], variables: Iterable[str], c: RunInputs) -> list[str]:
    """Return lines of shell that set the variables of a page; ``…`` stands for what its reader has to fill in.

    Args:
        commands: the commands of the page.
        variables: the lines of the page that set its own variables.
        c: the inputs of the page.
    """
    exports = [line.partition('"')[0] for line in variables if line.startswith("export ")]
    own = _GIVEN | {name for line in exports for name in re.findall(r"\b[A-Z_]+\b", line)}
    # The page itself asks for these.
    own |= {name for line in variables for name in re.findall(r"\$\{([A-Z_]+):\?", line)}
    used = dict.fromkeys(name for text in (*variables, *commands) for name in _USED.findall(text) if name not in own)
    known = _known(c)
    return [f"export {name}={known.get(name, '…')}" for name in used]


def _known(c: RunInputs) -> dict[str, str]:
    """Return the value of each variable for which there is a command."""
    found = {
        "OPS_SQL": '''"$(python -c 'from ops.core.sql_files import SQL_FOLDER; print(SQL_FOLDER)')"''',
        # Each pg_dump knows this value.
        "COMPRESS": "6",
        "TARGET": quote(c.target),
    }
    for prefix, target in (("", c.target), ("TEST_", c.test)):
        if target:
            ask = f"psql -XqAt {quote(f'service={target}')} -c"
            found[f"{prefix}DATABASE"] = f'"$({ask} "SELECT current_database()")"'
            found[f"{prefix}SYSTEM"] = f'"$({ask} "SELECT system_identifier FROM pg_control_system()")"'
            found[Secret(target).variable] = '"$(cat …)"'
    return found
