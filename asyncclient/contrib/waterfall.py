"""A waterfall: when requests waited, connected, sent and received, as text for a terminal or as SVG.

    bars = list_bars(responses)
    print(as_text(bars, width=100))

A `Waterfall` tracer collects the bars of a client, also those of requests that fail.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Final, NamedTuple

from ..client.response import Response
from ..timings import Timings
from ..tracing.logs import mask_query
from ..tracing.trace import Resend, Trace
from ..tracing.tracer import Tracer


class Phase(NamedTuple):
    """A kind of time: its name, its sign in text, and its colour in SVG."""

    name: str
    sign: str
    colour: str


PHASES: Final = (
    Phase("queued", "·", "#b0b7c3"),
    Phase("resolve", "d", "#2a9d8f"),
    Phase("connect", "c", "#e9a03b"),
    Phase("tunnel", "=", "#5c677d"),
    Phase("tls", "t", "#8e5bb5"),
    Phase("send", "s", "#d1495b"),
    Phase("wait", "-", "#7fb069"),
    Phase("receive", "█", "#2f6fb0"),
)
"""The phases of a request, in their order."""

ROW: Final = 20
"""Height of a row in SVG."""

LETTER: Final = 7
"""Width of a letter in SVG."""

STYLE: Final = "text { fill: #444 } @media (prefers-color-scheme: dark) { text { fill: #ddd } }"
"""The colour of the text in SVG, on a light and on a dark page."""

LABEL_SHARE: Final = 0.4
"""The share of the width that labels may take."""


class Bar(NamedTuple):
    """One attempt of a request.

    Attributes:
        label: what is shown beside it.
        started: when it began, by time.monotonic().
        phases: the name and the seconds of each phase, in order.
        result: the status, or the class of the error.
    """

    label: str
    started: float
    phases: tuple[tuple[str, float], ...]
    result: str

    @property
    def seconds(self) -> float:
        """The whole duration."""
        return sum(seconds for _, seconds in self.phases)


def list_phases(timings: Timings) -> tuple[tuple[str, float], ...]:
    """Return the name and the seconds of each phase that happened."""
    opening = [(name, getattr(timings, name) or 0.0) for name in ("resolve", "connect", "tunnel", "tls")]
    opened = min(sum(seconds for _, seconds in opening), timings.sent or 0.0)
    ends = [opened]
    for end in (timings.sent, timings.first_byte, timings.done):
        ends.append(max(ends[-1], end or 0.0))
    later = [later - earlier for earlier, later in pairwise(ends)]
    found = [("queued", timings.queued or 0.0), *opening, *zip(("send", "wait", "receive"), later, strict=True)]
    return tuple((name, seconds) for name, seconds in found if seconds > 0)


def _list_all(timings: Timings | None, waited: float) -> tuple[tuple[str, float], ...]:
    """Return the phases of an attempt that has waited elsewhere before it came to the pool."""
    phases = () if timings is None else list_phases(timings)
    if waited <= 0:
        return phases
    for_pool = sum(seconds for name, seconds in phases if name == "queued")
    return (("queued", waited + for_pool), *(phase for phase in phases if phase[0] != "queued"))


def list_bars(responses: Iterable[Response]) -> list[Bar]:
    """Return the bars of responses whose content was read, each after those of its redirects."""
    return [
        Bar(
            f"{response.request.method} {mask_query(response.url)}",
            response.timings.started,
            list_phases(response.timings),
            str(response.status),
        )
        for last in responses
        for response in (*last.history, last)
    ]


class Waterfall(Tracer):
    """A tracer that collects a bar for each attempt: `Client(tracers=[waterfall])`.

    A bar begins when the request was asked for. `queued` includes the wait of `Polite`, which `Response.timings` do not
    have: bars of list_bars() begin after it.

    Attributes:
        bars: those of attempts that have ended.
    """

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self._started: dict[Trace, float] = {}
        self._waited: dict[Trace, float] = {}

    def attempt_started(self, trace: Trace) -> None:
        """Note the time."""
        self._started[trace] = time.monotonic()

    def queue_left(self, trace: Trace, queue: str, seconds: float) -> None:
        """Note the wait of `Polite`; that for a connection is in the timings."""
        if queue == "politeness":
            self._waited[trace] = self._waited.get(trace, 0.0) + seconds

    def request_resent(self, trace: Trace, resend: Resend) -> None:
        """Add the bar of the attempt before."""
        self._add(trace, resend.error)

    def request_ended(self, trace: Trace, error: BaseException | None) -> None:
        """Add the bar of the last attempt."""
        self._add(trace, error)

    def _add(self, trace: Trace, error: BaseException | None) -> None:
        started, waited = self._started.pop(trace, None), self._waited.pop(trace, 0.0)
        if started is None:
            return
        phases = _list_all(trace.timings, waited)
        missing = time.monotonic() - started - sum(seconds for _, seconds in phases)
        if error is not None and missing > 0:
            phases = (*phases, ("wait", missing))
        result = str(trace.status) if error is None else type(error).__name__
        self.bars.append(Bar(f"{trace.method} {mask_query(trace.url)}", started, phases, result))


def as_text(bars: Sequence[Bar], width: int = 100) -> str:
    """Return a line for each bar, by its start, and the meaning of the signs; from 60 on none is longer than width."""
    if not bars:
        return ""
    bars = sorted(bars, key=_started_of)
    start, total = _find_span(bars)
    tails = [f" {bar.result:>5} {1000 * bar.seconds:8.1f} ms" for bar in bars]
    labels = min(max(len(bar.label) for bar in bars), int(width * LABEL_SHARE))
    room = max(width - labels - max(map(len, tails)) - 1, 10)
    lines = [
        f"{_clip(bar.label, labels):<{labels}} {_draw(bar, start, room / total):<{room}}{tail}"
        for bar, tail in zip(bars, tails, strict=True)
    ]
    return "\n".join([*lines, *_list_signs(width)])


def _list_signs(width: int) -> Iterator[str]:
    """Yield lines with the meaning of the signs."""
    line = ""
    for phase in PHASES:
        text = f"{phase.sign} {phase.name}"
        if line and len(line) + len(text) + 2 > width:
            yield line
            line = ""
        line += f"  {text}" if line else text
    yield line


def _draw(bar: Bar, start: float, scale: float) -> str:
    signs = {phase.name: phase.sign for phase in PHASES}
    at = (bar.started - start) * scale
    text = " " * round(at)
    for name, seconds in bar.phases:
        at += seconds * scale
        text += signs[name] * (round(at) - len(text))
    return text or signs["receive"]


def as_svg(bars: Sequence[Bar], width: int = 900) -> str:
    """Return an SVG image of the bars, by their start, with the duration of each phase as a title."""
    bars = sorted(bars, key=_started_of)
    start, total = _find_span(bars)
    longest = max((len(bar.label) for bar in bars), default=0)
    left = min(int(width * LABEL_SHARE), LETTER * longest + 8)
    scale = (width - left - 120) / total
    rows = [line for number, bar in enumerate(bars) for line in _draw_row(bar, number * ROW, start, left, scale)]
    bottom = (len(bars) + 1) * ROW
    step = min(100, width // len(PHASES))
    legend = [
        f'<rect x="{step * n + 4}" y="{bottom - 13}" width="10" height="10" fill="{phase.colour}"/>'
        f'<text x="{step * n + 18}" y="{bottom - 4}">{phase.name}</text>'
        for n, phase in enumerate(PHASES)
    ]
    size = f'width="{width}" height="{bottom}" viewBox="0 0 {width} {bottom}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="12" font-family="sans-serif">'
    return "\n".join([head, f"<style>{STYLE}</style>", *rows, *legend, "</svg>", ""])


def _draw_row(bar: Bar, top: int, start: float, left: int, scale: float) -> list[str]:
    colours = {phase.name: phase.colour for phase in PHASES}
    at = left + (bar.started - start) * scale
    lines = [f'<text x="4" y="{top + 14}">{escape(_clip(bar.label, left // LETTER))}</text>']
    for name, seconds in bar.phases:
        lines.append(
            f'<rect x="{at:.1f}" y="{top + 3}" width="{max(seconds * scale, 0.5):.1f}" height="{ROW - 6}" '
            f'fill="{colours[name]}"><title>{name} {1000 * seconds:.1f} ms</title></rect>'
        )
        at += seconds * scale
    text = f"{bar.result} {1000 * bar.seconds:.0f} ms"
    return [*lines, f'<text x="{at + 6:.1f}" y="{top + 14}">{escape(text)}</text>']


def _started_of(bar: Bar) -> float:
    return bar.started


def _find_span(bars: Sequence[Bar]) -> tuple[float, float]:
    """Return when the first bar begins, and the seconds until the last one ends."""
    start = min((bar.started for bar in bars), default=0.0)
    end = max((bar.started + bar.seconds for bar in bars), default=0.0)
    return start, max(end - start, 1e-9)


def _clip(text: str, size: int) -> str:
    """Return text of at most this size; the middle is left out, as the end of a URL tells most."""
    first = max(size - 1, 0) // 3
    last = max(size - 1 - first, 0)
    return text if len(text) <= size else f"{text[:first]}…{text[len(text) - last :]}"
