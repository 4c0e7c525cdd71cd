"""The tables of a run in Markdown, and their places in the pages."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Run, Spread
from benchmarks.rows import ROWS, SUITES, Suite

CHOSEN = (
    "single",
    "hundred",
    "thousand",
    "unique",
    "chunked",
    "new",
    "tls",
    "post",
    "kept",
    "opened",
    "kept-tls",
    "pieces",
)
"""Rows for the picture."""

COLUMNS = {
    "small GET": ("hundred", "kept"),
    "every URL new": ("unique", ""),
    "new connection": ("new", "opened"),
    "TLS": ("tls", "kept-tls"),
    "20 chunks": ("chunked", "pieces"),
    "100 MB": ("download", "reads"),
}
"""Columns of the short table: a row of each suite."""

LINES = ("asyncclient", "pyreqwest"), ("compat", "urllib3")
"""Lines of the short table: contenders of each suite."""


def ratio(value: float) -> str:
    """Return a ratio with two digits after the point, and without a zero before it."""
    return f"{value:.2f}".removeprefix("0") if value < 10 else f"{value:.0f}"


def ratio_cell(found: Spread | None) -> str:
    """Return median and extremes of ratios."""
    if found is None:
        return ""
    return f"{ratio(found.median)} ({ratio(found.least)} to {ratio(found.most)})"


def number_cell(found: Spread | None) -> str:
    """Return a median."""
    return "" if found is None else f"{found.median:,.0f}"


def build_table(heads: list[str], lines: list[list[str]]) -> str:
    """Return a table in Markdown."""
    rule = ["---"] * len(heads)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *lines])


def build_ratios(run: Run, suite: Suite, field: str) -> str:
    """Return the table of a suite: a figure as a multiple of that of the base."""
    names = [name for name in suite.contenders if name != suite.base]
    goals = {row: [ratio(ROWS[row].goal)] if field == "cpu" else [] for row in suite.rows if row in run.turns}
    lines = [
        [ROWS[row].title, *goal, *(ratio_cell(run.ratios(row, name, field)) for name in names)]
        for row, goal in goals.items()
    ]
    heads = ["", *["goal"] * (field == "cpu"), *(suite.contenders[name].title for name in names)]
    return build_table(heads, lines)


def build_goals(run: Run, suite: Suite) -> str:
    """Return a sentence about the rows in which the project's first client misses its goal."""
    ours, *_ = suite.ours
    found = {row: run.ratios(row, ours, "cpu") for row in suite.rows if row in run.turns}
    missed = [
        f"{ROWS[row].title}: {ratio(each.median)} instead of {ratio(ROWS[row].goal)}"
        for row, each in found.items()
        if each and round(each.median, 2) > ROWS[row].goal
    ]
    return f"Goals that {ours} misses: {'; '.join(missed)}." if missed else f"{ours} reaches each goal."


def build_values(run: Run, suite: Suite) -> str:
    """Return the table of a suite with values as they were measured: CPU for each request, and memory."""
    names = [*suite.ours, suite.base]
    heads = [f"{name}, {unit}" for unit in ("µs CPU", "requests/s", "MiB") for name in names]
    lines = []
    for row in (row for row in suite.rows if row in run.turns):
        cells = [number_cell(run.values(row, name, field)) for field in ("cpu", "rate", "memory") for name in names]
        lines.append([ROWS[row].title, *cells])
    return build_table(["", *heads], lines)


def build_scale(run: Run) -> str:
    """Return the table of many connections."""
    heads = {
        "in flight": "KB each, in flight",
        "idle": "KB each, idle",
        "factor": "CPU per request, times that at 100",
        "opening": "s to open all",
        "closing": "s to close all",
    }
    lines = [[name, *(f"{figures[key]:.1f}" for key in heads)] for name, figures in run.scale.items()]
    return build_table(["", *heads.values()], lines)


def build_note(run: Run) -> str:
    """Return the circumstances of a run as a sentence or two."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items(), key=str))
    about = run.about
    return (
        f"Measured on {about['date']} with `{about['command']}` (rounds: {about['rounds']}; {about['machine']}; server "
        f"{about['server']}): {versions}."
    )


def build_page(run: Run) -> str:
    """Return everything that a page about performance shows of a run."""
    parts = [build_note(run)]
    for suite in SUITES:
        parts += [
            f"## {suite.title}",
            f"CPU per request, as a multiple of {suite.base}'s:",
            build_ratios(run, suite, "cpu"),
            build_goals(run, suite),
            f"Requests per second, as a multiple of {suite.base}'s:",
            build_ratios(run, suite, "rate"),
            "The same in numbers, as this machine had them; memory is the highest of the process:",
            build_values(run, suite),
        ]
    if run.scale:
        parts += ["## Many connections", build_scale(run)]
    return "\n\n".join(parts)


def build_summary(run: Run) -> str:
    """Return a short table: CPU per request of the project's clients, and of some others."""
    lines = []
    for number, (suite, names) in enumerate(zip(SUITES, LINES, strict=True)):
        for name in names:
            rows = [choice[number] for choice in COLUMNS.values()]
            found = [run.ratios(row, name, "cpu") if row in run.turns else None for row in rows]
            cells = ["" if each is None else ratio(each.median) for each in found]
            lines.append([f"{suite.contenders[name].title} / {suite.base}", *cells])
    return f"{build_table(['CPU per request', *COLUMNS], lines)}\n\n{build_note(run)}"


def insert(path: Path, text: str) -> None:
    """Replace what is between the markers of a page: comments with the words `make bench: begin` and `… end`."""
    before, begin, rest = path.read_text().partition("<!-- make bench: begin -->\n")
    _, end, after = rest.partition("<!-- make bench: end -->")
    if not begin or not end:
        raise ValueError(f"{path} has no markers for the table")
    path.write_text(f"{before}{begin}{text}\n{end}{after}")
