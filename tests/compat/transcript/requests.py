"""Transcript: requests step by step and at once; what a method, target, header, host or port may be."""

import http.client
from collections import UserDict
from email.message import Message
from typing import Any

from tests.compat.transcript.report import attempt, attempt_kind, section, tell_connection, tell_response
from tests.compat.transcript.servers import (
    OK,
    answer_with_the_request,
    connected,
    connection_to,
    received_bytes,
    recorded,
    serving,
)


@section
def step_by_step() -> None:
    for skip_host in (False, True):
        for skip_accept_encoding in (False, True):
            with serving(answer_with_the_request) as server, connection_to(server) as connection:
                connection.putrequest("GET", "/steps?a=1", skip_host, skip_accept_encoding=skip_accept_encoding)
                connection.putheader("X-Int", 5)
                connection.putheader(b"X-Bytes", b"\xe4", "ä", "three")
                connection.putheader("X-Empty", "")
                connection.putheader("X-None")
                connection.endheaders()
                print(received_bytes(connection))


@section
def step_by_step_with_content() -> None:
    for body in (b"bytes", bytearray(b"array"), memoryview(b"view"), [b"a", b"", b"list"], iter((b"b",)), None, b""):
        connection, recorder = recorded()
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "5")
        attempt("endheaders", connection.endheaders, body)
        print(recorder.sent)
    for chunked in (False, True):
        connection, recorder = recorded()
        connection.putrequest("POST", "/")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders([b"one", b"", b"three"], encode_chunked=chunked)
        print(recorder.sent)
    connection, recorder = recorded()
    connection.putrequest("POST", "/")
    attempt("a text", lambda: connection.endheaders("text"))
    attempt("a number", lambda: recorded()[0].request("POST", "/", 5))
    print(recorder.sent)


@section
def sending_on_after_the_head() -> None:
    with serving(answer_with_the_request) as server, connection_to(server) as connection:
        connection.putrequest("POST", "/sent")
        connection.putheader("Content-Length", "15")
        connection.endheaders()
        connection.send(b"one ")
        connection.send(bytearray(b"two "))
        connection.send(memoryview(b"three "))
        connection.send([b"a", b"b"])
        attempt("a text", lambda: connection.send("text"))
        attempt("a number", lambda: connection.send(5))
        print(received_bytes(connection))


@section
def sending_before_anything() -> None:
    with serving(answer_with_the_request) as server, connection_to(server) as connection:
        tell_connection(connection)
        connection.send(b"GET / HTTP/1.1\r\nHost: raw\r\n\r\n")
        tell_connection(connection)
        attempt("getresponse", connection.getresponse)
        connection.close()
        connection.connect()
        connection.connect()
        tell_connection(connection)


@section
def steps_out_of_order() -> None:
    with connected(OK, OK) as connection:
        attempt("putheader", lambda: connection.putheader("A", "1"))
        attempt("endheaders", connection.endheaders)
        attempt("getresponse", connection.getresponse)
        connection.putrequest("GET", "/")
        attempt("putrequest again", lambda: connection.putrequest("GET", "/"))
        attempt("request", lambda: connection.request("GET", "/"))
        attempt("getresponse", connection.getresponse)
        tell_connection(connection)
        connection.endheaders()
        attempt("putheader", lambda: connection.putheader("A", "1"))
        attempt("endheaders again", connection.endheaders)
        attempt("request", lambda: connection.request("GET", "/"))
        response = connection.getresponse()
        attempt("getresponse again", connection.getresponse)
        tell_response(response)
        print(response.read())
        attempt("getresponse again", connection.getresponse)
        connection.request("GET", "/2")
        print(connection.getresponse().read())


@section
def fields_of_a_request() -> None:
    message = Message()
    message["X-Mail"] = "1"
    headers: tuple[Any, ...] = (
        {},
        {"Host": "other.example", "Accept-Encoding": "gzip"},
        {"hOST": "other.example"},
        {"accept-encoding": ""},
        {"Content-Length": "3"},
        {"Content-length": 3},
        {"Transfer-Encoding": "chunked"},
        {"X": "1", "x": "2"},
        {"Expect": "100-continue"},
        {"Connection": "close", "User-Agent": "transcript"},
        UserDict({"A": "1"}),
        message,
    )
    for fields in headers:
        connection, recorder = recorded()
        attempt("request", connection.request, "POST", "/", b"abc", fields)
        print(recorder.sent)
    connection, recorder = recorded()
    attempt("pairs", lambda: connection.request("GET", "/", headers=[("A", "1")]))
    attempt("none", lambda: connection.request("GET", "/", headers=None))
    print(recorder.sent)


@section
def hosts_on_the_wire() -> None:
    hosts: tuple[tuple[str, int | None], ...] = (
        ("example.com", None),
        ("example.com", 80),
        ("example.com", 8080),
        ("example.com:81", None),
    )
    hosts += (("[::1]", None), ("[::1]:8080", None), ("::1", 80), ("fe80::1%eth0", 80), ("bücher.example", None))
    hosts += (("EXAMPLE.com.", 443), ("127.0.0.1", 443), ("a_b", 1), ("example.com:", None))
    for host, port in hosts:
        connection, recorder = recorded(host=host, port=port)
        connection.request("GET", "/")
        print(host, port, connection.host, connection.port, recorder.sent)
    connection, recorder = recorded()
    for url in ("http://other.example/x", "http://[::1]:8/x", "http:///x", "//two/x"):
        attempt(url, connection.request, "GET", url)
        attempt("read", lambda: connection.getresponse().read())
        print(recorder.sent[-1:])


@section
def bad_hosts_and_ports() -> None:
    bad: tuple[Any, ...] = (
        "example.com:http",
        "example.com:8x",
        "[::1]:x",
        "a b",
        "a\r\nb",
        "a\0b",
        "a\x7f",
        "",
        ":80",
    )
    bad += ("example.com:-1", "example.com: 80", "example.com:٣")
    for host in (None, b"bytes", 5):
        attempt_kind(repr(host), http.client.HTTPConnection, host)
    for host in bad:
        attempt(repr(host), address_of, host)
    ports: tuple[Any, ...] = ("80", "x", -1, 70000, 0, 8.5)
    for port in ports:
        attempt(repr(port), address_of, "example.com", port)


def address_of(host: Any, port: Any = None) -> tuple[Any, Any]:
    connection = http.client.HTTPConnection(host, port)
    return connection.host, connection.port


@section
def bad_methods() -> None:
    methods: tuple[Any, ...] = ("GET\r\n", "G\0T", "get", "M-SEARCH", "gét", "")
    for method in methods:
        connection, recorder = recorded()
        attempt(repr(method), connection.request, method, "/")
        print(recorder.sent)


@section
def methods_and_targets_of_wrong_types() -> None:
    bad: tuple[tuple[Any, Any], ...] = ((None, "/"), (b"GET", "/"), (5, "/"), ("GET", b"/"), ("GET", 5))
    for method, url in bad:
        connection, recorder = recorded()
        attempt_kind(f"{method!r} {url!r}", connection.request, method, url)
        print(recorder.sent)


@section
def targets() -> None:
    good = (
        "",
        "*",
        "/a?b=c#d",
        "a",
        "/%20",
        "?q",
        "http://example.com/",
        "example.com:443",
        "/" + "x" * 100,
        "/a\\b|c",
    )
    bad = ("/a b", "/a\r\nb", "/\0", "/\x7f", "/\x1f", "/ü", "/\u20ac", " ", "/a\tb", None)
    for url in good + bad:
        connection, recorder = recorded()
        attempt(repr(url), connection.request, "GET", url)
        print(recorder.sent)


@section
def header_names_and_values() -> None:
    names: tuple[Any, ...] = ("A", b"A", "a b", " a", "a ", "a:b", ":a", "a\r\nb", "", "ü", "a\tb", "(a)", 5)
    values: tuple[Any, ...] = (
        "1",
        "",
        " ",
        "a\r\nb",
        "a\nb",
        "a\n b",
        "a\r\n b",
        "a\rb",
        "ä",
        "€",
        b"\xff",
        5,
        None,
        1.5,
        "\x7f",
    )
    for name in names:
        tell_header(name, "value")
    for value in values:
        tell_header("Name", value)
    tell_header("Name", "one", 2, b"three")
    tell_header("Name", "one", "two\r\n")
    connection, recorder = recorded()
    connection.putrequest("GET", "/")
    for value in ("a\n b", "a\r\n\tb"):
        attempt("folded", connection.putheader, "F", value)
    connection.endheaders()
    print(recorder.sent)


def tell_header(name: Any, *values: Any) -> None:
    connection, recorder = recorded()
    connection.putrequest("GET", "/", skip_host=True, skip_accept_encoding=True)
    attempt(f"{name!r} {values!r}", lambda: connection.putheader(name, *values))
    connection.endheaders()
    print(recorder.sent)


@section
def older_versions_and_nonsense() -> None:
    for version, text in ((10, "HTTP/1.0"), (11, "HTTP/1.1"), (11, "HTTP/9.9"), (11, "nonsense")):
        connection, recorder = recorded()
        connection._http_vsn, connection._http_vsn_str = version, text
        attempt("request", connection.request, "POST", "/", iter((b"a", b"b")))
        print(recorder.sent)
        print(connection.getresponse().read())


@section
def debug_output() -> None:
    trailers = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: \xe4\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    )
    with connected(b"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\n" + OK, trailers, b"garbage\r\n") as connection:
        connection.set_debuglevel(1)
        connection.request("POST", "/", b"body", {"A": "b"})
        response = connection.getresponse()
        print(response.read())
        connection.request("POST", "/", iter((b"one", b"", b"two")))
        response = connection.getresponse()
        tell_response(response)
        print(response.read())
        connection.set_debuglevel(2)
        connection.request("GET", "/")
        attempt("getresponse", connection.getresponse)
        tell_connection(connection)
