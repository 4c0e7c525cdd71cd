"""How the time for something grows with its size, by the CPU of the thread: other work on the machine adds nothing."""

import gc
import time
from collections.abc import Callable
from contextlib import suppress

from asyncclient.errors import HTTPException

NOISE = 0.0005  # seconds: what is faster than this has grown enough already to be harmless


def measure_seconds(call: Callable[[], object]) -> float:
    """CPU of the shortest of three runs, without the collector, whose work grows with what other tests have left."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(3):
            begin = time.thread_time()
            with suppress(HTTPException, ValueError):
                call()
            best = min(best, time.thread_time() - begin)
    finally:
        gc.enable()
    return best


def assert_grows_less(make: Callable[[int], Callable[[], object]], small: int, times: int, bound: float) -> None:
    """The call that is made for `times` the size takes less than `bound` times as long as for the small one."""
    first, second = make(small), make(small * times)
    growths = (measure_seconds(second) / max(measure_seconds(first), NOISE / times) for _ in range(3))
    assert any(growth < bound for growth in growths)
