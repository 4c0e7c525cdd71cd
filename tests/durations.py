"""Bounds of the time that a part of a test takes. They hold on a busy machine, which may stall a test for seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

STALL = 10.0
"""Seconds that a busy machine may stall a test."""
FOREVER = 60.0
"""Seconds of a time limit that does not pass in a test: a wait until then takes far longer than STALL."""


@contextmanager
def lasts(least: float = 0.0) -> Iterator[None]:
    """Fail unless the block takes at least these seconds, and at most STALL more.

    Loops may be a little early. The upper bound finds a wait that ends by another limit, or never: that other limit
    must be FOREVER, as a smaller one cannot be told from a stall.
    """
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    assert least * 0.9 <= seconds < least + STALL, f"took {seconds:.3f} s, expected {least:g} s"
