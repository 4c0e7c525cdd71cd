"""Pages as JSON objects, for the sinks that write lines."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar

from ...politeness import RobotsDisallowed
from ...stream.files import offload
from ...timings import Timings, list_measured
from ..page import Page

_T = TypeVar("_T")

Form = Literal["text", "base64"]
"""How the content is put into a record."""

_SMALL: Final = 64 * 1024
"""Bytes of the largest content that is hashed and encoded on the event loop, which takes less than 0.5 ms."""


async def call_for(page: Page, function: Callable[[Page], _T]) -> _T:
    """Return the result of a function of a page, which is called in a worker thread if there is much content."""
    if page.response is None or len(page.response.content) <= _SMALL:
        return function(page)
    return await offload(function, page)


def build_record(page: Page, content: Form | None = None) -> dict[str, Any]:
    """Return the record of a page, see JSONLines."""
    record: dict[str, Any] = {
        "url": page.url,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": page.status,
        "error": (page.reason or None) if page.error is None else f"{type(page.error).__name__}: {page.error}",
        "depth": page.depth,
        "attempts": _count_attempts(page),
        "meta": page.meta,
    }
    response = page.response
    if response is not None:
        data = response.content
        record |= {
            "response_url": response.url,
            "headers": response.headers.pairs(),
            "timings": _list_timings(response.timings),
            "size": len(data),
            "sha256": sha256(data).hexdigest(),
        }
        if content == "text":
            record["text"] = response.text
        elif content == "base64":
            record["base64"] = b64encode(data).decode()
    return record


def _count_attempts(page: Page) -> int:
    """Return how many times the URL was requested; the entry counts those before the last one."""
    return 0 if isinstance(page.error, RobotsDisallowed) else page.entry.attempts + 1


def _list_timings(timings: Timings) -> dict[str, float]:
    return {name: round(seconds, 6) for name, seconds in list_measured(timings).items() if name != "queued"}


def build_line(record: dict[str, Any]) -> bytes:
    """Return a record as a line of JSON in UTF-8.

    Raises:
        TypeError, ValueError: JSON can't hold the value that the user has added with the URL.
    """
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"  # a lone surrogate becomes its escape in JSON
