"""http.client again, blocking, on the asyncclient engine: `from compat import client`, or `compat.install()`.

`python -m compat script.py` runs a script with it, unchanged.
"""

from __future__ import annotations

from . import client
from .install import Installation, install, is_installed, uninstall

__all__ = ["Installation", "client", "install", "is_installed", "uninstall"]
