"""The package `compat` of asyncclient, also for programs that have another package of that name.

`python -m asyncclient.compat script.py` runs a script with it, and `from asyncclient import compat` gives it to
programs that have a module `compat` of their own. Imported by both names, it is there once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compat import Client, Installation, Response, client, install, is_installed, uninstall

    __all__ = ["Client", "Installation", "Response", "client", "install", "is_installed", "uninstall"]
else:
    import sys
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    _folder = Path(__file__).resolve().parents[2] / "compat"
    _spec = spec_from_file_location(__name__, _folder / "__init__.py", submodule_search_locations=[str(_folder)])
    _package = sys.modules[__name__] = module_from_spec(_spec)
    _spec.loader.exec_module(_package)
