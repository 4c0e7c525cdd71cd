"""Fetching robots.txt, once per origin, and keeping its rules for a while (RFC 9309 §2.3, §2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Final, NamedTuple

from ..client.content.decoding import accept_encoding
from ..client.content.reader import ContentReader
from ..client.network import is_asked
from ..client.proxy.proxies import Proxy
from ..client.redirects import decide_redirect, find_location
from ..errors import ClientClosed, HTTPException, RedirectError, clip, copy_error
from ..message.request import RequestHead
from ..message.target import build_authority
from ..message.url import DEFAULT_PORTS, URL, build_url, parse_url
from ..stream.deadlines import TimeLimit
from ..timeouts import NEVER
from ..transport import Destination, Origin, TransportRequest, TransportResponse
from .errors import HostResting, RobotsDisallowed
from .robots import MAX_SIZE, UNAVAILABLE, UNREACHABLE, FixedRules, Robots, RobotsFile
from .schedule import Schedule

MAX_REDIRECTS: Final = 5
"""Redirects that are followed from a robots.txt; after more of them it counts as missing (RFC 9309 §2.3.1.2)."""

MAX_KEPT: Final = 4 * 1024 * 1024
"""Characters of all files that are kept, some 9,000 usual files; parsed, they take 10 to 40 times as much. Beyond it
the oldest file is dropped, and fetched again when it is needed."""

SIZE_OF_ENTRY: Final = 64
"""Characters that a file counts in addition to its own, so that missing files are limited, too."""

Send = Callable[[TransportRequest, float], Awaitable[TransportResponse]]
"""Sends a request before those that wait; the number is its timeout in seconds, from when it may be sent."""


class _Entry(NamedTuple):
    """The rules of an origin until a time of the clock; `cause` says why its file could not be fetched, or is empty."""

    file: RobotsFile | FixedRules
    until: float
    cause: str = ""


class _Loading:
    """A file that is being fetched, and how many requests wait for it. The task returns an error instead of raising."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[_Entry | Exception]) -> None:
        self.task = task
        self.waiters = 0


class RobotsCache:
    """The robots.txt of each origin.

    Args:
        settings: the agent, and how long a file is used.
        schedule: its clock and its loop are used.
        send: sends a request for a file.

    Raises:
        ImportError: protego is not installed.
    """

    def __init__(self, settings: Robots, schedule: Schedule, send: Send) -> None:
        if find_spec("protego") is None:
            raise ImportError("robots.txt needs protego: install asyncclient-http[crawl]", name="protego")
        self._settings = settings
        self._schedule = schedule
        self._send = send
        self._known: dict[Origin, _Entry] = {}
        self._kept = 0
        self._loading: dict[Origin, _Loading] = {}

    async def check(self, request: TransportRequest) -> float:
        """Return the Crawl-delay in seconds for the origin of a request.

        Raises:
            RobotsDisallowed: the URL is not allowed.
            TotalTimeout: the deadline of the request has passed before the file was fetched.
            HostResting, CircuitOpen, ClientClosed: the file can't be fetched now.
        """
        if request.target.partition("?")[0] == "/robots.txt":
            return 0.0  # implicitly allowed (RFC 9309 §2.2.2)
        loop, origin = self._schedule.check_loop(), request.destination.origin
        entry = self._known.get(origin)
        if entry is None or entry.until <= self._schedule.now():
            entry = await self._wait(loop, origin, request)
        if not entry.file.allows(request.url):
            raise _build_error(request, entry)
        return entry.file.crawl_delay

    def find_sitemaps(self, origin: Origin) -> list[str]:
        """Return the URLs of the sitemaps in the robots.txt of an origin, if that was fetched."""
        entry = self._known.get(origin)
        return [] if entry is None else [*entry.file.sitemaps]

    async def _wait(self, loop: asyncio.AbstractEventLoop, origin: Origin, request: TransportRequest) -> _Entry:
        """Return the rules of an origin; its file is fetched once for all requests that wait for it."""
        loading = self._loading.get(origin)
        if loading is None:
            loading = self._loading[origin] = _Loading(loop.create_task(self._load(origin, request)))
        loading.waiters += 1
        try:
            with TimeLimit.until(request.deadline, f"no robots.txt from {request.destination.host}"):
                await asyncio.wait((loading.task,))
        finally:
            loading.waiters -= 1
            if not loading.waiters and not loading.task.done():
                self._loading.pop(origin, None)
                loading.task.cancel()
        if loading.task.cancelled():
            raise ClientClosed("the client was closed meanwhile")
        result = loading.task.result()
        if isinstance(result, Exception):
            raise copy_error(result)  # each request gets an error of its own
        return result

    async def _load(self, origin: Origin, request: TransportRequest) -> _Entry | Exception:
        try:
            entry = await self._fetch(request)
        except Exception as error:
            return error.with_traceback(None)
        finally:
            loading = self._loading.get(origin)
            if loading is not None and loading.task is asyncio.current_task():
                del self._loading[origin]
        self._keep(origin, entry)
        return entry

    async def _fetch(self, request: TransportRequest) -> _Entry:
        """Fetch a file; one that can't be fetched is used for a shorter time."""
        now = self._schedule.now
        try:
            file = await self._follow(request)
        except (HostResting, ClientClosed):
            raise  # it was not tried
        except (HTTPException, OSError) as error:
            return _Entry(UNREACHABLE, now() + self._settings.retry, clip(str(error)))
        if isinstance(file, int):
            return _Entry(UNREACHABLE, now() + self._settings.retry, f"status {file}")
        return _Entry(file, now() + self._settings.ttl)

    async def _follow(self, request: TransportRequest) -> RobotsFile | FixedRules | int:
        """Follow redirects to the file and read it; return the status if the server can't answer now."""
        settings, url = self._settings, URL(*request.destination.origin, "/robots.txt")
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(build_robots_request(request, url, settings.agent), settings.timeout)
            try:
                status = response.status
                if 200 <= status <= 299:
                    return RobotsFile(await read_text(response), settings.token)
                if status >= 500 or status == 429:
                    return status
                following = decide_redirect("GET", build_url(url), status, find_location(response.headers))
            except RedirectError:
                break
            finally:
                await response.aclose()
            if following is None:
                break
            url = parse_url(following.url)
        return UNAVAILABLE

    def _keep(self, origin: Origin, entry: _Entry) -> None:
        known = self._known
        self._drop(origin)
        known[origin] = entry
        self._kept += SIZE_OF_ENTRY + entry.file.size
        while self._kept > MAX_KEPT and len(known) > 1:
            self._drop(next(iter(known)))

    def _drop(self, origin: Origin) -> None:
        entry = self._known.pop(origin, None)
        if entry is not None:
            self._kept -= SIZE_OF_ENTRY + entry.file.size

    async def aclose(self) -> None:
        """Cancel what is being fetched."""
        tasks = [loading.task for loading in self._loading.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def build_robots_request(request: TransportRequest, url: URL, agent: str) -> TransportRequest:
    """Return the request for a robots.txt: with the User-Agent and by the proxy of the request that waits for it."""
    proxy = request.destination.proxy
    authority = build_authority(url.host, url.port, DEFAULT_PORTS[url.scheme])
    is_whole = isinstance(proxy, Proxy) and is_asked(proxy, url.scheme)  # the proxy gets the whole URL
    head = RequestHead("GET", f"http://{authority}{url.target}" if is_whole else url.target)
    fields = request.headers
    head.add("Host", authority)
    head.add("User-Agent", fields.get("user-agent") or agent)
    head.add("Accept", "text/plain, */*;q=0.5")
    head.add("Accept-Encoding", accept_encoding())
    if is_whole and (credentials := fields.get("proxy-authorization")):
        head.add("Proxy-Authorization", credentials)
    return TransportRequest(head, Destination(*url[:3], proxy), request.timeout, NEVER)


async def read_text(response: TransportResponse) -> str:
    """Return the content of a robots.txt, decoded; of a longer one the whole lines within MAX_SIZE.

    Raises:
        HTTPException, OSError: it could not be read.
    """
    reader = ContentReader(response, response.headers.get("content-encoding"), None, None)
    data = bytearray()
    while len(data) <= MAX_SIZE and (part := await reader.read1()):
        data += part
    if len(data) > MAX_SIZE:
        del data[data.rfind(b"\n", 0, MAX_SIZE) + 1 :]
    return data.decode("utf-8-sig", "replace")


def _build_error(request: TransportRequest, entry: _Entry) -> RobotsDisallowed:
    scheme, host, port = request.destination.origin
    name = f"robots.txt of {scheme}://{build_authority(host, port, DEFAULT_PORTS[scheme])}"
    if entry.cause:
        text = f"{name} could not be fetched, so nothing there is allowed for now: {entry.cause}"
    else:
        text = f"{name} does not allow {clip(request.target.partition('?')[0])}"
    return RobotsDisallowed(text, request.url, is_unreachable=bool(entry.cause))
