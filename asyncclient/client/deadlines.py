"""Awaiting functions and bodies of the caller within the total timeout of a request."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from ..stream.deadlines import TimeLimit
from ..timeouts import Deadline

_T = TypeVar("_T")


async def await_in_time(given: Awaitable[_T], deadline: Deadline, label: str) -> _T:
    """Await the opening of a body or a function of the caller, and return its result.

    Args:
        given: the awaitable.
        deadline: when the request must be done.
        label: the destination of the request.

    Raises:
        TotalTimeout: it was not done by then.
    """
    with TimeLimit.until(deadline, f"request not sent to {label}"):
        return await given
