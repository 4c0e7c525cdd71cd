"""A dict with a maximum size."""

from __future__ import annotations

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class BoundedDict(dict[_K, _V]):
    """A dict that drops its oldest item when setting a key makes it larger than `max_items`.

    Setting an existing key makes its item the newest; a lookup does not, and costs no more than in a dict.
    """

    __slots__ = ("_max_items",)

    def __init__(self, max_items: int) -> None:
        super().__init__()
        self._max_items = max_items

    def __setitem__(self, key: _K, value: _V) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > self._max_items:
            del self[next(iter(self))]
