"""Put compat in http.client's place, count the connections and responses made of either, and write reports.

This runs in front of other people's tests, so it imports only what they import anyway.
"""

import functools
import http.client
import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

STANDARD = "http.client"
COMPAT = "compat.client"
COUNTED = ("HTTPConnection", "HTTPResponse")  # a HTTPSConnection is a HTTPConnection


def use(library: str) -> Counter[str]:
    """Let `http.client` mean that library from now on; the counter says what is made of whose classes."""
    made: Counter[str] = Counter()
    count_all(STANDARD, made)
    if library == COMPAT:
        importlib.import_module("compat").install()
        count_all(COMPAT, made)
    return made


def count_all(library: str, made: Counter[str]) -> None:
    for name in COUNTED:
        count(getattr(http.client, name), f"{library}.{name}", made)


def count(cls: Any, name: str, made: Counter[str]) -> None:
    """Count what passes through __init__; a class that nothing took the place of is counted under both names."""
    original = cls.__init__

    @functools.wraps(original)
    def counting(self: object, *args: Any, **kwargs: Any) -> None:
        made[name] += 1
        original(self, *args, **kwargs)

    cls.__init__ = counting


class Report:
    """A file with one line of JSON per event, written at once."""

    def __init__(self, path: str) -> None:
        self.file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends

    def say(self, **event: object) -> None:
        print(json.dumps(event), file=self.file, flush=True)

    def note(self, test: str, outcome: str, text: str = "") -> None:
        self.say(test=test, outcome=outcome, text=text)

    def end(self, made: Counter[str]) -> None:
        self.say(made=made)
        self.file.close()
