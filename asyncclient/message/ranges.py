"""Content-Range: the byte range of a partial response (RFC 9110 §14.4). Malformed values raise nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

_CONTENT_RANGE = re.compile(r"(?i:bytes) ([0-9]{1,18}+)-([0-9]{1,18}+)/(?:([0-9]{1,18}+)|\*)")


class ContentRange(NamedTuple):
    """The bytes from `start` to before `stop` of a representation of `total` bytes; None if the total is unknown."""

    start: int
    stop: int
    total: int | None

    @property
    def is_whole(self) -> bool:
        """True if the range is known to be the whole representation."""
        return self.start == 0 and self.stop == self.total


def parse_content_range(value: str) -> ContentRange | None:
    """Return the range of a Content-Range field; None if the value is malformed or the range is empty."""
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        return None
    found = ContentRange(int(match[1]), int(match[2]) + 1, int(match[3]) if match[3] else None)
    is_valid = found.start < found.stop and (found.total is None or found.stop <= found.total)
    return found if is_valid else None
