"""Locate the SQL files that psql and our own connections run."""

from pathlib import Path

import ops

SQL_FOLDER = Path(ops.__file__).parent / "sql"
