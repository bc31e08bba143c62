"""How many examples hypothesis tries: a fifth in ``make test``, all of them in ``.ci/run`` (``TESTS_EXAMPLES=all``)."""

from __future__ import annotations

import os

from hypothesis import settings

ALL = os.environ.get("TESTS_EXAMPLES") == "all"


def examples(most: int) -> int:
    """The examples to try where ``most`` are wanted in all."""
    return most if ALL else max(most // 5, 5)


settings.register_profile("generalprobe", max_examples=examples(100), deadline=None)
settings.load_profile("generalprobe")
