"""Good data made bad, and what every answer to it must be."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ops.cli.options import Options
from ops.cli.process import ended
from ops.core.errors import OpsError
from tests.support.examples import examples

quick = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NASTY = [
    "", " ", ".", "..", "../../etc/passwd", "/etc/passwd", "a/../../b", "-rf", "--help", "$(touch pwned)",
    "`touch pwned`",
    "'; select pg_sleep(5) --", 'x"; DROP DATABASE y; --', ":'x'", "%s%n", "\\",
    "\\! touch pwned", "a\nb", "é" * 40,
    "x" * 5000, "\ue000RUN\ue001", "{run}", "|touch pwned", "~root", "\u202e", "!!", "latest", "none\0", "-", "*",
]  # fmt: skip
text = st.sampled_from(NASTY) | st.text(max_size=30)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | text
    | st.sampled_from([10**400, -1, 2**63, "9999-12-31T23:59:59Z", "2026-01-01T00:00:00", [[[[]]]], {}])
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all parts of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in places(part, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, good: Any) -> Any:
    """A JSON value with some parts replaced, removed or doubled."""
    made = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(made)))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                made = draw(values)
            continue
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(values)
        else:
            del holder[path[-1]]
    return made


def dumped(value: Any) -> bytes:
    """As JSON, also what is none (NaN)."""
    return json.dumps(value, ensure_ascii=True).encode()


def answer(call: Callable[[], Any]) -> Any:
    """The result, or the error: one of ours, a line and a way out, with a documented exit code."""
    try:
        return call()
    except OpsError as error:
        assert error.message and "Traceback" not in error.message
        assert error.exit_code in (2, 3, 4), error.message
        assert error.hint, error.message
        return error


def said(work: Callable[[Options], int], options: Options, name: str = "status") -> tuple[int, str]:
    """What a person would see of a whole call: the exit code and the text."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            ended(lambda: work(options), options, name)
        except SystemExit as end:
            code = int(str(end.code))
    shown = out.getvalue()
    assert "an internal error" not in shown and "Traceback" not in shown, shown
    assert code in (0, 2, 3, 4, 130), shown
    assert code == 0 or "Try: " in shown or options.json, shown
    return code, shown
