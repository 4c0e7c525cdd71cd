"""Awaiting functions and bodies of the caller within the total timeout of a request."""

from __future__ import annotations

import math
from asyncio import get_running_loop
from collections.abc import Awaitable
from typing import TypeVar

from ..errors import TotalTimeout
from ..stream.scope import TimeLimit
from ..timeouts import Timeout

_T = TypeVar("_T")


async def await_in_time(given: Awaitable[_T], timeout: Timeout, deadline: float, label: str) -> _T:
    """Await the opening of a body or a function of the caller, and return its result.

    Args:
        given: the awaitable.
        timeout: its `total` is shown in the error text.
        deadline: loop time at which the request must be done.
        label: the destination of the request.

    Raises:
        TotalTimeout: it was not done by then.
    """
    if deadline == math.inf:
        return await given
    total = timeout.total or 0.0

    def build_error(_: float) -> TotalTimeout:
        return TotalTimeout(f"request not sent to {label} in {total:g} s", "total", total)

    async with TimeLimit(deadline - get_running_loop().time(), build_error):
        return await given
