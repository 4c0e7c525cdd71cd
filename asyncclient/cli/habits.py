"""Words of HTTPie and of shells that mean something else here: errors and notes that say what to write."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from typing import Any, Final

from .items import STANDARD

_URL: Final = re.compile(
    r"https?://|:\d|:?/|localhost\b|\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)+(?:[:/?]|$)|[\w.-]+:\d", re.IGNORECASE
)

_TAKEN: Final = (
    ("cookie", "--cookie", "the body alone is printed by --no-include"),
    ("data", "--data", "a file is saved by --remote-name"),
    ("form", "--form", "a form of items is sent by --urlencoded"),
)
"""Options of HTTPie without a value whose letters or names have one here, and what to write for them."""


def describe_missing_url(options: Any) -> str:
    """Return the error for arguments without a URL; it names the option that may have taken the URL as its value."""
    for name, option, advice in _TAKEN:
        for value in getattr(options, name) or ():
            text = str(getattr(value, "text", value))
            if _URL.match(text):
                if getattr(value, "kind", "") == "json":
                    option, advice = "--json", "items are JSON without an option"
                return f"expected a URL, but {text[:80]!r} is the value of {option}; {advice}"
    return "expected a URL"


def check_values(options: Any) -> None:
    """Raise ValueError for HTTPie's --form and --json, which have no value: here the next word became it."""
    for text in options.form:
        if "=" not in text:
            hint = "a form of items: asyncclient [METHOD] URL a=b --urlencoded"
            raise ValueError(f"expected NAME=CONTENT for --form, got {text[:80]!r}; {hint}")
    for data in options.data or ():
        if data.kind == "json" and (data.text.upper() in STANDARD or _is_url(data.text)):
            hint = "items are JSON without it: asyncclient [METHOD] URL a=b"
            raise ValueError(f"expected JSON for --json, got {data.text[:80]!r}; {hint}")


def _is_url(text: str) -> bool:
    """Return True for text that is not JSON and begins as a URL does."""
    if _URL.match(text) is None:
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def has_unread_input() -> bool:
    """Return True if the standard input is a file or a pipe that has content; nothing is read, and nothing waits."""
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return os.fstat(descriptor).st_size > os.lseek(descriptor, 0, os.SEEK_CUR)
        return stat.S_ISFIFO(mode) and _count_bytes(descriptor) > 0
    except (AttributeError, ImportError, OSError, ValueError):  # closed, replaced, or on Windows
        return False


def _count_bytes(descriptor: int) -> int:
    """Return how many bytes a pipe has."""
    import termios  # imported on use, as the next one: not on Windows
    from fcntl import ioctl

    return int.from_bytes(ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
