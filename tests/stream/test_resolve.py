"""Resolvers of a user: their arguments, their results, and their errors."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from asyncclient.errors import ConnectError, ConnectTimeout, InvalidURL
from asyncclient.stream.address import parse_literal
from asyncclient.stream.deadlines import timer_of
from asyncclient.stream.dial import Route, open_stream
from asyncclient.stream.opening import Opening
from asyncclient.stream.resolve import Address, StaticResolver, SystemResolver, resolve
from asyncclient.testing import RawConnection, RawServer
from asyncclient.timeouts import Timeout
from tests.durations import FOREVER, STALL, lasts
from tests.stream.peers import PATIENCE, dial


class Answering:
    """A resolver with one answer for everything, which may be an exception; .asked has the questions."""

    def __init__(self, answer: Any, seconds: float = 0) -> None:
        self.asked: list[tuple[str, int]] = []
        self.was_cancelled = False
        self._answer = answer
        self._seconds = seconds

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if isinstance(self._answer, BaseException):
            raise self._answer
        answer: Sequence[Address] = self._answer
        return answer


@pytest.mark.parametrize("answer", [["127.0.0.1"], ("127.0.0.1",), ["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.1"]])
async def test_a_resolver_gives_the_addresses(answer: Sequence[str]) -> None:
    with RawServer(RawConnection.wait_closed) as server:
        resolver, timings = Answering(answer, 0.02), Opening(0.0)
        stream, _ = await open_stream(Route("target.test", server.port, resolver=resolver), PATIENCE, timings)
        assert stream.get_extra_info("peername")[:2] == ("127.0.0.1", server.port)
        assert stream.peer == f"target.test:{server.port}"
        assert resolver.asked == [("target.test", server.port)]
        assert timings.resolve is not None
        assert 0.015 < timings.resolve < STALL
        stream.abort()
        await stream.wait_closed()


async def test_a_resolver_may_choose_the_port() -> None:
    with RawServer(RawConnection.wait_closed) as server:
        stream = await dial(Route("target.test", 80, resolver=Answering([("127.0.0.1", server.port)])), PATIENCE)
        assert stream.get_extra_info("peername") == ("127.0.0.1", server.port)
        stream.abort()
        await stream.wait_closed()


async def test_a_name_is_looked_up_in_ascii() -> None:
    resolver = Answering(["192.0.2.1"])
    assert await resolve("Bücher.test", 80, resolver) == [parse_literal("192.0.2.1", 80)]
    assert resolver.asked == [("xn--bcher-kva.test", 80)]


async def test_an_invalid_name_is_not_looked_up() -> None:
    resolver = Answering(["192.0.2.1"])
    with pytest.raises(InvalidURL):
        await resolve("bücher..test", 80, resolver)
    assert resolver.asked == []


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "fe80::1%lo"])
async def test_an_address_stands_for_itself(host: str) -> None:
    resolver = Answering([])
    (info,) = await resolve(host, 80, resolver)
    assert info[4][:2] in ((host, 80), (host.partition("%")[0], 80))
    assert resolver.asked == []


async def test_an_address_of_a_resolver_may_have_a_zone() -> None:
    (info,) = await resolve("target.test", 80, Answering(["fe80::1%lo"]))
    assert info[0] == socket.AF_INET6
    assert info[4][3] == socket.if_nametoindex("lo")


async def test_known_addresses_are_used() -> None:
    resolver = Answering([])
    with RawServer(RawConnection.wait_closed) as server:
        known = [info for info in [parse_literal(server.host, server.port)] if info]
        stream = await dial(Route("target.test", 80, addresses=known, resolver=resolver), PATIENCE)
        stream.abort()
        await stream.wait_closed()
    assert resolver.asked == []


# Errors


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (OSError("no such luck"), "no such luck"),
        (socket.gaierror(socket.EAI_NONAME, "not known"), "not known"),
        (KeyError("target.test"), "target.test"),
        (RuntimeError(), "RuntimeError"),
        (TimeoutError("its own"), "its own"),
        (ConnectTimeout("of its server", "connect", 1.0), "of its server"),
        ([], "the resolver gave no address"),
        (["localhost"], "expected an IP address from the resolver, got 'localhost'"),
        (["192.0.2.1", "x" * 200], "expected an IP address from the resolver, got 'xxx.*[.]{3}$"),
        ([("localhost", 80)], "expected an IP address from the resolver, got 'localhost'"),
        ([80], "int"),
        (None, "NoneType"),
    ],
)
async def test_invalid_results_of_a_resolver_are_connect_errors(answer: Any, text: str) -> None:
    with pytest.raises(ConnectError, match=rf"^no connection to target\.test:80: .*{text}") as raised:
        await dial(Route("target.test", 80, resolver=Answering(answer)), PATIENCE)
    assert type(raised.value) is ConnectError
    assert len(raised.value.attempts) == 1
    if isinstance(answer, Exception):
        assert raised.value.__cause__ is answer


async def test_an_invalid_port_of_a_resolver_is_a_connect_error() -> None:
    text = r"no connection to target\.test:80: expected a port of 1 to 65535 from the resolver, got 70000"
    with pytest.raises(ConnectError, match=text):
        await dial(Route("target.test", 80, resolver=Answering([("127.0.0.1", 70000)])), PATIENCE)


@pytest.mark.parametrize(
    "addresses",
    [
        {("one.test", 65536): "127.0.0.1"},
        {("one.test", 0): "127.0.0.1"},
        {"one.test": ("127.0.0.1", 70000)},
        {"one.test": [("::1", 80), ("::1", -1)]},
    ],
)
def test_an_invalid_port_of_a_fixed_address_is_refused(addresses: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a(ddresses for 'one.test', got|\x20port of 1 to 65535)"):
        StaticResolver(addresses)


async def test_a_resolver_that_takes_too_long_is_cancelled() -> None:
    resolver = Answering([], seconds=FOREVER)
    where = r"no connection to target\.test:80 in 0\.1 s"
    with lasts(0.1), pytest.raises(ConnectTimeout, match=where) as raised:
        await dial(Route("target.test", 80, resolver=resolver), Timeout(connect=0.1))
    assert raised.value.attempts == ()
    assert resolver.was_cancelled


async def test_resolving_and_connecting_share_one_time_limit() -> None:
    loop = asyncio.get_running_loop()
    checks: list[float] = []

    class Noting(Answering):
        async def resolve(self, host: str, port: int) -> Sequence[Address]:
            checks.append(timer_of(loop).next_check)
            return await super().resolve(host, port)

    with socket.create_server(("127.0.0.3", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        route = Route("target.test", 80, resolver=Noting([listener.getsockname()], seconds=0.02))
        dialing = asyncio.create_task(dial(route, Timeout(connect=FOREVER)))
        await asyncio.wait([dialing], timeout=0.05)  # connecting has begun
        assert checks == [timer_of(loop).next_check]
        dialing.cancel()
        await asyncio.wait([dialing])
        for filler in fillers:
            filler.close()


# Concurrent look-ups


async def test_without_a_resolver_the_system_resolves() -> None:
    found = await SystemResolver().resolve("localhost", 80)
    assert "127.0.0.1" in found
    assert len(found) == len(set(found))
    assert {info[4][0] for info in await resolve("localhost", 80)} == set(found)
    with pytest.raises(OSError, match=r"[Nn]ame|[Nn]ot known"):
        await SystemResolver().resolve("does-not-exist.invalid", 80)


FIXED = StaticResolver(
    {
        "one.test": "192.0.2.1",
        "Two.TEST.": ["2001:db8::1", "192.0.2.2"],
        "moved.test": ("192.0.2.3", 8080),
        "pair.test": ("192.0.2.4", "192.0.2.5"),
        "several.test": [("192.0.2.6", 81), "192.0.2.7"],
        "bücher.test": "192.0.2.8",
    },
    fallback=Answering(["198.51.100.1"]),
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("one.test", ["192.0.2.1"]),
        ("ONE.test.", ["192.0.2.1"]),
        ("two.test", ["2001:db8::1", "192.0.2.2"]),
        ("moved.test", [("192.0.2.3", 8080)]),
        ("pair.test", ["192.0.2.4", "192.0.2.5"]),
        ("several.test", [("192.0.2.6", 81), "192.0.2.7"]),
        ("xn--bcher-kva.test", ["192.0.2.8"]),
        ("sub.one.test", ["198.51.100.1"]),
        ("localhost", ["198.51.100.1"]),
    ],
)
async def test_fixed_addresses(host: str, expected: Sequence[Address]) -> None:
    assert list(await FIXED.resolve(host, 80)) == expected


@pytest.mark.parametrize(("port", "expected"), [(443, "192.0.2.1"), (80, "192.0.2.2")])
async def test_fixed_addresses_of_a_port_take_precedence(port: int, expected: str) -> None:
    known: dict[str | tuple[str, int], str] = {("one.test", 443): "192.0.2.1", "one.test": "192.0.2.2"}
    assert list(await StaticResolver(known).resolve("one.test", port)) == [expected]


async def test_fixed_addresses_fall_back_on_the_system() -> None:
    resolver = StaticResolver({("localhost", 81): "192.0.2.1"})
    assert list(await resolver.resolve("localhost", 81)) == ["192.0.2.1"]
    assert "127.0.0.1" in await resolver.resolve("localhost", 80)


@pytest.mark.parametrize(
    "build",
    [
        lambda: StaticResolver({"one.test": "two.test"}),
        lambda: StaticResolver({"one.test": ["192.0.2.1", "300.0.0.1"]}),
        lambda: StaticResolver({"one.test": []}),
        lambda: StaticResolver({"one.test": ""}),
        lambda: StaticResolver({("one.test", 80): ("two.test", 80)}),
    ],
)
def test_invalid_fixed_addresses_are_refused_at_once(build: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"expected addresses for .*one\.test"):
        build()


class Peculiar(OSError):
    """An error that can't be copied."""

    def __init__(self, code: int, host: str) -> None:
        super().__init__(f"{host}: {code}")


async def test_a_resolver_may_raise_os_errors_of_its_own_class() -> None:
    class Failing:
        async def resolve(self, host: str, port: int) -> list[str]:
            raise Peculiar(7, host)

    with pytest.raises(ConnectError, match=r"no connection to example\.com:80: example\.com: 7") as raised:
        await resolve("example.com", 80, Failing())
    (attempt,) = raised.value.attempts
    assert (str(attempt), attempt.__traceback__) == ("example.com: 7", None)
