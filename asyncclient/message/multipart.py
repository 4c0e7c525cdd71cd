"""multipart/form-data (RFC 7578): the head of each part, and what stands between parts.

A body is, for each part, its head, its content and PART_END; and after them build_end().
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..errors import clip
from .head import build_field

MULTIPART = "multipart/form-data"

PART_END = b"\r\n"
"""What follows the content of a part; it belongs to the delimiter (RFC 2046 §5.1.1)."""

OCTETS = "application/octet-stream"
"""The type of content of which nothing is known (RFC 7578 §4.4)."""

# What might end the quotes or, in whatever way a server splits lines, the line. A backslash before the closing quote
# would take it away where a server reads quoted pairs, as RFC 9110 §5.6.4 has them and browsers do not.
_UNSAFE = re.compile(r'["\x00-\x1f\x7f\x85\u2028\u2029]|\\\Z')


def build_boundary() -> str:
    """Return a boundary that nobody can foresee, so that content can't have it: 128 random bits."""
    return os.urandom(16).hex()


class BoundaryCheck:
    """Finds a boundary in the content of a part, which would end there: for a boundary that a caller chose."""

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"--" + boundary.encode()
        self._end = b""

    def feed(self, piece: bytes | bytearray | memoryview) -> None:
        """Let more of the content pass.

        Raises:
            ValueError: it has the boundary.
        """
        data = piece if isinstance(piece, bytes) and not self._end else b"".join((self._end, piece))
        if self._delimiter in data:
            raise ValueError("content of a part has the boundary of Content-Type: leave that out, the client makes one")
        self._end = data[1 - len(self._delimiter) :]


def build_content_type(boundary: str) -> str:
    """Return the Content-Type of the whole body."""
    return f"{MULTIPART}; boundary={boundary}"


def build_part_head(
    boundary: str,
    name: str,
    filename: str | None = None,
    content_type: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    r"""Return what comes before the content of a part: delimiter, fields, empty line.

    Names go out as UTF-8, as browsers send them: `"`, CR and LF become %22, %0D and %0A (WHATWG HTML §4.10.21.8). So do
    here all other control characters, and a backslash at the end.

    Args:
        boundary: of the body.
        name: of the form's field.
        filename: None for a field that is no file.
        content_type: of the part, unless the headers have one; nothing is sent for None or "".
        headers: further fields of the part.

    Raises:
        TypeError: a name is no str.
        ValueError: a name that UTF-8 can't encode, a field that would add another, or a Content-Disposition.
    """
    disposition = b'Content-Disposition: form-data; name="' + _quote(name) + b'"'
    if filename is not None:
        disposition += b'; filename="' + _quote(filename) + b'"'
    lines = [build_field(field, value) for field, value in headers]
    names = {line[: line.index(b":")].lower() for line in lines}
    if b"content-disposition" in names:
        raise ValueError("expected other headers of a part than Content-Disposition: name and file name make it")
    if content_type and b"content-type" not in names:
        lines.insert(0, build_field("Content-Type", content_type))
    return b"\r\n".join((b"--" + boundary.encode(), disposition, *lines, b"", b""))


def build_end(boundary: str) -> bytes:
    """Return what comes after the last part."""
    return b"--" + boundary.encode() + b"--\r\n"


def _quote(name: str) -> bytes:
    try:
        # Surrogates are how Python shows the bytes of a file name that is not UTF-8 (PEP 383).
        return _UNSAFE.sub(_escape, name).encode("utf-8", "surrogateescape")
    except TypeError:
        raise TypeError(f"expected str as name of a part, got {type(name).__name__}") from None
    except UnicodeEncodeError:
        raise ValueError(f"name of a part can't be sent, expected what UTF-8 can encode: {clip(name)}") from None


def _escape(match: re.Match[str]) -> str:
    return f"%{match[0].encode().hex('%').upper()}"


def guess_content_type(filename: str) -> str | None:
    """Return the type that goes with the ending of a file name; None if that tells nothing.

    By Python's own table and what was added to it, so that a request does not depend on the machine it comes from; and
    not looking for the machine's tables blocks nobody.
    """
    import mimetypes  # takes 3 ms with what it imports, and is for uploads only

    return mimetypes.types_map.get(os.path.splitext(filename)[1].lower())
