"""Slots are freed exactly once, for everything that callers, tracers and servers do before a connection ends."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from asyncclient import Auth, StaticResolver
from tests.pool.hosts import ANSWERS, HOST, Host, assert_answers, client_of, get, reply
from tests.pool.invariant import check_quiet


async def test_a_resend_after_a_stale_connection_does_not_wait_for_its_own_slot() -> None:
    """The resent request needs a new connection, while its own slot is the only one."""
    ANSWERS[b"moved"] = lambda target: reply(b"", b"Location: /ok/there", status=b"302 Found")
    async with Host() as host, client_of(per_host=1, timeout=3) as client:
        await get(client, host, "/ok/0")
        host.peers[0].answer = host.peers[0].transport.close  # type: ignore[method-assign]
        response = await client.get(host.url("/moved/1"))
        assert_answers(response, "/ok/there")
        assert host.targets == ["/ok/0", "/moved/1", "/moved/1", "/ok/there"]
        check_quiet(client)


class Noting(Auth):
    def note(self, request: object, fields: object) -> None:
        raise KeyError("of the auth")


@pytest.mark.parametrize("target", ["/ok/1", "/half/1"])
async def test_an_exception_of_an_auth_about_a_response_frees_the_slot(target: str) -> None:
    async with Host() as host, client_of(connections=1, timeout=5) as client:
        for _ in range(2):
            with pytest.raises(KeyError, match="of the auth"):
                await client.get(host.url(target), auth=Noting())
            check_quiet(client)


@pytest.mark.parametrize("headers", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}])
async def test_a_declared_body_that_is_not_given_is_refused(headers: dict[str, str]) -> None:
    """Else the server would take the next request for it."""
    async with Host() as host, client_of(connections=1, timeout=3) as client:
        with pytest.raises(ValueError, match="expected a body"):
            await client.get(host.url("/ok/1"), headers=headers)
        check_quiet(client)
        await get(client, host, "/ok/2")
        assert host.targets == ["/ok/2"]


async def fail_later() -> AsyncIterator[bytes]:
    yield b"x" * 10
    raise KeyError("of the body")


@pytest.mark.parametrize("open_body", [fail_later, lambda: Path("/there/is/no/such/file")])
async def test_a_body_that_fails_frees_its_slot(open_body: Callable[[], Any]) -> None:
    async with Host() as host, client_of(connections=1, timeout=5) as client:
        with pytest.raises((KeyError, OSError)):
            await client.post(host.url("/ok/1"), body=open_body())
        check_quiet(client)
        await get(client, host, "/ok/2")


async def test_hosts_that_share_an_address_share_no_connection() -> None:
    names = StaticResolver({"a.test": HOST, "b.test": HOST})
    async with Host() as host, client_of(resolver=names) as client:
        for name in ("a.test", "b.test", "A.test", "b.test"):
            assert_answers(await client.get(f"http://{name}:{host.port}/ok/{name}"), f"/ok/{name}")
        assert [peer.targets for peer in host.peers] == [["/ok/a.test", "/ok/A.test"], ["/ok/b.test"] * 2]
        check_quiet(client)
