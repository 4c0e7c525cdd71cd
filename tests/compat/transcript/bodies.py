"""Transcript: bodies of every kind, framed in every way, with the methods that have one and those that don't."""

import array
import io
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from tests.compat.transcript.report import attempt, attempt_kind, section, tell_connection
from tests.compat.transcript.servers import (
    OK,
    answer_with_the_request,
    connection_to,
    received_bytes,
    recorded,
    serving,
)

CONTENT = b"content\xe4"


class Readable:
    """Only read(), and nothing else of a file."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = list(pieces)
        self.sizes: list[Any] = []

    def __repr__(self) -> str:
        return "<Readable>"

    def read(self, *size: Any) -> Any:
        self.sizes += size
        return self.pieces.pop(0) if self.pieces else b""


class Iterable:
    def __repr__(self) -> str:
        return "<Iterable>"

    def __iter__(self) -> Iterator[bytes]:
        yield b"it"
        yield b"er"


class Sized(Iterable):
    def __len__(self) -> int:
        return 4


def file_of(content: bytes, mode: str) -> Any:
    file = tempfile.TemporaryFile("wb+")  # noqa: SIM115  (closed by the caller)
    file.write(content)
    file.seek(0)
    return file if "b" in mode else io.TextIOWrapper(file, encoding="utf-8", newline="")


BODIES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "bytes": lambda: CONTENT,
    "bytearray": lambda: bytearray(CONTENT),
    "memoryview": lambda: memoryview(CONTENT),
    "array": lambda: array.array("B", [1, 2, 3]),
    "text": lambda: "contentä",
    "binary file": lambda: file_of(CONTENT, "rb"),
    "text file": lambda: file_of("content ä".encode(), "r"),
    "BytesIO": lambda: io.BytesIO(CONTENT),
    "StringIO": lambda: io.StringIO("contentä"),
    "BufferedReader": lambda: io.BufferedReader(io.BytesIO(CONTENT)),
    "readable": lambda: Readable(b"one", b"three"),
    "list": lambda: [b"one", b"", b"three", bytearray(b"x"), memoryview(b"y")],
    "tuple": lambda: (b"one", b"three"),
    "generator": lambda: (piece for piece in (b"one", b"three")),
    "iterable": Iterable,
    "sized iterable": Sized,
    "dict": lambda: {b"key": 1},
    "empty bytes": lambda: b"",
    "empty text": lambda: "",
    "empty BytesIO": lambda: io.BytesIO(),
    "empty StringIO": lambda: io.StringIO(),
    "empty readable": Readable,
    "empty list": list,
    "empty generator": lambda: iter(()),
}

FRAMINGS: dict[str, dict[str, Any]] = {
    "no framing": {},
    "Content-Length": {"headers": {"Content-Length": "8"}},
    "Transfer-Encoding": {"headers": {"Transfer-Encoding": "chunked"}},
    "Transfer-Encoding, encode_chunked": {"headers": {"transfer-encoding": "chunked"}, "encode_chunked": True},
    "encode_chunked": {"encode_chunked": True},
    "both, encode_chunked": {
        "headers": {"Content-Length": "8", "Transfer-Encoding": "chunked"},
        "encode_chunked": True,
    },
}


def close(body: Any) -> None:
    if hasattr(body, "close"):
        body.close()


def tell_writes(body: Any, method: str = "POST", **options: Any) -> None:
    connection, recorder = recorded()
    attempt("request", lambda: connection.request(method, "/", body, **options))
    print(" ", recorder.sent)
    print("  sock:", recorder.calls)
    close(body)


def tell_wire(body: Any, **options: Any) -> None:
    with serving(answer_with_the_request) as server, connection_to(server) as connection:
        attempt("request", lambda: connection.request("PUT", "/", body, **options))
        if connection.sock is not None:
            print(" ", received_bytes(connection))
    close(body)


@section
def bodies_in_every_framing() -> None:
    for framing, options in FRAMINGS.items():
        for name, make in BODIES.items():
            print(f"{name}; {framing}")
            tell_writes(make(), **options)


@section
def bodies_over_a_socket() -> None:
    for framing, options in FRAMINGS.items():
        for name, make in BODIES.items():
            print(f"{name}; {framing}")
            tell_wire(make(), **options)


@section
def arrays_of_more_than_bytes() -> None:
    for framing in ("no framing", "Content-Length", "Transfer-Encoding"):
        tell_writes(array.array("H", [1, 2, 3]), **FRAMINGS[framing])
        tell_wire(array.array("H", [1, 2, 3]), **FRAMINGS[framing])


@section
def methods_with_and_without_a_body() -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "QUERY"):
        for name in ("none", "empty bytes", "bytes", "empty list", "BytesIO"):
            print(method, name)
            tell_writes(BODIES[name](), method)


@section
def files_that_were_read_before() -> None:
    for mode in ("rb", "r"):
        file = file_of(b"skipped content", mode)
        file.read(8)
        tell_writes(file)
    with tempfile.TemporaryFile("wb+") as file:
        file.write(b"x" * 20000)
        file.seek(0)
        connection, recorder = recorded()
        connection.request("POST", "/", file)
        print([len(data) for data in recorder.sent], file.tell())


@section
def block_sizes() -> None:
    for size in (1, 5, 8192):
        connection, recorder = recorded()
        connection.blocksize = size
        body = Readable(b"one", b"three")
        connection.request("POST", "/", body)
        print(size, body.sizes, recorder.sent)
        connection, recorder = recorded()
        connection.blocksize = size
        connection.request("POST", "/", io.BytesIO(b"some content"))
        print(recorder.sent)
        connection.send(io.StringIO("sent ä"))
        print(recorder.sent)


@section
def bodies_that_are_not_latin_1() -> None:
    for body in ("€", "x€€y", "\ud800"):
        tell_writes(body)
    connection, recorder = recorded()
    attempt("text file", lambda: connection.request("POST", "/", io.StringIO("a€")))
    print(recorder.sent)


@section
def bodies_of_wrong_types() -> None:
    bodies: tuple[Any, ...] = (["text in a list"], [1, 2], 5, 1.5, object, [memoryview(CONTENT)[::2]])
    for body in bodies:
        connection, recorder = recorded()
        attempt_kind(repr(type(body)), connection.request, "POST", "/", body)
        print(recorder.sent)


@section
def bodies_of_wrong_lengths() -> None:
    for length in ("3", "100", "-1", "x", ""):
        tell_wire(b"content", headers={"Content-Length": length})


class BodyError(Exception):
    """Raised by a body."""


def failing_pieces(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield b"piece %d" % number
    raise BodyError(count)


class FailingFile(Readable):
    def read(self, *size: Any) -> Any:
        if not self.pieces:
            raise BodyError("read")
        return super().read(*size)


@section
def bodies_that_fail() -> None:
    for body in (failing_pieces(0), failing_pieces(2), FailingFile(), FailingFile(b"piece")):
        with serving(answer_with_the_request) as server, connection_to(server) as connection:
            attempt("request", connection.request, "POST", "/", body)


@section
def bodies_that_fail_before_anything_was_sent() -> None:
    class Broken:
        def __iter__(self) -> Iterator[bytes]:
            raise BodyError("iter")

    connection, recorder = recorded()
    attempt("request", lambda: connection.request("POST", "/", Broken()))
    attempt("_get_content_length", lambda: connection._get_content_length(Broken(), "POST"))
    print(recorder.sent)


@section
def lengths_that_are_known() -> None:
    connection, _ = recorded()
    for name, make in BODIES.items():
        body = make()
        print(name, [attempt_length(connection, body, method) for method in ("GET", "POST", "put")])
        close(body)


def attempt_length(connection: Any, body: Any, method: str) -> Any:
    return connection._get_content_length(body, method)


@section
def bodies_of_some_size() -> None:
    for body in (b"x" * 300_000, [b"y" * 100_000] * 3, io.BytesIO(b"z" * 100_000), bytearray(b"w" * 70_000)):
        with serving(answer_with_the_request) as server, connection_to(server) as connection:
            connection.request("POST", "/", body)
            came = received_bytes(connection)
            print(len(came), came[:120], came[-20:])
            tell_connection(connection)


@section
def bodies_with_debug_output() -> None:
    for name in ("none", "bytes", "text", "list", "readable", "StringIO", "empty generator"):
        body = BODIES[name]()
        if name in ("list",):
            body = [b"one", b"", b"three"]
        connection, _ = recorded(OK)
        connection.set_debuglevel(1)
        print(name)
        attempt("request", connection.request, "POST", "/", body)
        connection.send(io.BytesIO(b"a file"))
