"""Routes: a transport for each part of the web."""

import pytest

import compat
from asyncclient import Client, LocalResponse, PoolTransport, Routes, TransportRequest, TransportResponse
from asyncclient.testing import MockTransport
from tests.client.answering import Answering, redirect
from tests.connection.conversations import OK


class Named:
    """A transport whose responses have its name as content."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.closed = 0

    async def send(self, request: TransportRequest) -> TransportResponse:
        return LocalResponse(content=self.name)

    async def aclose(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


PATTERNS = [
    "*",
    "https://*",
    "*:8080",
    "*.example.com",
    "https://*.example.com",
    "*.deep.example.com",
    "example.com",
    "example.com:8080",
    "http://example.com:8080",
    "HTTP://Bücher.example/",
    "[::1]",
    "a.tie.com",
    "https://*.tie.com",
]


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://other.com/", "*"),
        ("https://other.com/", "https://*"),
        ("https://other.com:8080/", "*:8080"),
        ("http://a.example.com/", "*.example.com"),
        ("http://a.example.com:8080/", "*.example.com"),
        ("https://a.example.com/", "https://*.example.com"),
        ("https://a.deep.example.com/", "*.deep.example.com"),
        ("https://deep.example.com/", "https://*.example.com"),
        ("https://EXAMPLE.com/", "example.com"),
        ("https://example.com:8080/", "example.com:8080"),
        ("http://example.com:8080/", "http://example.com:8080"),
        ("http://notexample.com/", "*"),
        ("http://xn--bcher-kva.example/", "HTTP://Bücher.example/"),
        ("http://[::1]:8080/", "[::1]"),
        ("https://a.tie.com/", "a.tie.com"),
    ],
)
async def test_the_most_specific_pattern_is_used(url: str, pattern: str) -> None:
    for patterns in (PATTERNS, PATTERNS[::-1]):
        async with Client(transport=Routes({text: Named(text) for text in patterns})) as client:
            assert (await client.get(url)).text == pattern


async def test_a_request_without_a_matching_pattern_fails_at_once() -> None:
    async with Client(transport=Routes({"example.com": Named("a")}), retries=3) as client:
        with pytest.raises(LookupError, match=r"no transport for <TransportRequest GET 'http://other.com/\?…'>"):
            await client.get("http://other.com/?key=secret")


async def test_a_redirect_leads_from_one_transport_to_another() -> None:
    offline = MockTransport({"GET http://offline.test/": LocalResponse(content="offline")})
    with Answering({"/a": redirect("http://offline.test/")}, OK) as server:
        async with Client(transport=Routes({"*": PoolTransport(), "offline.test": offline})) as client:
            response = await client.get(f"{server.url}/a")
            assert (response.text, len(response.history)) == ("offline", 1)
            assert (await client.get(f"{server.url}/b")).status == 200


async def test_closing_closes_each_transport_once_even_if_one_fails() -> None:
    first, failing, last = Named("a"), Named("b", OSError("stuck")), Named("c")
    client = Client(transport=Routes({"*": first, "b.test": failing, "c.test": last, "d.test": last}))
    with pytest.raises(OSError, match="stuck"):
        await client.aclose()
    assert (first.closed, failing.closed, last.closed) == (1, 1, 1)


def test_the_blocking_client_takes_routes() -> None:
    transport = Named("a")
    with compat.Client(transport=Routes({"*.test": transport})) as client:
        assert client.get("http://a.test/").text == "a"
    assert transport.closed == 1


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "ftp://a",
        "a/path",
        "a*b",
        "*a.test",
        "*.*.test",
        "a:0x1",
        "a:99999",
        "user@a",
        "a b",
        "http://",
        "*.",
        "[a",
        "a..b",
    ],
)
def test_invalid_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Routes({pattern: Named("a")})


def test_invalid_routes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected each pattern once, got 'A\.test' twice"):
        Routes({"a.test": Named("a"), "A.test": Named("b")})
    with pytest.raises(TypeError, match=r"expected an object with send\(\) and aclose\(\) as transport, got str"):
        Routes({"a.test": "b"})  # type: ignore[dict-item]
