"""Sitemaps (sitemaps.org, protocol 0.9): the URLs that a site lists for crawlers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from ..arguments import check_type
from ..client.content.decoding import MAX_DECODE_STEP, open_decoder
from ..errors import HTTPException, InvalidURL, clip
from .urls import MAX_LENGTH, normalize_url

MAX_URLS: Final = 50_000
"""URLs of a sitemap, by the protocol."""

MAX_SIZE: Final = 50 * 1024 * 1024
"""Bytes of a sitemap, not compressed, by the protocol."""

_MAX_DEPTH: Final = 32
_MAX_NAMES: Final = 1000
"""Different names of elements and attributes. The parser remembers each; one in five bytes would take gigabytes."""

_GZIP: Final = b"\x1f\x8b"
_XML: Final = (b"<", b"\xff\xfe", b"\xfe\xff")
_BLANKS: Final = b" \t\r\n"
_ITEMS: Final = {"urlset": "url", "sitemapindex": "sitemap"}
_FIELDS: Final = ("loc", "lastmod", "changefreq", "priority")


class SitemapError(ValueError):
    """A sitemap that is not as the protocol says. The text says where.

    Attributes:
        reason: what was expected, and what was found.
        line: from 1; 0 if the whole is concerned.
        column: from 1; 0 if the whole line is concerned.
    """

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason, line, column)
        self.reason = reason
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = f" in line {self.line}" if self.line else ""
        return f"{self.reason}{place}{f', column {self.column}' if self.column else ''}"


class SitemapURL(NamedTuple):
    """A URL of a sitemap.

    Attributes:
        url: normalised, see normalize_url().
        lastmod: when it was changed, as the site says; None if that is missing or invalid. Without a time zone it is in
            UTC.
        changefreq: how often it changes: "daily", for example; "" if that is missing.
        priority: from 0 to 1 among the URLs of the site; 0.5 if that is missing or invalid, as the protocol says.
    """

    url: str
    lastmod: datetime | None = None
    changefreq: str = ""
    priority: float = 0.5


class Sitemap(NamedTuple):
    """A parsed sitemap.

    Attributes:
        urls: its URLs in order, without invalid ones.
        is_index: True if they are those of other sitemaps.
        error: the first error; the URLs before it are kept, and those after it, if only one URL is invalid. None
            without an error.
    """

    urls: list[SitemapURL]
    is_index: bool = False
    error: SitemapError | None = None


def parse_sitemap(content: bytes) -> Sitemap:
    """Parse a sitemap or an index of sitemaps in XML, or a text with a URL in each line, also compressed by gzip.

    It has at most 50,000 URLs and 50 MiB. Elements of extensions, such as images, are ignored, as is the address of the
    namespace. A DOCTYPE is refused, because it may define entities. A sitemap of 50,000 URLs takes half a second, and a
    hostile one of 50 MiB several: a program with an event loop should call this in a thread.

    Raises:
        TypeError: the content is not bytes.
    """
    check_type("content", content, bytes, "bytes")
    content, error = _decompress(content) if content.startswith(_GZIP) else (content, None)
    if len(content) > MAX_SIZE:
        content, error = content[:MAX_SIZE], SitemapError(f"expected at most {MAX_SIZE} bytes")
    start = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS)
    reader = _XMLReader() if start.startswith(_XML) else _TextReader()
    reader.read(content, is_whole=error is None)
    return Sitemap(reader.urls, reader.is_index, reader.error or error)


def _decompress(content: bytes) -> tuple[bytes, SitemapError | None]:
    """Return the content of gzip, and an error if it is invalid, incomplete or too long; then the content before it."""
    decoder = open_decoder("gzip", max_size=MAX_SIZE, is_lenient=True)
    assert decoder is not None
    pieces: list[bytes] = []
    try:
        decoder.feed(content)
        while piece := decoder.take(MAX_DECODE_STEP):
            pieces.append(piece)
        decoder.finish()
    except HTTPException as error:
        return b"".join(pieces), SitemapError(str(error))
    return b"".join(pieces), None


class _Reader:
    """The URLs that were read so far, and the first error."""

    __slots__ = ("_count", "error", "is_index", "urls")

    def __init__(self) -> None:
        self._count = 0
        self.urls: list[SitemapURL] = []
        self.is_index = False
        self.error: SitemapError | None = None

    def read(self, content: bytes, *, is_whole: bool) -> None:
        """Read the sitemap; if it is not whole, its end is not an error."""
        raise NotImplementedError

    def _add(self, fields: dict[str, str], line: int) -> None:
        """Add a URL; raises SitemapError if there are too many, the invalid ones included."""
        self._count += 1
        if self._count > MAX_URLS:
            raise SitemapError(f"expected at most {MAX_URLS} URLs", line)
        url = fields.get("loc", "")
        try:
            if len(url) > MAX_LENGTH:
                raise InvalidURL(f"expected a URL of at most {MAX_LENGTH} characters, got {len(url)}")
            normal = normalize_url(url)
        except InvalidURL as error:
            self.error = self.error or SitemapError(str(error), line)
            return
        lastmod, priority = fields.get("lastmod"), fields.get("priority")
        self.urls.append(
            SitemapURL(
                normal,
                None if lastmod is None else _parse_time(lastmod),
                fields.get("changefreq", ""),
                0.5 if priority is None else _parse_priority(priority),
            )
        )


class _TextReader(_Reader):
    __slots__ = ()

    def read(self, content: bytes, *, is_whole: bool) -> None:
        """Read a URL from each line that is not blank; if the text is not whole, the last line is ignored."""
        lines = content.decode("utf-8-sig", "replace").split("\n")
        if not is_whole:
            del lines[-1]
        try:
            for number, line in enumerate(lines, 1):
                url = line.strip()
                if url:
                    self._add({"loc": url}, number)
        except SitemapError as error:
            self.error = self.error or error.with_traceback(None)  # which refers to this object
        if is_whole and not self.urls and self.error is None:
            self.error = SitemapError("expected a URL in each line, got an empty text")


class _XMLReader(_Reader):
    """Reads a sitemap in XML.

    The elements are known by their depth and by the prefix of the root element. Namespaces are not resolved, because
    prefixes of extensions are often not declared, which would be an error.
    """

    __slots__ = ("_depth", "_field", "_fields", "_item", "_parser", "_prefix", "_size", "_text")

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._prefix = self._item = self._field = ""
        self._fields: dict[str, str] | None = None
        self._text: list[str] = []
        self._size = 0
        self._parser: Any = None

    def read(self, content: bytes, *, is_whole: bool) -> None:
        """Read the elements; an error ends the document."""
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_text
        try:
            parser.Parse(content, is_whole)
        except expat.ExpatError as error:
            reason = f"expected well-formed XML: {expat.ErrorString(error.code)}"
            self.error = self.error or SitemapError(reason, error.lineno, error.offset + 1)
        except SitemapError as error:
            self.error = self.error or error.with_traceback(None)  # which refers to this object
        except (LookupError, ValueError) as error:  # from the search for a codec
            self.error = self.error or SitemapError(f"expected a known encoding: {clip(str(error))}", 1)
        finally:
            self._parser = None  # it refers to this object

    def _fail(self, reason: str) -> SitemapError:
        return SitemapError(reason, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    def _refuse_doctype(self, *_: object) -> None:
        raise self._fail("expected a sitemap without a DOCTYPE")

    def _start(self, name: str, _: object) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH or len(self._parser.intern) > _MAX_NAMES:
            raise self._fail(f"expected at most {_MAX_DEPTH} nested elements, and {_MAX_NAMES} names")
        if self._depth == 3:
            if self._fields is not None and name.startswith(self._prefix):
                self._field = name[len(self._prefix) :]
                self._text, self._size = [], 0
        elif self._depth == 2:
            self._fields = {} if name == self._item else None
        elif self._depth == 1:
            self._start_root(name)

    def _start_root(self, name: str) -> None:
        prefix, colon, root = name.rpartition(":")
        if root not in _ITEMS:
            raise self._fail(f"expected urlset or sitemapindex as the root, got {clip(name)}")
        self._prefix = prefix + colon
        self._item = self._prefix + _ITEMS[root]
        self.is_index = root == "sitemapindex"

    def _add_text(self, text: str) -> None:
        if self._depth == 3 and self._field in _FIELDS and self._size <= MAX_LENGTH:
            self._text.append(text)
            self._size += len(text)

    def _end(self, _: str) -> None:
        if self._depth == 3:
            if self._fields is not None and self._field in _FIELDS:
                self._fields.setdefault(self._field, "".join(self._text).strip())
            self._field = ""
        elif self._depth == 2 and self._fields is not None:
            self._add(self._fields, self._parser.CurrentLineNumber)
            self._fields = None
        self._depth -= 1


def _parse_time(text: str) -> datetime | None:
    """Return a time in the W3C's format of ISO 8601: a year, a month, a day, or a time of day with a time zone."""
    if len(text) in (4, 7):
        text += "-01-01"[: 10 - len(text)]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _parse_priority(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.5
    return found if 0 <= found <= 1 else 0.5
