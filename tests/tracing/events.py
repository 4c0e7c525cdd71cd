"""A tracer that records every event, for the tests of tracing."""

from functools import partial
from typing import Any

from asyncclient import Tracer
from asyncclient.tracing.audience import EVENTS


class Events(Tracer):
    """Records each event as (name, arguments)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        for name in EVENTS:
            setattr(self, name, partial(self._note, name))

    def _note(self, name: str, *args: Any) -> None:
        self.told.append((name, args))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each event of a name."""
        return [args for told, args in self.told if told == name]
