"""http.client again, blocking, on the asyncclient engine: `from compat import client`, or `compat.install()`.

`python -m asyncclient.compat script.py` runs a script with it, unchanged. `compat.Client` is asyncclient's client,
blocking. Programs that have a module `compat` of their own import this package as `asyncclient.compat`.

PYTEST_DONT_REWRITE: under `python -m compat -m pytest` it is imported before pytest, which would warn of that.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING


def _share_modules() -> None:
    """Have the modules that were loaded by the other name of this package, `compat` or `asyncclient.compat`, be its."""
    other = "asyncclient.compat." if __name__ == "compat" else "compat."
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None) if name.startswith(other) else None
        if file is not None and os.path.dirname(file) == os.path.dirname(__file__):
            sys.modules.setdefault(f"{__name__}.{name.removeprefix(other)}", module)
            globals().setdefault(name.removeprefix(other), module)


_share_modules()

from . import client  # noqa: E402  (after what was loaded already)
from .install import Installation, install, is_installed, uninstall  # noqa: E402

if TYPE_CHECKING:
    from asyncclient.blocking.client import Client, Response

__all__ = ["Client", "Installation", "Response", "client", "install", "is_installed", "uninstall"]

if not TYPE_CHECKING:  # to a type checker it would say that there is any name

    def __getattr__(name: str) -> object:
        """Give the blocking client when it is asked for: it stands on more of asyncclient than all the rest."""
        if name not in ("Client", "Response"):
            from asyncclient.other_modules import explain_name  # imported on use: for errors only

            raise explain_name(__name__, name)
        from asyncclient.blocking import client as blocking

        found = getattr(blocking, name)
        globals()[name] = found
        return found
