"""Server-sent events: the format text/event-stream of the WHATWG HTML standard (§9.2), parsed without I/O."""

from __future__ import annotations

import codecs
from typing import Any, Final, NamedTuple

from ...errors import ContentTooLarge, DecodingError, clip
from ...message.media import parse_content_type
from .text import LineSplitter

EVENT_STREAM: Final = "text/event-stream"


class ServerSentEvent(NamedTuple):
    """An event of an event stream.

    Attributes:
        type: the type; "message" if the server has named none.
        data: the data; several lines are joined by LF.
        id: the last event ID of the stream: of this event, or of an earlier one if it has none; "" without any.
        retry: seconds to wait before a reconnect, as the server has set them so far; None if it has not.
    """

    type: str
    data: str
    id: str = ""
    retry: float | None = None

    def json(self, **options: Any) -> Any:
        """Return the value of the data as JSON, with options of json.loads(). Raises json.JSONDecodeError."""
        import json  # imported on use (decision 52)

        return json.loads(self.data, **options)


class EventParser:
    """A parser of one event stream: bytes in, events out. It is always UTF-8, whatever the charset of its type.

    Args:
        max_size: limit of one event, and of one line, in characters.
        last_id, retry: those of the stream that this one continues.

    Attributes:
        max_size: see above.
        last_id: the last event ID, to be sent at a reconnect.
        retry: seconds to wait before a reconnect, as the server has set them; None if it has not.
    """

    __slots__ = ("_data", "_decoder", "_id", "_size", "_splitter", "_type", "last_id", "max_size", "retry")

    def __init__(self, max_size: int, last_id: str = "", retry: float | None = None) -> None:
        self.last_id = self._id = last_id
        self.retry = retry
        self.max_size = max_size
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._splitter = LineSplitter()
        self._type = ""
        self._data: list[str] = []
        self._size = 0  # of the data, in characters

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Return the events that the next bytes complete. An event without an empty line after it is incomplete.

        Raises:
            ContentTooLarge: an event or a line is larger than the limit.
        """
        lines = self._splitter.feed(self._decoder.decode(data))
        events = [event for line in lines if (event := self._add_line(line)) is not None]
        self._check(self._size + self._splitter.unfinished_size)
        return events

    def _add_line(self, line: str) -> ServerSentEvent | None:
        """Add a line to the event; return the event if the line is empty, which ends it."""
        if not line:
            return self._end()
        name, _, value = line.partition(":")  # the name of a comment is empty
        self._add_field(name, value.removeprefix(" "))
        return None

    def _add_field(self, name: str, value: str) -> None:
        """Take over a field; fields with other names are ignored."""
        if name == "data":
            self._size += len(value) + 1
            self._check(self._size)
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = float(value) / 1000

    def _end(self) -> ServerSentEvent | None:
        """End an event, and return it if it has data."""
        kind, lines, self.last_id = self._type or "message", self._data, self._id
        self._type, self._data, self._size = "", [], 0
        return ServerSentEvent(kind, "\n".join(lines), self._id, self.retry) if lines else None

    def _check(self, size: int) -> None:
        if size > self.max_size:
            raise ContentTooLarge(f"event is larger than {self.max_size} characters", self.max_size)


def check_event_stream(content_type: str | None) -> None:
    """Check the value of Content-Type.

    Raises:
        DecodingError: it is not text/event-stream.
    """
    if content_type is None or parse_content_type(content_type)[0] != EVENT_STREAM:
        raise DecodingError(f"expected {EVENT_STREAM} as Content-Type of an event stream, got {clip(content_type)}")
