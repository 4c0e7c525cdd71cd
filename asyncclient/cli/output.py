"""The output of a request: bytes into a file or a pipe, formatted text on a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ..client.response import Response
from .exits import CommandError, Exit
from .visible import make_visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MAX_COLOURED: Final = 1024 * 1024
"""Characters of content that is coloured; more is printed without colours, which take long."""

MAX_FORMATTED: Final = 32 * 1024 * 1024
"""Bytes of JSON that is formatted; more is printed as received."""

_TEXTUAL: Final = re.compile(
    r"text/|application/(?:[\w.-]+\+)?(?:json|xml|yaml|toml|javascript|ecmascript|x-ndjson|x-www-form-urlencoded)",
    re.IGNORECASE,
)
_JSON: Final = re.compile(r"[\w-]+/(?:[\w.-]+\+)?json\b", re.IGNORECASE)


def make_console(*, error: bool = False, forced: bool = False) -> Console | None:
    """Return rich's console for a standard stream; None without the extra `cli`."""
    try:
        from rich.console import Console  # imported on use: it takes longer than a request
    except ImportError:
        return None
    return Console(
        file=sys.stderr if error else sys.stdout,
        force_terminal=True if forced else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def _find_colouring() -> Callable[[str, str], Text]:
    """Return a function from text and its kind to coloured text.

    It is imported before a request: during a response it would count as a part of its time.
    """
    from rich.syntax import Syntax

    def colour(text: str, kind: str) -> Text:
        coloured = Syntax("", kind, theme="ansi_dark").highlight(text)
        coloured.rstrip()
        return coloured

    return colour


class Output:
    """The standard output.

    Args:
        pretty: "always", "never", or "auto": on a terminal.

    Attributes:
        is_terminal: True if the output is a terminal.
        is_pretty: True if content is formatted.
    """

    def __init__(self, pretty: str = "auto") -> None:
        self.is_terminal = sys.stdout.isatty()
        self.is_pretty = pretty == "always" or (pretty == "auto" and self.is_terminal)
        is_forced = pretty == "always" and "NO_COLOR" not in os.environ
        self._console = make_console(forced=is_forced) if self.is_pretty else None
        self._colour: Callable[[str, str], Text] | None = None
        if self._console is not None:
            self._colour = _find_colouring()

    def write(self, data: bytes) -> None:
        """Write bytes, at once.

        Raises:
            BrokenPipeError: the reader has ended.
            CommandError: they can't be written.
        """
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(Exit.WRITE, "output", f"the standard output: {error.strerror}") from None

    def print(self, text: str, *, kind: str = "", end: str = "\n") -> None:
        """Print text, in the colours of a kind of source code ("json", "http") if the output has colours."""
        if self.is_terminal or self.is_pretty:
            text = make_visible(text)
        if self._console is None or self._colour is None or not kind or len(text) > MAX_COLOURED:
            self.write((text + end).encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        else:
            self._console.print(self._colour(text, kind), end=end)

    def print_head(self, response: Response) -> None:
        """Print status line and fields, and an empty line."""
        lines = [describe_status(response), *(f"{name}: {value}" for name, value in response.headers.items())]
        self.print("\n".join(lines), kind="http", end="\n\n")

    async def print_content(self, response: Response) -> None:
        """Print the content: as received, or formatted.

        Raises: the errors of Response.read() and write().
        """
        kind = response.headers.get("content-type", "")
        if not self.is_pretty:
            await self._copy(response)
        elif _JSON.match(kind) and (response.length or 0) <= MAX_FORMATTED:
            await response.read()
            self.print(format_json(response.text), kind="json")
        elif _TEXTUAL.match(kind) or not self.is_terminal:
            await self._print_text(response)
        elif response.length != 0:
            size = "" if response.length is None else f"{response.length:,} bytes of "
            print(
                f"asyncclient: not printed: {size}{kind or 'unknown content'}; --output FILE saves it", file=sys.stderr
            )

    async def _copy(self, response: Response) -> None:
        try:
            async for chunk in response.iter_chunks():
                self.write(chunk)
        finally:
            sys.stdout.flush()

    async def _print_text(self, response: Response) -> None:
        last = "\n"
        async for text in response.iter_text():
            self.print(text, end="")
            last = text[-1:] or last
        if last != "\n":
            self.print("")


def describe_status(response: Any) -> str:
    """Return the status line of a response."""
    version = response.version
    return f"HTTP/{version // 10}.{version % 10} {response.status} {response.reason}".rstrip()


def format_json(text: str) -> str:
    """Return JSON with two spaces for each level, in the order of its keys; other text unchanged."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
