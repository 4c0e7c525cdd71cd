"""Applied to every test: the event loops it runs on, and a check that it leaves no task, socket or thread behind.

`--full` runs each async test on asyncio and on uvloop, and hypothesis with all its examples. Without it the folders in
ONE_LOOP run on asyncio alone: their code is above the streams, where the kind of loop makes no difference.

A server for several tests is a plain fixture that runs a thread or a process, because a loop belongs to one test. The
names of its threads begin with "server", which excludes them from the check.
"""

import asyncio
import gc
import importlib.util
import os
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_asyncio import is_async_test

from tests.durations import STALL

pytest_plugins = ["tests.fixtures"]

ONE_LOOP = {"blocking", "cache", "client", "compat", "crawl", "politeness", "testing"}
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if importlib.util.find_spec("uvloop"):
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop

for name in [*os.environ]:
    if name.lower().endswith("_proxy"):  # settings of the user's shell, which a client would follow
        del os.environ[name]


settings.register_profile("quick", max_examples=10, deadline=None)
settings.register_profile("full", settings.get_profile("quick"), max_examples=50)
settings.register_profile("ci", settings.get_profile("full"), derandomize=True, print_blob=True)
settings.register_profile("fuzz", settings.get_profile("full"), max_examples=2000)

gc.disable()  # until all tests are collected, which takes a third longer with it

FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    text = (
        "run each async test on asyncio and on uvloop, and hypothesis with all its examples (default: see conftest.py)"
    )
    parser.addoption("--full", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    chosen = os.environ.get("HYPOTHESIS_PROFILE")
    settings.load_profile(chosen or ("full" if config.getoption("full") else "quick"))


@pytest.hookimpl(optionalhook=True)  # there is no such hook where pytest-xdist is not installed
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes for `-n auto`: three for two cores, as tests wait for a third of their time."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) * 3 // 2


def pytest_collection_finish() -> None:
    """Exclude what collecting 20,000 tests has made from every later gc.collect() (decision 41)."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run an async test once per loop; @pytest.mark.asyncio(loop_factories=["asyncio"]) picks one."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if folder in ONE_LOOP and not config.getoption("full"):
        return {"asyncio": LOOPS["asyncio"]}
    return LOOPS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed: its traceback keeps alive what the test opened, so the check would find that."""
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(autouse=True)
def no_thread_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread. The check runs last, when the loop and its executor are closed."""
    before = set(threading.enumerate())
    yield
    if not request.node.stash.get(FAILED, False):
        wait_until_empty("threads", lambda: {str(thread) for thread in new_threads(before)})


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest, no_thread_is_left: None) -> Iterator[None]:
    """Fail a test that leaves a socket or a task."""
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
    """Check from inside the loop, whose own sockets are open before and after the test."""
    sockets, tasks = open_sockets(), asyncio.all_tasks()
    yield
    if request.node.stash.get(FAILED, False):
        return
    this = asyncio.current_task()
    await wait_on_the_loop("tasks", lambda: {str(task) for task in asyncio.all_tasks() - tasks if task is not this})
    await wait_on_the_loop("sockets", lambda: new_sockets(sockets))


def open_sockets() -> set[int]:
    """Return the inode numbers of this process's sockets; empty where there is no /proc."""
    numbers = set()
    for descriptor in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            status = os.fstat(int(descriptor))
        except OSError:  # the descriptor of listdir itself, which is closed by now
            continue
        if stat.S_ISSOCK(status.st_mode):
            numbers.add(status.st_ino)
    return numbers


def new_sockets(before: set[int]) -> set[str]:
    """Return the new sockets if there are more than before: uvloop replaces its own in each run_until_complete()."""
    now = open_sockets()
    return {f"socket:[{number}]" for number in now - before} if len(now) > len(before) else set()


def new_threads(before: set[threading.Thread]) -> set[threading.Thread]:
    return {thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("server")}


def wait_until_empty(kind: str, left: Callable[[], set[str]]) -> None:
    """Fail if the test has left anything of this kind after the time of a stall."""
    for _ in attempts(left):
        time.sleep(0.01)
    if left():
        pytest.fail(f"{kind} left by the test: {', '.join(sorted(left()))}")


async def wait_on_the_loop(kind: str, left: Callable[[], set[str]]) -> None:
    """Like wait_until_empty(), in a coroutine: the loop closes a transport one turn after close()."""
    for _ in range(3):
        await asyncio.sleep(0)
    for _ in attempts(left):
        await asyncio.sleep(0.01)
    if left():
        pytest.fail(f"{kind} left by the test: {', '.join(sorted(left()))}")


def attempts(left: Callable[[], set[str]]) -> Iterator[None]:
    """Yield while something is left, for the time of a stall. Garbage is collected first if something is left."""
    if not left():
        return
    gc.collect()
    deadline = time.monotonic() + STALL
    while left() and time.monotonic() < deadline:
        yield
