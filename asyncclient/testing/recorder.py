"""A transport that writes the exchanges of another transport to a file in the format HAR 1.2."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from ..arguments import check_type, known_arguments, list_collection
from ..exchange.body import Source
from ..exchange.content import collect
from ..exchange.stream import Buffer
from ..message.fields import Fields
from ..stream.files import make_folder, offload
from ..transport import RequestBody, Transport, TransportRequest, TransportResponse, check_transport
from ..wrapped_response import WrappedResponse
from .har import Exchange, build_archive, build_entry
from .masks import Masks

MAX_CONTENT: Final = 16 * 1024 * 1024
"""Bytes of a body or of content that are kept by default; longer ones pass, and the entry has their size alone."""


@known_arguments({})
class Recorder:
    """A transport that records the exchanges of another one in an HTTP archive (HAR 1.2).

    >>> from asyncclient import Client, PoolTransport
    >>> client = Client(transport=Recorder(PoolTransport(), "api.har", secret_params=["pin"]))

    Browsers show the file in their developer tools, and Replay answers from it. Redirects and retries are exchanges of
    their own. The file is written by save() and by aclose(), as a whole, and readable by its owner alone.

    The values of Authorization, Proxy-Authorization, Cookie, Set-Cookie, X-Api-Key and X-Auth-Token are masked; of
    cookies and credentials the names and the scheme are kept. So are values with a name such as `password`, `token`,
    `access_token`, `client_secret` or `api_key` in queries, URL-encoded forms and JSON, of requests and responses; a
    replay answers with `***` in their place. Content with secrets is stored as text, also if it came in another charset
    or breaks off. Other content may have secrets, too: `change` can remove them.

    Args:
        transport: sends the requests.
        file: the path to write to; a file that exists is replaced.
        secret_headers: names of further fields to mask.
        secret_params: further names of parameters and keys to mask, in queries, URL-encoded forms and JSON.
        usual_params: mask values with the usual names, too; False for those of `secret_params` alone.
        max_content: bytes of a body or of content that are kept; of a longer one there is the size alone.
        change: a function that changes an entry in place, as a dict, before it is stored.

    Raises:
        TypeError: an argument of another type.

    Attributes:
        entries: the entries so far, in the order in which their exchanges ended.
    """

    def __init__(
        self,
        transport: Transport,
        file: str | os.PathLike[str],
        *,
        secret_headers: Collection[str] = (),
        secret_params: Collection[str] = (),
        usual_params: bool = True,
        max_content: int = MAX_CONTENT,
        change: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        check_transport(transport)
        check_type("file", file, str | os.PathLike, "a path")
        check_type("max_content", max_content, int, "a number")
        self.entries: list[dict[str, Any]] = []
        self._transport = transport
        self._path = Path(file)
        self._masks = open_masks(secret_headers, secret_params, usual_params)
        self._max_content = max_content
        self._change = change

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request, and record the exchange when it has ended; see Transport.send()."""
        recording = Recording(self, request, self._max_content)
        sent = request.replace()
        sent.body = recording.body
        try:
            raw = await self._transport.send(sent)
        except BaseException as error:
            recording.end(None, error)
            raise
        if raw.closed or raw.upgraded is not None:
            recording.end(raw)
            return raw
        return RecordedResponse(raw, recording)

    def add(self, exchange: Exchange) -> None:
        """Store an exchange as an entry."""
        entry = build_entry(exchange, self._masks)
        if self._change is not None:
            self._change(entry)
        self.entries.append(entry)

    async def save(self) -> None:
        """Write the entries so far to the file.

        Raises:
            OSError: it can't be written.
        """
        entries = sorted(self.entries, key=lambda entry: str(entry["startedDateTime"]))
        text = json.dumps(build_archive(entries), ensure_ascii=False, indent=1)
        await offload(_write, self._path, text)

    async def aclose(self) -> None:
        """Close the other transport, and write the file."""
        try:
            await self._transport.aclose()
        finally:
            await self.save()

    def __repr__(self) -> str:
        return f"<Recorder {len(self.entries)} entries, {self._transport!r}>"


def open_masks(secret_headers: Collection[str], secret_params: Collection[str], usual_params: bool) -> Masks:
    """Return the masks for names that a caller gave; raises TypeError for anything else."""
    return Masks(
        list_collection("secret_headers", secret_headers, str, "a collection of names"),
        list_collection("secret_params", secret_params, str, "a collection of names"),
        usual_params=usual_params,
    )


def _write(path: Path, text: str) -> None:
    make_folder(path)
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


class Recording:
    """One exchange that is being recorded.

    Args:
        recorder: gets the exchange when it has ended.
        request: the request.
        limit: bytes of a body and of content that are kept.

    Attributes:
        body: the body to send, whose bytes are kept when they are read; None without a body.
    """

    def __init__(self, recorder: Recorder, request: TransportRequest, limit: int) -> None:
        self.body: RequestBody | None = request.body
        self._recorder = recorder
        self._request = request
        self._started, self._clock = time.time(), time.monotonic()
        self._sent, self._received = _Bytes(limit), _Bytes(limit)
        self._has_ended = False
        if request.body is not None and request.body.data is None:
            self.body = _RecordedBody(request.body, self._sent)
        elif request.body is not None and request.body.data is not None:
            self._sent.add(request.body.data)

    def add_content(self, data: bytes) -> None:
        """Keep content that was received."""
        self._received.add(data)

    def end(self, raw: TransportResponse | None, error: BaseException | None = None) -> None:
        """Store the exchange; the first call counts.

        Args:
            raw: the response; None without one.
            error: what has ended it early.
        """
        if self._has_ended:
            return
        self._has_ended = True
        request = self._request
        self._recorder.add(
            Exchange(
                request.method,
                request.url,
                request.headers,
                self._sent.get(),
                0 if raw is None else raw.status,
                "" if raw is None else raw.reason,
                11 if raw is None else raw.version,
                Fields() if raw is None else raw.headers,
                self._received.get(),
                self._received.size,
                self._started,
                None if raw is None else raw.timings,
                time.monotonic() - self._clock,
                _find_address(raw),
                "" if error is None else type(error).__name__,
            )
        )


def _find_address(raw: TransportResponse | None) -> str:
    peer = None if raw is None else raw.peer
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


class _Bytes:
    """Bytes that are kept up to a limit; beyond it none are kept, only counted."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._data = bytearray()

    def add(self, data: Buffer) -> None:
        self.size += len(data)
        self._data = self._data + data if self.size <= self._limit else bytearray()

    def get(self) -> bytes | None:
        return bytes(self._data) if self.size <= self._limit else None


class _RecordedBody:
    """A body whose bytes are kept when they are read."""

    data = None

    def __init__(self, body: RequestBody, kept: _Bytes) -> None:
        self._body = body
        self._kept = kept

    @property
    def is_replayable(self) -> bool:
        return self._body.is_replayable

    async def open(self) -> Source:
        return _RecordedSource(await self._body.open(), self._kept)

    async def aclose(self) -> None:
        await self._body.aclose()


class _RecordedSource(Source):
    """A source that keeps its chunks. It has no file, since the kernel would send that unseen."""

    __slots__ = ("_kept", "_source")

    def __init__(self, source: Source, kept: _Bytes) -> None:
        super().__init__(source.length)
        self._source = source
        self._kept = kept

    @property
    def is_empty(self) -> bool:
        return self._source.is_empty

    async def read(self) -> Buffer:
        self.has_begun, self._source.length = True, self.length  # the sender may have set another length
        chunk = await self._source.read()
        self.bytes_read = self._source.bytes_read
        self._kept.add(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._source.aclose()


class RecordedResponse(WrappedResponse):
    """A response whose content is kept when it is read."""

    __slots__ = ("_recording",)

    def __init__(self, raw: TransportResponse, recording: Recording) -> None:
        super().__init__(raw)
        self._recording = recording

    async def read(self) -> bytes:
        """Return the rest of the content."""
        return await collect(self.read1)

    def note_content(self, data: bytes) -> None:
        """Keep content."""
        self._recording.add_content(data)

    def note_error(self, error: BaseException) -> None:
        """Store the exchange with its error."""
        self._recording.end(self._raw, error)

    def note_end(self) -> None:
        """Store the exchange."""
        self._recording.end(self._raw)
