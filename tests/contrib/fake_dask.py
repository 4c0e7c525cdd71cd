"""The part of a dask client that a crawl uses, with workers in this process that can be lost at any moment."""

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

from asyncclient.contrib.dask.plugin import FetchPlugin


class FakeWorker:
    """A worker: a loop with plugins."""

    def __init__(self, name: str, topic: Callable[[str, Any], None]) -> None:
        self.name = name
        self.address = f"tcp://{name}"
        self.plugins: dict[str, FetchPlugin] = {}
        self.calls: set[asyncio.Task[Any]] = set()
        self.log_event = topic

    async def install(self, name: str, plugin: bytes) -> None:
        self.plugins[name] = pickle.loads(plugin)
        await self.plugins[name].setup(self)  # type: ignore[arg-type]

    async def remove(self, name: str) -> None:
        await self.plugins.pop(name).teardown(self)  # type: ignore[arg-type]


class FakeDask:
    """A client with asynchronous=True, and its scheduler."""

    asynchronous = True

    def __init__(self) -> None:
        self.status = "running"
        self.workers: dict[str, FakeWorker] = {}
        self._handlers: dict[str, Callable[[Any], None]] = {}
        self._plugins: dict[str, bytes] = {}

    # The cluster

    async def add_worker(self, name: str) -> FakeWorker:
        """Let a worker join."""
        worker = FakeWorker(name, self._publish)
        self.workers[worker.address] = worker
        for plugin, data in self._plugins.items():
            await worker.install(plugin, data)
        return worker

    async def kill_worker(self, address: str) -> None:
        """Lose a worker, whose requests and calls end at once."""
        worker = self.workers.pop(address)
        calls = list(worker.calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for name in [*worker.plugins]:
            await worker.remove(name)

    async def close_worker(self, address: str) -> None:
        """Let a worker close in an orderly way: its calls return first."""
        worker = self.workers[address]
        for name in [*worker.plugins]:
            await worker.remove(name)
        del self.workers[address]

    def _publish(self, topic: str, message: Any) -> None:
        handler = self._handlers.get(topic)
        if handler is not None:
            asyncio.get_running_loop().call_soon(handler, (0.0, message))

    # dask's interface

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self._handlers[topic] = handler

    def unsubscribe_topic(self, topic: str) -> None:
        del self._handlers[topic]

    async def log_event(self, topic: str, message: Any) -> None:
        self._publish(topic, message)

    async def register_plugin(self, plugin: FetchPlugin, name: str) -> dict[str, Any]:
        self._plugins[name] = pickle.dumps(plugin)
        for worker in [*self.workers.values()]:
            await worker.install(name, self._plugins[name])
        return dict.fromkeys(self.workers)

    async def unregister_worker_plugin(self, name: str) -> None:
        del self._plugins[name]
        for worker in [*self.workers.values()]:
            await worker.remove(name)

    async def run(self, function: Callable[..., Any], *args: Any, workers: list[str]) -> dict[str, Any]:
        worker = self.workers.get(workers[0])
        if worker is None:
            raise ConnectionRefusedError("no such worker")
        call = asyncio.create_task(function(*pickle.loads(pickle.dumps(args)), dask_worker=worker))
        worker.calls.add(call)
        call.add_done_callback(worker.calls.discard)
        await asyncio.wait((call,))
        if call.cancelled():
            raise ConnectionResetError("the worker is lost")
        return {worker.address: call.result()}
