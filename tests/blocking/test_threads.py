"""compat.Client with threads, signals and processes: no call waits endlessly, and nothing is left."""

import asyncio
import gc
import logging
import os
import signal
import threading
import time
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

import asyncclient
import compat
from asyncclient.blocking.portal import Call, Portal, current_call
from asyncclient.testing import RawConnection, RawServer
from asyncclient.testing.raw import TIMEOUT
from tests.compat.connections import run_python, signal_handled_by
from tests.connection.conversations import OK, EarlyAnswer, echo_target, reply
from tests.servers import Certificates

Client = compat.Client

THREADS = 8
REQUESTS = 50
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(timeout=TIMEOUT) as made:
        yield made


def loop_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "compat.Client"]


def in_thread(call: Callable[[], Any]) -> Future[Any]:
    """Begin a call in a thread that ends with it."""
    with_result: Future[Any] = Future()

    def run() -> None:
        try:
            with_result.set_result(call())
        except BaseException as error:
            with_result.set_exception(error)

    threading.Thread(target=run, name="server of a test").start()
    return with_result


def swallow(connection: RawConnection) -> None:
    while connection.read():
        pass


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def count_calls(portal: Portal) -> int:
    """How many calls the loop carries out, each at least up to where it waits first."""
    return portal.call(lambda: len(asyncio.all_tasks())) - 1 if portal.is_running else 0


class Silent:
    """A server that answers /fine, and begins other answers at most."""

    def __init__(self, begun: bytes = b"") -> None:
        self.begun = begun

    def __call__(self, connection: RawConnection) -> None:
        while head := connection.read_head():
            if head.startswith(b"GET /fine"):
                connection.send(OK)
            elif self.begun:
                connection.send(self.begun)


# Many at once


@pytest.mark.parametrize("is_secure", [False, True])
def test_each_thread_gets_its_own_responses(tls: Certificates, is_secure: bool) -> None:
    context = tls.server_context() if is_secure else None
    limits = asyncclient.PoolLimits(connections=4)
    with RawServer(echo_target, tls=context) as server, Client(ssl=tls.client_context(), pool=limits) as client:

        def fetch(thread: int) -> list[str]:
            targets = [f"/{thread}/{number}" for number in range(REQUESTS)]
            assert [client.get(server.url + target).text for target in targets] == targets
            return targets

        with ThreadPoolExecutor(THREADS, "server of a test") as pool:
            targets = [target for found in pool.map(fetch, range(THREADS)) for target in found]
        assert len(set(targets)) == THREADS * REQUESTS
        assert 1 <= server.accepted <= 4
        assert client.stats()[:4] == (0, server.accepted, 0, 0)


def test_threads_stream_and_upload_at_once(client: Client) -> None:
    def echo(connection: RawConnection) -> None:
        while (request := connection.read_request())[0]:
            connection.send(reply(request[1]))

    def copy(thread: int) -> bool:
        pieces = [b"%d:%d " % (thread, number) * 500 for number in range(20)]
        with client.stream("POST", server.url, body=iter(pieces)) as response:
            return b"".join(response.iter_chunks()) == b"".join(pieces)

    with RawServer(echo) as server, ThreadPoolExecutor(THREADS, "server of a test") as pool:
        assert all(pool.map(copy, range(THREADS)))


def test_first_requests_of_many_threads_begin_one_loop() -> None:
    together = threading.Barrier(THREADS)

    def fetch(_: int) -> int:
        together.wait(TIMEOUT)
        return client.get(server.url).status

    with RawServer(echo_target) as server, Client() as client:
        assert not loop_threads()
        with ThreadPoolExecutor(THREADS, "server of a test") as pool:
            assert list(pool.map(fetch, range(THREADS))) == [200] * THREADS
        assert len(loop_threads()) == 1
    assert not loop_threads()


def test_second_reader_of_a_response_is_refused(client: Client) -> None:
    with RawServer(Silent(HALF)) as server, client.stream("GET", server.url) as response:
        assert next(response.iter_chunks()) == b"half"
        first = in_thread(response.read)
        wait_until(lambda: count_calls(client._portal) == 1)
        with pytest.raises(asyncclient.ImproperConnectionState, match="another task is waiting"):
            response.read()
        response.close()
        with pytest.raises(asyncclient.NotConnected):
            first.result(TIMEOUT)


# Ending


def test_closed_client_refuses_everything(client: Client) -> None:
    with RawServer(echo_target) as server:
        with client.stream("GET", server.url) as response:
            client.close()
        client.close()
        for use in (client.get, client.preconnect, lambda url: client.stream("GET", url).__enter__()):
            with pytest.raises(asyncclient.ClientClosed, match="the client is closed"):
                use(server.url)
        with pytest.raises(asyncclient.ClientClosed):
            response.read()
        response.close()
        assert client.stats() == (0, 0, 0, 0, {})
        assert repr(client) == "<compat.Client <Pool closed 0 active, 0 idle, 0 connecting, 0 waiting>>"


def test_client_that_was_closed_unused_refuses_everything() -> None:
    client = Client()
    client.close()
    with pytest.raises(asyncclient.ClientClosed, match="the client is closed"):
        client.get("http://127.0.0.1:1/")
    assert not loop_threads()


def wait_for_head(client: Client, url: str) -> None:
    client.get(url)


def wait_for_content(client: Client, url: str) -> None:
    with client.stream("GET", url + "/content") as response:
        list(response.iter_chunks())


def wait_in_line(client: Client, url: str) -> None:
    with client.stream("GET", url + "/unread"):
        client.get(url)


def wait_for_a_callback(client: Client, url: str) -> None:
    async def login(request: asyncclient.AuthRequest) -> None:
        await asyncio.Event().wait()

    client.get(url, auth=login)


def is_waiting(client: Client, wait: object) -> bool:
    stats = client.stats()
    if wait is wait_for_a_callback:
        return count_calls(client._portal) == 1
    return (stats.active, stats.waiting) == (1, int(wait is wait_in_line))


WAITS = [wait_for_head, wait_for_content, wait_in_line, wait_for_a_callback]


@pytest.mark.parametrize("wait", WAITS)
def test_close_ends_calls_of_other_threads(wait: Callable[[Client, str], None]) -> None:
    client = Client(pool=asyncclient.PoolLimits(connections=1))
    with RawServer(Silent(HALF if wait in (wait_for_content, wait_in_line) else b"")) as server:
        waiting = in_thread(lambda: wait(client, server.url))
        wait_until(lambda: is_waiting(client, wait))
        closing = [in_thread(client.close) for _ in range(3)]
        assert [one.result(TIMEOUT) for one in closing] == [None] * 3
        assert isinstance(waiting.exception(TIMEOUT), asyncclient.ClientClosed | asyncclient.NotConnected)
    assert not loop_threads()


def test_close_ends_a_request_while_its_body_waits() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"1"
        begun.set()
        assert goes_on.wait(TIMEOUT)
        yield b"2"

    client = Client()
    with RawServer(swallow) as server:
        waiting = in_thread(lambda: client.post(server.url, body=slow()))
        assert begun.wait(TIMEOUT)
        client.close()
        assert not waiting.done()  # its thread is not the client's
        goes_on.set()
        assert isinstance(waiting.exception(TIMEOUT), asyncclient.HTTPException)


def test_callback_may_close_the_client() -> None:
    client = Client()
    with RawServer(echo_target) as server, pytest.raises(asyncclient.HTTPException):
        client.get(server.url, auth=lambda request: client.close())
    wait_until(lambda: not loop_threads())


@pytest.mark.parametrize("is_used", [False, True])
def test_abandoned_client_ends_its_thread_and_warns(is_used: bool) -> None:
    with RawServer(echo_target) as server:
        client = Client()
        if is_used:
            client.get(server.url)
        reference = weakref.ref(client)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del client
            gc.collect()
            wait_until(lambda: not loop_threads())
        told = [str(one.message) for one in caught if one.category is ResourceWarning]
        caught.clear()  # a warning has its source
        assert reference() is None
        assert [text.partition(" object at ")[0] for text in told] == [
            "unclosed <asyncclient.blocking.client.Client"
        ] * is_used


def test_calls_leave_nothing_to_the_garbage_collector(client: Client) -> None:
    def use() -> None:
        client.get(server.url)
        client.post(server.url, body=iter((b"1", b"2")))
        with client.stream("GET", server.url) as response:
            assert list(response.iter_lines()) == ["/"]

    with RawServer(echo_target) as server:
        use()
        gc.collect()
        gc.disable()
        try:
            use()
            assert gc.collect() == 0
        finally:
            gc.enable()


# Waits that are interrupted


class Interrupt(BaseException):
    """Raised by a signal's handler, as KeyboardInterrupt is."""


def interrupt() -> None:
    raise Interrupt


@pytest.mark.parametrize("wait", WAITS)
def test_interrupted_wait_ends_its_request(wait: Callable[[Client, str], None]) -> None:
    silent = Silent(HALF if wait in (wait_for_content, wait_in_line) else b"")
    with RawServer(silent) as server, Client(pool=asyncclient.PoolLimits(connections=1)) as client:
        client.get(server.url + "/fine")

        def look() -> None:
            wait_until(lambda: is_waiting(client, wait))
            signal_now()

        with signal_handled_by(interrupt) as signal_now:
            looking = in_thread(look)
            with pytest.raises(Interrupt):
                wait(client, server.url)
            looking.result(TIMEOUT)
        wait_until(lambda: client.stats()[:4] in ((0, 0, 0, 0), (0, 1, 0, 0)))
        assert client.get(server.url + "/fine").content == b"ok"


def test_keyboard_interrupt_of_the_process(client: Client) -> None:
    def kill(connection: RawConnection) -> None:
        connection.read_head()
        os.kill(os.getpid(), signal.SIGINT)
        connection.wait_closed()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with RawServer(kill) as server:
            with pytest.raises(KeyboardInterrupt):
                client.get(server.url)
            assert client.stats()[:2] == (0, 0)
    finally:
        signal.signal(signal.SIGINT, before)


def test_wait_continues_after_a_signal_handler_that_returns(client: Client) -> None:
    asked, noted = threading.Event(), threading.Event()

    def answer_late(connection: RawConnection) -> None:
        connection.read_head()
        asked.set()
        assert noted.wait(TIMEOUT)
        connection.send(OK)
        connection.wait_closed()

    with RawServer(answer_late) as server, signal_handled_by(noted.set) as signal_now:
        looking = in_thread(lambda: asked.wait(TIMEOUT) and signal_now())
        assert client.get(server.url).content == b"ok"
        looking.result(TIMEOUT)


def test_handler_may_make_a_request_while_another_waits(client: Client) -> None:
    asked, handled = threading.Event(), threading.Event()

    def answer_late(connection: RawConnection) -> None:
        if connection.read_head().startswith(b"GET /fine"):
            connection.send(OK)
            handled.set()
        else:
            asked.set()
            assert handled.wait(TIMEOUT)
            connection.send(reply(b"late"))
        connection.wait_closed()

    with RawServer(answer_late) as server:
        with signal_handled_by(lambda: contents.append(client.get(server.url + "/fine").content)) as signal_now:
            contents: list[bytes] = []
            looking = in_thread(lambda: asked.wait(TIMEOUT) and signal_now())
            assert client.get(server.url).content == b"late"
            looking.result(TIMEOUT)
        assert contents == [b"ok"]


def test_interrupt_in_a_body_ends_its_request(client: Client) -> None:
    closed = []

    def fail() -> Iterator[bytes]:
        try:
            yield b"1"
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with RawServer(swallow) as server:
        with pytest.raises(KeyboardInterrupt):
            client.post(server.url, body=fail())
        assert client.stats()[:2] == (0, 0)
    assert closed == [True]


def test_response_that_an_interrupt_loses_is_closed(client: Client) -> None:
    """The response has been received when the generator, which is closed, raises."""

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(65_536)
        finally:
            raise KeyboardInterrupt

    with RawServer(EarlyAnswer("reads")) as server:
        with pytest.raises(KeyboardInterrupt):
            client.stream("POST", server.url, body=endless()).__enter__()
        assert client.stats()[:2] == (0, 0)


@pytest.fixture
def portal() -> Iterator[Portal]:
    """The portal of a client, without the client."""
    made = Portal(asyncclient.Client(), asyncio.new_event_loop)
    yield made
    made.stop()
    made.join()


def this_call() -> Call[Any]:
    call = current_call()
    assert call is not None
    return call


def test_a_result_is_released_if_the_wait_is_interrupted(portal: Portal) -> None:
    given_up = threading.Event()

    async def interrupt_and_end() -> str:
        this_call().post_to_caller(interrupt)
        return "lost"

    with pytest.raises(Interrupt):
        portal.run(interrupt_and_end(), given_up.set)
    assert given_up.wait(TIMEOUT)


def test_no_step_is_taken_after_an_interrupt(portal: Portal) -> None:
    steps: list[int] = []

    async def interrupt_and_ask() -> None:
        this_call().post_to_caller(interrupt)
        await this_call().run_in_caller(steps.append, 1)

    with pytest.raises(Interrupt):
        portal.run(interrupt_and_ask())
    assert steps == []


def test_tasks_are_cancelled_and_generators_closed_at_the_end(portal: Portal) -> None:
    async def generate() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            ended.append("generator")

    async def stay() -> None:
        generators.append(generate())
        await anext(generators[0])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("task")
            raise

    ended: list[str] = []
    generators: list[AsyncGenerator[None, None]] = []
    staying = in_thread(lambda: portal.run(stay()))
    wait_until(lambda: generators)
    portal.stop()
    portal.join()
    assert isinstance(staying.exception(TIMEOUT), asyncclient.ClientClosed)
    assert ended == ["task", "generator"]


def test_a_loop_stopped_by_a_callback_ends_as_if_closed(client: Client) -> None:
    async def stop(request: asyncclient.AuthRequest) -> None:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    with RawServer(echo_target) as server:
        client.preconnect(server.url)
        with pytest.raises(asyncclient.ClientClosed, match="closed meanwhile"):
            client.get(server.url, auth=stop)
        with pytest.raises(asyncclient.ClientClosed):
            client.get(server.url)


def test_call_that_does_not_end_fails_when_the_thread_ends(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("asyncclient.blocking.portal.CANCEL_GRACE", 0.01)
    caplog.set_level(logging.CRITICAL, "asyncio")  # it logs that a task was destroyed

    async def stay() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            refused.append(True)
            await asyncio.Event().wait()

    refused: list[bool] = []
    staying = in_thread(lambda: portal.run(stay()))
    wait_until(lambda: count_calls(portal) == 1)
    portal.stop()
    assert isinstance(staying.exception(TIMEOUT), asyncclient.ClientClosed)
    assert refused == [True]
    del staying
    gc.collect()


def test_finished_call_is_not_changed_by_a_failure() -> None:
    async def begin() -> Call[str]:
        made = Call(done(), asyncio.get_running_loop())
        made.start()
        await asyncio.to_thread(made.wait)
        return made

    async def done() -> str:
        return "done"

    call = asyncio.run(begin())
    call.fail()
    assert call.take() == "done"


def test_task_that_does_not_end_delays_an_interrupt_for_a_limited_time(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncclient.blocking.portal.CANCEL_GRACE", 0.01)

    async def stay() -> None:
        this_call().post_to_caller(interrupt)
        while not ends:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    ends: list[bool] = []
    with pytest.raises(Interrupt):
        portal.run(stay())
    ends.append(True)


# Processes

AROUND = """
import atexit, gc, os, sys, threading
import compat

def fetch(client):
    assert client.get(sys.argv[1] + "/mine", timeout=10).text == "/mine"

client = compat.Client()
"""

ENDINGS = {
    "unused": "",
    "unclosed": "fetch(client)",
    "closed": "fetch(client); client.close()",
    "closed in atexit": "fetch(client); atexit.register(client.close)",
    "used in atexit": "atexit.register(fetch, client); fetch(client)",
    "stream open": "response = client.stream('GET', sys.argv[1]).__enter__()",
    "by an error": "fetch(client)\ntry: raise SystemExit\nfinally: one = client.stream('GET', sys.argv[1]).__enter__()",
    "while a daemon waits": (
        "fetch(client)\n"
        "threading.Thread(target=lambda: client.get(sys.argv[1] + '/slow'), daemon=True).start()\n"
        "while not client.stats().active: pass"
    ),
    "while a thread that is none goes on": "threading.Thread(target=fetch, args=(client,)).start()",
    "in a thread of its own": "threading.Thread(target=lambda: fetch(compat.Client())).start()",
    "in a cycle": "fetch(client); cycle = [client]; cycle.append(cycle); del client",
}


def echo_or_wait(connection: RawConnection) -> None:
    while head := connection.read_head():
        target = head.split()[1]
        if target == b"/slow":
            connection.wait_closed()
            return
        connection.send(reply(target))


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_program_ends_without_output(ending: str) -> None:
    with RawServer(echo_or_wait) as server:
        run = run_python("-W", "error", "-X", "dev", "-c", f"{AROUND}\n{ending}", server.url)
    is_forgotten = "compat.Client()" in ending
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.count("ResourceWarning: unclosed <asyncclient.blocking.client.Client object") == is_forgotten
    assert is_forgotten or not run.stderr


FORKED = """
def child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0

def refused():
    for use in (fetch, lambda client: client.preconnect(sys.argv[1])):
        try:
            use(client)
        except asyncclient.ImproperConnectionState as error:
            assert str(error) == "the client belongs to another process: make one in each", error
        else:
            raise AssertionError
    repr(client), client.stats()
    client.close()
    del globals()["client"]
    gc.collect()
    with compat.Client() as other:
        fetch(other)

import asyncclient
child(lambda: fetch(client))      # it has not begun: each process begins its own
fetch(client)
child(refused)
fetch(client)                     # nothing of its was touched
with client.stream("GET", sys.argv[1] + "/mine") as response:
    child(response.close)
    assert response.read() == b"/mine"
client.close()
"""

ENDING_AS_USUAL = """
fetch(client)
pid = os.fork()
if pid == 0:
    sys.exit(0)                   # with all handlers of the parent
assert os.waitpid(pid, 0)[1] == 0
fetch(client)
"""


def run_forking(program: str) -> None:
    with RawServer(echo_target) as server:
        arguments = ("-W", "error", "-W", "ignore::DeprecationWarning", "-c", f"{AROUND}\n{program}", server.url)
        run = run_python(*arguments)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_forked_processes() -> None:
    run_forking(FORKED)


def test_forked_process_may_end_as_usual() -> None:
    run_forking(ENDING_AS_USUAL)


def test_droppable_calls_are_dropped_after_an_error_has_ended_the_wait() -> None:
    """A progress callback that had raised was called again while its call ended."""

    async def nothing() -> None:
        pass

    def fail() -> None:
        raise LookupError

    called: list[str] = []
    call = Call(nothing(), asyncio.new_event_loop())
    call.post_to_caller(fail, is_optional=True)
    call.post_to_caller(fail, is_optional=True)
    call.post_to_caller(lambda: called.append("closed"))
    with pytest.raises(LookupError):
        call.wait()
    call.fail()
    call.wait_for_cancellation()
    call._loop.close()
    assert called == ["closed"]
