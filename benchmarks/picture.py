"""The picture of a run: a bar for the CPU per request of each contender, as SVG, for light and dark pages."""

from __future__ import annotations

from html import escape

from benchmarks.figures import Run
from benchmarks.rows import ROWS, SUITES, Suite
from benchmarks.table import CHOSEN, ratio

WIDTH = 760
LABELS = 250
"""Width of the column with the titles of the rows."""

BAR, GAP = 11, 9
SCALES = {"aiohttp": 340.0, "http.client": 170.0}
"""Width of a bar for the CPU time of the base, by that base."""

LONGEST = WIDTH - LABELS - 60
SHOWN = {
    "aiohttp": ("bare", "asyncclient", "pyreqwest", "aiohttp"),
    "http.client": ("compat", "asyncclient.blocking", "http.client", "urllib3"),
}
"""Contenders by the base of their suite."""

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 13px }
.value { font-size: 10px }
.ours { fill: #0969da }
.second { fill: #54aeff }
.base { fill: #8c959f }
.other { fill: #d4a72c }
.floor { fill: #c8d1da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .floor { fill: #484f58 }
}
"""


def class_of(suite: Suite, name: str) -> str:
    """Return the class of a contender's bars."""
    if name in suite.ours:
        return ("ours", "second")[suite.ours.index(name)]
    return "base" if name == suite.base else "floor" if name == "bare" else "other"


def bar(top: int, kind: str, value: float, scale: float) -> str:
    """Return a bar with its value; a bar that would be too long is cut."""
    width = min(value * scale, LONGEST)
    return (
        f'<rect class="{kind}" x="{LABELS}" y="{top}" width="{width:.1f}" height="{BAR - 1}" rx="2"/>'
        f'<text class="value" x="{LABELS + width + 5:.1f}" y="{top + BAR - 2}">{ratio(value)}</text>'
    )


def text(x: int, y: int, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def draw_keys(suite: Suite, top: int) -> list[str]:
    """Return the names of a suite's contenders with the colours of their bars."""
    parts, x = [], LABELS
    for name in SHOWN[suite.base]:
        title = suite.contenders[name].title
        parts.append(f'<rect class="{class_of(suite, name)}" x="{x}" y="{top - 9}" width="9" height="9" rx="2"/>')
        parts.append(text(x + 14, top, title))
        x += 34 + 7 * len(title)
    return parts


def draw_suite(run: Run, suite: Suite, top: int) -> tuple[list[str], int]:
    """Return the marks of a suite, and where the next one begins."""
    parts = [text(0, top + 14, f"CPU per request, {suite.base} = 1", "title"), *draw_keys(suite, top + 14)]
    top += 30
    for row in (row for row in CHOSEN if row in suite.rows and row in run.turns):
        found = {name: run.ratios(row, name, "cpu") for name in SHOWN[suite.base]}
        bars = {name: values.median for name, values in found.items() if values}
        parts.append(text(LABELS - 10, top + BAR * len(bars) // 2 + 4, ROWS[row].title, anchor="end"))
        for name, value in bars.items():
            parts.append(bar(top, class_of(suite, name), value, SCALES[suite.base]))
            top += BAR
        top += GAP
    return parts, top + 12


def draw(run: Run) -> str:
    """Return the picture."""
    parts: list[str] = []
    top = 0
    for suite in SUITES:
        drawn, top = draw_suite(run, suite, top)
        parts += drawn
    parts.append(text(0, top + 10, f"{run.about['date']}, {run.about['server']}, {run.about['command']}", "value"))
    size = f'width="{WIDTH}" height="{top + 20}" viewBox="0 0 {WIDTH} {top + 20}"'
    label = "CPU per request of HTTP clients; less is better"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"
