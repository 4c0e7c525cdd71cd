"""Transcript: the examples of http.client's documentation, and the names it documents."""

import copy
import email.message
import http
import http.client
import inspect
import io
import pickle
import urllib.parse
from typing import Any

from tests.compat.transcript.report import attempt, section, tell_connection, tell_fields, tell_response
from tests.compat.transcript.servers import NOT_FOUND, OK, connected, recorded, script, serving

PAGE = b"<!DOCTYPE html>" + b"".join(b"<p>line %d</p>\n" % number for number in range(40))
INDEX = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE)
MOVED = b'Redirecting to <a href="http://bugs.example/issue12524">http://bugs.example/issue12524</a>'


@section
def example_of_constructors() -> None:
    for arguments in (("www.python.org",), ("www.python.org:80",), ("www.python.org", 80)):
        tell_connection(http.client.HTTPConnection(*arguments))
    tell_connection(http.client.HTTPConnection("www.python.org", 80, timeout=10))
    tell_connection(http.client.HTTPConnection("www.python.org", source_address=("127.0.0.1", 0), blocksize=100))
    tell_connection(http.client.HTTPSConnection("www.python.org"))
    tell_connection(http.client.HTTPSConnection("www.python.org:8443", timeout=None))


@section
def example_of_get() -> None:
    with connected(INDEX + PAGE, INDEX + PAGE, NOT_FOUND) as conn:
        conn.request("GET", "/index.html")
        r1 = conn.getresponse()
        print(r1.status, r1.reason)
        print(r1.read())
        conn.request("GET", "/index.html")
        r1 = conn.getresponse()
        for _ in range(6):  # `while not r1.closed` never ends: a response is closed by close() alone
            print(r1.closed, r1.read(200))
        conn.request("GET", "/parrot.spam")
        r2 = conn.getresponse()
        print(r2.status, r2.reason, r2.read())
        conn.close()
        tell_connection(conn)


@section
def example_of_head() -> None:
    with connected(INDEX) as conn:
        conn.request("HEAD", "/index.html")
        res = conn.getresponse()
        print(res.status, res.reason)
        tell_response(res)
        data = res.read()
        print(len(data), data == b"")
        tell_response(res)


@section
def example_of_post() -> None:
    params = urllib.parse.urlencode({"@number": 12524, "@type": "issue", "@action": "show"})
    headers = {"Content-type": "application/x-www-form-urlencoded", "Accept": "text/plain"}
    head = b"HTTP/1.1 302 Found\r\nLocation: /issue12524\r\nContent-Length: %d\r\n\r\n" % len(MOVED)
    with serving(script(head + MOVED)) as server:
        conn = http.client.HTTPConnection(server.host, server.port)
        conn.request("POST", "", params, headers)
        response = conn.getresponse()
        print(response.status, response.reason)
        print(response.read())
        conn.close()
        print(server.requests)


@section
def example_of_put() -> None:
    with serving(script(b"HTTP/1.1 200 OK,\r\nContent-Length: 0\r\n\r\n")) as server:
        conn = http.client.HTTPConnection("localhost", server.port)
        conn.request("PUT", "/file", "***filecontents***")
        response = conn.getresponse()
        print(response.status, response.reason)
        tell_response(response)
        conn.close()
        print(server.requests)


@section
def names_of_the_module() -> None:
    print(sorted(http.client.__all__))
    print(http.client.HTTP_PORT, http.client.HTTPS_PORT, http.client.responses[http.client.NOT_FOUND])
    print(sorted(http.client.responses.items()))
    print([(status.name, getattr(http.client, status.name)) for status in http.HTTPStatus])
    module: Any = http.client
    print(module._MAXLINE, module._MAXHEADERS, module._UNKNOWN)
    print(module._CS_IDLE, module._CS_REQ_STARTED, module._CS_REQ_SENT)
    for name in ("HTTPConnection", "HTTPSConnection", "HTTPResponse", "HTTPMessage", "parse_headers"):
        found = getattr(http.client, name)
        print(found.__module__, found.__qualname__, found.__name__)
    print(issubclass(http.client.HTTPResponse, io.BufferedIOBase))
    print(issubclass(http.client.HTTPMessage, email.message.Message))
    print(issubclass(http.client.HTTPSConnection, http.client.HTTPConnection))
    print(http.client.error is http.client.HTTPException)


@section
def signatures() -> None:
    for name in (
        "request",
        "getresponse",
        "set_debuglevel",
        "set_tunnel",
        "connect",
        "close",
        "putrequest",
        "putheader",
    ):
        tell_parameters(http.client.HTTPConnection, name)
    for name in ("endheaders", "send"):
        tell_parameters(http.client.HTTPConnection, name)
    for name in (
        "read",
        "read1",
        "readinto",
        "readline",
        "peek",
        "getheader",
        "getheaders",
        "fileno",
        "begin",
        "flush",
    ):
        tell_parameters(http.client.HTTPResponse, name)
    tell_parameters(http.client.HTTPResponse, "__init__")
    print(list(inspect.signature(http.client.HTTPConnection).parameters)[:5])


def tell_parameters(kind: type, name: str) -> None:
    parameters = inspect.signature(getattr(kind, name)).parameters.values()
    print(kind.__name__, name, [(one.name, str(one.kind), one.default) for one in parameters if one.name != "self"])


@section
def names_of_objects() -> None:
    with connected(OK) as conn:
        conn.request("GET", "/")
        response = conn.getresponse()
        print(repr(conn), repr(response))
        public = "request getresponse set_debuglevel set_tunnel connect close putrequest putheader endheaders send"
        print([callable(getattr(conn, name)) for name in public.split()])
        methods = "read readinto read1 readline readlines peek getheader getheaders fileno close isclosed begin flush"
        print([callable(getattr(response, name)) for name in methods.split()])
        for name in ("readable", "writable", "seekable", "isatty", "info", "getcode", "geturl", "tell", "truncate"):
            attempt(name, getattr(response, name))
        attempt("write", lambda: response.write(b"x"))
        attempt("detach", response.detach)
        attempt("seek", lambda: response.seek(0))
        attempt("name", lambda: response.name)
        attempt("url", lambda: response.url)
        print(list(response), iter(response) is response)


@section
def fields_of_a_response() -> None:
    lines = b"Content-Length: 0\r\nSet-Cookie: a=1\r\nX-One: \t padded  \r\nset-cookie: b=2\r\nX-Empty:\r\n"
    with connected(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n") as conn:
        conn.request("GET", "/")
        response = conn.getresponse()
        tell_fields(response)
        print(response.getheaders())
        for name in ("Set-Cookie", "SET-COOKIE", "x-one", "X-Empty", "X-None"):
            print(name, repr(response.getheader(name)), repr(response.getheader(name, "default")))
        print(
            response.getheader("X-None", ["a", "b"]),
            response.getheader("X-None", ("a",)),
            response.getheader("X-None", 5),
        )
        print(response.msg.get_all("set-cookie"), response.msg["X-ONE"], response.msg.keys(), response.msg.values())
        print(
            "x-one" in response.headers, len(response.headers), response.headers.get_content_type(), str(response.msg)
        )
        print(response.msg.getallmatchingheaders("set-cookie"))
        print(response.info() is response.headers, response.getcode(), response.msg.is_multipart())
        attempt("payload", response.msg.get_payload)
        del response.msg["set-cookie"]
        response.msg["X-New"] = "1"
        print(response.getheaders(), response.headers.as_string())


@section
def fields_before_there_are_any() -> None:
    response: Any = http.client.HTTPResponse(recorded()[0].sock)
    attempt("getheader", lambda: response.getheader("a"))
    attempt("getheaders", response.getheaders)
    tell_response_unread(response)


def tell_response_unread(response: Any) -> None:
    print(response.status, response.reason, response.version, response.length, response.chunked, response.chunk_left)
    print(
        response.will_close, response.headers, response.msg, response.debuglevel, response.isclosed(), response.closed
    )


@section
def headers_parsed_on_their_own() -> None:
    for text in (
        b"A: 1\r\nB: 2\r\n\r\nrest",
        b"A: 1\nb: 2\n\nrest",
        b"",
        b"\r\n",
        b"A: 1\r\n folded\r\n\r\n",
        b"no colon\r\n\r\n",
    ):
        file = io.BytesIO(text)
        message = http.client.parse_headers(file)
        print(message.items(), type(message).__qualname__, message.get_payload(), message.defects, file.read())
    parse: Any = http.client.parse_headers
    message = parse(io.BytesIO(b"A: \xe4\r\n\r\n"), _class=email.message.Message)
    print(message.items(), type(message))
    attempt("long", lambda: http.client.parse_headers(io.BytesIO(b"A: " + b"x" * 65536 + b"\r\n\r\n")))
    attempt("many", lambda: http.client.parse_headers(io.BytesIO(b"A: 1\r\n" * 101 + b"\r\n")))
    attempt("enough", lambda: len(http.client.parse_headers(io.BytesIO(b"A: 1\r\n" * 99 + b"\r\n"))))


@section
def exceptions() -> None:
    made: list[Exception] = [
        getattr(http.client, name)("text")
        for name in sorted(http.client.__all__)
        if isinstance(getattr(http.client, name), type) and issubclass(getattr(http.client, name), Exception)
    ]
    made += [http.client.IncompleteRead(b"part", 7), http.client.BadStatusLine("")]
    for error in made:
        print(type(error).__module__, [kind.__qualname__ for kind in type(error).__mro__])
        attempt("  raised", raise_it, error)
        for name, twin in (("copy", copy.copy(error)), ("pickle", pickle.loads(pickle.dumps(error)))):
            print(" ", name, type(twin) is type(error), repr(twin), str(twin), vars(twin))


def raise_it(error: Exception) -> None:
    raise error


@section
def exceptions_that_were_raised() -> None:
    answers = (b"", b"garbage\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    for answer in (*answers, b"HTTP/1.1 200 OK\r\nA: " + b"x" * 65536):
        connection, _ = recorded(answer)
        connection.request("GET", "/")
        try:
            connection.getresponse().read()
        except http.client.HTTPException as error:
            twin = pickle.loads(pickle.dumps(error))
            print(repr(error), repr(twin), vars(error) == vars(twin), type(copy.copy(error)) is type(error))
