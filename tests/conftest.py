"""Applied to every test: the event loops it runs on, and a check that it leaves no task, socket or thread behind.

`--full` runs each async test on asyncio and on uvloop, hypothesis with all its examples, and the tests that are marked
`full`. Without it the folders and files in ONE_LOOP run on asyncio alone: their code is above the streams, where the
kind of loop makes no difference.

A server for several tests is a plain fixture that runs a thread or a process, because a loop belongs to one test. The
names of its threads begin with "server", which excludes them from the check.
"""

import asyncio
import gc
import importlib.util
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from asyncclient.testing.leaks import PATIENCE, PAUSE

pytest_plugins = ["pytester", "asyncclient.pytest_plugin", "tests.fixtures"]

FOLDERS_ON_ONE_LOOP = "blocking cache cli client compat contrib crawl exchange politeness testing tracing"
ONE_LOOP = {*FOLDERS_ON_ONE_LOOP.split(), "test_examples.py"}
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


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "run each async test on asyncio and on uvloop, hypothesis with all its examples, and the tests marked `full`"
    parser.addoption("--full", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    chosen = os.environ.get("HYPOTHESIS_PROFILE")
    settings.load_profile(chosen or ("full" if config.getoption("full") else "quick"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are marked `full`, unless --full is given."""
    if not config.getoption("full"):
        left_out = [item for item in items if item.get_closest_marker("full")]
        items[:] = [item for item in items if not item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(optionalhook=True)  # there is no such hook where pytest-xdist is not installed
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes for `-n auto`: three for two cores, as tests wait for a third of their time."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) * 3 // 2


def pytest_collection_finish() -> None:
    """Exclude what collecting 20,000 tests has made from every later gc.collect() (decision 41)."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def frozen_objects() -> Iterator[None]:
    """Exclude it from later gc.collect(): reports of tests pile up, and a call would take 90 ms instead of 5."""
    yield
    gc.collect()
    gc.freeze()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run an async test once per loop; @pytest.mark.asyncio(loop_factories=["asyncio"]) picks one."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if folder in ONE_LOOP and not config.getoption("full"):
        return {"asyncio": LOOPS["asyncio"]}
    return LOOPS


@pytest.fixture(autouse=True)
def no_thread_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread. The check runs last, when the loop and its executor are closed."""
    from asyncclient.pytest_plugin import has_failed  # pytest imports plugins itself, to rewrite their assertions

    before = set(threading.enumerate())
    yield
    if not has_failed(request) and new_threads(before):
        gc.collect()
        for _ in range(round(PATIENCE / PAUSE)):
            if not new_threads(before):
                break
            time.sleep(PAUSE)
        assert not new_threads(before), "threads left by the test"


@pytest.fixture(autouse=True)
def nothing_is_left(no_thread_is_left: None, asyncclient_no_leaks: None) -> None:
    """Fail a test that leaves a connection, a descriptor or a task."""


def new_threads(before: set[threading.Thread]) -> set[threading.Thread]:
    return {thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("server")}
