"""Checks of arguments whose errors name the argument, where Python's own would name an operator or a method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def check_type(name: str, value: object, kinds: Any, expected: str) -> None:
    """Let a value of one of the kinds pass.

    Raises:
        TypeError: it is of another type; the text has the name of the argument, and what was expected.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"expected {expected} as {name}, got {type(value).__name__}")


def check_number(name: str, value: Any, least: float, unit: str = "a number") -> None:
    """Let a number of at least that much pass.

    Raises:
        TypeError: it is not a number.
        ValueError: it is less, or not a number in the sense of floating point.
    """
    check_type(name, value, int | float, unit)
    if not value >= least:
        raise ValueError(f"expected {name} of at least {least}, got {value!r}")


def list_collection(name: str, value: Any, kind: type, expected: str) -> list[Any]:
    """Return the items of a collection that is not a str, all of them of one kind.

    Raises:
        TypeError: it is a str, which is a collection of its characters, is not iterable, or has other items.
    """
    if isinstance(value, str | bytes):
        raise TypeError(f"expected {expected} as {name}, got the {type(value).__name__} {value!r:.80}")
    if not isinstance(value, Iterable):
        raise TypeError(f"expected {expected} as {name}, got {type(value).__name__}, which is not iterable")
    items = list(value)
    for item in items:
        check_type(name, item, kind, f"{expected}, of {kind.__name__},")
    return items
