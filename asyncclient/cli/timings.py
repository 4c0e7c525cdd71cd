"""The times of a request and its redirects, as a waterfall and as numbers."""

from __future__ import annotations

import shutil
import sys
from typing import Final

from ..client.response import Response
from ..contrib.waterfall import as_text, list_bars, list_phases

_PLAIN: Final = str.maketrans({"█": "#", "·": ".", "…": "~"})


def draw_timings(response: Response) -> str:
    """Return a waterfall as wide as the terminal, and the milliseconds of each phase of the last exchange."""
    text = as_text(list_bars([response]), shutil.get_terminal_size((100, 24)).columns)
    phases = [f"{name} {1000 * seconds:.2f} ms" for name, seconds in list_phases(response.timings)]
    text = "\n".join([text, *phases])
    return text if _is_unicode() else text.translate(_PLAIN)


def _is_unicode() -> bool:
    return (sys.stderr.encoding or "").lower().startswith("utf")
