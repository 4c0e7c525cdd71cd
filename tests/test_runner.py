"""asyncclient.run(): a coroutine on the fastest loop, and clear errors where that is impossible."""

import asyncio
from typing import Any

import pytest

import asyncclient


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


def test_the_result_of_a_coroutine() -> None:
    assert asyncclient.run(give(5)) == 5


def test_inside_a_running_loop_the_coroutine_is_closed_without_a_warning() -> None:
    async def main() -> None:
        coroutine = give(5)
        with pytest.raises(RuntimeError, match="event loop is running: await the coroutine there"):
            asyncclient.run(coroutine)
        with pytest.raises(RuntimeError, match="cannot reuse"):  # it was closed
            await coroutine

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [give, None, 5])
def test_anything_but_a_coroutine_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a coroutine, such as main\(\), got "):
        asyncclient.run(wrong)
