"""What holds for every test: it runs on asyncio and on uvloop, and it leaves no task, socket or thread behind.

A server for more than one test is a plain fixture that runs a thread or a process: a loop belongs to one test. Its
threads, and those it starts later, carry a name that begins with "server", and are not counted.
"""

import asyncio
import gc
import importlib.util
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator

import pytest
from hypothesis import settings
from pytest_asyncio import is_async_test

pytest_plugins = ["tests.fixtures"]

for name in [*os.environ]:
    if name.lower().endswith("_proxy"):  # of whoever runs the tests: a client would go through it
        del os.environ[name]

PATIENCE = 2.0  # seconds for a peer in another thread to see that a connection was closed

settings.register_profile("default", max_examples=50, deadline=None)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("fuzz", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

FAILED = pytest.StashKey[bool]()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every async test once per loop; @pytest.mark.asyncio(loop_factories=["asyncio"]) picks one."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop"):
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed: its traceback keeps alive what it opened, and that says nothing."""
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(autouse=True)
def no_thread_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread; it looks last, when the loop and its executor are gone."""
    before = set(threading.enumerate())
    yield
    if not request.node.stash.get(FAILED, False):
        wait_until_empty("threads", lambda: {str(thread) for thread in new_threads(before)})


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest, no_thread_is_left: None) -> Iterator[None]:
    """Fail a test that leaves a socket, or a task."""
    if is_async_test(request.node):
        request.getfixturevalue("nothing_is_left_on_the_loop")
        yield
        return
    before = open_sockets()
    yield
    if not request.node.stash.get(FAILED, False):
        wait_until_empty("sockets", lambda: new_sockets(before))


@pytest.fixture
async def nothing_is_left_on_the_loop(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Look from inside the loop, whose own sockets are there before and after."""
    sockets, tasks = open_sockets(), asyncio.all_tasks()
    yield
    if request.node.stash.get(FAILED, False):
        return
    this = asyncio.current_task()
    await settle("tasks", lambda: {str(task) for task in asyncio.all_tasks() - tasks if task is not this})
    await settle("sockets", lambda: new_sockets(sockets))


def open_sockets() -> set[str]:
    """The sockets of this process as the kernel names them; none where there is no /proc."""
    names = set()
    for descriptor in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            names.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:  # listdir's own descriptor, closed by now
            pass
    return {name for name in names if name.startswith("socket:")}


def new_sockets(before: set[str]) -> set[str]:
    """The sockets that came, if there are more than before: uvloop exchanges its own with each run_until_complete."""
    now = open_sockets()
    return now - before if len(now) > len(before) else set()


def new_threads(before: set[threading.Thread]) -> set[threading.Thread]:
    return {thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("server")}


def wait_until_empty(what: str, left: Callable[[], set[str]]) -> None:
    for _ in attempts(left):
        time.sleep(0.01)
    if left():
        pytest.fail(f"{what} left by the test: {', '.join(sorted(left()))}")


async def settle(what: str, left: Callable[[], set[str]]) -> None:
    """The same on the loop, which closes a transport one turn after close()."""
    for _ in range(3):
        await asyncio.sleep(0)
    for _ in attempts(left):
        await asyncio.sleep(0.01)
    if left():
        pytest.fail(f"{what} left by the test: {', '.join(sorted(left()))}")


def attempts(left: Callable[[], set[str]]) -> Iterator[None]:
    """Yield while something is left, for PATIENCE; collect garbage first, and only if there is a reason to."""
    if not left():
        return
    gc.collect()
    deadline = time.monotonic() + PATIENCE
    while left() and time.monotonic() < deadline:
        yield
