"""Connections that were used, dropped or closed leave nothing behind, and raise no warning."""

import gc
import os
import threading

import pytest

from asyncclient.testing import RawServer
from tests.compat.connections import (
    connection_to,
    connection_with_replies,
    fetch,
    run_python,
    secure_connection_to,
    start_exchange,
)
from tests.connection.conversations import OK, echo_target, reply
from tests.servers import Certificates

AROUND = """
import gc, os, sys, threading
from compat import client

def left():
    gc.collect()
    return len(os.listdir("/dev/fd")), threading.active_count()

def fetch(connection):
    connection.request("GET", "/mine")
    assert connection.getresponse().read() == b"/mine"

def connect():
    return client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)

connection = connect()
fetch(connection)
before = left()
"""

PROGRAMS = {
    "keep-alive": "for _ in range(1000): fetch(connection)",
    "dropped open": "for _ in range(100):\n    dropped = connect(); fetch(dropped); del dropped",
    "dropped with a response unread": (
        "for _ in range(100):\n    dropped = connect(); dropped.request('GET', '/'); dropped.getresponse(); del dropped"
    ),
    "opened and closed": "for _ in range(300):\n    one = connect(); fetch(one); one.close()",
    "failed": (
        "for _ in range(50):\n"
        "    one = connect(); fetch(one); one.sock.settimeout(0.0005); one.request('HEAD', '/')\n"
        "    try: one.send(b'GET / HTTP/1.1\\r\\n' * 3); one.getresponse(); one.getresponse()\n"
        "    except OSError: pass\n"
        "    except client.HTTPException: pass\n"
        "    del one"
    ),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_nothing_is_left_and_nothing_warns(program: str) -> None:
    with RawServer(echo_target) as server:
        code = f"{AROUND}\n{program}\nassert left() == before, (left(), before)"
        run = run_python("-W", "error", "-X", "dev", "-c", code, str(server.port))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


ENDINGS = {
    "open": "",
    "response unread": "connection.request('GET', '/'); response = connection.getresponse()",
    "in atexit": "import atexit; atexit.register(fetch, connection)",
    "while a daemon waits": (
        "begun = threading.Event()\n"
        "def wait():\n    other = connect(); other.connect(); begun.set(); other.sock.recv_into(bytearray(1))\n"
        "threading.Thread(target=wait, daemon=True).start(); begun.wait(10)"
    ),
    "by an error": (
        "import contextlib\nwith contextlib.suppress(OSError): client.HTTPConnection('127.0.0.1', 1).connect()"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_program_ends_in_silence(ending: str) -> None:
    with RawServer(echo_target) as server:
        run = run_python("-W", "error", "-X", "dev", "-c", f"{AROUND}\n{ending}", str(server.port))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_connection_dropped_over_tls_frees_its_descriptor(tls: Certificates) -> None:
    with RawServer(echo_target, tls=tls.server_context()) as server:
        for _ in range(3):
            connection = secure_connection_to(server, tls)
            fetch(connection)
            descriptor = connection.sock.fileno()
            del connection
            gc.collect()
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)


def test_response_that_is_dropped_frees_its_descriptor() -> None:
    with connection_with_replies(reply(b"last", b"Connection: close")) as connection:
        response = start_exchange(connection)
        descriptor = response.fileno()
        del response
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_no_thread_is_started() -> None:
    with connection_with_replies(OK, OK) as connection:
        fetch(connection)
        threads = threading.enumerate()
        fetch(connection)
        assert threading.enumerate() == threads


def test_threads_in_turn_share_a_connection() -> None:
    with RawServer(echo_target) as server:
        connection = connection_to(server)
        for _ in range(5):
            thread = threading.Thread(target=fetch, args=(connection,))
            thread.start()
            thread.join()
        assert server.accepted == 1
        connection.close()
