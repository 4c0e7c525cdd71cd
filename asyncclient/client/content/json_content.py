"""Content as JSON. Every fault is one error, InvalidJSON, which names the URL and the media type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ...errors import InvalidJSON, clip, shown_as
from ...message.charsets import decode
from ...message.media import parse_content_type
from ...message.target import show
from .text import find_json_encoding

_OPTIONS: Final = frozenset(
    ("cls", "object_hook", "object_pairs_hook", "parse_constant", "parse_float", "parse_int", "strict")
)
"""Names of the arguments of json.loads()."""


@shown_as(InvalidJSON)
class MalformedJSON(InvalidJSON, json.JSONDecodeError):
    """An InvalidJSON that is also a json.JSONDecodeError."""

    def __init__(self, message: str, cause: json.JSONDecodeError) -> None:
        Exception.__init__(self, message)
        self.msg, self.doc, self.pos = cause.msg, cause.doc, cause.pos
        self.lineno, self.colno = cause.lineno, cause.colno


def parse_json(
    data: bytes, content_type: str | None, encoding: str | None, *, url: str, status: int, options: Mapping[str, Any]
) -> Any:
    """Return the value of a JSON text.

    Args:
        data: the content.
        content_type: the value of Content-Type, for its charset and for error texts; None if absent.
        encoding: set by the user; None for that of a byte order mark, of the charset, or detected from the first bytes.
        url, status: for error texts.
        options: arguments of json.loads(). Functions among them may raise errors of their own.

    Raises:
        InvalidJSON: the content is not JSON, not in its encoding, nested too deeply, or has a number with more digits
            than int() accepts.
    """
    codec = find_json_encoding(data, content_type, encoding)
    try:
        # As in json.loads() of bytes: lone surrogates are accepted, since JSON escapes can express them too.
        return json.loads(decode(data, codec, "surrogatepass").removeprefix("\ufeff"), **options)
    except json.JSONDecodeError as exc:
        raise MalformedJSON(_describe(exc, url, status, content_type), exc) from None
    except UnicodeDecodeError as exc:
        reason = f"{codec} can't decode byte 0x{exc.object[exc.start]:02x} at position {exc.start}"
        raise InvalidJSON(_describe(reason, url, status, content_type)) from exc
    except RecursionError:
        raise InvalidJSON(_describe("it is nested too deeply", url, status, content_type)) from None
    except TypeError as exc:
        unknown = options.keys() - _OPTIONS
        if not unknown or "cls" in options:  # an error of a function among them, or of the class
            raise
        advice = "it takes those of json.loads(), and content of any Content-Type"
        raise TypeError(f"json() got an unexpected keyword argument {clip(min(unknown))}: {advice}") from exc
    except ValueError as exc:  # a number with more digits than int() accepts
        if options:
            raise
        raise InvalidJSON(_describe(exc, url, status, content_type)) from exc


def _describe(reason: object, url: str, status: int, content_type: str | None) -> str:
    media_type = clip(parse_content_type(content_type)[0]) if content_type else "an unknown type"
    where = show(url.partition("?")[0]) + ("" if status == 200 else f" (status {status})")
    return f"invalid JSON in content of {media_type} from {where}: {reason}"
