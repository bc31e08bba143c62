# mypy: ignore-errors
"""Inside the application: the time at which the program begins, after the application has started."""

import time

BEGAN = time.monotonic()
