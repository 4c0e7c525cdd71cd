"""The logger of the package, and whether it is on."""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = logging.getLogger("asyncclient")

INFO: Final = logging.INFO

is_logged: Final = LOGGER.isEnabledFor
"""Returns whether the log takes messages of a level."""

_results: dict[int, bool] = getattr(LOGGER, "_cache", {})
"""The results of isEnabledFor() by level; logging empties it when any level is set. Without it, it stays empty."""

find_logged: Final = _results.get
"""Returns the same if that is known, else None; for a request it takes a seventh of the instructions (decision 105)."""
