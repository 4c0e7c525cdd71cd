"""The figures of a run: what each turn measured, and the ratios between contenders."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rows import suite_of


class Spread(NamedTuple):
    """The median of some values, and their extremes."""

    median: float
    least: float
    most: float


class Turn(NamedTuple):
    """The figures of one turn.

    Args:
        cpu: microseconds of CPU time for each request, in all threads of the client.
        rate: requests per second.
        memory: the highest resident memory of the process, in MiB.
    """

    cpu: float
    rate: float
    memory: float


class Run(NamedTuple):
    """A run: the turns by row and contender, one for each round, and the circumstances.

    Args:
        about: date, command, machine, server.
        versions: of Python and of the clients.
        scale: the figures of many connections, by the name of their line.
    """

    about: dict[str, str]
    versions: dict[str, str]
    turns: dict[str, dict[str, list[Turn]]]
    scale: dict[str, dict[str, float]]

    @classmethod
    def load(cls, path: Path) -> Run:
        """Return the run of a file; empty if there is none."""
        if not path.exists():
            return cls({}, {}, {}, {})
        found: dict[str, Any] = json.loads(path.read_text())
        turns = {
            row: {name: [Turn(*turn) for turn in rounds] for name, rounds in contenders.items()}
            for row, contenders in found["turns"].items()
        }
        return cls(found["about"], found["versions"], turns, found["scale"])

    def save(self, path: Path) -> None:
        """Write the run to a file."""
        rounded = {
            row: {name: [[float(f"{value:.4g}") for value in turn] for turn in rounds] for name, rounds in each.items()}
            for row, each in self.turns.items()
        }
        text = json.dumps({**self._asdict(), "turns": rounded}, indent=1)
        path.write_text(text + "\n")

    def updated(self, newer: Run) -> Run:
        """Return this run with the rows that a newer run has measured again."""
        many = newer.scale or self.scale  # measured as a whole: --quick has other numbers of connections
        return Run(newer.about, self.versions | newer.versions, self.turns | newer.turns, many)

    def ratios(self, row: str, contender: str, field: str) -> Spread | None:
        """Return a figure of a contender as a multiple of that of the base, in each round; None if it took no part."""
        base = self.turns[row].get(suite_of(row).base)
        mine = self.turns[row].get(contender)
        if not base or not mine:
            return None
        return spread([getattr(one, field) / getattr(other, field) for one, other in zip(mine, base, strict=True)])

    def values(self, row: str, contender: str, field: str) -> Spread | None:
        """Return a figure of a contender; None if it took no part."""
        turns = self.turns[row].get(contender)
        return spread([getattr(turn, field) for turn in turns]) if turns else None


def spread(values: list[float]) -> Spread:
    """Return median and extremes."""
    return Spread(statistics.median(values), min(values), max(values))


def order_of(number: int, names: list[str]) -> list[str]:
    """Return the order of the contenders in a round.

    Each round begins with another contender: while a machine slows down, the same one would lose each time.
    """
    first = number % len(names)
    return names[first:] + names[:first]
