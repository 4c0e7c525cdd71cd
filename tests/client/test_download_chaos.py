"""Downloads from servers that behave at random: the file is a complete version of the server's, or unchanged."""

import random
from pathlib import Path

import pytest

from asyncclient import Client, HTTPException, Retry
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import parse_request
from tests.client.downloads import partial_response
from tests.connection.conversations import chunked, reply

VERSIONS = [random.Random(seed).randbytes(size) for seed, size in ((1, 50_000), (2, 50_000), (3, 61_000))]
NOTHING = b"HTTP/1.1 304 Not Modified\r\n\r\n"


class Chaos(RawServer):
    """A server of one file, which changes now and then; answers are right, wrong, or cut off, by chance.

    Its validators (ETag, Last-Modified) are true, and a slice differs from the whole.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(self._serve_by_chance)
        self._random = random.Random(seed)
        self._etag = self._random.choice([b'ETag: "v%d"', b'ETag: W/"v%d"', b"ETag: v%d", None])
        self._version = 0

    def _serve_by_chance(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            if self._random.random() < 0.15:
                self._version = self._random.randrange(len(VERSIONS))
            asked = parse_request(head)["range"]
            answer = self._answer_range(int(asked[6:-1])) if asked else self._answer_whole()
            if self._random.random() < 0.5:
                content = answer.index(b"\r\n\r\n") + 4
                connection.send(answer[: self._random.randint(content, len(answer))])
                return
            connection.send(answer)

    def _fields(self) -> list[bytes]:
        dates = [
            b"Date: Sun, 06 Nov 1994 09:49:37 GMT",
            b"Last-Modified: Sun, 06 Nov 1994 08:49:3%d GMT" % self._version,
        ]
        return dates if self._etag is None else [self._etag % self._version, *dates]

    def _answer_whole(self) -> bytes:
        content, fields = VERSIONS[self._version], self._fields()
        return reply(content, *fields) if self._random.random() < 0.8 else in_chunks(content, b"200 OK", fields)

    def _answer_range(self, start: int) -> bytes:
        content, fields = VERSIONS[self._version], self._fields()
        if start >= len(content):
            return reply(b"", status=b"416 Range Not Satisfiable")
        right = f"bytes {start}-{len(content) - 1}/{len(content)}"
        content_range = b"Content-Range: " + right.encode()
        rest, middle = content[start:], min(len(content), start + 5000)
        answers = [
            partial_response(rest, right, *fields),
            partial_response(rest, right, *fields),
            partial_response(content[start:middle], f"bytes {start}-{middle - 1}/{len(content)}", *fields),
            partial_response(rest[1:], f"bytes {start + 1}-{len(content) - 1}/{len(content)}", *fields),
            in_chunks(rest, b"206 Partial Content", [*fields, content_range]),
            in_chunks(rest, b"200 OK", [*fields, content_range]),
            reply(rest, *fields, content_range),
            reply(content, *fields),
            reply(b"", status=b"416 Range Not Satisfiable"),
            NOTHING,
        ]
        return self._random.choice(answers)


def in_chunks(content: bytes, status: bytes, fields: list[bytes]) -> bytes:
    return chunked(content).replace(b"200 OK\r\n", b"\r\n".join((status, *fields, b"")), 1)


@pytest.mark.parametrize("seed", range(100))
async def test_the_file_is_whole_or_as_it_was(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "file", random.Random(seed)
    path.write_bytes(b"old")
    with Chaos(seed) as server:
        async with Client(retries=Retry(total=2, backoff=0, budget=None)) as client:
            for _ in range(20):
                try:
                    await client.download(server.url, path, resume=chance.random() < 0.8)
                except HTTPException:
                    assert path.read_bytes() == b"old"
                else:
                    break
    assert path.read_bytes() in VERSIONS
