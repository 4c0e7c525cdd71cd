"""The content fields of a request, checked against the body that the client encodes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from ...errors import clip
from ...message.media import parse_content_type
from ...message.multipart import MULTIPART

URLENCODED: Final = "application/x-www-form-urlencoded"

CONTENT_FIELDS: Final = frozenset(("content-type", "content-encoding"))
"""Lower-case names of the fields that ContentFields reads."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'+_.-]{1,70}")
"""A boundary (RFC 2046 §5.1.1) without the characters that need quotes."""

_UTF_8: Final = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))


class ContentFields:
    """The Content-Type and Content-Encoding of a caller.

    Args:
        pairs: the fields of a request; the value None removes a default field of the client.

    Raises:
        ValueError: several Content-Type fields.
    """

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        found: dict[str, list[Any]] = {}
        for name, value in pairs:
            if (key := name.lower()) in CONTENT_FIELDS:
                found.setdefault(key, []).append(value)
        types = found.get("content-type", [])
        if len(types) > 1:
            raise ValueError(f"expected one Content-Type field, got {len(types)}")
        self._has_no_type = types == [None]
        self._type = _to_text(types[0]) if types else ""
        self._media_type, self._parameters = parse_content_type(self._type)
        self._codings = [coding for value in found.get("content-encoding", ()) if (coding := _to_text(value).strip())]

    def check_json(self, data: bytes, *, is_text: bool) -> None:
        """Check the fields of JSON that the client has encoded.

        Raises:
            ValueError: they declare a compressed body, a form, or text in another charset than UTF-8.
        """
        self._check_identity("json=")
        if self._media_type == URLENCODED or self._media_type.startswith("multipart/"):
            raise ValueError(f"json= makes JSON, Content-Type says {self._media_type}: give a form as data= or files=")
        if is_text:
            self.check_text(is_ascii=data.isascii())

    def check_form(self) -> None:
        """Check the fields of a form that the client encodes; raises ValueError as check_json() does."""
        self._check_identity("data=")
        if self._media_type.startswith("multipart/"):
            raise ValueError(
                f"data= makes {URLENCODED}, Content-Type says {self._media_type}: also give files=, which may be empty"
            )
        if self._media_type not in ("", URLENCODED):
            raise ValueError(
                f"data= makes {URLENCODED}, Content-Type says {clip(self._media_type)}: give JSON as json=, anything "
                "else as body="
            )

    def check_text(self, *, is_ascii: bool) -> None:
        """Check the charset of text that is sent as UTF-8.

        Raises:
            ValueError: Content-Type declares another charset, and the text is not ASCII.
        """
        charset = self._parameters.get("charset", "utf-8")
        if charset.lower() not in _UTF_8 and not is_ascii:
            raise ValueError(f"text is sent as UTF-8, Content-Type says {clip(charset)}: give encoded bytes as body=")

    def find_boundary(self) -> str | None:
        """Return the boundary that a multipart form must use; None if the client chooses it.

        Raises:
            ValueError: the fields declare another type, a compressed body, or an invalid boundary.
        """
        self._check_identity("files=")
        if self._has_no_type:
            raise ValueError("a form of files= can't be sent without Content-Type, which has its boundary")
        if self._media_type not in ("", MULTIPART):
            raise ValueError(
                f"files= makes {MULTIPART}, Content-Type says {clip(self._media_type)}: give a file's own type as "
                "(filename, content, type)"
            )
        boundary = self._parameters.get("boundary")
        if boundary is None:
            return None
        if _BOUNDARY.fullmatch(boundary) is None or self._type.lower().count("boundary") != 1:
            raise ValueError(
                f"expected one boundary of 1 to 70 letters, digits or any of '+_.-, got {clip(self._type)}: without it "
                "the client makes one"
            )
        return boundary

    def add_boundary(self, pairs: list[tuple[str, Any]], content_type: str) -> list[tuple[str, Any]]:
        """Return the fields with a boundary in their Content-Type; the boundary of `content_type` if they have none."""
        if "boundary" in self._parameters:
            return pairs
        value = f"{self._type.rstrip(' ;') or MULTIPART};{content_type.partition(';')[2]}"
        return [(name, value if name.lower() == "content-type" else old) for name, old in pairs]

    def _check_identity(self, what: str) -> None:
        if any(coding.lower() != "identity" for coding in self._codings):
            raise ValueError(
                f"{what} is sent as it is, Content-Encoding says {clip(', '.join(self._codings))}: give the compressed "
                "bytes as body="
            )


def _to_text(value: object) -> str:
    """Return a value as text; a value of another type is refused later, with its field."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value) if isinstance(value, str | int) else ""
