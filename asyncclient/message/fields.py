"""Field sections: the fields as pairs in wire order, indexed by name on the first lookup."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar, overload

from ..errors import LineTooLong, ProtocolError, clip
from ..limits import Limits
from ..missing import answers
from . import syntax

_T = TypeVar("_T")

_INSTEAD: Final = {
    "get_list": "get_all()",
    "getall": "get_all()",
    "getheaders": "get_all()",
    "getlist": "get_all()",
    "getone": "get()",
    "multi_items": "pairs()",
    "raw": "pairs()",
}
"""The equivalents of methods of other libraries."""

HeaderValue = str | bytes | int


class HasItems(Protocol):
    """A mapping-like object: as in http.client, `items()` is all that headers need."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Return pairs (name, value)."""
        ...


Headers = Mapping[str, HeaderValue] | HasItems | Iterable[tuple[str | bytes, HeaderValue]]
"""Fields as callers pass them."""

Pairs = list[tuple[str, Any]]
"""Fields of a request in wire order; the values are checked when the head is built."""


def list_pairs(headers: Any, what: str = "headers") -> list[tuple[Any, Any]]:
    """Return the fields that a caller passed as a list of pairs.

    Raises:
        TypeError: `headers` has no items() and is not an iterable of pairs.
    """
    items = headers.items() if hasattr(headers, "items") else headers
    pairs = list(items) if isinstance(items, Iterable) else [items]
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise TypeError(f"expected a mapping or pairs (name, value) as {what}")
    return pairs


@answers(_INSTEAD)
class Fields(Mapping[str, str]):
    """The fields of a message, read-only: a mapping by case-insensitive name, and the pairs as received.

    Fields with the same name count as one field whose values are joined by ", " (RFC 9110 §5.3). `get_all` returns them
    separately, as Set-Cookie needs; `get_single` is for fields with one value. `items()` gives every pair, in wire
    order, with the spelling of the name as received.
    """

    __slots__ = ("_index", "_pairs", "_text")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._text = ""
        self._pairs: list[tuple[str, str]] | None = list(pairs)
        self._index: dict[str, list[str]] | None = None

    @classmethod
    def from_section(cls, section: bytes) -> Fields:
        """Return the fields of a section that `check_section` accepted; it is split on first use."""
        fields = cls.__new__(cls)
        fields._text = section.decode("latin-1")
        fields._pairs = None
        fields._index = None
        return fields

    def pairs(self) -> list[tuple[str, str]]:
        """Return a list of the pairs (name, value) in wire order."""
        return self._split().copy()  # a copy: responses with the same head share one Fields object

    def _split(self) -> list[tuple[str, str]]:
        """Return the pairs, splitting the section on the first call."""
        if self._pairs is None:
            self._pairs = [(name, value.rstrip(" \t")) for name, value in syntax.FIELD.findall(self._text)]
            self._text = ""
        return self._pairs

    def _by_name(self) -> dict[str, list[str]]:
        if self._index is None:
            index: dict[str, list[str]] = {}
            for name, value in self._split():
                index.setdefault(name.lower(), []).append(value)
            self._index = index
        return self._index

    @overload
    def get_all(self, name: str) -> list[str] | None: ...
    @overload
    def get_all(self, name: str, default: _T) -> list[str] | _T: ...

    def get_all(self, name: str, default: object = None) -> object:
        """Return the values of all fields of that name as a list, or the default if there is no such field."""
        values = self._by_name().get(name.lower())
        return default if values is None else values.copy()

    def get_single(self, name: str) -> str | None:
        """Return the value of a singleton field; None if the field is missing or its values differ.

        A singleton field has one value (RFC 9110 §5.5), for example a date, a tag or a URL. A second line with the same
        value is accepted as a repetition. Different values contradict each other, so none of them is used.
        """
        values = self._by_name().get(name.lower(), ())
        return values[0] if values and all(value == values[0] for value in values) else None

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._by_name()[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the distinct names, each spelled as in its first field."""
        first = {name.lower(): name for name, _ in reversed(self._split())}
        return (first[lower] for lower in self._by_name())

    def __len__(self) -> int:
        """Return the number of distinct names."""
        return len(self._by_name())

    def items(self) -> ItemsView[str, str]:
        """Return a view of all pairs in wire order, including every field of a repeated name."""
        return _Pairs(self)

    def __eq__(self, other: object) -> bool:
        """Return True if both have the same fields in the same order; names are case-insensitive."""
        if not isinstance(other, Fields):
            return NotImplemented
        return [(n.lower(), v) for n, v in self._split()] == [(n.lower(), v) for n, v in other._split()]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Fields {clip(self._split())}>"

    def __str__(self) -> str:
        """Return all fields as received, one per line. Secrets are not hidden."""
        return "\n".join(f"{name}: {value}" for name, value in self._split())


class _Pairs(ItemsView[str, str]):
    """items() of Fields: every field, where the view of a Mapping would join fields of the same name."""

    _mapping: Fields

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._mapping._split())

    def __len__(self) -> int:
        return len(self._mapping._split())

    def __contains__(self, pair: object) -> bool:
        return pair in self._mapping._split()


def check_section(block: bytes, limits: Limits, start: int = 0, what: str = "header") -> bytes:
    """Return the block once the field section from `start` to its end, empty line included, is known to be well-formed.

    The section is matched as a whole; the invalid line is searched for only after that fails. Folded lines are returned
    unfolded (RFC 9112 §5.2).

    Raises:
        LineTooLong: a line is longer than limits.line.
        ProtocolError: too many fields, or a line is not `name: value` (RFC 9112 §5).
    """
    if len(block) > limits.line and len(max(block.split(b"\n"), key=len)) > limits.line:
        raise LineTooLong(f"a {what} line", limits.line)
    if block.count(b"\n", start) - 1 > limits.fields:
        raise ProtocolError(f"got more than {limits.fields} {what} fields")
    if syntax.FIELD_LINES.fullmatch(block, start) is not None:
        return block
    block = block[:start] + syntax.OBS_FOLD.sub(b" ", block[start:])
    if syntax.FIELD_LINES.fullmatch(block, start) is not None:
        return block
    lines = (line + b"\n" for line in block[start:].split(b"\n"))
    invalid = next((line for line in lines if syntax.FIELD_LINE.fullmatch(line) is None), b"")
    raise ProtocolError(f"invalid {what} line: {clip(invalid)}")
