"""Downloads: content stored in a file, completely or not at all, and resumed after an interruption.

The risk is a file that looks right but is not. So content is written to a part file (part_file.py), checked against all
fields that describe it, and renamed to the final path at the very end. A part is continued only if all evidence agrees
(resuming.py): the request has If-Range with a strong validator (RFC 9110 §13.1.5). Otherwise the part is discarded and
the whole content is requested again, without Range.

- Unencoded content is requested, and encoded content is stored encoded: a server that labels its `x.tar.gz` with
  `Content-Encoding: gzip` means that file. With decode=True it is decoded; then it can't be resumed, because a range of
  encoded content is not a range of the decoded content, and digests do not apply (RFC 9530 §2, §3).
- Digests are computed from the file at the end, those that the server sent and the caller's checksum. So bytes of an
  earlier call are included, and digests in trailers are known.
- Files are used in worker threads only. A worker can't be cancelled, so its end is awaited: it must not write to a file
  that was closed and removed. aiofiles does not wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import time
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from ...errors import ChecksumError, ContentTooLarge, HTTPException, IncompleteRead, ProtocolError, StatusError
from ...message.repairs import Repair
from ...message.url import parse_url
from ..content.decoding import IDENTITY
from ..error_context import add_context, shorten_url
from ..request import CLIENT_OPTIONS, DownloadOptions, Progress, Request, build_derived
from ..response import Response, build_status_error
from ..retries import Action, Outcome, decide_retry
from ..settings import Settings, find_deadline
from .digests import Check, list_checks, parse_checksum
from .part_file import PartFile
from .resuming import Note, Span, find_span, make_note, read_coding

MAX_WRITE_STEP: Final = 256 * 1024
"""Bytes collected for one write: each switch to a worker takes about 0.1 ms."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LOGGER: Final = logging.getLogger("asyncclient.download")

_REFUSED: Final = (304, 412, 416)
"""Statuses of responses to Range and If-Range that bring no content of the file."""


_OWN_OPTIONS: Final = frozenset(("checksum", "overwrite", "progress", "resume"))


def choose_options(options: DownloadOptions) -> DownloadOptions:
    """Return the options of the request of a download: content is not decoded by default.

    Raises:
        TypeError: an option is unknown; the text lists those of downloads.
    """
    unknown = [name for name in options if name not in DownloadOptions.__annotations__]
    if unknown:
        from ..unknown_options import explain_download_option  # imported on use: for errors only

        known = DownloadOptions.__annotations__.keys() | _OWN_OPTIONS
        raise explain_download_option(unknown[0], known, CLIENT_OPTIONS)
    options.setdefault("decode", False)
    return options


class Download:
    """One download; see Client.download().

    Args:
        settings: those of the client.
        send: sends a request and returns the response with unread content.
        request: the request for the whole content.
        path: the target file or directory.
        resume: keep the part after a failure, and continue a part that was kept.
        overwrite: replace an existing file in the directory.
        progress: called after each write.
        checksum: of the file, see parse_checksum(); None if it is not known.

    Raises:
        ValueError: the request has a Range or If-Range, or the checksum is malformed.
        TypeError: the checksum is not a str, or progress is not a function.
    """

    def __init__(
        self,
        settings: Settings,
        send: Callable[[Request], Coroutine[Any, Any, Response]],
        request: Request,
        path: str | os.PathLike[str],
        *,
        resume: bool,
        overwrite: bool,
        progress: Progress | None,
        checksum: str | None,
    ) -> None:
        given = {name.lower() for name, _ in request.headers}
        if not given.isdisjoint(("range", "if-range")):
            raise ValueError("expected no Range and no If-Range in headers: download() sets them where it goes on")
        if progress is not None and not callable(progress):
            raise TypeError(f"expected a function as progress, got {type(progress).__name__}")
        self._settings, self._send, self._request = settings, send, request
        self._headers = request.headers if "accept-encoding" in given else [*request.headers, IDENTITY]
        self._is_conditional = not given.isdisjoint(("if-none-match", "if-modified-since"))
        self._timeout = settings.timeout_for(request.choices)
        self._deadline = find_deadline(self._timeout)
        self._resume, self._progress = resume, progress
        self._part = PartFile(path, overwrite=overwrite)
        self._resource = hashlib.sha256(request.url.encode()).hexdigest()
        self._note: Note | None = None  # None: the part can't be resumed
        self._known: Note | None = None  # the last note, also of a part that was discarded
        self._response: Response | None = None  # the last response, for errors
        self._has_condition = True
        self._checks: set[Check] = set()
        self._asserted = () if checksum is None else (parse_checksum(checksum),)
        self._has_asked = False
        self._cuts = 0

    async def run(self) -> Response:
        """Download, and return the last response. Raises the errors of Client.download()."""
        part, is_dropped = self._part, False
        try:
            found = await in_worker(part.open, self._resource)
            if self._resume and found is not None and self._is_for(found):
                self._note = self._known = found
            response = await self._fetch()
            if response.status != 304:
                await self._verify()
                await in_worker(part.finish)
            return response
        except StatusError:  # it has its request already
            raise
        except HTTPException as error:
            last = self._response
            add_context(error, self._request if last is None else last.request, last)
            raise
        except GeneratorExit:  # the coroutine is being collected and can't await any more
            is_dropped = True
            raise
        finally:
            keep = self._resume and self._note is not None
            if is_dropped:
                part.abandon(keep=keep)
            else:
                await in_worker(part.close, keep=keep)

    def _is_for(self, note: Note) -> bool:
        return note.resource == self._resource and not (self._request.choices.decode and note.coding)

    async def _fetch(self) -> Response:
        """Send requests until the part is complete."""
        while True:
            # The last byte is requested again, so that the response is not 416 if the part is already complete.
            start = 0 if self._note is None else max(self._part.size - 1, 0)
            self._response = None
            async with await self._send(self._build(start)) as response:
                self._response = response
                if response.status == 304 and self._is_conditional:
                    return response
                if start and response.status in _REFUSED:
                    self._step_back(response.status)
                    continue
                await self._check_status(response)
                span = self._find_span(response, start)
                if span is None:
                    self._note = None
                    continue
                cut = await self._receive(response, span)
            if cut is None:
                return response
            await self._wait(cut)

    # Requests

    def _build(self, start: int) -> Request:
        request, headers, choices = self._request, self._headers, self._request.choices
        if start and self._note is not None:
            is_conditional = self._has_condition or not self._note.etag
            condition = [("If-Range", self._note.validator)] if is_conditional else []
            headers = [*headers, ("Range", f"bytes={start}-"), *condition]
        if self._has_asked and self._timeout.total is not None:
            left = max(self._deadline.left(get_running_loop().time()), 0.0)
            choices = choices._replace(timeout=replace(self._timeout, total=left))
        self._has_asked = True
        return build_derived(request.method, request.url, headers, request.payload, choices)

    def _step_back(self, status: int) -> None:
        """Request less after a server has refused to continue: without If-Range, otherwise the whole content.

        WEBrick up to 1.8 answers 304 if the condition holds. The ETag of its 206 identifies the representation too.
        """
        has_etag = self._note is not None and self._note.etag != ""
        may_go_on = status == 304 and self._has_condition and has_etag
        self._has_condition = not may_go_on
        if not may_go_on:
            self._note = None

    async def _check_status(self, response: Response) -> None:
        if 200 <= response.status < 300:
            return
        await response.aclose()
        raise build_status_error(response)

    def _find_span(self, response: Response, start: int) -> Span | None:
        """Return the bytes of the file that the response brings; None if all must be requested, without Range."""
        span = find_span(self._known, start, response.status, response.headers, response.length)
        if span is None:
            return None
        if span.start and span.total is not None:
            self._check_size(span.total)
        return Span(0, None, None) if self._is_decoded(response) else span

    def _check_size(self, total: int) -> None:
        """Refuse a file whose total size is too large; the size of a response is checked while it is read."""
        limit = self._settings.max_size_for(self._request.choices)
        if limit is not None and total > limit:
            raise ContentTooLarge(f"content is larger than {limit} bytes", limit)

    async def _wait(self, cut: Exception) -> None:
        """Wait before the interrupted download continues or starts again; or raise the error that interrupted it.

        It counts as a retry: the client's policy allows it or not.
        """
        settings, payload = self._settings, self._request.payload
        is_replayable = payload is None or payload.is_replayable
        self._cuts += 1
        outcome = Outcome("GET", self._cuts, cut, bytes_received=1, is_replayable=is_replayable)
        decision = decide_retry(outcome, settings.retries, random.random, time.time())
        if decision.action is not Action.WAIT:
            raise cut
        if not settings.may_retry(parse_url(self._request.url)[:3], decision.seconds, self._deadline):
            raise cut
        await settings.pauses.wait(decision.seconds)

    # Writing

    async def _receive(self, response: Response, span: Span) -> Exception | None:
        """Write the content; return the error that interrupted it, None if the part is complete."""
        await self._prepare(response, span)
        chunks, end = response.iter_chunks(), None
        while end is None:
            pieces, end = await _take_step(chunks)
            if pieces:
                await self._write(pieces, span)
        if not self._is_decoded(response):
            self._checks.update(list_checks(response.headers, span), list_checks(response.trailers or {}, span))
        missing = (span.total or 0) - self._part.size
        if isinstance(end, StopAsyncIteration):
            is_cut = missing > 0 or Repair.INCOMPLETE in response.repairs
            return IncompleteRead(b"", max(missing, 0) or None) if is_cut else None
        return end

    async def _prepare(self, response: Response, span: Span) -> None:
        # A server should leave Content-Disposition out of a 206 to If-Range (RFC 9110 §15.3.7).
        name = self._note.name if span.start and self._note is not None else response.filename
        if self._part.is_in_directory:
            await in_worker(self._part.set_name, name)
        response._filename = name
        if span.start:
            await in_worker(self._part.truncate, span.start)
            return
        self._checks.clear()
        self._note = None
        if not self._is_decoded(response):
            self._note = make_note(self._resource, response.headers, span.total, name)
            self._known = self._note or self._known
        if self._resume and self._note is None:
            self._log_lack(response)
        await in_worker(self._part.begin, self._note if self._resume else None)

    def _log_lack(self, response: Response) -> None:
        """Log that nothing can be kept: otherwise the caller learns it from a later call that begins again."""
        why = "it is decoded" if self._is_decoded(response) else "the response has no strong ETag and no usable date"
        _LOGGER.info("a download of %s can't be resumed: %s", shorten_url(self._request.url), why)

    async def _write(self, pieces: list[bytes], span: Span) -> None:
        if span.stop is not None and self._part.size + sum(map(len, pieces)) > span.stop:
            self._note = None
            raise ProtocolError(f"got more content than Content-Range says, after byte {span.stop}")
        await in_worker(self._part.write, pieces)
        if self._progress is not None:
            self._progress(self._part.size, span.total)

    async def _verify(self) -> None:
        """Check all digests. Recently written bytes are still in the system's cache."""
        for check in (*self._checks, *self._asserted):
            found = await self._compute(check)
            if found != check.expected:
                self._note = None
                raise ChecksumError(check.field, check.algorithm, check.expected.hex(), found.hex())

    async def _compute(self, check: Check) -> bytes:
        digest = hashlib.new(check.algorithm, usedforsecurity=False)
        at, stop = check.start, self._part.size if check.stop is None else check.stop
        while at < stop and (count := await in_worker(self._part.update, digest, at, min(MAX_WRITE_STEP, stop - at))):
            at += count
        return digest.digest()

    def _is_decoded(self, response: Response) -> bool:
        return self._request.choices.decode and read_coding(response.headers) != ""


async def in_worker(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a blocking function in a worker thread. If cancelled, wait for its end before raising CancelledError."""
    running = get_running_loop().run_in_executor(None, partial(call, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        running.exception()  # mark it as retrieved: the cancellation takes precedence
        raise cancelled
    return running.result()


async def _take_step(chunks: AsyncIterator[bytes]) -> tuple[list[bytes], Exception | None]:
    """Return chunks of at least MAX_WRITE_STEP bytes; if fewer, also the reason: StopAsyncIteration or an error."""
    pieces: list[bytes] = []
    size = 0
    try:
        while size < MAX_WRITE_STEP:
            pieces.append(await anext(chunks))
            size += len(pieces[-1])
    except Exception as error:
        return pieces, error
    return pieces, None
