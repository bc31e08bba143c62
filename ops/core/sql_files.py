"""The folder of the SQL files that psql and this package's own connections run."""

from pathlib import Path

import ops

SQL_FOLDER = Path(ops.__file__).parent / "sql"
