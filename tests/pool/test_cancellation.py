"""Requests that are cancelled at any of their awaits: counts stay right, no slot and no response is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from asyncclient import Client, HTTPException, Timeout
from tests.durations import FOREVER
from tests.pool.hosts import PATIENCE, Host, assert_answers, client_of, get, let_loop_turn
from tests.pool.invariant import check, check_quiet
from tests.servers import Certificates

# Each of these uses a response in a different way, and checks that it belongs to its request.


async def read(client: Client, url: str, target: str) -> None:
    assert_answers(await client.get(url), target)


async def post(client: Client, url: str, target: str) -> None:
    assert_answers(await client.post(url, body=b"x" * 100), target)


async def upload(client: Client, url: str, target: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield b"x" * 1000

    assert_answers(await client.post(url, body=pieces()), target)


async def read_in_pieces(client: Client, url: str, target: str) -> None:
    async with client.stream("GET", url) as response:
        content = b"".join([chunk async for chunk in response.iter_chunks(5)])
    assert content.startswith(target.encode())


async def read_half(client: Client, url: str, target: str) -> None:
    async with client.stream("GET", url) as response:
        async for chunk in response.iter_chunks(3):
            assert chunk == target.encode()[:3]
            break


async def read_nothing(client: Client, url: str, target: str) -> None:
    async with client.stream("GET", url):
        await asyncio.sleep(0)


async def fail_inside(client: Client, url: str, target: str) -> None:
    with pytest.raises(KeyError):
        async with client.stream("GET", url):
            await asyncio.sleep(0)
            raise KeyError


async def preconnect(client: Client, url: str, target: str) -> None:
    await client.preconnect(url, 2)


Use = Callable[[Client, str, str], Awaitable[None]]
USES: list[Use] = [read, post, upload, read_in_pieces, read_half, read_nothing, fail_inside, preconnect]
KINDS = [
    "ok",
    "ok/held",
    "chunked",
    "chunked/held",
    "last",
    "last/held",
    "error",
    "long",
    "half",
    "cut",
    "gone",
    "junk",
]
NEVER_DONE = "half"
FAILING = {"cut", "gone", "junk"}

TURNS = 40
"""Turns of the loop within which tasks begin and are cancelled; a request alone on a new connection takes about ten."""


class Plan(NamedTuple):
    """One task: what it asks of which host and how, in which turn it begins, and how many later it is cancelled."""

    kind: str
    use: Use
    host: int
    start: int
    cancelled_after: int | None


plans = st.builds(
    Plan,
    kind=st.sampled_from(KINDS),
    use=st.sampled_from(USES),
    host=st.integers(0, 1),
    start=st.integers(0, TURNS // 2),
    cancelled_after=st.none() | st.integers(0, TURNS // 2),
)


class Running:
    """A plan that is carried out."""

    def __init__(self, plan: Plan, number: int, client: Client, host: Host) -> None:
        self.plan = plan
        target = f"/{plan.kind}/{number}"
        made: Any = plan.use(client, host.url(target), target)
        self.task: asyncio.Task[None] = asyncio.create_task(made, name=target)
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled |= self.task.cancel()

    def prove(self) -> None:
        """See that it ended as it had to."""
        if self.task.cancelled():
            assert self.is_cancelled, f"{self.task.get_name()} was cancelled by nobody"
            return
        error = self.task.exception()
        if error is not None and not (isinstance(error, HTTPException | OSError) and self.plan.kind in FAILING):
            raise error


async def carry_out(client: Client, hosts: list[Host], todo: list[Plan], released_in: set[int]) -> list[Running]:
    """Begin and cancel tasks, turn by turn, and check the pool's counts in each turn."""
    running: dict[int, Running] = {}
    for now in range(TURNS):
        for number, plan in enumerate(todo):
            if plan.start == now:
                running[number] = Running(plan, number, client, hosts[plan.host])
            if plan.cancelled_after is not None and plan.start + plan.cancelled_after == now:
                running[number].cancel()
        if now in released_in:
            for host in hosts:
                host.release()
        check(client)
        await let_loop_turn()
    return list(running.values())


async def finish(client: Client, hosts: list[Host], running: list[Running]) -> None:
    """Answer what is held, and wait until all have ended; what never does is cancelled."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while not all(one.task.done() for one in running):
        assert loop.time() < end, f"{client!r} hangs"
        for host in hosts:
            host.release()
        for one in running:
            if one.plan.kind == NEVER_DONE and one.plan.use is not preconnect:
                one.cancel()
        check(client)
        await let_loop_turn()
    for one in running:
        one.prove()


async def check_usable(client: Client, hosts: list[Host]) -> None:
    """See that all of twenty requests pass, and that nothing is left of them."""
    targets = [f"/{kind}/after-{number}" for number in range(5) for kind in ("ok", "chunked")]
    async with asyncio.timeout(FOREVER):
        await asyncio.gather(*(get(client, host, target) for host in hosts for target in targets))
        while client.stats().connecting:  # for a request that another connection served
            await let_loop_turn()
    check_quiet(client)


async def run_plans(hosts: list[Host], todo: list[Plan], released_in: set[int], **options: Any) -> None:
    async with client_of(timeout=Timeout(close=0.02), **options) as client:
        running = await carry_out(client, hosts, todo, released_in)
        await finish(client, hosts, running)
        await check_usable(client, hosts)
        note(repr(client))
    assert client._pool.counted == 0


LIMITS = st.fixed_dictionaries(
    {"connections": st.integers(1, 3)},
    optional={
        "per_host": st.integers(1, 2),
        "idle": st.integers(0, 2),
        "idle_per_host": st.integers(0, 1),
        "keep_alive": st.just(0.0),
    },
)
TODO = st.lists(plans, min_size=2, max_size=8)
RELEASED = st.sets(st.integers(0, TURNS - 1), max_size=4)


@given(limits=LIMITS, todo=TODO, released_in=RELEASED)
async def test_random_cancellations_leave_the_pool_usable(
    limits: dict[str, Any], todo: list[Plan], released_in: set[int]
) -> None:
    async with Host() as a, Host() as b:
        await run_plans([a, b], todo, released_in, **limits)


@pytest.fixture(scope="module")
def secure() -> Certificates:
    return Certificates()


@given(limits=LIMITS, todo=TODO, released_in=RELEASED)
@settings(max_examples=max(settings.default.max_examples // 4, 5) if settings.default else 10)
async def test_random_cancellations_over_tls_leave_the_pool_usable(
    secure: Certificates, limits: dict[str, Any], todo: list[Plan], released_in: set[int]
) -> None:
    context = secure.server_context()
    async with Host(tls=context) as a, Host(tls=context) as b:
        await run_plans([a, b], todo, released_in, ssl=secure.client_context(), **limits)


@pytest.mark.parametrize("use", [use for use in USES if use is not preconnect])
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_cancelled_in_each_turn_nothing_is_left(
    use: Use, is_kept: bool, is_secure: bool, secure: Certificates
) -> None:
    """Cancel a request after 0 turns, 1, 2 … until it is done by then; another waits for its place each time."""
    options: dict[str, Any] = {"connections": 1, "idle": int(is_kept), "timeout": Timeout(close=0.02)}
    async with Host(tls=secure.server_context() if is_secure else None) as host:
        client = client_of(**options, ssl=secure.client_context())
        async with client:
            await get(client, host, "/ok/before")
            turns = 0
            for turns in count():
                target = f"/chunked/{turns}"
                made: Any = use(client, host.url(target), target)
                task: asyncio.Task[None] = asyncio.create_task(made)
                second = asyncio.create_task(get(client, host, f"/ok/{turns}"))
                await let_loop_turn(turns)
                check(client)
                is_over = task.done()
                task.cancel()
                await let_loop_turn()
                check(client)
                outcome, _ = await asyncio.wait_for(asyncio.gather(task, second, return_exceptions=True), PATIENCE)
                assert is_over or outcome is None or isinstance(outcome, asyncio.CancelledError)
                assert second.exception() is None
                while client.stats().connecting:
                    await let_loop_turn()
                check_quiet(client)
                if is_over:
                    break
            assert turns > 1
            await check_usable(client, [host])
