"""The caching resolver: times, concurrent look-ups, and addresses after a look-up that fails."""

import asyncio
import gc
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from asyncclient import CachingResolver, Client, ConnectError, ProxyError, StaticResolver, TLSError
from asyncclient.stream.resolve import Address
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, becomes_true
from tests.pool.invariant import check_quiet
from tests.servers import Certificates

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TRY_AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Book:
    """A resolver with the answers of a test; while `is_held`, look-ups wait."""

    def __init__(self, *answers: Sequence[Address] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []
        self.cancelled = 0
        self.is_held = False
        self.may_go_on = asyncio.Event()

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.is_held:
            try:
                await self.may_go_on.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as held:  # bound, and not listening: it can't be anyone else's
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_addresses_are_kept_for_their_time(clock: Clock) -> None:
    book = Book(["192.0.2.1"], ["192.0.2.2", ("192.0.2.3", 81)])
    resolver = CachingResolver(book, ttl=10, clock=clock)
    for now, found in (
        (1000.0, ("192.0.2.1",)),
        (1009.9, ("192.0.2.1",)),
        (1010.0, ("192.0.2.2", ("192.0.2.3", 81))),
        (1019.9, ("192.0.2.2", ("192.0.2.3", 81))),
    ):
        clock.now = now
        assert await resolver.resolve("a.test", 80) == found
    assert book.asked == [("a.test", 80)] * 2


async def test_names_and_ports_are_cached_separately(clock: Clock) -> None:
    book = Book(["192.0.2.1"])
    resolver = CachingResolver(book, clock=clock)
    for _ in range(2):
        for host, port in (("a.test", 80), ("a.test", 81), ("b.test", 80)):
            await resolver.resolve(host, port)
    assert book.asked == [("a.test", 80), ("a.test", 81), ("b.test", 80)]


async def test_a_missing_name_is_cached_for_a_shorter_time(clock: Clock) -> None:
    book = Book(NO_NAME, ["192.0.2.1"])
    resolver = CachingResolver(book, negative_ttl=5, clock=clock)
    for now in (1000.0, 1004.9):
        clock.now = now
        with pytest.raises(socket.gaierror, match="Name or service not known") as raised:
            await resolver.resolve("a.test", 80)
        assert raised.value is not NO_NAME
    clock.now = 1005.0
    assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)
    assert len(book.asked) == 2


@pytest.mark.parametrize("answer", [[], ValueError("broken")])
async def test_failures_are_cached_as_os_errors(clock: Clock, answer: Sequence[Address] | Exception) -> None:
    book = Book(answer)
    resolver = CachingResolver(book, clock=clock)
    for _ in range(2):
        with pytest.raises(OSError, match=r"^(the resolver gave no address|broken)$"):
            await resolver.resolve("a.test", 80)
    assert len(book.asked) == 1


async def test_a_temporary_failure_is_not_cached(clock: Clock) -> None:
    book = Book(TRY_AGAIN, ["192.0.2.1"])
    resolver = CachingResolver(book, clock=clock)
    with pytest.raises(socket.gaierror, match="Temporary"):
        await resolver.resolve("a.test", 80)
    assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)


@pytest.mark.parametrize("failure", [NO_NAME, TRY_AGAIN])
async def test_old_addresses_are_used_if_the_look_up_fails(clock: Clock, failure: Exception) -> None:
    book = Book(["192.0.2.1"], failure)
    resolver = CachingResolver(book, ttl=10, negative_ttl=5, stale=100, clock=clock)
    for now, asked in ((1000.0, 1), (1010.0, 2), (1014.9, 2), (1015.0, 3), (1109.9, 4)):
        clock.now = now
        assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)
        assert len(book.asked) == asked
    clock.now = 1115.0
    with pytest.raises(socket.gaierror):
        await resolver.resolve("a.test", 80)


async def test_concurrent_requests_look_up_once() -> None:
    book = Book(["192.0.2.1"])
    book.is_held = True
    resolver = CachingResolver(book)
    asking = [asyncio.create_task(resolver.resolve("a.test", 80)) for _ in range(50)]
    await asyncio.sleep(0)
    book.may_go_on.set()
    assert await asyncio.gather(*asking) == [("192.0.2.1",)] * 50
    assert len(book.asked) == 1


async def test_each_waiter_gets_an_error_of_its_own() -> None:
    book = Book(NO_NAME)
    book.is_held = True
    resolver = CachingResolver(book)
    asking = [asyncio.create_task(resolver.resolve("a.test", 80)) for _ in range(3)]
    await asyncio.sleep(0)
    book.may_go_on.set()
    errors = await asyncio.gather(*asking, return_exceptions=True)
    assert len({id(error) for error in errors}) == 3
    assert [str(error) for error in errors] == [str(NO_NAME)] * 3


async def test_a_cancelled_waiter_does_not_cancel_the_look_up_of_the_others() -> None:
    book = Book(["192.0.2.1"])
    book.is_held = True
    resolver = CachingResolver(book)
    first, second = (asyncio.create_task(resolver.resolve("a.test", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    book.may_go_on.set()
    assert await second == ("192.0.2.1",)
    assert (len(book.asked), book.cancelled) == (1, 0)


@pytest.mark.parametrize("is_failing", [False, True])
async def test_a_look_up_is_cancelled_with_its_last_waiter(is_failing: bool) -> None:
    told = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    book = Book(NO_NAME if is_failing else ["192.0.2.1"])
    book.is_held = True
    resolver = CachingResolver(book)
    asking = [asyncio.create_task(resolver.resolve("a.test", 80)) for _ in range(2)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    if is_failing:
        book.may_go_on.set()  # in the same turn
    await asyncio.wait(asking)
    assert all(task.cancelled() for task in asking)
    asking.clear()
    assert await becomes_true(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    assert book.cancelled == (0 if is_failing else 1)
    book.is_held = False
    book.answers = [["192.0.2.2"]]
    assert await CachingResolver(book).resolve("a.test", 80) == ("192.0.2.2",)
    gc.collect()
    assert told == []


async def test_a_request_during_the_cancellation_of_a_look_up_starts_another() -> None:
    book = Book(["192.0.2.1"])
    book.is_held = True
    resolver = CachingResolver(book)
    first = asyncio.create_task(resolver.resolve("a.test", 80))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    book.is_held = False
    assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)
    assert len(book.asked) == 2


async def test_the_oldest_name_is_forgotten(clock: Clock) -> None:
    book = Book(["192.0.2.1"])
    resolver = CachingResolver(book, most=2, clock=clock)
    for host in ("a.test", "b.test", "c.test", "b.test", "a.test"):
        await resolver.resolve(host, 80)
    assert [host for host, _ in book.asked] == ["a.test", "b.test", "c.test", "a.test"]


async def test_all_addresses_can_be_forgotten(clock: Clock) -> None:
    book = Book(["192.0.2.1"])
    resolver = CachingResolver(book, clock=clock)
    await resolver.resolve("a.test", 80)
    resolver.clear()
    await resolver.resolve("a.test", 80)
    assert len(book.asked) == 2


@pytest.mark.parametrize("options", [{"ttl": -1}, {"negative_ttl": float("nan")}, {"stale": -0.1}, {"most": 0}])
def test_invalid_numbers_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        CachingResolver(**options)


async def test_the_system_resolver_is_the_default() -> None:
    assert set(await CachingResolver().resolve("localhost", 80)) <= {"127.0.0.1", "::1"}


async def test_a_client_looks_up_once_for_many_connections() -> None:
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    with Answering(default=closing) as server:
        book = Book([("127.0.0.1", server.port)])
        async with Client(resolver=CachingResolver(book)) as client:
            responses = await asyncio.gather(*(client.get("http://a.test/") for _ in range(20)))
            assert [response.content for response in responses] == [b"ok"] * 20
            assert (await client.get("http://a.test/")).content == b"ok"
    assert (book.asked, server.accepted) == ([("a.test", 80)], 21)


async def test_a_client_gives_the_reason_of_a_failed_look_up() -> None:
    async with Client(resolver=CachingResolver(Book(NO_NAME))) as client:
        for _ in range(2):
            with pytest.raises(ConnectError, match=r"no connection to a\.test:80: .*not known") as raised:
                await client.get("http://a.test/")
            assert raised.value.attempts[0].errno == socket.EAI_NONAME


# Addresses that do not work


async def test_a_forgotten_host_is_looked_up_again(clock: Clock) -> None:
    book = Book(["192.0.2.1"], ["192.0.2.2"])
    resolver = CachingResolver(book, clock=clock)
    await resolver.resolve("a.test", 80)
    resolver.forget("a.test", 81)
    resolver.forget("b.test", 80)
    assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)
    resolver.forget("a.test", 80)
    assert await resolver.resolve("a.test", 80) == ("192.0.2.2",)


async def test_the_addresses_of_a_forgotten_host_are_used_if_the_look_up_fails(clock: Clock) -> None:
    book = Book(["192.0.2.1"], TRY_AGAIN, ["192.0.2.2"])
    resolver = CachingResolver(book, negative_ttl=5, clock=clock)
    await resolver.resolve("a.test", 80)
    resolver.forget("a.test", 80)
    assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)
    clock.now += 5
    assert await resolver.resolve("a.test", 80) == ("192.0.2.2",)


async def test_forgetting_does_not_change_that_a_host_has_no_address(clock: Clock) -> None:
    book = Book(NO_NAME)
    resolver = CachingResolver(book, clock=clock)
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.test", 80)
        resolver.forget("a.test", 80)
    assert len(book.asked) == 1


async def test_forget_is_passed_to_the_inner_resolver() -> None:
    book = Book(["192.0.2.1"], ["192.0.2.2"])
    inner = CachingResolver(book)
    resolver = CachingResolver(StaticResolver({"b.test": "192.0.2.9"}, inner), ttl=0)
    assert await resolver.resolve("a.test", 80) == ("192.0.2.1",)
    resolver.forget("a.test", 80)
    assert await resolver.resolve("a.test", 80) == ("192.0.2.2",)


async def test_a_host_that_has_moved_is_found_by_the_next_request(closed_port: int) -> None:
    with Answering(default=OK) as server:
        book = Book([("127.0.0.1", closed_port), ("::1", closed_port)], [("127.0.0.1", server.port)])
        async with Client(resolver=CachingResolver(book), trust_env=False) as client:
            with pytest.raises(ConnectError):
                await client.get("http://a.test/")
            assert (await client.get("http://a.test/")).content == b"ok"
    assert len(book.asked) == 2


async def test_a_host_is_looked_up_again_if_its_address_serves_another_name(tls: Certificates) -> None:
    with RawServer.replying(OK, tls=tls.server_context()) as server:
        book = Book([("127.0.0.1", server.port)])
        async with Client(resolver=CachingResolver(book), ssl=tls.client_context(), trust_env=False) as client:
            for _ in range(2):
                with pytest.raises(TLSError):
                    await client.get("https://a.test/")
    assert len(book.asked) == 2


async def test_a_proxy_that_refuses_is_not_looked_up_again() -> None:
    with RawServer.replying(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as server:
        book = Book([("127.0.0.1", server.port)])
        async with Client(resolver=CachingResolver(book), proxy="http://proxy.test", ssl=False) as client:
            for _ in range(2):
                with pytest.raises(ProxyError):
                    await client.get("https://a.test/")
    assert len(book.asked) == 1


async def test_a_host_that_a_socks_proxy_does_not_reach_is_looked_up_again() -> None:
    def refuse(connection: RawConnection) -> None:
        connection.read()
        connection.send(b"\x00\x5b" + bytes(6))

    with RawServer(refuse) as server:
        book = Book(["192.0.2.1"])
        proxy = f"socks4://127.0.0.1:{server.port}"
        async with Client(resolver=CachingResolver(book), proxy=proxy) as client:
            for _ in range(2):
                with pytest.raises(ProxyError):
                    await client.get("http://a.test/")
    assert book.asked == [("a.test", 80)] * 2


async def test_a_resolver_that_fails_to_forget_does_not_change_the_error(closed_port: int) -> None:
    class Stubborn(Book):
        def forget(self, host: str, port: int) -> None:
            told.append((host, port))
            raise RuntimeError("I never forget")

    told: list[tuple[str, int]] = []
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context["exception"]))
    resolver = Stubborn([("127.0.0.1", closed_port)])
    async with Client(resolver=resolver, trust_env=False) as client:
        with pytest.raises(ConnectError):
            await client.get("http://a.test/")
        check_quiet(client)
    assert told == [("a.test", 80)]
    assert [str(error) for error in heard] == ["I never forget"]
