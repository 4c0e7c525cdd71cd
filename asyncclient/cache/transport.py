"""The cache transport: requests are answered from stored responses where RFC 9111 allows it."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from ..arguments import check_number, check_type, known_arguments
from ..errors import HTTPException
from ..local_response import LocalResponse
from ..timeouts import Deadline
from ..transport import Transport, TransportRequest, TransportResponse, check_transport
from .entry import Entry, Pairs, list_varying, measure
from .response import StoringResponse
from .rules import CacheRequest, Rules, confirm, find_age, find_entry, is_fresh, keep_fields, view_response
from .store import MemoryStore, Store

MAX_ENTRY: Final = 8 * 1024 * 1024
"""Bytes of content that are stored, by default."""

CONDITION_NAMES: Final = ("if-none-match", "if-modified-since")
"""Fields that hishel adds to a request to have a stored response confirmed."""

ERRORS: Final = (500, 502, 503, 504)
"""Statuses that stale-if-error is for (RFC 5861 §4)."""

REFRESH_SECONDS: Final = 300.0
"""Limit of a confirmation in the background after a request without a total timeout."""

MAX_REFRESHES: Final = 64
"""Confirmations in the background at the same time; beyond that a stale response is confirmed first."""


class CacheStats(NamedTuple):
    """The answers of a cache so far.

    Attributes:
        hits: responses from the cache that were fresh.
        confirmed: responses from the cache after the server has confirmed them (status 304).
        stale: responses from the cache that were stale, as stale-while-revalidate or stale-if-error allow.
        misses: responses of the server to requests that a stored response could answer.
        stored: responses that were stored.
    """

    hits: int = 0
    confirmed: int = 0
    stale: int = 0
    misses: int = 0
    stored: int = 0


@known_arguments({})
class CacheTransport:
    """A transport that answers from stored responses, and sends the other requests by another transport.

    Args:
        transport: sends the requests.
        store: the stored responses; by default a MemoryStore of its own. It is closed with the transport.
        shared: the cache serves several users (RFC 9111 §1), so that nothing `private` is stored. By default it is
            private.
        max_entry_size: limit of stored content in bytes; larger responses are passed on only.

    Raises:
        ImportError: the library hishel is not installed.
        ValueError, TypeError: an argument that is invalid.
    """

    def __init__(
        self,
        transport: Transport,
        store: Store | None = None,
        *,
        shared: bool = False,
        max_entry_size: int = MAX_ENTRY,
    ) -> None:
        if importlib.util.find_spec("hishel") is None:
            raise ImportError("a cache needs the extra asyncclient-http[cache]")
        check_transport(transport)
        check_type("shared", shared, bool, "True or False")
        check_number("max_entry_size", max_entry_size, 0)
        if store is not None and not hasattr(type(store), "find"):
            raise TypeError(f"expected an object with the methods of a Store as store, got {type(store).__name__}")
        self._transport = transport
        self._store: Store = MemoryStore() if store is None else store
        self._rules = Rules(is_shared=shared)
        self._max_entry_size = max_entry_size
        self._stats = CacheStats()
        self._refreshes: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Return a stored response, or send the request; see Transport.send()."""
        asked = CacheRequest(request)
        if asked.is_unsafe:
            return await self._send_unsafe(request, asked)
        if asked.is_passed_on:
            return await self._transport.send(request)
        found = await self._store.find(asked.url)
        entries = [entry for entry in found if entry.is_for(asked.method, asked.headers)]
        return await self._answer(request, asked, entries)

    async def _answer(
        self, request: TransportRequest, asked: CacheRequest, entries: Sequence[Entry]
    ) -> TransportResponse:
        state = self._rules.begin(asked, entries)
        if is_fresh(state):
            response = await self._load(find_entry(entries, state), "hits")
            return await self._answer(request, asked, ()) if response is None else response  # it was removed meanwhile
        if "only-if-cached" in asked.directives:
            return LocalResponse(504)
        if self._rules.is_within("stale-while-revalidate", asked, entries) and self._refresh(request, asked, entries):
            response = await self._load(entries[-1], "stale")
            if response is not None:
                return response
        return await self._fetch(request, asked, entries, state)

    # Sending

    async def _fetch(
        self, request: TransportRequest, asked: CacheRequest, entries: Sequence[Entry], state: Any
    ) -> TransportResponse:
        """Send a request, with conditions if there are entries to confirm; `state` is hishel's for it."""
        conditions = [(name, value) for name, value in state.request.headers.items() if name in CONDITION_NAMES]
        started = time.time()
        try:
            raw = await self._transport.send(request.replace(headers=conditions))
        except (HTTPException, OSError):
            response = await self._use_stale(asked, entries)
            if response is None:
                raise
            return response
        try:
            if raw.status in ERRORS and (response := await self._use_stale(asked, entries)) is not None:
                raw.close()
                return response
            if raw.status == 304 and conditions:
                return await self._confirm(request, asked, entries, state, raw, started)
            return self._pass_on(asked, entries, state, raw, started)
        except BaseException:  # of a store, or a cancellation: the caller does not get the response
            raw.close()
            raise

    async def _use_stale(self, asked: CacheRequest, entries: Sequence[Entry]) -> LocalResponse | None:
        """Return a stale response after a failure, if stale-if-error allows that."""
        if self._rules.is_within("stale-if-error", asked, entries):
            return await self._load(entries[-1], "stale")
        return None

    async def _confirm(
        self,
        request: TransportRequest,
        asked: CacheRequest,
        entries: Sequence[Entry],
        state: Any,
        raw: TransportResponse,
        started: float,
    ) -> TransportResponse:
        """Return the stored response that a status 304 has confirmed, or send the request without conditions."""
        fields = raw.headers
        await raw.aclose()
        state = self._follow(entries, state.next(view_response(raw.status, fields)))
        for view in getattr(state, "updating_entries", ()):
            entry = confirm(next(entry for entry in entries if entry.id == view.id.int), fields, started)
            self._store.update(entry)
            response = await self._load(entry, "confirmed")
            if response is not None:
                return response
        return await self._fetch(request, asked, (), self._rules.begin(asked, ()))

    def _pass_on(
        self, asked: CacheRequest, entries: Sequence[Entry], state: Any, raw: TransportResponse, started: float
    ) -> TransportResponse:
        """Return the response of the server, which is stored as it is read if it may be."""
        self._count("misses")
        fields = raw.headers
        state = self._follow(entries, state.next(view_response(raw.status, fields)))
        vary = list_varying(fields, asked.headers)
        is_delimited = raw.length is not None or "transfer-encoding" in fields  # its end is certain (§3.3)
        if vary is None or not is_delimited or raw.upgraded is not None or (raw.length or 0) > self._max_entry_size:
            return raw
        if not self._rules.may_store(asked, raw.status, fields, state):
            return raw
        kept = keep_fields(fields.pairs(), state.response.headers)

        def complete(content: bytes, trailers: Pairs) -> None:
            size = measure(len(content), kept, trailers)
            entry = Entry(asked.method, asked.url, vary, raw.status, raw.reason, kept, trailers, started, size)
            self._store.put(entry, content)
            self._count("stored")

        return StoringResponse(raw, self._max_entry_size, complete)

    def _follow(self, entries: Sequence[Entry], state: Any) -> Any:
        """Remove the entries that hishel ends, and return its next state."""
        while hasattr(state, "entry_ids"):
            for number in state.entry_ids:
                self._store.remove(next(entry for entry in entries if entry.id == number.int))
            state = state.next()
        return state

    async def _load(self, entry: Entry, name: str) -> LocalResponse | None:
        """Return a stored response, counted by this name; None if it was removed."""
        content = await self._store.read(entry)
        if content is None:
            return None
        self._count(name)
        pairs = [pair for pair in entry.fields if pair[0].lower() != "age"]
        pairs.append(("Age", str(find_age(entry))))
        return LocalResponse(entry.status, headers=pairs, content=content, reason=entry.reason, trailers=entry.trailers)

    # In the background

    def _refresh(self, request: TransportRequest, asked: CacheRequest, entries: Sequence[Entry]) -> bool:
        """Confirm a stale response in the background, unless that is in progress; return False if there is no room."""
        key = (asked.method, asked.url)
        if key in self._refreshes:
            return True
        if len(self._refreshes) >= MAX_REFRESHES:
            return False
        loop = asyncio.get_running_loop()
        deadline = Deadline.after(request.deadline.total or REFRESH_SECONDS, loop.time())
        again = TransportRequest(request.head, request.destination, request.timeout, deadline)
        task = loop.create_task(self._fetch_all(again, asked, entries))
        self._refreshes[key] = task
        task.add_done_callback(lambda _: self._refreshes.pop(key, None))
        return True

    async def _fetch_all(self, request: TransportRequest, asked: CacheRequest, entries: Sequence[Entry]) -> None:
        """Send a request, and read the response if it is stored; a failure leaves the entry as it was."""
        with suppress(HTTPException, OSError):
            response = await self._fetch(request, asked, entries, self._rules.demand(asked, entries))
            if isinstance(response, StoringResponse):
                while not response.closed:
                    await response.read1()
            else:
                await response.aclose()

    async def _send_unsafe(self, request: TransportRequest, asked: CacheRequest) -> TransportResponse:
        """Send a request that may change the resource; unless that fails, its stored responses end (§4.4)."""
        raw = await self._transport.send(request)
        if raw.status < 400:
            for entry in await self._store.find(asked.url):
                self._store.remove(entry)
        return raw

    def _count(self, name: str) -> None:
        self._stats = self._stats._replace(**{name: getattr(self._stats, name) + 1})

    def stats(self) -> CacheStats:
        """Return how many answers the cache has given so far, by kind."""
        return self._stats

    async def aclose(self) -> None:
        """Cancel confirmations in the background, and close the other transport and the store."""
        tasks = list(self._refreshes.values())
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._transport.aclose()
        finally:
            await self._store.aclose()

    def __repr__(self) -> str:
        return f"<CacheTransport {self._store!r}, {self._transport!r}>"
