"""The times of a request and its redirects, as a waterfall and as numbers."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

from ..client.response import Response
from ..contrib.waterfall import PHASES, as_text, list_bars, list_phases
from .output import make_console

if TYPE_CHECKING:
    from rich.text import Text

COLOURS: Final = {
    "queued": "bright_black",
    "resolve": "cyan",
    "connect": "yellow",
    "tunnel": "bright_yellow",
    "tls": "magenta",
    "send": "red",
    "wait": "green",
    "receive": "blue",
}
"""The colour of each phase, of those that a terminal defines."""

_PLAIN: Final = str.maketrans({"█": "#", "·": ".", "…": "~"})
_BAR: Final = re.compile(r" ([·dc=ts█ -]+)(?: +\S+ +[0-9.]+ ms)$", re.MULTILINE)
_RUN: Final = re.compile(r"(\S)\1*")


def print_timings(response: Response) -> None:
    """Print a waterfall as wide as the terminal, and the milliseconds of each phase of the last exchange."""
    text = as_text(list_bars([response]), shutil.get_terminal_size((100, 24)).columns)
    phases = [f"{name:<8}{1000 * seconds:9.2f} ms" for name, seconds in list_phases(response.timings)]
    text = "\n".join([text, *phases])
    console = make_console(error=True) if sys.stderr.isatty() else None
    if console is None:
        print(text if _is_unicode() else text.translate(_PLAIN), file=sys.stderr)
        return
    coloured = colour(text)
    coloured.plain = text if _is_unicode() else text.translate(_PLAIN)
    console.print(coloured)


def colour(text: str) -> Text:
    """Return a waterfall with the signs of the phases in colours."""
    from rich.text import Text

    result = Text(text)
    signs = {phase.sign: COLOURS[phase.name] for phase in PHASES}
    for bar in _BAR.finditer(text):
        for run in _RUN.finditer(bar[1]):
            result.stylize(signs[run[1]], bar.start(1) + run.start(), bar.start(1) + run.end())
    for phase in PHASES:
        start = text.rfind(f"{phase.sign} {phase.name}")
        result.stylize(COLOURS[phase.name], start, start + 1)
    return result


def _is_unicode() -> bool:
    return (sys.stderr.encoding or "").lower().startswith("utf")
