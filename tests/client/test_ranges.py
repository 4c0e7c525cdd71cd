"""Requests for a range, which is one of the content without a coding."""

import gzip
from typing import Any

import pytest

from asyncclient import Client, DecodingError
from tests.client.answering import Answering, redirect
from tests.connection.conversations import reply

PLAIN = b"The quick brown fox jumps over the lazy dog. " * 100
PACKED = gzip.compress(PLAIN, mtime=0)
GZIP = b"Content-Encoding: gzip"


@pytest.mark.parametrize(
    ("of_client", "of_request", "asked"),
    [
        ({}, {"Range": "bytes=10-29"}, "identity"),
        ({}, {"RANGE": "bytes=10-29"}, "identity"),
        ({"range": "bytes=10-29"}, {}, "identity"),
        ({}, {"Range": "bytes=10-29", "accept-encoding": "gzip"}, "gzip"),
        ({}, {"Range": "bytes=10-29", "Accept-Encoding": None}, None),
        ({"Accept-Encoding": "br"}, {"Range": "bytes=10-29"}, "br"),
        ({"Accept-Encoding": "br", "Range": "bytes=10-29"}, {}, "br"),
        ({"Accept-Encoding": None}, {"Range": "bytes=10-29"}, None),
    ],
)
async def test_a_range_is_requested_without_content_coding(
    of_client: dict[str, Any], of_request: dict[str, Any], asked: str | None
) -> None:
    with Answering({"/": redirect("/there"), "/there": reply(b"ok")}) as server:
        async with Client(headers=of_client) as client:
            await client.get(server.url, headers=of_request)
    assert [request["accept-encoding"] for request in server.asked] == [asked] * 2
    assert [request["range"] for request in server.asked] == ["bytes=10-29"] * 2


async def test_other_requests_still_accept_codings() -> None:
    with Answering(default=reply(b"ok")) as server:
        async with Client() as client:
            await client.get(server.url, headers={"Range": "bytes=10-29"})
            await client.get(server.url, headers={"X-Own": "1"})
            await client.get(server.url)
    assert [(request["accept-encoding"] or "").startswith("gzip") for request in server.asked] == [False, True, True]


@pytest.mark.parametrize(
    "content_range", ["Content-Range: bytes 0-29/4500", "Content-Range: bytes 0-29/*", "Content-Range: ?", "X: 1"]
)
async def test_a_range_of_encoded_content_is_not_decoded(content_range: str) -> None:
    answer = reply(PACKED[:30], GZIP, content_range.encode(), status=b"206 Partial Content")
    with Answering(default=answer) as server:
        async with Client() as client:
            response = await client.get(server.url, headers={"Range": "bytes=0-29", "Accept-Encoding": "gzip"})
    assert response.content == PACKED[:30]
    assert response.headers["content-encoding"] == "gzip"


async def test_a_range_that_is_the_whole_is_decoded() -> None:
    content_range = f"Content-Range: bytes 0-{len(PACKED) - 1}/{len(PACKED)}".encode()
    whole = reply(PACKED, GZIP, content_range, status=b"206 Partial Content")
    repeated = whole.replace(content_range, content_range + b"\r\n" + content_range)
    with Answering({"/": whole, "/twice": repeated, "/cut": whole.replace(PACKED, PACKED[:-1] + b"!")}) as server:
        async with Client() as client:
            response = await client.get(server.url, headers={"Range": "bytes=0-"})
            assert (await client.get(f"{server.url}/twice", headers={"Range": "bytes=0-"})).content == PLAIN
            with pytest.raises(DecodingError):
                await client.get(f"{server.url}/cut", headers={"Range": "bytes=0-"})
    assert response.content == PLAIN
