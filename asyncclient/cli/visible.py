"""Text of a peer, as a terminal may show it."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def make_visible(text: str) -> str:
    r"""Return text without control characters that a terminal would obey; line breaks and tabs are kept.

    >>> make_visible("a\x1b[2Jb\r\n")
    'a\\x1b[2Jb\n'
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\r\n", "\n"))
