"""Transcript: responses of every framing, whole and cut, read in each way; heads as servers send them."""

from collections.abc import Callable
from typing import Any

from asyncclient.testing import RawConnection
from tests.compat.transcript.report import (
    attempt,
    attempt_kind,
    described,
    section,
    tell_connection,
    tell_fields,
    tell_response,
)
from tests.compat.transcript.servers import OK, connected, connection_to, recorded, script, scripts, serving

HEAD = b"HTTP/1.1 200 OK\r\n"
LINES = b"one\ntwo and more\n\nthree"
CHUNKS = b'4;ext=1;b="c"\r\none\n\r\n0d\r\ntwo and more\n\r\n6\r\n\nthree\r\n'

WHOLE = {
    "length": HEAD + b"Content-Length: 23\r\n\r\n" + LINES,
    "empty": HEAD + b"Content-Length: 0\r\n\r\n",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\n\r\n",
    "chunked with trailers": HEAD + b"Transfer-Encoding: CHUNKED\r\n\r\n" + CHUNKS + b"0;last\r\nX: 1\r\nY: 2\r\n\r\n",
    "chunked, empty": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "until close": HEAD + b"\r\n" + LINES,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + LINES,
    "HTTP/1.0 with length": b"HTTP/1.0 200 OK\r\nContent-Length: 23\r\n\r\n" + LINES,
    "HTTP/1.0 keep-alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 23\r\n\r\n" + LINES,
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
}

CUT = {
    "length, cut": HEAD + b"Content-Length: 40\r\n\r\n" + LINES,
    "length, nothing": HEAD + b"Content-Length: 40\r\n\r\n",
    "in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"9\r\nabc",
    "after a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n",
    "in the first chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "in a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n1",
    "in the trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n0\r\nX: 1\r\n",
    "before the trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n0\r\n",
}

# On these peek(), and what is made of it, hides in http.client that something is missing.
WITHOUT_SIZE = {
    "before a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n",
    "without any size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "no size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\nzz\r\nabc\r\n",
}


def into(response: Any, size: int) -> bytes:
    buffer = bytearray(size)
    count = response.readinto(buffer)
    return bytes(buffer[:count])


READERS: dict[str, Callable[[Any], Any]] = {
    "read()": lambda response: response.read(),
    "read(None)": lambda response: response.read(None),
    "read(3)": lambda response: response.read(3),
    "read(1000)": lambda response: response.read(1000),
    "readinto(4)": lambda response: into(response, 4),
    "readinto(1000)": lambda response: into(response, 1000),
    "peek() and read(2)": lambda response: (response.peek(), response.peek(3), response.read(2))[::2],
}

# On these http.client before 3.13 does not note that the length is used up; see length_used_up.
BUFFERED_READERS: dict[str, Callable[[Any], Any]] = {
    "read1()": lambda response: response.read1(),
    "read1(3)": lambda response: response.read1(3),
    "readline()": lambda response: response.readline(),
    "readline(3)": lambda response: response.readline(3),
    "readlines()": lambda response: response.readlines(),
    "readlines(5)": lambda response: response.readlines(5),
    "next()": lambda response: next(response, b""),
    "list()": list,
    "read1(2), readline() and read(3)": lambda response: (response.read1(2), response.readline(), response.read(3)),
}

UNTIL_EMPTY = 14


def tell_reading(response: Any, read: Callable[[Any], Any], without: tuple[str, ...] = ()) -> None:
    """Read until there is nothing more, or an error; then look at what is left, and read on.

    The rest of truncated chunks is not checked: see content_that_was_cut.
    """
    for _ in range(UNTIL_EMPTY):
        try:
            found = read(response)
        except Exception as error:
            print("  error:", described(error))
            if response.chunked:
                return
            break
        print("  ", found)
        if not found or not any(found):
            break
    tell_response(response, without=without)
    attempt("  read() after that", response.read)


def tell_reading_of(
    answer: bytes, read: Callable[[Any], Any], without: tuple[str, ...] = (), method: str = "GET"
) -> None:
    with serving(script(answer, then=RawConnection.close)) as server, connection_to(server) as connection:
        connection.request(method, "/")
        response = connection.getresponse()
        tell_response(response)
        tell_reading(response, read, without)
        tell_connection(connection)


def tell_all(
    answers: dict[str, bytes], readers: dict[str, Callable[[Any], Any]], without: tuple[str, ...] = ()
) -> None:
    for kind, answer in answers.items():
        for name, read in readers.items():
            print(f"{kind}: {name}")
            tell_reading_of(answer, read, without)


@section
def whole_responses() -> None:
    tell_all(WHOLE, READERS)


@section
def whole_responses_by_lines_and_pieces() -> None:
    tell_all(WHOLE, BUFFERED_READERS, without=("isclosed",))


@section
def cut_responses() -> None:
    tell_all(CUT, READERS)


@section
def cut_responses_by_lines_and_pieces() -> None:
    answers = {kind: answer for kind, answer in CUT.items() if kind != "after a chunk"}
    tell_all(answers, BUFFERED_READERS, without=("isclosed",))
    readers = {name: read for name, read in BUFFERED_READERS.items() if not name.startswith("read1")}
    tell_all({"after a chunk": CUT["after a chunk"]}, readers, without=("isclosed",))


@section
def responses_without_a_chunk_size() -> None:
    tell_all(WITHOUT_SIZE, {name: read for name, read in READERS.items() if "peek" not in name})
    tell_all(WITHOUT_SIZE, {name: read for name, read in BUFFERED_READERS.items() if name in ("read1()", "read1(3)")})


@section
def responses_from_a_file() -> None:
    """The same over a file that is not a socket's: nothing may be read ahead of the end."""
    for kind, answer in WHOLE.items():
        for name in ("read()", "read(3)", "readinto(4)"):
            print(f"{kind}: {name}")
            connection, _ = recorded(answer + b"the next")
            connection.request("GET", "/")
            response = connection.getresponse()
            file = response.fp
            tell_reading(response, READERS[name])
            print("  position:", file and not file.closed and file.tell())


@section
def responses_to_head() -> None:
    readers = {**READERS, **BUFFERED_READERS}
    for kind in ("length", "chunked", "until close", "204", "HTTP/1.0 keep-alive"):
        answer = WHOLE[kind].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        for name, read in readers.items():
            print(f"{kind}: {name}")
            tell_reading_of(answer, read, ("isclosed",) if name in BUFFERED_READERS else (), "HEAD")


@section
def numbers_that_are_odd() -> None:
    for kind in ("length", "chunked", "until close"):
        for name, read in (
            ("read(0)", lambda response: response.read(0)),
            ("read1(0)", lambda response: response.read1(0)),
            ("readline(0)", lambda response: response.readline(0)),
            ("readinto(0)", lambda response: into(response, 0)),
            ("read('5')", lambda response: response.read("5")),
            ("readinto(bytes)", lambda response: response.readinto(b"1234")),
            ("readinto(text)", lambda response: response.readinto("1234")),
        ):
            with connected(WHOLE[kind], then=RawConnection.close) as connection:
                connection.request("GET", "/")
                response = connection.getresponse()
                attempt_kind(f"{kind}: {name}", read, response)
                tell_response(response, without=("isclosed", "chunk_left"))
                attempt("rest", response.read)


@section
def much_content() -> None:
    content = bytes(range(256)) * 2000
    chunked = (
        b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:9000], content[9000:])) + b"0\r\n\r\n"
    )
    answers = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 512000\r\n\r\n" + content,
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "until close": b"HTTP/1.0 200 OK\r\n\r\n" + content,
    }
    for kind, answer in answers.items():
        for name in ("read()", "read(1000)", "readinto(1000)", "read1()", "readline()"):
            read = {**READERS, **BUFFERED_READERS}[name]
            with connected(answer, then=RawConnection.close) as connection:
                connection.request("GET", "/")
                response = connection.getresponse()
                pieces = list(iter(lambda: read(response), b""))  # noqa: B023
                print(kind, name, b"".join(pieces) == content, name in ("read1()",) or len(pieces))


@section
def interim_responses() -> None:
    for interim in (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Go On\r\nA: 1\r\nB: 2\r\n\r\n" * 3,
        b"HTTP/1.0 100\r\n\r\n",
    ):
        tell_reading_of(interim + WHOLE["length"], READERS["read()"])
    tell_reading_of(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + b"other", READERS["read()"])


@section
def closing_a_response() -> None:
    for kind in ("length", "chunked", "until close"):
        with connected(WHOLE[kind], then=RawConnection.close) as connection:
            connection.request("GET", "/")
            with connection.getresponse() as response:
                print(response.read(2))
                file = response.fp
            tell_response(response)
            print(file.closed)
            for name, read in {**READERS, **BUFFERED_READERS}.items():
                attempt(name, read, response)
            attempt("fileno", response.fileno)
            attempt("flush", response.flush)
            attempt("with", response.__enter__)
            attempt("close", response.close)
            print(response.getheaders(), response.status)


STATUS_LINES = (
    b"HTTP/1.1 200 OK\n",
    b"HTTP/1.1 200\r\n",
    b"HTTP/1.1 200 \r\n",
    b"HTTP/1.1 200 \xe4\r\n",
    b"HTTP/1.1 999 Odd\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.9 200 OK\r\n",
    b"HTTP/0.9 200 OK\r\n",
    b"HTTP/2.0 200 OK\r\n",
    b"HTTP/1.1 99 Low\r\n",
    b"HTTP/1.1 1000 High\r\n",
    b"HTTP/1.1 -20 Negative\r\n",
    b"HTTP/1.1 2x0 Letters\r\n",
    b"HTTP/1.1\r\n",
    b"HTTP/1.1 OK\r\n",
    b"HTTP\r\n",
    b"http/1.1 200 OK\r\n",
    b"SSH-2.0-OpenSSH\r\n",
    b"<html>\r\n",
    b"\r\n",
    b"",
    b"H",
    b"HTTP/1.1 200 " + b"x" * 65536 + b"\r\n",
    b"HTTP/1.1 200 " + b"x" * 65521 + b"\r\n",
)


@section
def status_lines() -> None:
    for line in STATUS_LINES:
        print(line[:40], len(line))
        end = b"Content-Length: 2\r\n\r\nhi" if line.endswith(b"\n") else b""
        with connected(line + end, then=RawConnection.close) as connection:
            connection.request("GET", "/")
            response = attempt("  getresponse", connection.getresponse)
            if response:
                print(len(response.reason))
                response.reason = response.reason[:40]
                tell_response(response)
                print(response.read())
            tell_connection(connection)


HEADS = {
    "folded": b"A: one\r\n two\r\n\tthree\r\nContent-Length: 2\r\n",
    "repeated": b"A: 1\r\na: 2\r\nB: x\r\nA: 3\r\nContent-Length: 2\r\n",
    "latin-1": b"A: \xe4\xf6\r\nContent-Length: 2\r\n",
    "UTF-8": "A: ä€\r\nContent-Length: 2\r\n".encode(),
    "line feeds": b"A: 1\nB: 2\nContent-Length: 2\n",
    "no space": b"A:1\r\nContent-Length:2\r\n",
    "much space": b"A:  \t 1 \t \r\nContent-Length: \t2 \r\n",
    "empty value": b"A:\r\nB: \r\nContent-Length: 2\r\n",
    "encoded words": b"A: =?utf-8?q?=C3=A4?=\r\nContent-Length: 2\r\n",
    "multipart": b"Content-Type: multipart/mixed; boundary=x\r\nContent-Length: 2\r\n",
    "99 of them": b"".join(b"N%d: %d\r\n" % (n, n) for n in range(98)) + b"Content-Length: 2\r\n",
    "100 of them": b"".join(b"N%d: %d\r\n" % (n, n) for n in range(99)) + b"Content-Length: 2\r\n",
    "101 of them": b"".join(b"N%d: %d\r\n" % (n, n) for n in range(100)) + b"Content-Length: 2\r\n",
    "long line": b"Content-Length: 2\r\nA: " + b"x" * 65531 + b"\r\n",
    "too long line": b"Content-Length: 2\r\nA: " + b"x" * 65532 + b"\r\n",
    "connection close": b"Connection: close\r\nContent-Length: 2\r\n",
    "connection tokens": b"Connection: foo, Close\r\nContent-Length: 2\r\n",
    "keep-alive": b"Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "vertical tab and form feed": b"A: a\x0bb\x0cc\r\nContent-Length: 2\r\n",
    "next line": b"A: a\x85b\r\nContent-Length: 2\r\n",
    "unit separators": b"A: a\x1cb\x1dc\x1ed\x1fe\r\nContent-Length: 2\r\n",
}

# Their fields are http.client's; compat does not use the connection again.
UNSOUND_HEADS = {
    "no colon": b"A: 1\r\nno colon\r\nB: 2\r\nContent-Length: 2\r\n",
    "empty name": b"A: 1\r\n: empty\r\nB: 2\r\nContent-Length: 2\r\n",
    "space before the colon": b"A : 1\r\nContent-Length: 2\r\n",
    "space in the name": b"A b: 1\r\nContent-Length: 2\r\n",
    "first line folded": b" A: 1\r\nContent-Length: 2\r\n",
    "gzip": b"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n",
    "identity": b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n",
}


@section
def fields_of_heads_that_are_not_sound() -> None:
    for name, lines in UNSOUND_HEADS.items():
        with connected(HEAD + lines + b"\r\nhi", then=RawConnection.close) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            print(name, response.status, response.getheaders(), response.read())


@section
def heads() -> None:
    for version in (b"HTTP/1.1", b"HTTP/1.0"):
        for name, lines in HEADS.items():
            print(version, name)
            with connected(version + b" 200 OK\r\n" + lines + b"\r\nhi", then=RawConnection.close) as connection:
                connection.request("GET", "/")
                response = attempt("  getresponse", connection.getresponse)
                if response:
                    tell_response(response)
                    tell_fields(response) if len(lines) < 60000 else None
                    attempt("  read", response.read)
                tell_connection(connection)


@section
def cut_heads() -> None:
    for head in (b"HTTP/1.1 100 Continue\r\n\r\n", b""):
        for end in (RawConnection.close, RawConnection.reset):
            handlers = script(head, then=end), script(OK)
            with serving(scripts(*handlers)) as server, connection_to(server) as connection:
                connection.request("GET", "/")
                response = attempt("getresponse", connection.getresponse)
                if response:
                    tell_response(response)
                tell_connection(connection)
