"""Responses that are stored, and requests that are answered from the cache (RFC 9111, RFC 5861)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asyncclient import LocalResponse, RemoteDisconnected, TransportRequest
from asyncclient.cache import CacheStats, Entry, MemoryStore
from asyncclient.cache.transport import REFRESH_SECONDS
from tests.cache.origin import Cached, Origin, answer, date
from tests.pool.hosts import wait_until

FRESH = "max-age=600"


async def ask_twice(response: LocalResponse, **options: Any) -> int:
    """Return how many of two requests the origin has received."""
    origin = Origin(a=response)
    fields = options.pop("headers", None)
    async with Cached(origin, **options) as client:
        for _ in range(2):
            assert (await client.get("/a", headers=fields)).text == "content"
    return len(origin.requests)


# Storing


@pytest.mark.parametrize(
    ("fields", "is_stored"),
    [
        ({"Cache-Control": "max-age=600"}, True),
        ({"Cache-Control": "private, max-age=600"}, True),
        ({"Expires": "LATER"}, True),
        ({"Last-Modified": "BEFORE"}, True),
        ({"Cache-Control": "max-age=600", "Vary": "Accept, accept-encoding"}, True),
        ({}, False),
        ({"Cache-Control": "public"}, False),
        ({"Cache-Control": "max-age=0"}, False),
        ({"Cache-Control": "no-store, max-age=600"}, False),
        ({"Cache-Control": "NO-STORE"}, False),
        ({"Cache-Control": "no-cache, max-age=600"}, False),
        ({"Cache-Control": "max-age=600", "Vary": "*"}, False),
        ({"Cache-Control": "max-age=600", "Vary": "Accept, *"}, False),
        ({"Cache-Control": "max-age=600", "Set-Cookie": "a=1"}, False),
        ({"Expires": "0"}, False),
        ({"Expires": "BEFORE"}, False),
    ],
)
async def test_a_response_is_used_again_if_its_fields_allow_it(fields: dict[str, str], is_stored: bool) -> None:
    dates = {"LATER": date(-36000), "BEFORE": date(36000)}
    pairs = {"Date": date(), **{name: dates.get(value, value) for name, value in fields.items()}}
    response = LocalResponse(headers=pairs, content="content")
    assert await ask_twice(response) == (1 if is_stored else 2)


async def test_a_shared_cache_stores_nothing_private() -> None:
    assert await ask_twice(answer(cache_control="private, max-age=600"), shared=True) == 2
    assert await ask_twice(answer(cache_control="max-age=0, s-maxage=600"), shared=True) == 1
    assert await ask_twice(answer(cache_control="max-age=0, s-maxage=600")) == 2


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("directives", "is_stored"),
    [("max-age=600", False), ("public, max-age=600", True), ("must-revalidate, max-age=600", True)],
)
async def test_with_authorization_a_response_is_stored_only_if_the_server_permits_it(
    directives: str, is_stored: bool, shared: bool
) -> None:
    response = answer(cache_control=directives)
    assert await ask_twice(response, auth=("user", "password"), shared=shared) == (1 if is_stored else 2)
    assert await ask_twice(response, headers={"authorization": "Bearer t"}) == (1 if is_stored else 2)


async def test_a_request_without_storing() -> None:
    assert await ask_twice(answer(cache_control=FRESH), headers={"Cache-Control": "no-store"}) == 2


@pytest.mark.parametrize(
    "field", [("Range", "bytes=0-1"), ("If-None-Match", '"a"'), ("If-Modified-Since", date()), ("If-Range", '"a"')]
)
async def test_a_request_for_a_range_or_with_conditions_is_passed_on(field: tuple[str, str]) -> None:
    origin = Origin(a=answer(cache_control=FRESH))
    async with Cached(origin) as client:
        await client.get("/a")
        await client.get("/a", headers=[field])
        await client.get("/a")
    assert origin.list_fields(field[0]) == [None, field[1]]


async def test_content_that_is_too_large_is_passed_on_only() -> None:
    large = LocalResponse(headers={"Date": date(), "Cache-Control": FRESH}, content="x" * 1001)
    origin = Origin(a=large)
    async with Cached(origin) as client:
        for _ in range(2):
            assert len((await client.get("/a")).content) == 1001
        assert client.cache.stats() == CacheStats(misses=2)
    assert len(origin.requests) == 2


async def test_head_and_get_are_stored_apart() -> None:
    origin = Origin(a=answer(cache_control=FRESH))
    async with Cached(origin) as client:
        for _ in range(2):
            assert (await client.head("/a")).content == b""
            assert (await client.get("/a")).text == "content"
    assert [request.method for request in origin.requests] == ["HEAD", "GET"]


async def test_urls_with_another_query_are_others() -> None:
    origin = Origin(a=lambda request: answer(request.target, cache_control=FRESH))
    async with Cached(origin) as client:
        for target in ("/a?b", "/a?c", "/a?b#fragment"):
            assert (await client.get(target)).text == target.partition("#")[0]
    assert len(origin.requests) == 2


async def test_a_redirect_is_stored() -> None:
    moved = answer("", status=301, cache_control=FRESH, location="/b")
    origin = Origin(a=moved, b=answer(cache_control=FRESH))
    async with Cached(origin) as client:
        for _ in range(2):
            assert (await client.get("/a")).text == "content"
    assert len(origin.requests) == 2


# Vary


async def test_responses_that_vary_are_stored_for_each_kind_of_request() -> None:
    def choose(request: TransportRequest) -> LocalResponse:
        return answer(request.headers.get("accept-language", "none"), cache_control=FRESH, vary="Accept-Language")

    origin = Origin(a=choose)
    async with Cached(origin) as client:
        for _ in range(2):
            for language in ("de", "en", "de, en"):
                assert (await client.read("/a", accept_language=language)).text == language
            assert (await client.get("/a")).text == "none"
    assert len(origin.requests) == 4


async def test_a_confirmation_is_never_for_another_kind_of_request() -> None:
    def choose(request: TransportRequest) -> LocalResponse:
        if request.headers.get("if-modified-since"):
            return LocalResponse(304, headers={"Date": date()})
        text = request.headers["accept-language"]
        return answer(text, 1000, cache_control="max-age=100", vary="Accept-Language", last_modified=date(10000))

    async with Cached(Origin(a=choose)) as client:
        assert (await client.read("/a", accept_language="de")).text == "de"
        assert (await client.read("/a", accept_language="en")).text == "en"
        assert (await client.read("/a", accept_language="de")).text == "de"


# Age and confirmation


@pytest.mark.parametrize(
    ("build", "requests"),
    [
        (lambda: answer(ago=500, cache_control=FRESH), 1),
        (lambda: answer(ago=700, cache_control=FRESH), 2),
        (lambda: answer(cache_control=FRESH, age="500"), 1),
        (lambda: answer(cache_control=FRESH, age="700"), 2),
        (lambda: answer(ago=1000, expires=date(-100)), 1),
        (lambda: answer(ago=1000, expires=date(100)), 2),
        (lambda: answer(expires=date(-600), age="700"), 2),
        (lambda: LocalResponse(headers={"Cache-Control": FRESH}, content="content"), 1),
        (lambda: LocalResponse(headers={"Cache-Control": FRESH, "Age": "700"}, content="content"), 2),
        (lambda: LocalResponse(headers={"Cache-Control": FRESH, "Date": "never"}, content="content"), 1),
        (lambda: answer(ago=50, last_modified=date(10000)), 1),
        (lambda: answer(ago=5000, last_modified=date(10000)), 2),
    ],
)
async def test_the_age_of_a_response_is_that_since_it_was_made(
    build: Callable[[], LocalResponse], requests: int
) -> None:
    assert await ask_twice(build()) == requests


async def test_a_stored_response_says_its_age() -> None:
    async with Cached(Origin(a=answer(ago=500, cache_control=FRESH, age="30"))) as client:
        assert (await client.get("/a")).headers["age"] == "30"
        assert 500 <= int((await client.get("/a")).headers["age"]) < 600


async def test_a_stale_response_is_confirmed_and_its_fields_are_replaced() -> None:
    first = LocalResponse(
        headers=[("date", date(1000)), ("Cache-Control", "max-age=100"), ("ETag", '"1"'), ("X-A", "1"), ("x-b", "2")],
        content="content",
        trailers=[("X-T", "1")],
    )
    fields = [("Date", date()), ("Cache-Control", FRESH), ("x-a", "3"), ("X-A", "4"), ("Content-Type", "text/new")]
    confirmed = LocalResponse(304, headers=[*fields, ("Connection", "x-b"), ("Set-Cookie", "a=1")])
    origin = Origin(a=[first, confirmed])
    async with Cached(origin) as client:
        await client.get("/a")
        for _ in range(2):
            response = await client.get("/a")
            assert (response.status, response.text) == (200, "content")
            pairs = response.headers.pairs()
            assert [name for name, _ in pairs] == ["ETag", "x-b", "Date", "Cache-Control", "x-a", "X-A", "Age"]
            assert response.trailers is not None
            assert response.trailers.pairs() == [("X-T", "1")]
        assert client.cache.stats() == CacheStats(hits=1, confirmed=1, misses=1, stored=1)
    assert origin.list_fields("if-none-match") == [None, '"1"']


async def test_a_changed_response_takes_the_place_of_the_stored_one() -> None:
    old = answer("old", ago=1000, cache_control="max-age=100", last_modified=date(10000))
    origin = Origin(a=[old, answer("new", cache_control=FRESH)])
    async with Cached(origin) as client:
        assert [(await client.get("/a")).text for _ in range(3)] == ["old", "new", "new"]
    assert origin.list_fields("if-modified-since")[1] is not None
    assert len(origin.requests) == 2


async def test_a_confirmation_of_another_response_leads_to_a_plain_request() -> None:
    old = answer("old", ago=1000, cache_control="max-age=100", etag='"1"')
    other = LocalResponse(304, headers={"ETag": '"2"'})
    origin = Origin(a=[old, other, answer("new", cache_control=FRESH)])
    async with Cached(origin) as client:
        assert [(await client.get("/a")).text for _ in range(3)] == ["old", "new", "new"]
    assert origin.list_fields("if-none-match") == [None, '"1"', None]


# Directives of requests


@pytest.mark.parametrize(
    ("directives", "ago", "status"),
    [
        ("only-if-cached", 0, 200),
        ("only-if-cached", 700, 504),
        ("only-if-cached, max-stale=200", 700, 200),
        ("only-if-cached, max-stale=50", 700, 504),
        ("only-if-cached, min-fresh=200", 300, 200),
        ("only-if-cached, min-fresh=500", 300, 504),
        ("only-if-cached, max-age=400", 300, 200),
        ("only-if-cached, max-age=200", 300, 504),
        ("only-if-cached, no-cache", 0, 504),
        ("only-if-cached, max-age=x", 300, 504),
    ],
)
async def test_directives_of_a_request(directives: str, ago: float, status: int) -> None:
    origin = Origin(a=answer(ago=ago, cache_control=FRESH))
    async with Cached(origin) as client:
        await client.get("/a")
        assert (await client.read("/a", cache_control=directives)).status == status
    assert len(origin.requests) == 1


async def test_a_response_that_must_be_confirmed_is_never_stale() -> None:
    origin = Origin(a=answer(ago=700, cache_control="max-age=600, must-revalidate, stale-while-revalidate=1000"))
    async with Cached(origin) as client:
        await client.get("/a")
        assert (await client.read("/a", cache_control="only-if-cached, max-stale=1000")).status == 504


async def test_without_a_stored_response_only_if_cached_is_504() -> None:
    origin = Origin()
    async with Cached(origin) as client:
        assert (await client.read("/a", cache_control="only-if-cached")).status == 504
    assert origin.requests == []


async def test_a_reload_asks_the_server() -> None:
    origin = Origin(a=answer(cache_control=FRESH, etag='"1"'))
    async with Cached(origin) as client:
        for directives in ("max-age=600", "max-age=0", "no-cache"):
            assert (await client.read("/a", cache_control=directives)).text == "content"
    assert origin.list_fields("if-none-match") == [None, '"1"', '"1"']


# Unsafe requests


async def test_a_request_that_may_change_the_resource_ends_its_responses() -> None:
    origin = Origin(a=answer(cache_control=FRESH), b=answer(cache_control=FRESH))
    async with Cached(origin) as client:
        await client.get("/a")
        await client.get("/b")
        await client.post("/a", body=b"new")
        await client.get("/a")
        await client.get("/b")
    assert [(request.method, request.target) for request in origin.requests] == [
        ("GET", "/a"),
        ("GET", "/b"),
        ("POST", "/a"),
        ("GET", "/a"),
    ]


async def test_a_request_that_fails_ends_nothing() -> None:
    origin = Origin(a=[answer(cache_control=FRESH), answer(status=403)])
    async with Cached(origin) as client:
        await client.get("/a")
        await client.put("/a", body=b"new")
        assert (await client.get("/a")).text == "content"
    assert [request.method for request in origin.requests] == ["GET", "PUT"]


# Stale responses


async def test_stale_while_revalidate_answers_at_once_and_confirms_in_the_background() -> None:
    old = answer("old", ago=1000, cache_control="max-age=600, stale-while-revalidate=600", etag='"1"')
    origin = Origin(a=[old, answer("new", cache_control=FRESH)])
    async with Cached(origin) as client:
        await client.get("/a")
        responses = await asyncio.gather(*(client.get("/a") for _ in range(5)))
        assert {response.text for response in responses} == {"old"}
        await wait_until(lambda: client.cache.stats().stored == 2)
        assert (await client.get("/a")).text == "new"
        assert client.cache.stats() == CacheStats(hits=1, stale=5, misses=2, stored=2)
    assert origin.list_fields("if-none-match") == [None, '"1"']


async def test_a_response_beyond_stale_while_revalidate_is_confirmed_first() -> None:
    old = answer("old", ago=1300, cache_control="max-age=600, stale-while-revalidate=600")
    origin = Origin(a=[old, answer("new", cache_control=FRESH)])
    async with Cached(origin) as client:
        assert [(await client.get("/a")).text for _ in range(2)] == ["old", "new"]


async def test_a_failed_confirmation_in_the_background_changes_nothing() -> None:
    old = answer("old", ago=1000, cache_control="max-age=600, stale-while-revalidate=600")
    origin = Origin(a=[old, RemoteDisconnected()])
    async with Cached(origin) as client:
        for _ in range(3):
            assert (await client.get("/a")).text == "old"
            await wait_until(lambda: not client.cache._refreshes)
    assert len(origin.requests) == 3


@pytest.mark.parametrize(("timeout", "seconds"), [(None, REFRESH_SECONDS), (7, 7)])
async def test_a_confirmation_in_the_background_has_a_deadline(timeout: float | None, seconds: float) -> None:
    origin = Origin(a=answer("old", ago=1000, cache_control="max-age=600, stale-while-revalidate=600"))
    async with Cached(origin, timeout=timeout) as client:
        for _ in range(2):
            await client.get("/a")
        await wait_until(lambda: len(origin.requests) == 2)
    assert origin.requests[1].deadline.total == seconds


async def test_a_store_that_raises_leaves_no_response_open() -> None:
    class Broken(MemoryStore):
        async def read(self, entry: Entry) -> bytes | None:
            raise RuntimeError("broken store")

    failed = answer("error", status=500)
    old = answer("old", ago=1000, cache_control="max-age=600, stale-if-error=600", etag='"1"')
    origin = Origin(a=[old, lambda _: failed])
    async with Cached(origin, store=Broken()) as client:
        await client.get("/a")
        with pytest.raises(RuntimeError, match="broken store"):
            await client.get("/a")
    assert failed.closed


async def test_closing_cancels_the_background() -> None:
    class Hanging(Origin):
        async def send(self, request: TransportRequest) -> LocalResponse:
            if self.requests:
                self.requests.append(request)
                await asyncio.Event().wait()
            return await super().send(request)

    origin = Hanging(a=answer("old", ago=1000, cache_control="max-age=600, stale-while-revalidate=600"))
    async with Cached(origin) as client:
        for _ in range(3):
            assert (await client.get("/a")).text == "old"
        await wait_until(lambda: len(origin.requests) == 2)
    assert client.cache._refreshes == {}
    assert origin.is_closed


@pytest.mark.parametrize("failure", [RemoteDisconnected(), LocalResponse(503)])
async def test_stale_if_error_answers_after_a_failure(failure: Any) -> None:
    old = answer("old", ago=1000, cache_control="max-age=600, stale-if-error=600", etag='"1"')
    origin = Origin(a=[old, failure])
    async with Cached(origin) as client:
        assert [(await client.get("/a")).text for _ in range(3)] == ["old"] * 3
        assert client.cache.stats().stale == 2


async def test_without_stale_if_error_a_failure_is_passed_on() -> None:
    old = answer("old", ago=1000, cache_control="max-age=600", etag='"1"')
    origin = Origin(a=[old, RemoteDisconnected()])
    async with Cached(origin) as client:
        await client.get("/a")
        with pytest.raises(RemoteDisconnected):
            await client.get("/a")
