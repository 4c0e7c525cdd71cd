"""Tests that record the answers of a server once, and replay them (pytest-asyncio)."""

from pathlib import Path

from asyncclient import Client, PoolTransport
from asyncclient.testing import (
    RawServer,
    Recorder,
    Replay,
    build_response,
    record_once,
)


async def test_record_and_replay(tmp_path: Path) -> None:
    path = tmp_path / "api.har"
    answer = build_response(json={"name": "lamp"})
    async with RawServer.replying(answer) as server:
        recorder = Recorder(PoolTransport(), path, secret_params=["pin"])
        async with Client(transport=recorder) as client:
            await client.get(f"{server.url}/items?pin=s3cret")
    assert "s3cret" not in path.read_text()

    async with Client(transport=Replay(path)) as client:  # the server has ended
        response = await client.get(f"{server.url}/items?pin=another")
        assert response.json() == {"name": "lamp"}


async def test_record_once(tmp_path: Path) -> None:
    path = tmp_path / "api.har"
    answer = build_response(text="recorded")
    async with RawServer.replying(answer) as server:
        for _ in range(2):
            transport = record_once(PoolTransport(), path)
            async with Client(transport=transport) as client:
                assert (await client.get(server.url)).text == "recorded"
        assert len(server.requests) == 1
