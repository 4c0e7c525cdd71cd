"""A fetcher on each worker of a cluster, and how the crawler talks to it.

The crawler calls functions on workers by `distributed.Client.run`: they run as coroutines on the worker's loop, outside
of its tasks and threads, and the messages pass through the scheduler, so that the crawler needs no way to the workers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from distributed.diagnostics.plugin import WorkerPlugin
from distributed.protocol import pickle

from ...errors import clip
from .fetcher import Fetcher, Settings, Yield
from .page import Report, unpack_entry

if TYPE_CHECKING:
    from distributed import Worker


# dask's pickle also takes functions of a program's main module; it has no annotations.
_dumps: Callable[[object], bytes] = pickle.dumps
_loads: Callable[[bytes], object] = pickle.loads


class FetchPlugin(WorkerPlugin):
    """Opens a fetcher on each worker that is there or joins, and closes it with the worker.

    Args:
        name: the name of the crawl: of the plugin, and of the topic by which workers say that they are ready.
        settings: how to fetch.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._fetcher: Fetcher | None = None

    @property
    def fetcher(self) -> Fetcher:
        """The fetcher of this worker."""
        assert self._fetcher is not None
        return self._fetcher

    async def setup(self, worker: Worker) -> None:
        """Open the fetcher, and tell the crawler."""
        self._fetcher = Fetcher(self._settings, str(worker.name))
        worker.log_event(self.name, {"worker": worker.address})

    async def teardown(self, worker: Worker) -> None:
        """Close the fetcher."""
        if self._fetcher is not None:
            await self._fetcher.aclose()


async def exchange(
    name: str,
    entries: list[tuple[Any, ...]],
    recalled: list[str] | None,
    most: int,
    linger: float,
    patience: float,
    *,
    dask_worker: Worker,
) -> bytes | Exception:
    """Give entries to the fetcher of this worker, and return a pickle of a Yield.

    An error is returned: dask would log one that is raised here, and it could not be told from a lost connection.
    """
    plugin = dask_worker.plugins.get(name)
    if not isinstance(plugin, FetchPlugin):  # the worker closes
        return pack(Yield([], {}, is_closing=True))
    try:
        plugin.fetcher.recall(recalled)
        plugin.fetcher.give(map(unpack_entry, entries))
        return pack(await plugin.fetcher.take(most, linger, patience))
    except Exception as error:
        return error


def pack(found: Yield) -> bytes:
    """Return a pickle. A page whose value can't be pickled is returned as failed, without it."""
    try:
        return _dumps(found)
    except Exception:
        return _dumps(found._replace(reports=[_check(report) for report in found.reports]))


def _check(report: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a report that can be pickled."""
    try:
        _dumps(report)
    except Exception as error:
        found = Report(*report)
        return tuple(found._replace(value=None, reason=f"on_page: {type(error).__name__}: {clip(str(error))}"))
    return report


def unpack(data: bytes | Exception) -> Yield:
    """Return the Yield of a pickle.

    Raises:
        Exception: the error that was returned instead.
    """
    if isinstance(data, Exception):
        raise data
    found = _loads(data)
    assert isinstance(found, Yield)
    return found
