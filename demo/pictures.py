"""Draw docs/pictures/*.svg from what the demo prints now. Run: `make pictures`."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import play
import reset
from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.terminal_theme import TerminalTheme
from rich.theme import Theme

PICTURES = reset.ROOT / "docs/pictures"
NAMES = ("refusal", "release")
WIDTH = 116
# Of the refusal, only where it looks ahead and where it stops: a reader sees the other steps in the release.
SHORTENED = {"refusal"}
# rich's own names a font on another host.
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
COLOURS = TerminalTheme(
    (24, 26, 31),
    (214, 217, 223),
    [(24, 26, 31), (240, 113, 120), (152, 195, 121), (229, 192, 123), (97, 175, 239), (198, 120, 221), (86, 182, 194)]
    + [(130, 137, 151)],
)
STYLES = Theme(
    {
        "tool.typed": "bold",
        "tool.place": "white",
        "tool.done": "green",
        "tool.refused": "bold red",
        "tool.hazard": "yellow",
        "tool.word": "bold blue",
    }
)


class Marks(RegexHighlighter):
    """Colour what a reader looks for first."""

    base_style = "tool."
    highlights = [
        r"^(?P<typed>\$ .*)",
        r"^(?P<place>\[ *\d+/\d+\])",
        r"(?P<done>✓)",
        r"(?P<refused>✗|REFUSED)",
        r"(?P<hazard>\bGP\d{3}\b)",
        r"^(?P<word>Try:|Next:|State:)",
    ]


def shown(printed: str) -> Iterator[str]:
    """Leave out the lines that say only that a step begins."""
    for line in printed.rstrip("\n").splitlines():
        if not re.match(r"\[ *\d+/\d+\] .* …( \(last time .*\))?$", line):
            yield line


def shortened(lines: Iterable[str]) -> Iterator[str]:
    """Leave out the steps between the first one and the one that refuses."""
    out = False
    for line in lines:
        if number := re.match(r"\[ *(\d+)/", line):
            gone = int(number[1]) > 1 and "✗" not in line
            if gone and not out:
                yield "  ⋮"
            out = gone
        if not out:
            yield line


def draw(name: str, title: str, lines: Iterable[str]) -> str:
    """Return the picture of a terminal that shows the lines."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlighter=Marks(), theme=STYLES)
    for line in lines:
        console.print(line, markup=False, emoji=False)
    drawn = console.export_svg(title=title, theme=COLOURS, code_format=SVG, unique_id=name)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def main() -> None:
    """Play the demo, and draw each of its scenes.

    Raises:
        SystemExit: a release did not end as it must.
    """
    reset.main()
    PICTURES.mkdir(exist_ok=True)
    for name, (_, words, wanted) in zip(NAMES, play.SCENES, strict=True):
        typed = ["inv", *words]
        done = subprocess.run([Path(sys.executable).with_name("inv"), *words], cwd=reset.ROOT, stdout=-1, text=True)
        if done.returncode != wanted:
            sys.exit(f"{' '.join(typed)} ended with {done.returncode}, and {wanted} was expected.")
        lines = shown(done.stdout)
        lines = shortened(lines) if name in SHORTENED else lines
        text = draw(name, typed[1], [f"$ {' '.join(typed)}", *lines, "$ echo $?", str(done.returncode)])
        (PICTURES / f"{name}.svg").write_text(text, "utf-8")
        print(f"docs/pictures/{name}.svg")


if __name__ == "__main__":
    main()
