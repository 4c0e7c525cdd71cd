"""Sending a body: the pieces that bytes, files and iterables give, until the server has heard enough."""

from __future__ import annotations

import http.client as std
import io
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from asyncclient.message.framing import LAST_CHUNK, build_chunk_size

from .names import replaced, say
from .opening import Opening
from .sockets import as_own

_END: Final = object()


class Sending(Opening):
    """Base of HTTPConnection: what goes out after the head of a request."""

    auto_open = 1
    blocksize: int
    sock: Any

    def send(self, data: Any) -> None:
        """Send data to the server: bytes or a buffer, a file, or an iterable of these; connect first if need be.

        Raises:
            NotConnected: the connection is closed, and auto_open is off.
        """
        if self.sock is None:
            if not self.auto_open:
                raise std.NotConnected
            self.connect()
        if self.debuglevel > 0:
            say("send:", repr(data))
        if hasattr(data, "read"):
            self._send_file(data)
            return
        sys.audit("http.client.send", self, data)
        sock: Any = self.sock
        try:
            sock.sendall(data)
        except TypeError:
            if not isinstance(data, Iterable):
                raise TypeError(f"data should be a bytes-like object or an iterable, got {type(data)!r}") from None
            for piece in data:
                sock.sendall(piece)

    def _send_file(self, file: Any) -> None:
        if self.debuglevel > 0:
            say("sending a readable")
        for block in self._read_blocks(file):
            sys.audit("http.client.send", self, block)
            self.sock.sendall(block)

    def _send_body(self, body: Any, is_chunked: bool) -> None:
        pieces = self._iterate(body)
        while (piece := self._next_piece(pieces)) is not _END:
            if not piece:
                # Not a reason to look for an early answer: the server may have all of the request by now.
                if self.debuglevel > 0:
                    say("Zero length chunk ignored")
            elif self._is_answered():
                return
            else:
                self._send_piece(piece, is_chunked)
        if is_chunked:
            self.send(LAST_CHUNK)

    def _send_piece(self, piece: Any, is_chunked: bool) -> None:
        try:
            if is_chunked:
                size = len(piece) if type(piece) is bytes else memoryview(piece).nbytes
                piece = b"".join((build_chunk_size(size), piece, b"\r\n"))
            self.send(piece)
        except TypeError:
            self.close()
            raise

    def _next_piece(self, pieces: Iterator[Any]) -> Any:
        """Return the next piece, _END after the last. A body that fails leaves half a request: that ends here."""
        try:
            return next(pieces, _END)
        except BaseException:
            self.close()
            raise

    def _iterate(self, body: Any) -> Iterator[Any]:
        if hasattr(body, "read"):
            return self._read_readable(body)
        try:
            memoryview(body)
        except TypeError:
            pass
        else:
            return iter((body,))
        try:
            return iter(body)
        except TypeError:
            raise TypeError(f"message_body should be a bytes-like object or an iterable, got {type(body)!r}") from None

    def _read_readable(self, readable: Any) -> Iterator[bytes]:
        if self.debuglevel > 0:
            say("reading a readable")
        return self._read_blocks(readable)

    def _read_blocks(self, readable: Any) -> Iterator[bytes]:
        is_text = self._is_textIO(readable)
        if is_text and self.debuglevel > 0:
            say("encoding file using iso-8859-1")
        while block := readable.read(self.blocksize):
            yield block.encode("iso-8859-1") if is_text else block

    def _is_answered(self) -> bool:
        """Return whether the server has answered already: it wants no more of the request."""
        own = as_own(self.sock)
        return own is not None and own.hears_response()

    @staticmethod
    def _get_content_length(body: Any, method: str) -> int | None:
        """Return the length of a body, None if only its end will tell, or if there is neither body nor need of one."""
        if body is None:
            return 0 if method.upper() in replaced.methods_with_body else None
        if hasattr(body, "read"):
            return None
        try:
            return memoryview(body).nbytes
        except TypeError:
            return len(body) if isinstance(body, str) else None

    @staticmethod
    def _is_textIO(stream: Any) -> bool:  # noqa: N802  (http.client's name)
        return isinstance(stream, io.TextIOBase)
