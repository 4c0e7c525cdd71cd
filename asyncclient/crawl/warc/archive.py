"""An archive of exchanges in WARC files: its transport has them recorded, and worker threads write them.

The rules kept:
- The loop never waits for the disk. Exchanges that have ended join a queue; one task at a time passes them to a
  thread, so that they are written in their order.
- Memory is bounded: while more than `max_pending` bytes wait to be written, no further request is sent.
- An exchange is in the queue before its caller has the end of the response, so that flush() finds it there.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections import deque
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ...arguments import check_number, check_type, known_arguments, list_collection
from ...errors import clip
from ...message import syntax
from ...recording import Recording
from ...stream.files import offload
from ...timeouts import Deadline
from ...transport import Transport, TransportRequest, TransportResponse, check_transport
from .files import Files
from .records import Capture, Records

if TYPE_CHECKING:
    from ..page import Page

MEBIBYTE: Final = 1 << 20

BATCH: Final = 100
"""Exchanges that are written by one call of a thread."""

_NAME: Final = re.compile(syntax.TOKEN_TEXT)


class WARCError(Exception):
    """The archive could not be written, or is closed; `__cause__` has the reason, such as an OSError of the disk.

    It is not one of the errors after which a client sends a request again.
    """


class ArchiveFull(Exception):
    """There is no room for the records of a request, which was not sent."""

    def __init__(self, warc: WARC) -> None:
        super().__init__("archive has no room")
        self.warc = warc


@known_arguments({})
class WARC:
    """An archive of exchanges in files of the format WARC 1.1.

    >>> from asyncclient import Client, PoolTransport
    >>> async def archive(url: str) -> None:
    ...     async with WARC("archive/example") as warc, Client(transport=warc.record(PoolTransport())) as client:
    ...         await client.get(url)

    It records the requests and responses that pass its transports, byte for byte, as they were sent and received. It
    belongs to the event loop that first uses it. As a sink of a crawler it makes the crawler wait for the disk before a
    page counts as finished.

    Args:
        prefix: the directory, which is created if it does not exist, and the beginning of the names of the files. Time,
            serial number and process follow: archive/example-20260131120000-00000-4711.warc.gz.
        gzip: compress each record.
        max_size: bytes of a file, after which another one is begun; a larger single exchange has a file of its own.
        max_message: bytes that are kept of each request, and of the responses to it. Longer ones are cut off and marked
            by WARC-Truncated.
        max_pending: bytes of exchanges that may wait to be written. While there are more, requests wait.
        max_digests: payloads that are remembered, so that a repeated one becomes a `revisit` record without it; 0 for
            none. The least recently used are forgotten. 100,000 take about 50 MB.
        digest: the hash function of the digests. SHA-1, which older archives have, is broken: a server can make two
            pages for which it is the same, and the second one would be left out as repeated.
        info: fields of the `warcinfo` record of each file, such as operator, robots or description.
        mask: names of fields whose values are replaced by "masked" in the heads of requests and responses, such as
            Authorization, Cookie and Set-Cookie. The records then differ from the bytes of the exchange.
        opener: opens a new file, as for open(): partial(os.open, mode=0o600) keeps it from other users.

    Raises:
        ValueError, TypeError: an argument that is invalid.
    """

    def __init__(
        self,
        prefix: str | os.PathLike[str],
        *,
        gzip: bool = True,
        max_size: int = 1024 * MEBIBYTE,
        max_message: int = 16 * MEBIBYTE,
        max_pending: int = 64 * MEBIBYTE,
        max_digests: int = 100_000,
        digest: Literal["sha1", "sha256"] = "sha256",
        info: Mapping[str, str] | None = None,
        mask: Collection[str] = (),
        opener: Callable[[str, int], int] | None = None,
    ) -> None:
        check_type("prefix", prefix, str | os.PathLike, "a path")
        for name, number in (("max_size", max_size), ("max_message", max_message), ("max_pending", max_pending)):
            check_number(name, number, 1, "a number of bytes")
        check_number("max_digests", max_digests, 0)
        if digest not in ("sha1", "sha256"):
            raise ValueError(f"expected 'sha1' or 'sha256' as digest, got {clip(digest)}")
        records = Records(gzip=gzip, digest=digest, max_digests=max_digests, mask=_check_names(mask))
        suffix = ".warc.gz" if gzip else ".warc"
        self._files = Files(
            os.fspath(prefix), records, suffix=suffix, max_size=max_size, info=_check_info(info or {}), opener=opener
        )
        self._max_message = max_message
        self._max_pending = max_pending
        # Exchanges that wait to be written, and their bytes, those of the exchanges that are being written included.
        self._queue: deque[Capture] = deque()
        self._pending = 0
        # Counts of exchanges, for flush().
        self._added = 0
        self._written = 0
        # The task that writes; None while there is nothing to write.
        self._writing: asyncio.Task[None] | None = None
        # Completed whenever exchanges have been written; made by the first task that waits for that.
        self._progress: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._is_closed = False

    @property
    def paths(self) -> list[str]:
        """The files, in order; the last one ends with `.open` until it is complete."""
        return [*self._files.paths]

    @property
    def pending(self) -> int:
        """Bytes of exchanges that wait to be written."""
        return self._pending

    def record(self, transport: Transport) -> RecordingTransport:
        """Return a transport that sends requests by another one, and records the exchanges.

        Put it below a Polite transport, which then does not count the wait for the disk, and whose requests for
        robots.txt are recorded. Closing it closes the other transport, and not the archive: close the client first.

        Raises:
            TypeError: the argument is not a transport.
        """
        return RecordingTransport(self, transport)

    # Used by the transport

    @property
    def is_full(self) -> bool:
        """Whether so many bytes wait to be written that no request may be sent."""
        return self._pending >= self._max_pending

    async def wait_for_room(self) -> float:
        """Wait while too many bytes wait to be written; return the seconds that this took.

        Raises:
            WARCError: the archive could not be written, or is closed.
        """
        self._check()
        if not self.is_full:
            return 0.0
        loop = asyncio.get_running_loop()
        before = loop.time()
        while self.is_full:
            await self._wait_for_progress()
            self._check()
        return loop.time() - before

    def begin(self, request: TransportRequest) -> Recording:
        """Return the recording of an exchange, which is added to the archive when that has ended."""
        return Recording(self._max_message, partial(self._add, request))

    def _add(self, request: TransportRequest, recording: Recording) -> None:
        """Add an exchange; one without the head of a response is left out, as is one that ends too late."""
        if not recording.head_size or self._is_closed or self._error is not None:
            return
        self._queue.append(Capture(request.url, _find_address(request, recording.peer), recording))
        self._pending += recording.size
        self._added += 1
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    # Writing

    async def _write(self) -> None:
        """Write the queue until it is empty."""
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))]
                await offload(self._files.write, batch)
                self._written += len(batch)
                self._pending -= sum(capture.recording.size for capture in batch)
                self._note_progress()
        except BaseException as error:
            self._error = error.with_traceback(None)  # its frames would keep the batch alive
            self._queue.clear()
            if not isinstance(error, Exception):
                raise
        finally:
            self._writing = None
            self._note_progress()

    def _note_progress(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None and not progress.done():
            progress.set_result(None)

    async def _wait_for_progress(self) -> None:
        if self._progress is None:
            self._progress = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._progress)  # if this task is cancelled, others still wait for it

    def _check(self) -> None:
        """Raise a WARCError if the archive is closed or could not be written."""
        self._check_written()
        if self._is_closed:
            raise WARCError("archive is closed")

    def _check_written(self) -> None:
        error = self._error
        if error is not None:
            raise WARCError(f"archive could not be written: {str(error) or type(error).__name__}") from error

    # The sink

    async def write(self, page: Page) -> None:
        """Do nothing: the exchanges of a page are recorded by the transport."""

    async def flush(self) -> None:
        """Wait until all exchanges that have ended are written, and passed on to the system.

        They are then in the file even if the process is killed; only a failure of the system may lose them.

        Raises:
            WARCError: the archive could not be written, or is closed.
        """
        self._check()
        target = self._added
        while self._written < target:
            await self._wait_for_progress()
            self._check_written()

    async def aclose(self) -> None:
        """Write what is left, and give the last file its final name; may be called any number of times.

        Exchanges that end later are not recorded. If the archive could not be written, the last file keeps its name.

        Raises:
            WARCError: the archive could not be written.
        """
        self._is_closed = True
        while self._writing is not None:
            await self._wait_for_progress()
        self._note_progress()
        await offload(partial(self._files.close, is_complete=self._error is None))
        self._check_written()

    async def open(self) -> None:
        """Check that files can be created; see Sink.

        Raises:
            OSError: the directory can't be created, or must not be written to.
        """
        await offload(self._files.check)

    async def __aenter__(self) -> Self:
        """Check that files can be created; see open()."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else f"{self._pending} bytes to be written"
        return f"<WARC {self._written} exchanges, {state}>"


class RecordingTransport:
    """A transport that sends requests by another one, and has the exchanges recorded in an archive; see WARC.record().

    Args:
        warc: the archive.
        transport: sends the requests. Of a transport without connections, which sends no bytes, nothing is recorded.
    """

    def __init__(self, warc: WARC, transport: Transport) -> None:
        check_transport(transport)
        self._warc = warc
        self._transport = transport

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request when there is room for its records; see Transport.send().

        The deadline of the request is moved by the time that it waits: a slow disk is not a slow server.

        Raises:
            WARCError: the archive could not be written, or is closed.
        """
        warc, deadline = self._warc, request.deadline
        recorder, on_start = partial(warc.begin, request), partial(self._start, request.on_start)
        while True:
            waited = await warc.wait_for_room()
            if waited and deadline.at < math.inf:
                deadline = Deadline(deadline.at + waited, deadline.total)
            try:
                return await self._transport.send(
                    request.replace(deadline=deadline, on_start=on_start, recorder=recorder)
                )
            except ArchiveFull as full:
                if full.warc is not warc:  # of another recording transport, around this one
                    raise

    def _start(self, on_start: Callable[[], object] | None) -> None:
        """Refuse to send a request if the room was taken while it waited for a connection."""
        if self._warc.is_full:
            raise ArchiveFull(self._warc)
        if on_start is not None:
            on_start()

    async def aclose(self) -> None:
        """Close the other transport; the archive stays open."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"<RecordingTransport {self._transport!r}>"


def _find_address(request: TransportRequest, peer: Any) -> str | None:
    """Return the IP address of the host, which is unknown behind a proxy and has no number for a Unix socket."""
    if request.destination.proxy is not None or not isinstance(peer, tuple):
        return None
    return str(peer[0]).partition("%")[0]  # without the zone of a link-local address


def _check_names(names: Collection[str]) -> list[str]:
    """Return names of fields, checked."""
    found = list_collection("mask", names, str, "names of fields")
    for name in found:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"expected names of fields as mask, got {clip(name)}")
    return found


def _check_info(info: Mapping[str, str]) -> Mapping[str, str]:
    """Return the fields of a warcinfo record, checked."""
    for name, value in info.items():
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"expected names of fields in info, got {clip(name)}")
        check_type(name, value, str, "a str in info")
        if re.search(r"[\r\n\0]", value):
            raise ValueError(f"expected a value in one line for {name!r} in info, got {clip(value)}")
    return info
