"""The stores: entries in memory and in a file, their limits, and failures of the file."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import compat
from asyncclient import PoolTransport
from asyncclient.cache import CacheTransport, Entry, MemoryStore, SQLiteStore, Store
from asyncclient.cache.entry import COST, measure
from tests.cache.origin import Cached, Origin, answer
from tests.client.answering import Answering
from tests.connection.conversations import reply

FRESH = "max-age=60"


def entry(name: str, content: bytes = b"", method: str = "GET", language: str = "") -> Entry:
    fields = (("X-Name", name),)
    vary = (("accept-language", language),) if language else ()
    return Entry(method, f"http://a.test/{name}", vary, 200, "OK", fields, (), 1.5, measure(len(content), fields, ()))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    made: Store = MemoryStore(10_000) if request.param == "memory" else SQLiteStore(tmp_path / "cache", 10_000)
    yield made
    await made.aclose()


async def list_names(store: Store, *names: str) -> dict[str, list[bytes | None]]:
    return {name: [await store.read(found) for found in await store.find(f"http://a.test/{name}")] for name in names}


async def test_entries_are_found_by_url_and_are_the_same(store: Store) -> None:
    given = replace(entry("a", b"1"), reason="Sí", trailers=(("X-T", "é"),), vary=(("a", "b"), ("c", "")))
    store.put(given, b"1")
    store.put(entry("b"), bytes(range(256)))
    (found,) = await store.find("http://a.test/a")
    assert found == given
    assert found.id
    assert await list_names(store, "a", "b", "c") == {"a": [b"1"], "b": [bytes(range(256))], "c": []}


async def test_an_entry_takes_the_place_of_that_for_the_same_requests(store: Store) -> None:
    for content in (b"1", b"2"):
        for method in ("GET", "HEAD"):
            for language in ("de", "en"):
                store.put(entry("a", content, method, language), content)
    found = await store.find("http://a.test/a")
    assert sorted((entry.method, entry.vary[0][1]) for entry in found) == [
        ("GET", "de"),
        ("GET", "en"),
        ("HEAD", "de"),
        ("HEAD", "en"),
    ]
    assert await list_names(store, "a") == {"a": [b"2"] * 4}


async def test_an_entry_is_replaced_and_removed(store: Store) -> None:
    store.put(entry("a", b"1"), b"1")
    (found,) = await store.find("http://a.test/a")
    changed = replace(found, fields=(("X-New", "1"),), received_at=7.0)
    store.update(changed)
    assert await store.find("http://a.test/a") == [changed]
    assert await store.read(found) == b"1"
    store.remove(found)
    store.remove(found)
    store.update(changed)
    assert await store.find("http://a.test/a") == []
    assert await store.read(found) is None


async def test_the_entries_that_were_not_used_are_removed_when_the_store_is_full(store: Store) -> None:
    content = bytes(3000 - COST)
    for name in "abc":
        store.put(entry(name, content), content)
    await list_names(store, "a", "c")
    store.put(entry("d", content), content)
    assert {name: len(found) for name, found in (await list_names(store, *"abcd")).items()} == {
        "a": 1,
        "b": 0,
        "c": 1,
        "d": 1,
    }
    store.put(entry("e", bytes(10_000)), bytes(10_000))
    assert len((await list_names(store, "e", "d"))["d"]) == 1
    assert await store.find("http://a.test/e") == []


async def test_a_closed_store_is_empty(store: Store) -> None:
    store.put(entry("a"), b"")
    await store.aclose()
    await store.aclose()
    assert await store.find("http://a.test/a") == []


@pytest.mark.parametrize("make", [MemoryStore, lambda size: SQLiteStore("/nowhere", size)])
def test_a_limit_that_is_not_a_number(make: Any) -> None:
    with pytest.raises(TypeError, match="max_size"):
        make("1")
    with pytest.raises(ValueError, match="expected max_size of at least 0"):
        make(-1)


# Files


async def test_a_file_keeps_its_entries_for_another_client(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    for number in range(2):
        origin = Origin(a=answer(str(number), cache_control=FRESH))
        async with Cached(origin, store=SQLiteStore(path)) as client:
            assert [(await client.get("/a")).text for _ in range(2)] == ["0", "0"]
        assert len(origin.requests) == 1 - number
    assert path.stat().st_mode & 0o777 == 0o600


async def test_two_stores_share_a_file(tmp_path: Path) -> None:
    one, other = SQLiteStore(tmp_path / "cache"), SQLiteStore(tmp_path / "cache")
    one.put(entry("a"), b"1")
    assert await list_names(one, "a") == {"a": [b"1"]}
    assert await list_names(other, "a") == {"a": [b"1"]}
    other.put(entry("b"), b"2")
    assert await list_names(other, "b") == {"b": [b"2"]}
    assert await list_names(one, "b") == {"b": [b"2"]}
    await one.aclose()
    await other.aclose()


async def test_secrets_of_requests_are_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    origin = Origin(a=answer(cache_control="public, max-age=60", vary="Cookie, Authorization"))
    async with Cached(origin, store=SQLiteStore(path), cookies={"a": "s3cret"}, auth=("user", "passw0rd")) as client:
        await client.get("/a")
        await client.get("/a")
        assert len(origin.requests) == 1
        stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"content" in stored
    assert b"s3cret" not in stored
    assert b"dXNlcjpwYXNzdzByZA" not in stored


async def test_a_store_that_fails_is_logged_and_the_request_is_not_affected(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin = Origin(a=answer(cache_control=FRESH))
    async with Cached(origin, store=SQLiteStore(tmp_path)) as client:  # a directory
        with caplog.at_level(logging.WARNING, "asyncclient.cache"):
            assert [(await client.get("/a")).text for _ in range(2)] == ["content"] * 2
    assert len(origin.requests) == 2
    assert "has failed: IsADirectoryError" in caplog.text or "has failed: OperationalError" in caplog.text
    assert len(caplog.records) == 1


async def test_the_folder_of_a_store_is_created(tmp_path: Path) -> None:
    origin, path = Origin(a=answer(cache_control=FRESH)), tmp_path / "missing" / "too" / "cache"
    async with Cached(origin, store=SQLiteStore(path)) as client:
        assert [(await client.get("/a")).text for _ in range(2)] == ["content"] * 2
    assert (len(origin.requests), path.is_file()) == (1, True)


async def test_a_store_that_fails_again_is_logged_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SQLiteStore(tmp_path / "cache")
    with caplog.at_level(logging.WARNING, "asyncclient.cache"):
        for path in (tmp_path, tmp_path, tmp_path / "cache", tmp_path):
            store.path = str(path)
            assert await store.find("http://a.test/") == []
            if store.path.endswith("cache"):
                await store._call(store._close, None)
    await store.aclose()
    assert len(caplog.records) == 2


@pytest.mark.parametrize("damage", ["UPDATE entries SET head = '[1]'", "UPDATE entries SET head = 'x'"])
async def test_a_damaged_entry_is_not_found(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "cache"
    origin = Origin(a=answer(cache_control=FRESH))
    async with Cached(origin, store=SQLiteStore(path)) as client:
        await client.get("/a")
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    async with Cached(origin, store=SQLiteStore(path)) as client:
        assert (await client.get("/a")).text == "content"
    assert len(origin.requests) == 2


async def test_a_file_of_another_version_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entries (something)")
    connection.commit()
    connection.close()
    store = SQLiteStore(path)
    store.put(entry("a"), b"1")
    assert await list_names(store, "a") == {"a": [b"1"]}
    await store.aclose()


def test_the_blocking_client(tmp_path: Path) -> None:
    with Answering({"/": reply(b"ok", b"Cache-Control: max-age=60")}) as server:
        transport = CacheTransport(PoolTransport(), SQLiteStore(tmp_path / "cache"))
        with compat.Client(transport=transport) as client:
            assert [client.get(server.url).text for _ in range(3)] == ["ok"] * 3
    assert len(server.asked) == 1
