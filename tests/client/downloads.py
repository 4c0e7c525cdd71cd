"""Helpers for tests of downloads: a server of one file, and checks of the target directory."""

import base64
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asyncclient import (
    Client,
    IncompleteRead,
    Retry,
)
from asyncclient.client.download.download import MAX_WRITE_STEP
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Asked, parse_request
from tests.connection.conversations import reply

CONTENT = random.Random(1).randbytes(3 * MAX_WRITE_STEP + 5)
SIZE = len(CONTENT)
CUT = MAX_WRITE_STEP + 1000
REST = CONTENT[CUT - 1 :]
RIGHT = f"bytes {CUT - 1}-{SIZE - 1}/{SIZE}"
DATES = (b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT")
AT_ONCE = Retry(total=2, backoff=0)


def partial_response(data: bytes, content_range: str, *fields: bytes) -> bytes:
    return reply(data, b"Content-Range: " + content_range.encode(), *fields, status=b"206 Partial Content")


class Store(RawServer):
    """A server of one file.

    Args:
        fields: of each answer.
        cuts: after how many bytes of content the first answers end, with the connection; None sends all.
        answers: responses sent instead of the file to the first requests; None serves the file.
        supports: which of Range and If-Range the server supports.
    """

    def __init__(
        self,
        content: bytes = CONTENT,
        *fields: bytes,
        cuts: tuple[int | None, ...] = (),
        answers: tuple[bytes | None, ...] = (),
        supports: tuple[str, ...] = ("range", "if-range"),
        **options: Any,
    ) -> None:
        super().__init__(self._serve_file, **options)
        self.content = content
        self.fields = fields or (b'ETag: "v1"',)
        self.cuts: list[int | None] = list(cuts)
        self.answers: list[bytes | None] = list(answers)
        self.supports = supports
        self.asked: list[Asked] = []

    def _serve_file(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            self.asked.append(parse_request(head))
            answer = self.answers.pop(0) if self.answers else None
            answer = self._answer(self.asked[-1]) if answer is None else answer
            cut = self.cuts.pop(0) if self.cuts else None
            if cut is not None:
                connection.send(answer[: answer.index(b"\r\n\r\n") + 4 + cut])
                return
            connection.send(answer)

    def _answer(self, asked: Asked) -> bytes:
        start = self._find_start(asked)
        if start is None:
            return reply(self.content, *self.fields)
        return partial_response(
            self.content[start:], f"bytes {start}-{len(self.content) - 1}/{len(self.content)}", *self.fields
        )

    def _find_start(self, asked: Asked) -> int | None:
        asked_range = asked["range"]
        if asked_range is None or "range" not in self.supports:
            return None
        if "if-range" in self.supports and not any(
            field.endswith(f": {asked['if-range']}".encode()) for field in self.fields
        ):
            return None
        return int(asked_range.removeprefix("bytes=").removesuffix("-"))

    @property
    def ranges(self) -> list[str | None]:
        """The received Range fields, in order."""
        return [asked["range"] for asked in self.asked]


class Interrupted(Exception):
    """Raised by a callback."""


def stop_at_size(size: int) -> Callable[[int, int | None], None]:
    """A callback that ends the download once the file has so many bytes."""

    def progress(received: int, _: int | None) -> None:
        if received >= size:
            raise Interrupted

    return progress


def list_names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def is_whole(path: Path, content: bytes = CONTENT) -> bool:
    """Whether the file has this content, and stands alone."""
    return path.read_bytes() == content and list_names(path.parent) == [path.name]


@contextmanager
def leaves_whole_file(path: Path, content: bytes = CONTENT) -> Iterator[None]:
    yield
    assert is_whole(path, content)


async def leave_part(server: Store, path: Path, url: str = "/file", **options: Any) -> None:
    """Let a download be cut off, so that its part is left."""
    server.cuts = [CUT]
    async with Client() as client:
        with pytest.raises(IncompleteRead):
            await client.download(server.url + url, path, resume=True, **options)
    assert Path(f"{path}.part").read_bytes() == server.content[:CUT]
    server.asked.clear()


def digest(field: str, content: bytes = CONTENT, algorithm: str = "sha-256") -> bytes:
    value = hashlib.new(algorithm.replace("-", ""), content).digest()
    return f"{field}: {algorithm}=:{base64.b64encode(value).decode()}:".encode()
