import re
from contextlib import suppress
from typing import Any

from asyncclient.version import __version__

project = "asyncclient"
author = "asyncclient contributors"
copyright = "2026, asyncclient contributors"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"asyncclient {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

myst_heading_anchors = 3

READABLE_DEFAULTS = {
    "DEFAULT": "Limits()",
    "DEFAULT_POOL": "PoolLimits()",
    "DEFAULT_RECONNECT": "Retry(total=8, backoff=1.0)",
    "MAX_EVENT": "1048576",
    "UNSET": "...",
    "_DEFAULT_TIMEOUT": "Timeout()",
}
"""Expressions that signatures show instead of the names of constants."""


def show_defaults(app: Any, what: str, name: str, found: Any, options: Any, signature: str | None, returns: Any) -> Any:
    """Return a signature whose defaults a reader can write."""
    if signature is None:
        return None
    return re.sub(r"(?<= = )\w+", lambda found: READABLE_DEFAULTS.get(found[0], found[0]), signature), returns


def list_options_once(app: Any, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Leave the list of options to request() and get(); help() shows it with each method."""
    if "Keyword Args:" in lines and not name.endswith((".request", ".get")):
        lines[lines.index("Keyword Args:") :] = [
            "The options are those of :meth:`request`; see also :doc:`options`.",
            "",
        ]


def keep_defaults(app: Any, found: Any, is_bound: bool) -> None:
    """Show defaults as they are written, as autodoc_preserve_defaults does, which fails with an added parameter."""
    from sphinx.ext.autodoc._dynamic._preserve_defaults import update_default_value

    with suppress(IndexError):
        update_default_value(found, is_bound)


def setup(app: Any) -> None:
    app.connect("autodoc-before-process-signature", keep_defaults)
    app.connect("autodoc-process-signature", show_defaults)
    app.connect("autodoc-process-docstring", list_options_once, priority=400)  # before napoleon
