"""Fields of a head: pairs in wire order, an index only when somebody looks one up."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, overload

from ..errors import LineTooLong, ProtocolError, clip
from ..limits import Limits
from . import syntax

_T = TypeVar("_T")


class HasItems(Protocol):
    """A mapping, or what is like one: http.client asks headers for nothing but items()."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Return pairs (name, value)."""
        ...


def list_pairs(headers: Any, what: str = "headers") -> list[tuple[Any, Any]]:
    """Return the fields that a caller gives, as pairs.

    Raises:
        TypeError: neither something with items() nor pairs.
    """
    items = headers.items() if hasattr(headers, "items") else headers
    pairs = list(items) if isinstance(items, Iterable) else [items]
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise TypeError(f"expected a mapping or pairs (name, value) as {what}")
    return pairs


class Fields(Mapping[str, str]):
    """The fields of a message, read-only: a mapping by name in any case, and the pairs as they came.

    Several fields of one name count as one whose values are joined by ", " (RFC 9110 §5.3); `get_all` keeps them
    apart, which Set-Cookie needs; `get_single` is for fields that have one value. `items()` gives every pair, in wire
    order and with the names' own case.
    """

    __slots__ = ("_index", "_pairs", "_text")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._text = ""
        self._pairs: list[tuple[str, str]] | None = list(pairs)
        self._index: dict[str, list[str]] | None = None

    @classmethod
    def from_section(cls, section: bytes) -> Fields:
        """Return the fields of a section that `check_section` let through; it is taken apart when asked for."""
        fields = cls.__new__(cls)
        fields._text = section.decode("latin-1")
        fields._pairs = None
        fields._index = None
        return fields

    def pairs(self) -> list[tuple[str, str]]:
        """Return a list of the pairs (name, value) in wire order."""
        return self._split().copy()  # responses with the same head share their fields

    def _split(self) -> list[tuple[str, str]]:
        """Return the pairs, taken apart when they are asked for first."""
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
        """Return a list of the values of all fields of that name, the default if there is none."""
        values = self._by_name().get(name.lower())
        return default if values is None else values.copy()

    def get_single(self, name: str) -> str | None:
        """Return the value of a singleton field; None if the field is missing, or if its values differ.

        A singleton field has one value (RFC 9110 §5.5): a date, a tag, a URL. A second line with the same value is a
        repetition, not a second member of a list. Values that differ contradict each other, so that none of them can
        be used.
        """
        values = self._by_name().get(name.lower(), ())
        return values[0] if values and all(value == values[0] for value in values) else None

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._by_name()[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, each once, as its first field spelled it."""
        first = {name.lower(): name for name, _ in reversed(self._split())}
        return (first[lower] for lower in self._by_name())

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._by_name())

    def items(self) -> ItemsView[str, str]:
        """Return a view of all pairs, in wire order; a name with several fields appears as often."""
        return _Pairs(self)

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same fields in the same order; names count in any case."""
        if not isinstance(other, Fields):
            return NotImplemented
        return [(n.lower(), v) for n, v in self._split()] == [(n.lower(), v) for n, v in other._split()]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Fields {clip(self._split())}>"

    def __str__(self) -> str:
        """Return all fields, one on each line, as they came. Secrets in them are shown."""
        return "\n".join(f"{name}: {value}" for name, value in self._split())


class _Pairs(ItemsView[str, str]):
    """items() of Fields: every field, where a Mapping's own would join those of one name."""

    _mapping: Fields

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._mapping._split())

    def __len__(self) -> int:
        return len(self._mapping._split())

    def __contains__(self, pair: object) -> bool:
        return pair in self._mapping._split()


def check_section(block: bytes, limits: Limits, start: int = 0, what: str = "header") -> bytes:
    """Return a block whose end, from `start`, is a field section with its empty line, once that is well-formed.

    The section is checked as a whole; only where that fails is the guilty line looked for. Folded lines come back
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
    guilty = next((line for line in lines if syntax.FIELD_LINE.fullmatch(line) is None), b"")
    raise ProtocolError(f"invalid {what} line: {clip(guilty)}")
