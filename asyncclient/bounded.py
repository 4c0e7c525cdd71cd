"""A dict with a bound."""

from __future__ import annotations

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class BoundedDict(dict[_K, _V]):
    """A dict that forgets the item set longest ago when `d[key] = value` makes it larger than its bound.

    Setting a key anew makes its item the youngest. Looking it up does not, and costs no more than with a dict.

    Args:
        most: items that it holds.
    """

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: _K, value: _V) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > self._most:
            del self[next(iter(self))]
