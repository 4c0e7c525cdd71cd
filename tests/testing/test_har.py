"""Recorder and Replay: what is written, what is masked, and what is answered from it."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from haralyzer import HarParser

import compat
from asyncclient import Client, ConnectError, LocalResponse, PoolLimits, PoolTransport
from asyncclient.testing import (
    FaultInjector,
    MockTransport,
    RawServer,
    Recorder,
    Replay,
    UnexpectedRequest,
    build_response,
    faults,
    record_once,
)
from tests.servers import Certificates, ConnectProxy

API = "https://api.example.com"


@pytest.fixture
def mock() -> MockTransport:
    return MockTransport()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.har"


def load(path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(path.read_text())["log"]["entries"]
    return entries


async def test_an_exchange_becomes_an_entry_of_har(mock: MockTransport, path: Path) -> None:
    mock.post(f"{API}/items?page=2").respond(status=201, json={"id": "ä"}, headers={"X-A": "1"})
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/items?page=2", json={"name": "lamp"}, headers={"Accept": "*/*"})
    document = json.loads(path.read_text())
    assert document["log"]["version"] == "1.2"
    assert document["log"]["creator"]["name"] == "asyncclient"
    (entry,) = document["log"]["entries"]
    request, response = entry["request"], entry["response"]
    assert (request["method"], request["url"], request["httpVersion"]) == ("POST", f"{API}/items?page=2", "HTTP/1.1")
    assert request["queryString"] == [{"name": "page", "value": "2"}]
    assert request["postData"] == {"mimeType": "application/json", "params": [], "text": '{"name":"lamp"}'}
    assert request["bodySize"] == 15
    assert {"name": "Host", "value": "api.example.com"} in request["headers"]
    assert (response["status"], response["statusText"]) == (201, "Created")
    assert response["content"] == {"size": 11, "mimeType": "application/json", "text": '{"id":"ä"}'}
    assert {"name": "X-A", "value": "1"} in response["headers"]
    assert entry["startedDateTime"].endswith("Z")
    assert {"send", "wait", "receive"} <= entry["timings"].keys()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["api.har"]


async def test_a_har_of_real_connections_is_read_by_haralyzer(path: Path) -> None:
    answers = [build_response(text="a page", headers={"Set-Cookie": "sid=1"}), build_response(content=b"\x89PNG")]
    with RawServer.replying(*answers) as server:
        recorder = Recorder(PoolTransport(), path)
        async with Client(transport=recorder) as client:
            await client.get(f"{server.url}/page?a=1")
            await client.get(f"{server.url}/image")
    pages = HarParser(json.loads(path.read_text())).pages
    first, second = [entry for page in pages for entry in page.entries]
    assert (first.status, first.request.method, first.url) == (200, "GET", f"{server.url}/page?a=1")
    assert (first.response.text, first.serverAddress) == ("a page", "127.0.0.1")
    assert first.time >= 0
    timings = load(path)[0]["timings"]
    assert timings["connect"] >= 0
    assert (timings["ssl"], load(path)[1]["timings"]["connect"]) == (-1, -1)
    assert second.raw_entry["response"]["content"] == {
        "size": 4,
        "mimeType": "",
        "text": "iVBORw==",
        "encoding": "base64",
    }


async def test_the_time_for_a_tunnel_is_a_part_of_connecting(
    path: Path, tls: Certificates, connect_proxy: Callable[..., ConnectProxy]
) -> None:
    with RawServer.replying(build_response(text="a"), tls=tls.server_context()) as server:
        recorder = Recorder(PoolTransport(ssl=tls.client_context()), path)
        async with Client(transport=recorder, proxy=f"http://127.0.0.1:{connect_proxy().port}") as client:
            found = (await client.get(server.url)).timings
    assert found.connect is not None
    assert found.tunnel is not None
    assert found.tls is not None
    parts = [round(1000 * seconds, 3) for seconds in (found.connect, found.tunnel, found.tls)]
    assert load(path)[0]["timings"]["connect"] == pytest.approx(sum(parts))


async def test_the_wait_in_the_pool_is_a_phase_of_its_own(path: Path) -> None:
    with RawServer.replying(*[build_response(text="a")] * 3) as server:
        pool = PoolTransport(pool=PoolLimits(connections=1))
        async with Client(transport=Recorder(pool, path)) as client:
            await asyncio.gather(client.get(server.url), client.get(server.url))
            await client.get(server.url)  # the connection is free
    *waited, last = (entry["timings"]["blocked"] for entry in load(path))
    assert min(waited) >= 0
    assert last == -1


async def test_secrets_are_masked(mock: MockTransport, path: Path) -> None:
    mock.route().respond(
        status=302, headers=[("Set-Cookie", "sid=s3cret; Path=/; HttpOnly"), ("Location", f"{API}/next?token=s3cret")]
    )
    recorder = Recorder(mock, path, secret_headers=["X-Own"], secret_params=["token", "password"])
    async with Client(transport=recorder, follow_redirects=False, auth=("user", "s3cret")) as client:
        await client.post(
            f"{API}/a?token=s3cret&page=2",
            data={"user": "ada", "password": "s3cret"},
            headers={"Cookie": "a=s3cret; b=s3cret", "X-Api-Key": "s3cret", "X-Own": "s3cret"},
        )
    assert "s3cret" not in path.read_text()
    (entry,) = load(path)
    assert entry["request"]["url"] == f"{API}/a?token=***&page=2"
    assert entry["request"]["postData"]["text"] == "user=ada&password=***"
    assert entry["request"]["postData"]["params"][1] == {"name": "password", "value": "***"}
    assert entry["request"]["cookies"] == [{"name": "a", "value": "***"}, {"name": "b", "value": "***"}]
    assert entry["response"]["cookies"] == [{"name": "sid", "value": "***"}]
    assert entry["response"]["redirectURL"] == f"{API}/next?token=***"
    fields = {field["name"]: field["value"] for field in entry["request"]["headers"]}
    assert (fields["Authorization"], fields["X-Api-Key"], fields["X-Own"]) == ("Basic ***", "***", "***")
    assert {"name": "Set-Cookie", "value": "sid=***; Path=/; HttpOnly"} in entry["response"]["headers"]


async def test_secrets_in_json_are_masked_in_requests_and_responses(mock: MockTransport, path: Path) -> None:
    text = '{ "access_token":"s3cret\\" ", "expires_in": 3600.0,\n "user": {"apiKey": 12, "n": "ä"}, "token": null }'
    mock.post(f"{API}/token").respond(text=text, headers={"Content-Type": "application/vnd.api+json"})
    async with Client(transport=Recorder(mock, path, secret_params=["pin"])) as client:
        response = await client.post(f"{API}/token", json={"user": "ada", "password": "s3cret", "pin": ["s3cret"]})
    assert response.text == text
    (entry,) = load(path)
    assert json.loads(entry["request"]["postData"]["text"]) == {"user": "ada", "password": "***", "pin": ["***"]}
    assert entry["response"]["content"]["text"] == (
        '{ "access_token":"***", "expires_in": 3600.0,\n "user": {"apiKey": "***", "n": "ä"}, "token": null }'
    )


async def test_secrets_with_usual_names_are_masked_in_queries_and_forms(mock: MockTransport, path: Path) -> None:
    mock.post().respond(text="ok")
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/?api-key=s3cret&page=2", data={"user[password]": "s3cret", "n": "1"})
    (entry,) = load(path)
    assert entry["request"]["url"] == f"{API}/?api-key=***&page=2"
    assert [param["value"] for param in entry["request"]["postData"]["params"]] == ["***", "1"]


SECRET_JSON = b'{"token": "s3cret", "n": "\xc3\xa9"}'
PACKED = gzip.compress(SECRET_JSON + b" " * 100, mtime=0)  # the names of tests must not change


@pytest.mark.parametrize(
    ("media_type", "coding", "data"),
    [
        ("", "", SECRET_JSON),
        ("application/octet-stream", "", SECRET_JSON),
        ("application/jsonl", "", SECRET_JSON + b"\n"),
        ("application/json-seq", "", b"\x1e" + SECRET_JSON),
        ("application/json; charset=ISO-8859-1", "", SECRET_JSON.decode().encode("latin-1")),
        ("application/json; charset=utf-16", "", SECRET_JSON),
        ("application/json", "", SECRET_JSON.decode().encode("utf-16")),
        ("application/json", "", SECRET_JSON.decode().encode("utf-16-le")),
        ("application/json", "", b"\x00" + SECRET_JSON),
        ("application/json", "", SECRET_JSON + b"\xff"),
        ("application/json", "", SECRET_JSON[:-3]),
        ("application/octet-stream", "", b"password=s3cret&a=\xff"),
        ("application/json", "gzip", PACKED),
        ("application/json", "gzip", PACKED[:-4]),
        ("application/json", "gzip", PACKED[:-14]),
    ],
)
async def test_secrets_are_masked_in_content_that_is_not_kept_as_it_is(
    mock: MockTransport, path: Path, media_type: str, coding: str, data: bytes
) -> None:
    headers = {"Content-Type": media_type} | ({"Content-Encoding": coding} if coding else {})
    mock.post(f"{API}/").respond(content=data, headers=headers)
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/", body=data, headers=headers, decode=False)
    (entry,) = load(path)
    for kept in (entry["request"]["postData"], entry["response"]["content"]):
        assert ("***" in kept["text"], "encoding" in kept, "_base64" in kept) == (True, False, False)
        assert "s3cret" not in kept["text"]
    async with Client(transport=Replay(path, match=["method", "body"])) as client:
        response = await client.post(f"{API}/", body=data, headers=headers, decode=False)
    assert b"***" in response.content.replace(b"\x00", b"")


@pytest.mark.parametrize(
    "data", [PACKED[:4] + b"\xff" * 30, gzip.compress(b" " * 20_000_000, mtime=0)], ids=["invalid", "bomb"]
)
async def test_content_that_cannot_be_decoded_is_not_kept(mock: MockTransport, path: Path, data: bytes) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    mock.post(f"{API}/").respond(content=data, headers=headers)
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/", body=data, headers=headers, decode=False)
    (entry,) = load(path)
    assert entry["response"]["content"] == {"size": len(data), "mimeType": "application/json", "comment": "not kept"}
    assert entry["request"]["postData"]["text"] == ""
    assert entry["request"]["postData"]["comment"] == "not kept"
    async with Client(transport=Replay(path, match=["body"])) as client:
        with pytest.raises(UnexpectedRequest):
            await client.post(f"{API}/", body=b"")


async def test_bytes_without_secrets_are_kept_as_they_are(mock: MockTransport, path: Path) -> None:
    packed = gzip.compress(b'{"n": 1}')
    mock.post().respond(content=b'{"n": "\xff"}', headers={"Content-Type": "application/json"})
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/", body=packed, headers={"Content-Encoding": "gzip"})
    (entry,) = load(path)
    assert entry["response"]["content"]["text"] == "eyJuIjogIv8ifQ=="
    assert entry["response"]["content"]["encoding"] == "base64"
    async with Client(transport=Replay(path, match=["body"])) as client:
        response = await client.post(f"{API}/", body=packed, headers={"Content-Encoding": "gzip"})
    assert response.content == b'{"n": "\xff"}'


async def test_compressed_content_that_is_empty_is_kept(mock: MockTransport, path: Path) -> None:
    packed, headers = zlib.compress(b"", 1), {"Content-Encoding": "deflate"}
    mock.post().respond(content=packed, headers={"Content-Type": "text/plain"} | headers)
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/", body=packed, headers=headers)
    (entry,) = load(path)
    assert entry["request"]["postData"]["_base64"] == "eAEDAAAAAAE="
    assert entry["response"]["content"] == {"size": 0, "mimeType": "text/plain", "compression": -8, "text": ""}


async def test_a_replay_answers_in_the_charset_that_was_recorded(mock: MockTransport, path: Path) -> None:
    headers = {"Content-Type": "application/json; charset=ISO-8859-1"}
    mock.get().respond(content=b'{"token": "a", "n": "\xe9"}', headers=headers)
    async with Client(transport=Recorder(mock, path)) as client:
        await client.get(f"{API}/")
    async with Client(transport=Replay(path, repeat=True)) as client:
        assert (await client.get(f"{API}/")).content == b'{"token": "***", "n": "\xe9"}'
    path.write_text(path.read_text().replace("é", "€ 漢"))  # a character that the charset lacks
    async with Client(transport=Replay(path)) as client:
        assert (await client.get(f"{API}/")).content == '{"token": "***", "n": "€ 漢"}'.encode()


async def test_the_usual_names_may_be_left_out(mock: MockTransport, path: Path) -> None:
    answer = {"errors": {"password": ["is required"]}, "pin": 1}
    mock.post().respond(json=answer)
    names: Any = {"usual_params": False, "secret_params": ["pin"]}
    for _ in range(2):
        async with Client(transport=record_once(mock, path, **names)) as client:
            response = await client.post(f"{API}/?token=a", json={"token": "a", "pin": 1})
    assert response.json() == answer | {"pin": "***"}
    assert load(path)[0]["request"]["url"] == f"{API}/?token=a"
    async with Client(transport=Replay(path, match=["body"], **names)) as client:
        with pytest.raises(UnexpectedRequest):
            await client.post(f"{API}/", json={"token": "b", "pin": 1})


async def test_an_entry_may_be_changed_before_it_is_stored(mock: MockTransport, path: Path) -> None:
    def remove(entry: dict[str, Any]) -> None:
        entry["response"]["content"]["text"] = "removed"

    mock.get(f"{API}/").respond(text="s3cret")
    async with Client(transport=Recorder(mock, path, change=remove)) as client:
        assert (await client.get(f"{API}/")).text == "s3cret"
    assert load(path)[0]["response"]["content"]["text"] == "removed"


async def test_bodies_that_are_streamed_are_recorded(mock: MockTransport, path: Path, tmp_path: Path) -> None:
    async def produce() -> AsyncIterator[bytes]:
        yield b"in "
        yield b"chunks"

    (tmp_path / "file").write_bytes(b"\xff\x00")
    mock.put(f"{API}/")
    async with Client(transport=Recorder(mock, path)) as client:
        await client.put(f"{API}/", body=produce())
        await client.put(f"{API}/", body=tmp_path / "file")
    first, second = (entry["request"]["postData"] for entry in load(path))
    assert first["text"] == "in chunks"
    assert (second["text"], second["_base64"]) == ("", "/wA=")
    assert [call.request.content for call in mock.calls] == [b"in chunks", b"\xff\x00"]


async def test_long_content_passes_and_is_not_kept(mock: MockTransport, path: Path) -> None:
    mock.post(f"{API}/").respond(content=b"x" * 100)
    recorder = Recorder(mock, path, max_content=50)
    async with Client(transport=recorder) as client:
        assert len((await client.post(f"{API}/", body=iter([b"y" * 60]))).content) == 100
    (entry,) = load(path)
    assert (entry["response"]["content"]["size"], "text" in entry["response"]["content"]) == (100, False)
    assert ("postData" in entry["request"], entry["request"]["bodySize"]) == (False, -1)


async def test_failures_and_content_that_breaks_off_are_recorded(mock: MockTransport, path: Path) -> None:
    mock.get(f"{API}/a").raises(ConnectError("refused"))
    mock.get(f"{API}/b").respond(text="0123456789")
    injector = FaultInjector(mock, [faults.Truncation(url=f"{API}/b", after=4)])
    async with Client(transport=Recorder(injector, path)) as client:
        for target in ("a", "b"):
            with pytest.raises(OSError if target == "a" else Exception):
                await client.get(f"{API}/{target}")
    first, second = (entry["response"] for entry in load(path))
    assert (first["status"], first["_error"]) == (0, "ConnectError")
    assert (second["status"], second["content"]["text"], second["_error"]) == (200, "0123", "IncompleteRead")


async def test_a_replay_answers_as_the_recording(mock: MockTransport, path: Path) -> None:
    packed = gzip.compress(b"<p>hello</p>" * 20)
    mock.get(f"{API}/page").respond(
        content=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/html", "X-A": "1"}
    )
    mock.get(f"{API}/image").respond(content=b"\x89PNG\xff", headers={"Content-Type": "image/png"})
    mock.get(f"{API}/old").respond(status=302, headers={"Location": "/page", "Set-Cookie": "sid=1"})
    mock.head(f"{API}/page").respond(text="content")
    mock.get(f"{API}/gone").raises(ConnectError("refused"))

    async def ask(client: Client) -> list[tuple[int, bytes]]:
        requests = [("GET", "old"), ("GET", "image"), ("HEAD", "page")]
        return [
            (response.status, response.content)
            for response in [await client.request(method, f"{API}/{target}") for method, target in requests]
        ]

    async with Client(transport=Recorder(mock, path)) as client:
        recorded = await ask(client)
        with pytest.raises(ConnectError):
            await client.get(f"{API}/gone")
    replay = Replay(path)
    async with Client(transport=replay) as client:
        assert await ask(client) == recorded

        with pytest.raises(UnexpectedRequest):
            await client.get(f"{API}/gone")
    assert len(replay.routes) == 4
    assert recorded[0] == (200, b"<p>hello</p>" * 20)


async def test_equal_requests_are_answered_in_the_order_of_the_file(mock: MockTransport, path: Path) -> None:
    mock.get(f"{API}/").sequence(*(build_response(text=text) for text in ("one", "two")))
    async with Client(transport=Recorder(mock, path)) as client:
        for _ in range(2):
            await client.get(f"{API}/")
    async with Client(transport=Replay(path)) as client:
        assert [(await client.get(f"{API}/")).text for _ in range(2)] == ["one", "two"]
        with pytest.raises(UnexpectedRequest, match="used 1 times"):
            await client.get(f"{API}/")
    async with Client(transport=Replay(path, repeat=True)) as client:
        assert [(await client.get(f"{API}/")).text for _ in range(4)] == ["one", "two", "two", "two"]


async def test_parts_of_requests_are_compared_by_choice_and_masked_values_match(
    mock: MockTransport, path: Path
) -> None:
    mock.post(f"{API}/a", params={}).respond(text="found")
    async with Client(transport=Recorder(mock, path, secret_params=["token"])) as client:
        await client.post(f"{API}/a?x=1&token=first", data={"token": "first", "n": "1"})

    async def is_found(method: str, target: str, n: str, **options: Any) -> bool:
        async with Client(transport=Replay(path, **options)) as client:
            try:
                await client.request(method, f"{API}/{target}", data={"token": "second", "n": n})
            except UnexpectedRequest:
                return False
            return True

    target = "a?token=second&x=1"
    assert await is_found("POST", target, "1")
    assert await is_found("POST", target, "2")
    assert not await is_found("POST", "a?token=second&x=2", "1")
    assert not await is_found("POST", "b?token=second&x=1", "1")
    assert not await is_found("PUT", target, "1")
    assert await is_found("PUT", target, "1", match=["url"])
    assert await is_found("POST", "a?x=2", "1", match=["method", "url"])
    compared = {"match": ["method", "url", "body"], "secret_params": ["token"]}
    assert await is_found("POST", target, "1", **compared)
    assert not await is_found("POST", target, "2", **compared)


async def test_a_masked_value_in_json_matches_any_value(mock: MockTransport, path: Path) -> None:
    mock.post(f"{API}/a").respond(text="found")
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/a", json={"token": "first", "n": 1})
    async with Client(transport=Replay(path, match=["method", "url", "body"], repeat=True)) as client:
        assert (await client.post(f"{API}/a", json={"token": "second", "n": 1})).text == "found"
        with pytest.raises(UnexpectedRequest):
            await client.post(f"{API}/a", json={"token": "second", "n": 2})


async def test_an_archive_with_secrets_of_another_program_is_compared(mock: MockTransport, path: Path) -> None:
    mock.post(f"{API}/a").respond(text="found")
    async with Client(transport=Recorder(mock, path)) as client:
        await client.post(f"{API}/a", json={"token": "***"})
    path.write_text(path.read_text().replace("***", "first"))
    async with Client(transport=Replay(path, match=["method", "url", "body"])) as client:
        assert (await client.post(f"{API}/a", json={"token": "second"})).text == "found"


async def test_record_once_records_the_first_time_and_replays_afterwards(path: Path) -> None:
    for number in range(3):
        mock = MockTransport()
        mock.get(f"{API}/").respond(LocalResponse(content=f"run {number}"))
        async with Client(transport=record_once(mock, path)) as client:
            assert (await client.get(f"{API}/")).text == "run 0"
        assert len(mock.calls) == (number == 0)


def test_the_blocking_client_records_and_replays(mock: MockTransport, path: Path) -> None:
    mock.get(f"{API}/").respond(text="a")
    with compat.Client(transport=Recorder(mock, path)) as client:
        client.get(f"{API}/")
    with compat.Client(transport=Replay(path)) as client:
        assert client.get(f"{API}/").text == "a"


def test_files_and_rules_that_are_invalid_are_refused(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Replay(path)
    for text in ("no JSON", "[]", '{"log": {}}', '{"log": {"entries": [{}]}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"expected an HTTP archive \(HAR 1.2\) in .*api.har"):
            Replay(path)
    path.write_text('{"log": {"entries": []}}')
    with pytest.raises(ValueError, match=r"expected names among method, url, query, body as match, got \['header'\]"):
        Replay(path, match=["header"])
    wrong: Any = 5
    with pytest.raises(TypeError, match="expected a path as file, got int"):
        Recorder(MockTransport(), wrong)
