"""Downloads: content that goes to a file, whole or not at all, and goes on where it was cut off.

What is at stake is a file that looks right and is not. So content is written beside the path (part_file.py), checked
against all that the server says of it, and put in its place at the very end. A part goes on only where the server
vouches that it is the same representation, byte for byte (RFC 9110 §13.1.5): a strong validator, sent as If-Range, and
found again in the answer. In all other cases the part is thrown away and everything asked for anew, by a request
without Range; a server that gets ranges wrong costs time, and nothing else.

- Content is asked for uncoded. What comes coded all the same is decoded; it can't go on, for nobody says which byte of
  the coded form made which of the decoded one, and no digest is of the decoded form (RFC 9530 §2, §3).
- Digests are computed from the file at its end, and only where the server gave some. So parts of an earlier call are
  in them, and what came in trailers is known.
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
from functools import partial
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from ..errors import ContentTooLarge, DecodingError, IncompleteRead, ProtocolError
from ..message.fields import Fields
from ..message.url import parse_url
from .cookie_fields import parse_date
from .decoding import IDENTITY, parse_content_encoding
from .part_file import Note, PartFile, name_resource
from .request import Request
from .response import Response, build_status_error
from .retries import Action, Outcome, decide_retry
from .settings import Settings, find_deadline

STEP: Final = 256 * 1024
"""Bytes that are written at once: each hop to a worker takes some 0.1 ms."""

Progress = Callable[[int, int | None], object]
"""Called with the bytes that the file has, and those that it will have if that is known."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_STRONG_ETAG = re.compile(r'"[^"\x00-\x20]*+"')
_CONTENT_RANGE = re.compile(r"(?i:bytes) ([0-9]{1,18}+)-([0-9]{1,18}+)/(?:([0-9]{1,18}+)|\*)")
_DIGEST = re.compile(r"(?:^|,)[ \t]*+(sha-256|sha-512)=:([A-Za-z0-9+/=]*+):")
_HASHES = {"sha-256": "sha256", "sha-512": "sha512"}


class Span(NamedTuple):
    """The bytes that a response brings: from start up to stop, of total; None is unknown."""

    start: int
    stop: int | None
    total: int | None


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
        path: where it goes.
        resume: keep the part after a failure, and go on with one that was kept.
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
        self._part = PartFile(path)
        self._note: Note | None = None  # without it the part is of no use to anybody
        self._checks: set[Check] = set()
        self._attempts = 0

    async def run(self) -> Response:
        """Download, and return the response that brought the last of it. Raises what Client.download() does."""
        part = self._part
        try:
            found = await in_worker(part.open)
            if self._resume and found is not None and found.resource == name_resource(self._request.url):
                self._note = found
            response = await self._fetch()
            if response.status != 304:
                await self._verify()
                await in_worker(part.finish)
            return response
        finally:
            await in_worker(part.close, keep=self._resume and self._note is not None)

    async def _fetch(self) -> Response:
        """Ask until the part is whole."""
        while True:
            # Its last byte is asked for once more: nobody can answer 416 then if there was nothing else to come.
            start = 0 if self._note is None else max(self._part.size - 1, 0)
            async with await self._send(self._build(start)) as response:
                if response.status == 304 and self._is_conditional:
                    return response
                await self._check_status(response, start)
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
            headers = [*headers, ("Range", f"bytes={start}-"), ("If-Range", self._note.validator)]
        self._attempts += 1
        if self._attempts > 1 and self._timeout.total is not None:
            left = max(self._until - get_running_loop().time(), 0.0)
            choices = choices._replace(timeout=self._timeout._replace(total=left))
        return request.redirected(request.method, request.url, headers, request.payload, choices)

    async def _check_status(self, response: Response, start: int) -> None:
        if 200 <= response.status < 300 or (start and response.status == 416):
            return
        await response.aclose()
        raise build_status_error(response)

    def _find_span(self, response: Response, start: int) -> Span | None:
        """Return which bytes the response brings; None if they do not go on at start, where that was asked for."""
        if start and response.status in (206, 416):
            return self._find_rest(response, start) if response.status == 206 else None
        if response.status == 206:
            raise ProtocolError("got 206 for a request without Range")
        length = None if self._is_decoded(response) else _find_length(response)
        return Span(0, length, length)

    def _find_rest(self, response: Response, start: int) -> Span | None:
        fields, note, length = response.headers, self._note, _find_length(response)
        match = _CONTENT_RANGE.fullmatch(fields.get_single("content-range") or "")
        if note is None or match is None or _is_coded(response) or not _has_validator(fields, note.validator):
            return None
        first, stop = int(match[1]), int(match[2]) + 1
        total = note.total if match[3] is None else int(match[3])
        if total is None or note.total not in (None, total) or length not in (None, stop - first):
            return None
        if first != start or not start < stop <= total:
            return None
        self._check_size(total)
        return Span(start, stop, total)

    def _check_size(self, total: int) -> None:
        """Refuse a file that is too large as a whole; that a response is, is seen where it is read."""
        limit = self._settings.max_size_for(self._request.choices)
        if limit is not None and total > limit:
            raise ContentTooLarge(f"content is larger than {limit} bytes", limit)

    async def _wait(self, cut: Exception) -> None:
        """Wait until the download may go on after it was cut off, or raise what did that.

        It is a retry as any other: the client's policy grants it or not.
        """
        settings, payload = self._settings, self._request.payload
        is_replayable = payload is None or payload.is_replayable
        outcome = Outcome("GET", self._attempts, cut, bytes_received=1, is_replayable=is_replayable)
        decision = decide_retry(outcome, settings.retries, random.random, time.time())
        if self._note is None or decision.action is not Action.WAIT:
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
            return IncompleteRead(b"", missing) if missing > 0 else None
        return end

    async def _prepare(self, response: Response, span: Span) -> None:
        if span.start:
            await in_worker(self._part.truncate, span.start)
            return
        self._checks.clear()
        validator = None if _is_coded(response) else find_validator(response.headers)
        resource = name_resource(self._request.url)
        self._note = None if validator is None else Note(resource, validator, span.total)
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
        return self._request.choices.decode and _is_coded(response)


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


def _find_length(response: Response) -> int | None:
    """Return how many bytes the content has on the wire, before any was read; None if only its end will tell."""
    return response._raw.length


def _is_coded(response: Response) -> bool:
    return bool(parse_content_encoding(response.headers.get("content-encoding", "")))


def find_validator(fields: Fields) -> str | None:
    """Return what tells a representation from any other, byte for byte; None if nothing does (RFC 9110 §8.8.1).

    A date does only where there is no entity tag, and the response was sent a second later at the least (§8.8.2.2):
    within one second the representation may have changed once more.
    """
    if "etag" in fields:
        tag = fields.get_single("etag")
        return tag if tag is not None and _STRONG_ETAG.fullmatch(tag) else None
    modified = fields.get_single("last-modified") or ""
    changed, sent = parse_date(modified), parse_date(fields.get_single("date") or "")
    return modified if changed is not None and sent is not None and sent - changed >= 1 else None


def _has_validator(fields: Fields, validator: str) -> bool:
    """Return whether a 206 is of the representation asked for. An ETag has to be there again, a date need not be.

    RFC 9110 §15.3.7.
    """
    if validator.startswith('"'):
        return fields.get_single("etag") == validator
    return "last-modified" not in fields or fields.get_single("last-modified") == validator


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
