"""List the public interface: modules, names, and the parameters of what can be called.

`python -m tests.api_surface` records it in tests/api_surface.txt, after an intended change.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType

from asyncclient.missing import Missing

MODULES = (
    "asyncclient",
    "asyncclient.cache",
    "asyncclient.contrib.dask",
    "asyncclient.crawl",
    "asyncclient.politeness",
    "asyncclient.testing",
    "compat",
)
_PREFIXES: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
RECORD = Path(__file__).with_name("api_surface.txt")


def list_surface() -> list[str]:
    """The lines of the public interface, sorted within each module."""
    return [line for name in MODULES for line in _list_module(name)]


def _list_module(name: str) -> Iterator[str]:
    module = import_module(name)
    for public in sorted(module.__all__):
        yield from _list_object(f"{name}.{public}", getattr(module, public))


def _list_object(path: str, found: object) -> Iterator[str]:
    if not isinstance(found, type):
        yield path + (_show_parameters(found) if inspect.isfunction(found) else "")
        return
    yield path + _show_parameters(found)
    for name in sorted(_list_members(found)):
        yield f"{path}.{name}" + _show_parameters(inspect.getattr_static(found, name))


def _list_members(found: type) -> set[str]:
    """Names of public members, without those of bases that are public themselves, or of another library."""
    public = {getattr(module, name) for module in map(import_module, MODULES) for name in _list_types(module)} - {found}
    ours = [base for base in found.__mro__ if _is_ours(base) and base not in public]
    return {name for base in ours for name, value in vars(base).items() if is_public(name, value)}


def is_public(name: str, value: object) -> bool:
    """Return True for the name of a member that exists."""
    return not name.startswith("_") and not isinstance(value, Missing)


def _list_types(module: ModuleType) -> list[str]:
    return [name for name in module.__all__ if isinstance(getattr(module, name), type)]


def _is_ours(found: object) -> bool:
    return getattr(found, "__module__", "").partition(".")[0] in ("asyncclient", "compat")


def _show_parameters(found: object) -> str:
    """Parameters by name, keyword-only ones after `*`; "" for what has no signature of its own."""
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if not _is_ours(found) or not (inspect.isfunction(found) or _has_init(found)):
        return ""
    shown: list[str] = []
    for parameter in inspect.signature(found).parameters.values():  # type: ignore[arg-type]
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        prefix = _PREFIXES.get(parameter.kind, "")
        shown.append(prefix + parameter.name + ("" if prefix or parameter.default is parameter.empty else "="))
    return f"({', '.join(shown)})"


def _has_init(found: object) -> bool:
    if not isinstance(found, type) or issubclass(found, Enum):  # the signature of an Enum differs by version
        return False
    return inspect.isfunction(found.__init__) or inspect.isfunction(found.__new__)


if __name__ == "__main__":
    RECORD.write_text("".join(f"{line}\n" for line in list_surface()))
