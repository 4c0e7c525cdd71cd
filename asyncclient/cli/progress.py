"""Bars of progress on a terminal: bytes, rate and time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from ..client.error_context import shorten_url
from .output import make_console
from .visible import make_visible

if TYPE_CHECKING:
    from rich.progress import Progress

WIDE: Final = 80
"""Columns of a terminal from which on there is room for all columns."""


class Bars:
    """A bar for each transfer while the block runs; nothing without a terminal or without the extra `cli`.

    Args:
        silent: show nothing.
    """

    def __init__(self, *, silent: bool) -> None:
        is_shown = not silent and sys.stderr.isatty()
        self._progress = _open_progress() if is_shown else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def add(self, name: str) -> Callable[[int, int | None], object]:
        """Return the function that moves a new bar, given the bytes so far and in all (None: unknown)."""
        return _ignore if self._progress is None else _Bar(self._progress, name).move

    @contextmanager
    def showing(self, name: str) -> Iterator[Callable[[int, int | None], object]]:
        """Yield the function that moves a new bar; at the end of the block the bar makes room for others."""
        if self._progress is None:
            yield _ignore
            return
        bar = _Bar(self._progress, name)
        try:
            yield bar.move
        finally:
            self._progress.remove_task(bar.task)


class _Bar:
    """A bar of rich."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self.task = progress.add_task(make_visible(name), total=None)

    def move(self, size: int, total: int | None) -> None:
        """Show the bytes so far and in all."""
        self._progress.update(self.task, completed=size, total=total)


def name_bar(url: str) -> str:
    """Return the last segment of a URL, which becomes the name of most files."""
    return shorten_url(url).rstrip("/").rpartition("/")[2]


def _ignore(size: int, total: int | None) -> None:
    """Show nothing."""


def _open_progress() -> Progress | None:
    console = make_console(error=True)
    if console is None:
        return None
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    name = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
    )
    columns: list[Any] = [name, DownloadColumn(binary_units=False), TransferSpeedColumn(), TimeRemainingColumn()]
    if console.width >= WIDE:
        columns.insert(1, BarColumn(bar_width=20))
    # Lines for a file or a pipe must not be drawn above the bars.
    return Progress(*columns, console=console, expand=True, redirect_stdout=sys.stdout.isatty())
