"""Attributes that other libraries have: using one is an AttributeError that names ours.

Each is a descriptor. A `__getattr__` would make every attribute slower to read (decision 108).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, TypeVar

_K = TypeVar("_K", bound=type)


class Missing:
    """A descriptor of an attribute that does not exist. Type checkers, dir() and hasattr() know nothing of it."""

    __slots__ = ("_advice", "_name")

    def __init__(self, name: str, advice: str) -> None:
        self._name = name
        self._advice = advice

    def __get__(self, owner: object, kind: type) -> Any:
        """Raise the AttributeError that says what to write."""
        text = f"{kind.__name__!r} object has no attribute {self._name!r}: {self._advise(kind)}"
        raise AttributeError(text, name=self._name, obj=owner)

    def _advise(self, kind: type) -> str:
        """Return what to write for the attribute of a class."""
        return self._advice


class MissingOperationError(AttributeError, TypeError):
    """An object has no such operation. A traceback names it TypeError, which Python raises for it.

    It is an AttributeError, too, because hasattr() and others that look for the method know only that.
    """

    __module__ = "builtins"
    __qualname__ = "TypeError"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as the class that it is named."""
        return TypeError, self.args


class MissingOperation(Missing):
    """A descriptor of a method that an operator or a statement calls."""

    __slots__ = ()

    def __get__(self, owner: object, kind: type) -> Any:
        """Raise the error that says what to write, with Python's text for the operation."""
        text = f"{kind.__name__!r} object {_OPERATIONS[self._name]}: {self._advise(kind)}"
        raise MissingOperationError(text, name=self._name, obj=owner)


_OPERATIONS: Final = {
    "__aenter__": "does not support the asynchronous context manager protocol",
    "__delitem__": "does not support item deletion",
    "__enter__": "does not support the context manager protocol",
    "__getitem__": "is not subscriptable",
    "__setitem__": "does not support item assignment",
}


class MissingSetting(Missing):
    """A setting that can neither be read nor assigned, unless a subclass has an attribute of that name in its body.

    Args:
        kind: the class that has the setting.
        name: the name of the attribute.
        setting: the argument of the class.
    """

    __slots__ = ("_kind",)

    def __init__(self, kind: type, name: str, setting: str) -> None:
        super().__init__(name, setting)
        self._kind = kind

    def _advise(self, kind: type) -> str:
        return _say_given(self._advice, self._name, self._kind, kind)

    def __set__(self, owner: object, value: object) -> NoReturn:
        """Raise the AttributeError that names the argument."""
        self.__get__(owner, type(owner))
        raise AssertionError("unreachable")

    def __delete__(self, owner: object) -> NoReturn:
        """Raise the same error for `del`."""
        self.__set__(owner, None)


class ReadOnlySetting(property):
    """A setting that can be read. To a type checker it is the property that it replaces."""

    kind: type

    def __set__(self, owner: object, value: object) -> NoReturn:
        """Raise the AttributeError that names the argument."""
        name = self.fget.__name__  # type: ignore[union-attr]
        advice = _say_given(name, name, self.kind, type(owner))
        text = f"{type(owner).__name__!r} object has no setter for {name!r}: {advice}"
        raise AttributeError(text, name=name, obj=owner)

    def __delete__(self, owner: object) -> NoReturn:
        """Raise the same error for `del`."""
        self.__set__(owner, None)


def _say_given(setting: str, name: str, kind: type, subclass: type) -> str:
    if subclass is kind:
        return f"settings of a client are given to {kind.__name__}({setting}=...)"
    own = f"an attribute {name!r} of {subclass.__name__} itself is declared in its class body"
    return f"settings of a client are given to super().__init__({setting}=...); {own}"


def answers(instead: Mapping[str, str]) -> Callable[[_K], _K]:
    """Give a class an answer for attributes that it does not have.

    Args:
        instead: by unknown name, what to write for it.
    """
    return lambda kind: _add(kind, {name: _answer(name, f"use {advice}") for name, advice in instead.items()})


def _answer(name: str, advice: str) -> Missing:
    return MissingOperation(name, advice) if name in _OPERATIONS else Missing(name, advice)


def given_once(settings: Iterable[str], instead: Mapping[str, str]) -> Callable[[_K], _K]:
    """Give a class an answer for the settings that its instances do not have, and for assigning those they have.

    Args:
        settings: names of the constructor's arguments.
        instead: by the name of a setting in other libraries, the name here.
    """

    def protect(kind: _K) -> _K:
        names = {name: name for name in settings} | dict(instead)
        return _add(kind, {name: _describe(kind, name, setting) for name, setting in names.items()})

    return protect


def _describe(kind: type, name: str, setting: str) -> MissingSetting | ReadOnlySetting:
    known = vars(kind).get(name)
    if not isinstance(known, property):
        return MissingSetting(kind, name, setting)
    found = ReadOnlySetting(known.fget)
    found.kind = kind
    return found


def _add(kind: _K, found: Mapping[str, object]) -> _K:
    for name, descriptor in found.items():
        setattr(kind, name, descriptor)
    kind.__dir__ = _list_names  # type: ignore[assignment,method-assign]
    return kind


def _list_names(owner: object) -> list[str]:
    from inspect import getattr_static  # imported on use: slow to import

    kind = type(owner)
    return [name for name in object.__dir__(owner) if not isinstance(getattr_static(kind, name, None), Missing)]
