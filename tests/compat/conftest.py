"""What holds for every test of compat: each private loop is back in the free list, at rest, when the test is over."""

from collections.abc import Iterator

import pytest

from compat import runner


@pytest.fixture(autouse=True)
def loops_are_back(nothing_is_left: None) -> Iterator[None]:
    """Close the free loops: one that is not among them shows as two sockets that the test has left."""
    yield
    while runner._free:
        loop = runner._free.pop()
        assert not loop.is_closed()
        assert not loop.is_running()
        loop.close()
