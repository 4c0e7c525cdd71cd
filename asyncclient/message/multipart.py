"""multipart/form-data (RFC 7578): the head of each part, and the delimiters between parts.

A body is, for each part, build_part_head(), the content and PART_END, followed by build_end().
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..errors import clip
from .head import build_field
from .url import percent_encode

MULTIPART = "multipart/form-data"

PART_END = b"\r\n"
"""The bytes after the content of a part; they belong to the delimiter (RFC 2046 §5.1.1)."""

OCTETS = "application/octet-stream"
"""The type of content of unknown type (RFC 7578 §4.4)."""

# Characters that might end the quoted name, or the line for a server that splits lines in another way. A backslash
# before the closing quote would escape it for a server that reads quoted pairs (RFC 9110 §5.6.4), as browsers do not.
_UNSAFE = re.compile(r'["\x00-\x1f\x7f\x85\u2028\u2029]|\\\Z')


def build_boundary() -> str:
    """Return an unpredictable boundary of 128 random bits, so that no content can contain it on purpose."""
    return os.urandom(16).hex()


class BoundaryCheck:
    """Detects a boundary chosen by the caller in the content of a part, which would end the part there."""

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"--" + boundary.encode()
        self._end = b""

    def feed(self, piece: bytes | bytearray | memoryview) -> None:
        """Check the next piece of the content.

        Raises:
            ValueError: the content has the boundary.
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
    r"""Return the bytes before the content of a part: delimiter, fields, empty line.

    Names are sent as UTF-8, as browsers do: `"`, CR and LF become %22, %0D and %0A (WHATWG HTML §4.10.21.8). Here all
    other control characters, and a backslash at the end, are percent-encoded too.

    Args:
        boundary: the boundary of the body.
        name: the name of the form field.
        filename: None for a field that is not a file.
        content_type: of the part, unless the headers have one; None or "" sends none.
        headers: further fields of the part.

    Raises:
        TypeError: a name is not a str.
        ValueError: a name can't be encoded as UTF-8, a field contains a line ending, or is Content-Disposition.
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
    """Return the bytes after the last part."""
    return b"--" + boundary.encode() + b"--\r\n"


def _quote(name: str) -> bytes:
    try:
        # Surrogates stand for the bytes of a file name that is not UTF-8 (PEP 383).
        return _UNSAFE.sub(_escape, name).encode("utf-8", "surrogateescape")
    except TypeError:
        raise TypeError(f"expected str as name of a part, got {type(name).__name__}") from None
    except UnicodeEncodeError:
        raise ValueError(f"name of a part can't be sent, expected what UTF-8 can encode: {clip(name)}") from None


def _escape(match: re.Match[str]) -> str:
    return percent_encode(match[0].encode())


def guess_content_type(filename: str) -> str | None:
    """Return the media type for the extension of a file name; None if it is unknown.

    Only Python's own table and the program's additions are used: the request does not depend on the machine, and no
    system files are read in the event loop.
    """
    import mimetypes  # imported on use: slow to import, for uploads only (decision 52)

    return mimetypes.types_map.get(os.path.splitext(filename)[1].lower())
