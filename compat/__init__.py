"""http.client again, blocking, on the asyncclient engine: `from compat import client`, or `compat.install()`.

`python -m compat script.py` runs a script with it, unchanged. `compat.Client` is asyncclient's client, blocking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import client
from .install import Installation, install, is_installed, uninstall

if TYPE_CHECKING:
    from .blocking import Client, Response

__all__ = ["Client", "Installation", "Response", "client", "install", "is_installed", "uninstall"]

if not TYPE_CHECKING:  # to a type checker it would say that there is any name

    def __getattr__(name: str) -> object:
        """Give the blocking client when it is asked for: it stands on more of asyncclient than all the rest."""
        if name not in ("Client", "Response"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import blocking

        found = getattr(blocking, name)
        globals()[name] = found
        return found
