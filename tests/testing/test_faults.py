"""FaultInjector: which exchanges are hit, and the errors and the content that a client then has."""

from typing import Any

import pytest

import compat
from asyncclient import (
    BadStatusLine,
    Client,
    ConnectError,
    ConnectTimeout,
    IncompleteRead,
    LocalResponse,
    PoolTransport,
    RateTimeout,
    ReadTimeout,
    RemoteDisconnected,
    Retry,
    Timeout,
    TotalTimeout,
)
from asyncclient.testing import FaultInjector, MockTransport, RawServer, faults

URL = "https://api.example.com/items"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"


@pytest.fixture
def mock() -> MockTransport:
    mock = MockTransport()
    mock.route(url="https://api.example.com/*").respond(text="0123456789")
    return mock


def client_of(mock: MockTransport, *plan: faults.Fault, seed: int = 0, **settings: Any) -> Client:
    return Client(transport=FaultInjector(mock, plan, seed=seed), **settings)


# Which exchanges


async def test_the_first_fault_of_the_plan_that_is_for_an_exchange_happens(mock: MockTransport) -> None:
    plan = [faults.ConnectRefused(method="post"), faults.Reset(url=f"{URL}/{{id}}"), faults.Truncation(url=f"{URL}/7")]
    injector = FaultInjector(mock, plan)
    async with Client(transport=injector) as client:
        assert (await client.get(URL)).text == "0123456789"
        with pytest.raises(ConnectError, match="injected fault"):
            await client.post(URL)
        with pytest.raises(RemoteDisconnected):
            await client.get(f"{URL}/7")
        assert repr(injector) == f"<FaultInjector 2 injected, {mock!r}>"
    assert injector.injected == plan[:2]
    assert len(mock.calls) == 1
    assert mock.is_closed


async def test_a_fault_hits_a_share_of_the_exchanges_and_a_seed_repeats_it(mock: MockTransport) -> None:
    async def hits(seed: int) -> list[bool]:
        async with client_of(mock, faults.Reset(probability=0.3), seed=seed) as client:
            return [await fails(client) for _ in range(200)]

    async def fails(client: Client) -> bool:
        try:
            await client.get(URL)
        except RemoteDisconnected:
            return True
        return False

    first = await hits(1)
    assert 30 < sum(first) < 90
    assert await hits(1) == first
    assert await hits(2) != first


async def test_a_fault_hits_as_often_as_it_may_and_retries_get_past_it(mock: MockTransport) -> None:
    plan = (faults.Reset(times=1), faults.ConnectRefused(times=1), faults.Truncation(after=4, times=1))
    async with client_of(mock, *plan, retries=Retry(total=3, backoff=0, budget=None)) as client:
        assert (await client.get(URL)).text == "0123456789"
        assert (await client.get(URL)).text == "0123456789"
    assert len(mock.calls) == 3


# The faults


async def test_connecting_may_be_slow(mock: MockTransport) -> None:
    async with client_of(mock, faults.SlowConnect(0.01, times=1), faults.SlowConnect(60)) as client:
        assert (await client.get(URL)).status == 200
        with pytest.raises(ConnectTimeout, match=r"no connection to api.example.com in 0\.01 s"):
            await client.get(URL, timeout=Timeout(connect=0.01))
        with pytest.raises(TotalTimeout, match=r"injected fault: no connection to api.example.com in 0\.01 s"):
            await client.get(URL, timeout=0.01)


@pytest.mark.parametrize(
    ("fault", "partial", "expected"),
    [
        (faults.Reset(after=4), b"0123", 6),
        (faults.Truncation(after=4), b"0123", 6),
        (faults.Truncation(), b"", 10),
        (faults.WrongLength(3), b"0123456789", 3),
    ],
)
async def test_content_may_be_cut_short(
    mock: MockTransport, fault: faults.Fault, partial: bytes, expected: int
) -> None:
    async with client_of(mock, fault) as client:
        with pytest.raises(IncompleteRead) as caught:
            await client.get(URL)
        async with client.stream("GET", URL) as response:
            with pytest.raises(IncompleteRead):
                _ = [chunk async for chunk in response.iter_chunks(3)]
    assert (caught.value.partial, caught.value.expected) == (partial, expected)
    assert isinstance(caught.value.__cause__, ConnectionResetError) is isinstance(fault, faults.Reset)


async def test_content_may_be_shorter_without_an_error(mock: MockTransport) -> None:
    async with client_of(mock, faults.WrongLength(-3)) as client:
        assert (await client.get(URL)).text == "0123456"


async def test_a_fault_beyond_the_content_does_not_happen(mock: MockTransport) -> None:
    for fault in (faults.Truncation(after=10), faults.Reset(after=11), faults.Stall(after=10), faults.WrongLength(0)):
        async with client_of(mock, fault) as client:
            assert (await client.get(URL)).text == "0123456789"


async def test_a_server_may_stall(mock: MockTransport) -> None:
    for fault in (faults.Stall(), faults.Stall(after=4)):
        async with client_of(mock, fault) as client:
            with pytest.raises(ReadTimeout, match=r"injected fault: no response from api.example.com in 0\.01 s"):
                await client.get(URL, timeout=Timeout(read=0.01))
            with pytest.raises(TotalTimeout, match=r"injected fault: no complete response from api.example.com"):
                await client.get(URL, timeout=0.01)


async def test_content_may_drip(mock: MockTransport) -> None:
    async with client_of(mock, faults.Drip(size=4)) as client:
        assert (await client.get(URL)).text == "0123456789"
        async with client.stream("GET", URL) as response:
            assert [chunk async for chunk in response.iter_chunks()] == [b"0123", b"4567", b"89"]
    async with client_of(mock, faults.Drip(pause=60)) as client:
        with pytest.raises(TotalTimeout, match=r"injected fault: no complete response from api.example.com in 0\.01 s"):
            await client.get(URL, timeout=0.01)
    async with client_of(mock, faults.Drip(pause=0.05)) as client:
        with pytest.raises(RateTimeout):
            await client.get(URL, timeout=Timeout(min_rate=1e6, rate_patience=0.01))


async def test_a_server_may_send_garbage(mock: MockTransport) -> None:
    async with client_of(mock, faults.Garbage()) as client:
        with pytest.raises(BadStatusLine):
            await client.get(URL)
    async with client_of(mock, faults.Garbage(after=4)) as client:
        content = (await client.get(URL)).content
    assert (content[:4], len(content)) == (b"0123", 10)
    assert content[4:] != b"456789"


async def test_faults_happen_on_real_connections_and_the_connection_is_dropped() -> None:
    with RawServer.replying(OK, OK) as server:
        pool = PoolTransport()
        injector = FaultInjector(pool, [faults.Truncation(after=4, times=1)])
        async with Client(transport=injector) as client:
            with pytest.raises(IncompleteRead):
                await client.get(server.url)
            assert (await client.get(server.url)).text == "0123456789"
            assert pool.pool.stats().idle == 1
    assert server.accepted == 2


async def test_an_empty_response_and_a_response_to_head_have_no_fault(mock: MockTransport) -> None:
    mock.routes.insert(0, MockTransport().get(f"{URL}/empty").respond(LocalResponse(204)))
    async with client_of(mock, faults.Truncation()) as client:
        assert (await client.get(f"{URL}/empty")).content == b""
        assert (await client.head(URL)).content == b""


def test_the_blocking_client_meets_faults(mock: MockTransport) -> None:
    injector = FaultInjector(mock, [faults.Reset(after=2)])
    with compat.Client(transport=injector) as client, pytest.raises(IncompleteRead):
        client.get(URL)


def test_invalid_plans_are_refused(mock: MockTransport) -> None:
    wrong: Any = [ConnectError("no")]
    with pytest.raises(TypeError, match="expected a list of faults, of Fault, as plan, got ConnectError"):
        FaultInjector(mock, wrong)
    with pytest.raises(TypeError, match="expected an object with send"):
        FaultInjector(wrong, [])
    with pytest.raises(ValueError, match="expected probability of at most 1, got 2"):
        faults.Reset(probability=2)
    with pytest.raises(ValueError, match="expected probability of at least 0"):
        faults.Reset(probability=-1)
    with pytest.raises(ValueError, match="expected an http or https URL"):
        faults.Reset(url="items")
