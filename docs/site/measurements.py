"""Render the tables and the chart of the page on performance from the measurements in ``bench/results/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tables import table

ROOT = Path(__file__).resolve().parents[2]
RESULTS, CHART = ROOT / "bench/results", ROOT / "docs/explanation/performance.svg"
ORDER = ("small", "medium", "large", "many-tables")
PARTS = ("release", "fingerprint", "backup", "swap")
NOT_MEASURED, LONGEST = "not measured", 12
# Other programs that use less of a core leave a measurement undisturbed.
QUIET = 0.25

Case = dict[str, Any]
Cell = Callable[[Case], str]


def cases(part: str = "") -> list[Case]:
    """Return the measured cases; only those that have a part, if one is given."""
    found = [json.loads(path.read_text("utf-8")) for name in ORDER if (path := RESULTS / f"{name}.json").exists()]
    return [case for case in found if not part or part in case]


def performance_machine() -> str:
    """Render what was measured, when, and on what machine."""
    rows = [
        ("rows", lambda case: f"{case['rows']:,}"),
        ("tables", lambda case: f"{case['tables']:,}"),
        ("size", lambda case: f"{case['bytes'] / 1e9:.2f} GB"),
        ("measured on", lambda case: _each(case, "date")),
        ("processor", lambda case: _each(case, "processor")),
        ("cores", lambda case: _each(case, "cores")),
        ("memory, GB", lambda case: _each(case, "memory")),
        ("system", lambda case: _each(case, "system")),
        ("PostgreSQL", lambda case: _each(case, "postgresql")),
        ("version of the tool", lambda case: _each(case, "tool")),
        ("cores in use by other programs before", lambda case: _each(case, "busy")),
    ]
    text = _table("", cases(), rows)
    busy = [case["title"] for case in cases() if any(on["busy"] > QUIET for on in _machines(case))]
    note = f"\nOther programs used the machine during: {', '.join(busy)}. These durations are too long."
    return text + note if busy else text


def _machines(case: Case) -> list[dict[str, Any]]:
    return [case[part]["on"] for part in PARTS if part in case]


def _each(case: Case, key: str) -> str:
    values = [f"{on[key]:.1f}" if key == "busy" else str(on[key]) for on in _machines(case)]
    return ", ".join(dict.fromkeys(values))


def performance_release() -> str:
    """Render whole releases beside the same work by hand."""

    def of(*keys: str, form: str = "{:.1f}", unit: float = 1) -> Cell:
        def cell(case: Case) -> str:
            found: Any = case["release"]["found"]
            for key in keys:
                found = found[key]
            return form.format(found / unit)

        return cell

    def target(key: str) -> str:
        found = cases("release")
        return f"{found[0]['release']['found']['targets'][key]:g}" if found else ""

    rows: list[tuple[str, Cell]] = [
        ("by hand, s", of("hand", "seconds")),
        ("`inv release`, s", of("release", "seconds")),
        (f"release / by hand (target: at most {target('ratio')})", of("ratio", form="**{:.2f}**")),
        ("production frozen, s", of("frozen")),
        (f"frozen / by hand (target: at most {target('frozen_ratio')})", of("frozen_ratio", form="**{:.2f}**")),
        ("from the freeze to the end of the migration, s", of("migrated")),
        ("processor time of the programs by hand, s", of("hand", "cpu")),
        ("processor time of the programs of a release, s", of("release", "cpu")),
        ("processor time of the server by hand, s", of("hand", "server")),
        ("processor time of the server during a release, s", of("release", "server")),
        ("memory of the programs by hand, MB", of("hand", "peak", form="{:.0f}", unit=1e6)),
        ("memory of the programs of a release, MB", of("release", "peak", form="{:.0f}", unit=1e6)),
    ]
    return _table("", cases("release"), rows)


def sizes() -> list[Case]:
    """Return the cases that differ only in their size, the smallest first."""
    found = cases("release")
    least = min((case["tables"] for case in found), default=0)
    return sorted((case for case in found if case["tables"] == least), key=lambda case: int(case["bytes"]))


def performance_growth() -> str:
    """Render what each further GB costs."""
    rows = []
    for small, large in pairwise(sizes()):
        more = (large["bytes"] - small["bytes"]) / 1e9
        one, two = (_durations(case) for case in (small, large))
        cells = (f"{(b - a) / more:.1f}" for a, b in zip(one, two, strict=True))
        rows.append((f"from {small['title']} to {large['title']}", *cells))
    head = ("seconds for each further GB", "by hand", "`inv release`", "production frozen")
    return table(head, rows) if rows else f"({NOT_MEASURED}: this needs two sizes)"


def _durations(case: Case) -> tuple[float, float, float]:
    found = case["release"]["found"]
    return found["hand"]["seconds"], found["release"]["seconds"], found["frozen"]


def performance_steps() -> str:
    """Render the longest steps of the release of the largest database."""
    if not (found := sizes()):
        return f"({NOT_MEASURED})"
    release = found[-1]["release"]["found"]
    longest = sorted(release["steps"]["release"].items(), key=lambda step: -step[1])[:LONGEST]
    rows = [(release["titles"].get(step, step), f"{seconds:.1f}") for step, seconds in longest]
    return table((f"step of the release ({found[-1]['title']})", "s"), rows)


def performance_fingerprint() -> str:
    """Render fingerprints beside weaker or slower ways."""
    rows = [(f"fingerprint, {name}", _ratio("fingerprint", name)) for name in ("serial", "two sessions", "10 ms away")]
    return _table("", cases("fingerprint"), rows)


def performance_backup() -> str:
    """Render backups beside pg_dump."""
    rows = [
        ("to a folder / `pg_dump --format=directory --jobs=2`", _ratio("backup", "dump")),
        ("to a folder / that dump, then the fingerprint", _ratio("backup", "dump, then fingerprint")),
        ("encrypted / `pg_dump --format=custom`", _ratio("backup", "encrypted")),
    ]
    return _table("", cases("backup"), rows)


def _ratio(part: str, key: str) -> Cell:
    def cell(case: Case) -> str:
        found = case[part]["found"].get(key)
        return f"{found['ours']:.2f} s / {found['theirs']:.2f} s = **{found['ratio']:.2f}**" if found else "–"

    return cell


def performance_swap() -> str:
    """Render for how long clients are without an answer."""
    found = cases("swap")
    kinds = found[0]["swap"]["found"]["kinds"] if found else []

    def bare(key: str) -> Cell:
        return lambda case: " / ".join(f"{1000 * one:.0f}" for one in case["swap"]["found"]["bare"][key])

    rows: list[tuple[str, Cell]] = []
    for kind in kinds:
        rows += [(f"swap, {kind}", bare(kind)), (f"no swap, {kind}", bare(f"quiet, {kind}"))]
    rows += [
        (f"complete rollback, {kind}", lambda case, kind=kind: f"{1000 * case['swap']['found']['rollback'][kind]:.0f}")
        for kind in kinds
    ]
    rows.append(("the complete rollback takes, s", lambda case: f"{case['swap']['found']['rollback']['seconds']:.1f}"))
    return _table("ms: median / 95 % / worst", found, rows)


def _table(corner: str, columns: list[Case], rows: list[tuple[str, Cell]]) -> str:
    if not columns:
        return f"({NOT_MEASURED})\n"
    head = (corner, *(case["title"] for case in columns))
    return table(head, [(name, *(cell(case) for case in columns)) for name, cell in rows])


MEASURED = (
    performance_machine,
    performance_release,
    performance_growth,
    performance_steps,
    performance_fingerprint,
    performance_backup,
    performance_swap,
)

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 60, 500, 60, 330
# Pixels: no number to the left of a point so near the axis, and no two numbers so near each other.
NEAR, LETTERS = 60, 11
SERIES = (("by hand", "#5b6470"), ("inv release", "#1f5fbf"), ("production frozen", "#c2410c"))
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}">
<title>{title}</title>
<style>text {{ font: 13px sans-serif; fill: #24292f; }} .value {{ font-size: 11px; }}</style>
<rect width="{width}" height="{height}" fill="#ffffff"/>
{parts}
</svg>
"""


def chart() -> str:
    """Draw the duration of a release and of the freeze by the size of the database, and of many tables beside it."""
    of_sizes, measured = sizes(), cases("release")
    others = [case for case in measured if case not in of_sizes]
    most = max((max(_durations(case)) for case in measured), default=1)
    widest = max((case["bytes"] / 1e9 for case in of_sizes), default=1)
    places = [LEFT + case["bytes"] / 1e9 / widest * (RIGHT - LEFT) for case in of_sizes]
    parts = [*_legend(), *_axis(most)]
    for number, (_, colour) in enumerate(SERIES):
        heights = (_height(_durations(case)[number], most) for case in of_sizes)
        parts += _line(list(zip(places, heights, strict=True)), colour)
    for x, case in zip(places, of_sizes, strict=True):
        parts += [*_values(x, _durations(case), most), _text(x, BOTTOM + 20, case["title"], "middle")]
    for place, case in enumerate(others):
        parts += _bars(RIGHT + 60 + place * 130, case, most)
    title = "Seconds of a release by hand and with inv release, and of the freeze, by the size of the database"
    return SVG.format(width=WIDTH, height=HEIGHT, title=title, parts="\n".join(parts))


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(SERIES):
        yield f'<rect x="{LEFT + number * 150}" y="14" width="12" height="12" fill="{colour}"/>'
        yield _text(LEFT + 18 + number * 150, 25, name)


def _axis(most: float) -> Iterator[str]:
    step = next((one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500) if most / one <= 6), 1000)
    for number in range(int(most // step) + 1):
        y = _height(number * step, most)
        yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>'
        yield _text(LEFT - 8, y + 4, f"{number * step} s", "end")


def _height(value: float, most: float) -> float:
    return BOTTOM - value / most * (BOTTOM - TOP)


def _line(points: list[tuple[float, float]], colour: str) -> Iterator[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _values(x: float, durations: tuple[float, ...], most: float) -> Iterator[str]:
    """Write the numbers beside the points of a size, without those that would cover another one."""
    anchor, beside = ("start", 8) if x < LEFT + NEAR else ("end", -8)
    written: list[float] = []
    for value in sorted(durations, reverse=True):
        y = _height(value, most)
        if all(abs(y - other) > LETTERS for other in written):
            written.append(y)
            yield _text(x + beside, y - 6, f"{value:.0f}", anchor, "value")


def _bars(left: float, case: Case, most: float) -> Iterator[str]:
    for number, ((_, colour), value) in enumerate(zip(SERIES, _durations(case), strict=True)):
        x, y = left + number * 36, _height(value, most)
        yield f'<rect x="{x}" y="{y:.1f}" width="28" height="{BOTTOM - y:.1f}" fill="{colour}"/>'
        yield _text(x + 14, y - 6, f"{value:.0f}", "middle", "value")
    yield _text(left + 50, BOTTOM + 20, case["title"], "middle")


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    of = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{of}>{text}</text>'
