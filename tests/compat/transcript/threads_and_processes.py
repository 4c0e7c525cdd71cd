"""Transcript: threads, forked processes, a loop that runs around the calls, and the end of the process."""

import asyncio
import atexit
import concurrent.futures
import functools
import http.client
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import alone, attempt, section, tell, tell_connection
from tests.compat.transcript.servers import (
    HOST,
    OK,
    PATIENCE,
    SHORT,
    connected,
    connection_to,
    script,
    serving,
    serving_in_child,
    silent_listener,
)


def in_thread(call: Callable[[], Any]) -> Any:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(call).result()


def exchange(connection: Any, path: str = "/") -> bytes:
    connection.request("GET", path)
    content: bytes = connection.getresponse().read()
    return content


@section
def threads_in_turn() -> None:
    with serving(script(*[OK] * 6)) as server, connection_to(server) as connection:
        print(exchange(connection, "/main"))
        for number in range(3):
            print(in_thread(functools.partial(exchange, connection, f"/{number}")))
        in_thread(lambda: connection.request("GET", "/sent"))
        response = in_thread(connection.getresponse)
        print(response.read(2), in_thread(response.read))
        print(exchange(connection, "/main"), server.accepted, server.requests)
        in_thread(connection.close)
        tell_connection(connection)


@section
def threads_at_once() -> None:
    def work(number: int) -> list[bytes]:
        with connection_to(server) as connection:
            start.wait(PATIENCE)
            return [exchange(connection, f"/{number}/{turn}") for turn in range(5)]

    start = threading.Barrier(10)
    with serving(script(*[OK] * 5)) as server, concurrent.futures.ThreadPoolExecutor(10) as executor:
        print(list(executor.map(work, range(10))))
        print(server.accepted, sorted(server.requests))


@section
def signals_in_other_threads_than_the_main_one() -> None:
    with connected(OK, OK) as connection:
        print(in_thread(lambda: attempt_alarm(connection)))


def attempt_alarm(connection: Any) -> Any:
    with_handler = attempt("signal", lambda: signal.signal(signal.SIGALRM, signal.SIG_DFL))
    return with_handler, exchange(connection)


@section
def in_a_running_loop() -> None:
    async def main() -> None:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = PATIENCE  # in development mode it would tell how long it stood still
        loop.call_soon(order.append, "scheduled before")
        task = asyncio.create_task(note(order))
        with connected(OK, OK) as connection:
            print(exchange(connection), order, asyncio.get_running_loop() is loop, asyncio.current_task() is not task)
            await task
            print(order)
            with connected(b"", then=RawConnection.hold, timeout=SHORT) as slow:
                attempt("slow", lambda: exchange(slow))
            print(asyncio.get_running_loop() is loop, await asyncio.sleep(0, "goes on"))
            print(await loop.run_in_executor(None, exchange, connection), await asyncio.wait_for(ready(), 5))
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /streams HTTP/1.1\r\nHost: x\r\n\r\n")
        print(await reader.readuntil(b"hello"))
        writer.close()
        await writer.wait_closed()

    async def ready() -> str:
        return "ready"

    async def note(order: list[str]) -> None:
        order.append("in a task")

    with serving(script(OK)) as server:
        port = server.port
        asyncio.run(main())
        with connection_to(server) as connection:
            print(exchange(connection))


@section
def in_a_running_loop_of_uvloop() -> None:
    async def main() -> None:
        with connected(OK, OK) as connection:
            print(exchange(connection), await asyncio.sleep(0, "goes on"), exchange(connection))
        print(type(asyncio.get_running_loop()).__module__)

    if importlib.util.find_spec("uvloop"):  # not there on every system
        importlib.import_module("uvloop").run(main())


@section
def around_a_running_loop() -> None:
    """A connection made outside goes on inside, and outside again."""
    with connected(OK, OK, OK) as connection:
        print(exchange(connection))

        async def main() -> bytes:
            return exchange(connection)

        print(asyncio.run(main()), exchange(connection))
    attempt("no loop left", asyncio.get_running_loop)


def in_child(call: Callable[[], None]) -> None:
    """Run a call in a forked process, and tell what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with open(writing, "w") as output, redirect_stdout(output):
                tell(call)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        print(pipe.read().decode(), end="")
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@alone
def a_forked_process_uses_the_connection() -> None:
    with serving_in_child(1) as port:
        connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        print(exchange(connection, "/parent"))
        in_child(lambda: print("child:", exchange(connection, "/child")))
        print(exchange(connection, "/parent"))
        connection.request("GET", "/asked")
        in_child(lambda: print("child:", connection.getresponse().read()))
        connection.close()


@alone
def a_forked_process_opens_its_own() -> None:
    def own() -> None:
        with_own = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        print("child:", exchange(with_own, "/1"), exchange(with_own, "/2"))
        with_own.close()
        connection.close()

    with serving_in_child(2) as port:
        connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        print(exchange(connection, "/parent"))
        in_child(own)
        print(exchange(connection, "/parent"))
        connection.close()


@alone
def processes_of_processes() -> None:
    def deeper() -> None:
        print("child:", exchange(connection, "/child"))
        in_child(lambda: print("grandchild:", exchange(connection, "/grandchild")))

    with serving_in_child(1) as port:
        connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        connection.connect()
        in_child(deeper)
        print(exchange(connection, "/parent"))
        connection.close()


@alone
def requests_while_the_process_ends() -> None:
    def at_exit() -> None:
        print("at exit:", exchange(kept), exchange(http.client.HTTPConnection(HOST, port, timeout=PATIENCE), "/new"))
        kept.close()

    server = serving_in_child(2)
    port = server.__enter__()
    atexit.register(server.__exit__, None, None, None)  # it runs last
    kept = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    print(exchange(kept))
    atexit.register(at_exit)


def listening_to_the_end() -> int:
    """A port that does not answer as long as this process lives."""
    listener = silent_listener()
    _kept.append(listener)
    return listener.__enter__()


_kept: list[object] = []


@alone
def a_daemon_thread_waits_at_the_end() -> None:
    def wait() -> None:
        connection.request("GET", "/")
        asked.set()
        connection.getresponse()

    asked = threading.Event()
    connection = http.client.HTTPConnection(HOST, listening_to_the_end())
    threading.Thread(target=wait, daemon=True).start()
    print(asked.wait(PATIENCE))


@alone
def interrupted_and_ended() -> None:
    """Ctrl-C that is not caught ends the process as usual."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *args: signal.raise_signal(signal.SIGINT))
    connection = http.client.HTTPConnection(HOST, listening_to_the_end())
    connection.request("GET", "/")
    signal.setitimer(signal.ITIMER_REAL, SHORT)
    atexit.register(print, "the end")
    sys.excepthook = lambda kind, error, traceback: print(kind)
    connection.getresponse()


@alone
def dropped_without_closing() -> None:
    """http.client's sockets warn of it in development mode; the descriptors are free at once in both."""
    with serving_in_child(4) as port:
        before = os.open(os.devnull, os.O_RDONLY)
        os.close(before)
        for path in ("/idle", "/unread", "/unanswered", "/unsent"):
            connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
            connection.connect()
            if path != "/unsent":
                connection.putrequest("GET", path)
                connection.endheaders()
            response = None if path in ("/unsent", "/unanswered") else connection.getresponse()
            print(path, response and path == "/idle" and response.read())
            del connection, response
        after = os.open(os.devnull, os.O_RDONLY)
        os.close(after)
        print(after == before)


@alone
def ended_in_the_middle() -> None:
    connection = http.client.HTTPConnection(HOST, listening_to_the_end())
    connection.request("GET", "/")
    print("ended")
    sys.exit(3)
