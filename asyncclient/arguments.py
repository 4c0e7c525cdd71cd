"""Arguments of a caller: checks whose error texts name the argument, and functions that may be coroutine functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial, wraps
from inspect import Signature, isawaitable
from typing import Any, TypeVar

from .errors import clip

_T = TypeVar("_T")


def check_type(name: str, value: object, kinds: Any, expected: str) -> None:
    """Check the type of an argument.

    Raises:
        TypeError: the value has another type; the text names the argument and the expected type.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"expected {expected} as {name}, got {type(value).__name__}")


def check_number(name: str, value: Any, least: float, unit: str = "a number") -> None:
    """Check that an argument is a number of at least `least`.

    Raises:
        TypeError: it is not a number.
        ValueError: it is smaller, or NaN.
    """
    check_type(name, value, int | float, unit)
    if not value >= least:
        raise ValueError(f"expected {name} of at least {least}, got {value!r}")


def check_port(where: str, value: Any) -> None:
    """Check that an argument is a port to listen at or to connect from; 0 is any free one.

    The loops do not: uvloop takes 70000 for 4464, and asyncio raises an OverflowError late.

    Args:
        where: the place of the port, such as "as port".

    Raises:
        TypeError: it is not an int.
        ValueError: it is not from 0 to 65535.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected a port of 0 to 65535 {where}, got {type(value).__name__}")
    if not 0 <= value <= 65535:
        raise ValueError(f"expected a port of 0 to 65535 {where}, got {value}")


def list_collection(name: str, value: Any, kind: type, expected: str) -> list[Any]:
    """Return the items of a collection as a list; all must be of one kind.

    Raises:
        TypeError: the value is a str, whose items would be its characters; is not iterable; or has other items.
    """
    if isinstance(value, str | bytes):
        raise TypeError(f"expected {expected} as {name}, got the {type(value).__name__} {value!r:.80}")
    if not isinstance(value, Iterable):
        raise TypeError(f"expected {expected} as {name}, got {type(value).__name__}, which is not iterable")
    items = list(value)
    for item in items:
        check_type(name, item, kind, f"{expected}, of {kind.__name__},")
    return items


async def maybe_await(value: Any) -> Any:
    """Return a value, or the result of an awaitable: for functions that may be coroutine functions."""
    return await value if isawaitable(value) else value


def known_arguments(instead: Mapping[str, str]) -> Callable[[type[_T]], type[_T]]:
    """Give a class an error for unknown arguments that says what to write.

    Args:
        instead: by unknown name, what to write for it.
    """
    return partial(_explain_arguments, instead, "")


def keyword_only(instead: Mapping[str, str], usage: str) -> Callable[[type[_T]], type[_T]]:
    """Give a class an error for positional and unknown arguments that says what to write.

    Args:
        instead: by unknown name, what to write for it.
        usage: what to write for a positional argument.
    """
    return partial(_explain_arguments, instead, usage)


def _explain_arguments(instead: Mapping[str, str], usage: str, kind: type[_T]) -> type[_T]:
    name = "__new__" if "__new__" in vars(kind) else "__init__"
    make: Callable[..., Any] = getattr(kind, name)
    known = frozenset(_list_parameters(make)[1:])

    @wraps(make)
    def explaining(first: Any, *args: Any, **options: Any) -> Any:
        if args and usage:
            raise TypeError(f"{kind.__name__} takes keyword arguments only: use {usage}")
        if not options.keys() <= known:
            unknown = next(option for option in options if option not in known)
            raise explain_unknown(kind.__name__, unknown, known, instead)
        return make(first, *args, **options)

    setattr(kind, name, explaining)
    return kind


def _list_parameters(function: Callable[..., Any]) -> Sequence[str]:
    """Return the names of parameters, as inspect.signature() does in more time, which each import would take."""
    signature: Signature | None = getattr(function, "__signature__", None)
    if signature is not None:
        return [*signature.parameters]
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def explain_unknown(what: str, name: str, known: Collection[str], instead: Mapping[str, str]) -> TypeError:
    """Return the error for an unknown keyword argument, which says what to write.

    Args:
        what: was called.
        name: of the argument.
        known: names of the arguments that exist.
        instead: what to write for names that do not.
    """
    if name in instead:
        advice = f"use {instead[name]}"
    elif near := get_close_matches(name, known, 1):
        advice = f"use {near[0]}="
    else:
        advice = f"there are {', '.join(sorted(known))}"
    return TypeError(f"{what} got an unexpected keyword argument {clip(name)}: {advice}")
