"""Downloads: content that goes to a file, whole or not at all, and goes on where it was cut off.

What is at stake is a file that looks right and is not. So content is written beside the path (part_file.py), checked
against all that the server says of it, and put in its place at the very end. A part goes on only where all evidence
agrees (resuming.py): it is asked for with If-Range, by a strong validator (RFC 9110 §13.1.5). In all other cases the
part is thrown away and everything is asked for anew, by a request without Range.

- Content is asked for unencoded, and content that comes encoded all the same is stored as it came: a server that labels
  its `x.tar.gz` with `Content-Encoding: gzip` means that file. With decode=True it is decoded; then it can't go on, for
  no range of the encoded form is one of the decoded form, and no digest is of that (RFC 9530 §2, §3).
- Digests are computed from the file at its end, and only where the server gave some. So parts of an earlier call are
  in them, and those that come in trailers are known.
- Files are touched in worker threads only. A worker can't be cancelled: its end is waited for, so that none writes to
  a file that its owner has closed and removed. aiofiles does not wait.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import random
import re
import time
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from ...errors import ContentTooLarge, DecodingError, HTTPException, IncompleteRead, ProtocolError, StatusError
from ...message.repairs import Repair
from ...message.url import parse_url
from ..content.decoding import IDENTITY
from ..error_context import add_context
from ..request import Request, build_derived
from ..response import Response, build_status_error
from ..retries import Action, Outcome, decide_retry
from ..settings import Settings, find_deadline
from .part_file import PartFile
from .resuming import Note, Span, find_span, make_note, read_coding

STEP: Final = 256 * 1024
"""Bytes that are written at once: each hop to a worker takes some 0.1 ms."""

Progress = Callable[[int, int | None], object]
"""Called with the bytes that the file has, and those that it will have if that is known."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_DIGEST = re.compile(r"(?:^|,)[ \t]*+(sha-256|sha-512)=:([A-Za-z0-9+/=]*+):")
_HASHES = {"sha-256": "sha256", "sha-512": "sha512"}

_REFUSED: Final = (304, 412, 416)
"""Statuses of answers to a request with Range and If-Range that bring nothing of the file."""


class Check(NamedTuple):
    """A digest that the bytes from start up to stop (None: the end) must have; field is where it was given."""

    field: str
    algorithm: str
    expected: bytes
    start: int
    stop: int | None


class Download:
    """One download; see Client.download().

    Args:
        settings: the client's.
        send: sends a request, and returns the response with its content not read.
        request: what is asked for.
        path: where it goes, a file or a directory.
        resume: keep the part after a failure, and go on with one that was kept.
        overwrite: replace a file that is in the directory already.
        progress: told of each step.

    Raises:
        ValueError: the request has a Range of its own.
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
    ) -> None:
        given = {name.lower() for name, _ in request.headers}
        if not given.isdisjoint(("range", "if-range")):
            raise ValueError("expected no Range and no If-Range in headers: download() sets them where it goes on")
        self._settings, self._send, self._request = settings, send, request
        self._headers = request.headers if "accept-encoding" in given else [*request.headers, IDENTITY]
        self._is_conditional = not given.isdisjoint(("if-none-match", "if-modified-since"))
        self._timeout = settings.timeout_for(request.choices)
        self._until = find_deadline(self._timeout)
        self._resume, self._progress = resume, progress
        self._part = PartFile(path, overwrite=overwrite)
        self._resource = hashlib.sha256(request.url.encode()).hexdigest()
        self._note: Note | None = None  # without it nothing can go on with the part
        self._known: Note | None = None  # the last note, also of a part that was thrown away
        self._response: Response | None = None  # of the last request, for errors
        self._has_condition = True
        self._checks: set[Check] = set()
        self._has_asked = False
        self._cuts = 0

    async def run(self) -> Response:
        """Download, and return the last response. Raises what Client.download() does."""
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
        except StatusError:  # which names its request
            raise
        except HTTPException as error:
            last = self._response
            add_context(error, self._request if last is None else last.request, last)
            raise
        except GeneratorExit:  # the coroutine is collected, and can await nothing any more
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
        """Ask until the part is whole."""
        while True:
            # The last byte is asked for once more: so the answer is not 416 where the part was whole already.
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

    # Asking

    def _build(self, start: int) -> Request:
        request, headers, choices = self._request, self._headers, self._request.choices
        if start and self._note is not None:
            is_conditional = self._has_condition or not self._note.etag
            condition = [("If-Range", self._note.validator)] if is_conditional else []
            headers = [*headers, ("Range", f"bytes={start}-"), *condition]
        if self._has_asked and self._timeout.total is not None:
            left = max(self._until - get_running_loop().time(), 0.0)
            choices = choices._replace(timeout=replace(self._timeout, total=left))
        self._has_asked = True
        return build_derived(request.method, request.url, headers, request.payload, choices)

    def _step_back(self, status: int) -> None:
        """Ask for less after a server has refused to go on: without If-Range, else for the whole.

        WEBrick up to 1.8 answers 304 if the condition holds. What its 206 is of, its ETag tells as well.
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
        """Return which bytes of the file the response brings; None if all are to be asked for, without a Range."""
        span = find_span(self._known, start, response.status, response.headers, response.length)
        if span is None:
            return None
        if span.start and span.total is not None:
            self._check_size(span.total)
        return Span(0, None, None) if self._is_decoded(response) else span

    def _check_size(self, total: int) -> None:
        """Refuse a file that is too large as a whole; that a response is, is seen where it is read."""
        limit = self._settings.max_size_for(self._request.choices)
        if limit is not None and total > limit:
            raise ContentTooLarge(f"content is larger than {limit} bytes", limit)

    async def _wait(self, cut: Exception) -> None:
        """Wait until the download may go on, or begin anew, after it was cut off; or raise the error that cut it off.

        It is a retry like any other: the client's policy grants it or not.
        """
        settings, payload = self._settings, self._request.payload
        is_replayable = payload is None or payload.is_replayable
        self._cuts += 1
        outcome = Outcome("GET", self._cuts, cut, bytes_received=1, is_replayable=is_replayable)
        decision = decide_retry(outcome, settings.retries, random.random, time.time())
        if decision.action is not Action.WAIT:
            raise cut
        if not settings.may_retry(parse_url(self._request.url)[:3], decision.seconds, self._until):
            raise cut
        await settings.pool.pause(decision.seconds)

    # Writing

    async def _receive(self, response: Response, span: Span) -> Exception | None:
        """Write the content; return what cut it off, None if the part is whole."""
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
        await in_worker(self._part.begin, self._note if self._resume else None)

    async def _write(self, pieces: list[bytes], span: Span) -> None:
        if span.stop is not None and self._part.size + sum(map(len, pieces)) > span.stop:
            self._note = None
            raise ProtocolError(f"got more content than Content-Range says, after byte {span.stop}")
        await in_worker(self._part.write, pieces)
        if self._progress is not None:
            self._progress(self._part.size, span.total)

    async def _verify(self) -> None:
        """Compute the digests that were given; the file has been read lately if it was written lately."""
        for check in self._checks:
            digest = hashlib.new(_HASHES[check.algorithm])
            at, stop = check.start, self._part.size if check.stop is None else check.stop
            while at < stop and (count := await in_worker(self._part.update, digest, at, min(STEP, stop - at))):
                at += count
            if digest.digest() != check.expected:
                self._note = None
                raise DecodingError(
                    f"content is not what {check.field} says: expected {check.algorithm} {check.expected.hex()}, "
                    f"got {digest.hexdigest()}"
                )

    def _is_decoded(self, response: Response) -> bool:
        return self._request.choices.decode and read_coding(response.headers) != ""


async def in_worker(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Make a blocking call in a worker thread. When cancelled, wait for its end all the same, then be cancelled."""
    running = get_running_loop().run_in_executor(None, partial(call, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        running.exception()  # seen: what is told is that the caller was cancelled
        raise cancelled
    return running.result()


async def _take_step(chunks: AsyncIterator[bytes]) -> tuple[list[bytes], Exception | None]:
    """Return pieces of STEP bytes together; if there are fewer, why: StopAsyncIteration at the end, or an error."""
    pieces: list[bytes] = []
    size = 0
    try:
        while size < STEP:
            pieces.append(await anext(chunks))
            size += len(pieces[-1])
    except Exception as error:
        return pieces, error
    return pieces, None


# What the fields say


def list_checks(fields: Mapping[str, str], span: Span) -> list[Check]:
    """Return the digests of fields or trailers that can be checked here; what is malformed is none (RFC 9530).

    Content-Digest is of what this response brings, Repr-Digest of the whole.
    """
    checks = []
    for field, start, stop in (("Content-Digest", span.start, span.stop), ("Repr-Digest", 0, span.total)):
        for algorithm, text in dict(_DIGEST.findall(fields.get(field, ""))).items():
            try:
                expected = base64.b64decode(text, validate=True)
            except binascii.Error:
                continue
            checks.append(Check(field, algorithm, expected, start, stop))
    return checks
