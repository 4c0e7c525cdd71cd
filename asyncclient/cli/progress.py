"""Bars of progress on a terminal: bytes, rate and time left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

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
        progress = self._progress
        if progress is None:
            return _ignore
        task = progress.add_task(make_visible(name), total=None)
        return lambda size, total: progress.update(task, completed=size, total=total)


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
    return Progress(*columns, console=console, expand=True, transient=False)
