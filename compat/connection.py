"""http.client's connections: each step is a method that programs override, the bytes of each are the engine's.

Every request takes the steps putrequest, putheader, endheaders, _send_output, send and, at first, connect, through
`self`; the lines gather in `_buffer`, and a program may have replaced `sock`. A socket opened here waits on the private
loop (see sockets.py), unless a program has replaced a call that http.client would open it by, as httpretty,
pytest-socket, gevent and many tests do. Another socket is used by its own sendall() and makefile().
"""

from __future__ import annotations

import errno
import http.client as std
import io
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from operator import attrgetter
from typing import Any, ClassVar, Final

from asyncclient.message.lenient import REQUEST_LINE
from asyncclient.message.request import choose_framing

from . import lines, tunnel
from .body import send_body
from .dial import dial
from .message import HTTPMessage, parse_header_lines
from .names import find, replaced, say
from .response import HTTPResponse
from .sockets import OwnSocket

_IDLE, _STARTED, _SENT = "Idle", "Request-started", "Request-sent"
"""The states, which http.client shows in its errors, and which programs compare and set."""

DEFAULT_TIMEOUT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]

_take_socket_calls: Final = attrgetter("create_connection", "getaddrinfo", "socket")
_SOCKET_CALLS: Final = tuple(call for call in _take_socket_calls(socket) if call.__module__ == "socket")
"""The calls that http.client makes; incomplete if one was replaced before this module was imported."""

_take_socket_methods: Final = attrgetter("connect", "connect_ex", "send", "sendall", "recv", "recv_into")
_SOCKET_METHODS: Final = _take_socket_methods(socket.socket.__base__)
"""Methods that programs replace in socket.socket, which inherits them, to guard or record it."""

_STEPS: Final = (
    *("putrequest", "putheader", "endheaders", "_output", "_send_output"),
    *("_encode_request", "_validate_method", "_validate_path", "_validate_host", "_wrap_ipv6"),
)
_VERSIONS: Final = ("_http_vsn", "_http_vsn_str")
"""The members that build the head of a request; it is built at once if a program has replaced none of them."""

_NO_NAMES: Final[Set[str]] = frozenset()

_Fields = Iterable[tuple[Any, Any]]


class HTTPConnection:
    """One connection to an HTTP server, as http.client documents it; `max_response_headers` is that of Python 3.15."""

    __module__ = "http.client"

    _http_vsn = 11
    _http_vsn_str = "HTTP/1.1"
    response_class: Any = HTTPResponse
    default_port: ClassVar[int] = std.HTTP_PORT
    auto_open = 1
    debuglevel = 0

    def __init__(
        self,
        host: str,
        port: int | None = None,
        timeout: Any = DEFAULT_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        blocksize: int = 8192,
        *,
        max_response_headers: int | None = None,
    ) -> None:
        self.timeout = timeout
        self.source_address = source_address
        self.blocksize = blocksize
        self.max_response_headers = max_response_headers
        self.sock: Any = None
        self._buffer: list[bytes] = []
        self.__response: Any = None
        self.__state: str = _IDLE
        self._method: str | None = None
        self._tunnel_host: str | None = None
        self._tunnel_port: int | None = None
        self._tunnel_headers: dict[str, Any] = {}
        self._raw_proxy_headers: list[bytes] | None = None
        self.host, self.port = self._get_hostport(host, port)
        self._validate_host(self.host)
        self._create_connection: Any = vars(std)["socket"].create_connection

    def _get_hostport(self, host: str, port: Any) -> tuple[str, Any]:
        if port is None:
            name, colon, digits = host.rpartition(":")
            port = self.default_port
            if colon and "]" not in digits:
                host = name
                try:
                    port = int(digits) if digits else port
                except ValueError:
                    raise std.InvalidURL(f"nonnumeric port: '{digits}'") from None
        if host[:1] == "[" and host[-1:] == "]":
            host = host[1:-1]
        return host, port

    def _validate_host(self, host: str) -> None:
        lines.check_url(host)

    def _wrap_ipv6(self, ip: bytes) -> bytes:
        return lines.wrap_ipv6(ip)

    def set_debuglevel(self, level: int) -> None:
        """Print sent and received heads, if the level is above 0."""
        self.debuglevel = level

    # Connecting

    def set_tunnel(self, host: str, port: int | None = None, headers: Mapping[str, Any] | None = None) -> None:
        """Have the connection go through an HTTP proxy, the host and port given to the constructor, by CONNECT."""
        tunnel.set_tunnel(self, host, port, headers)

    def _tunnel(self) -> None:
        try:
            self.send(tunnel.build_head(self))
            tunnel.enter(self)
        except BaseException:
            # Half a tunnel: the next request would go to the proxy. A program's own close() may do more than this.
            self._drop_socket()
            raise

    def get_proxy_response_headers(self) -> HTTPMessage | None:
        """Return the fields of the proxy's response to CONNECT; None before it."""
        if self._raw_proxy_headers is None:
            return None
        message: HTTPMessage = find("_parse_header_lines", parse_header_lines)(self._raw_proxy_headers)
        return message

    def connect(self) -> None:
        """Connect to the host and port given to the constructor. Raises what the socket calls raise."""
        sys.audit("http.client.connect", self, self.host, self.port)
        self.sock = self._open_socket()
        if self._tunnel_host:
            self._tunnel()

    def _open_socket(self) -> Any:
        timeout = socket.getdefaulttimeout() if self.timeout is DEFAULT_TIMEOUT else self.timeout
        if self._may_dial(timeout):
            return dial(self.host, self.port, timeout, self.source_address)
        sock = self._create_connection((self.host, self.port), self.timeout, self.source_address)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            if exc.errno != errno.ENOPROTOOPT:
                raise
        return sock

    def _may_dial(self, timeout: Any) -> bool:
        """Return whether compat may connect by itself: no call was replaced, and the arguments are ordinary."""
        calls, create = _take_socket_calls(socket), self._create_connection
        is_timed = timeout is None or (isinstance(timeout, (int, float)) and timeout > 0)
        is_own = calls == _SOCKET_CALLS and create is calls[0] and _take_socket_methods(calls[2]) == _SOCKET_METHODS
        is_plain = type(self.port) is int and 0 <= self.port < 65536 and bool(self.host) and self.host.isascii()
        return is_own and is_timed and is_plain

    def close(self) -> None:
        """Close the connection; a request that was begun is forgotten."""
        self.__state = _IDLE
        del self._buffer[:]
        try:
            self._drop_socket()
        finally:
            response, self.__response = self.__response, None
            if response:
                response.close()

    def _drop_socket(self) -> None:
        sock, self.sock = self.sock, None
        if sock:
            sock.close()

    # The request, step by step

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        """Begin a request: its line, and the Host and Accept-Encoding fields unless they are skipped."""
        self.__check_idle()
        self._validate_method(method)
        url = url or "/"
        self._validate_path(url)
        # Joined, not formatted: formatting would call a method of a str subclass, whose result is not checked.
        line = self._encode_request(" ".join((method, url, self._http_vsn_str)))
        self._method, self.__state = method, _STARTED
        self._output(line)
        if self._http_vsn == 11:
            if not skip_host:
                self.putheader("Host", lines.build_host(url, *self.__authority(), self._wrap_ipv6))
            if not skip_accept_encoding:
                self.putheader("Accept-Encoding", "identity")

    def __check_idle(self) -> None:
        self.__forget_response()
        if self.__state != _IDLE:
            raise std.CannotSendRequest(self.__state)

    def _validate_method(self, method: str) -> None:
        lines.check_method(method)

    def _validate_path(self, url: str) -> None:
        lines.check_url(url)

    def _encode_request(self, request: str) -> bytes:
        return request.encode("ascii")

    def __authority(self) -> tuple[str, int | None, int]:
        """Return the host and port of the server, and the port that Host leaves out."""
        if self._tunnel_host:
            return self._tunnel_host, self._tunnel_port, self.default_port
        return self.host, self.port, self.default_port

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a header line; several values go on in lines of their own, after a tab."""
        if self.__state != _STARTED:
            raise std.CannotSendHeader
        self._output(lines.build_line(header, values))

    def _output(self, s: bytes) -> None:
        self._buffer.append(s)

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        """End the head and send it, with a body if given."""
        if self.__state != _STARTED:
            raise std.CannotSendHeader
        self.__state = _SENT
        self._send_output(message_body, encode_chunked=encode_chunked)

    def _send_output(self, message_body: Any = None, encode_chunked: bool = False) -> None:
        self._buffer.extend((b"", b""))
        head = b"\r\n".join(self._buffer)
        del self._buffer[:]
        self.__send_head(head)
        if message_body is not None:
            send_body(self, message_body, is_chunked=encode_chunked and self._http_vsn == 11)

    def __send_head(self, head: bytes) -> None:
        sock, is_first = self.sock, not self.__response
        if issubclass(type(sock), OwnSocket):
            is_first = is_first and not sock.due
            if is_first and sock.has_unsolicited():
                self._drop_socket()  # the data would pass for the response
        self.send(head)
        sock = self.sock
        if issubclass(type(sock), OwnSocket):
            sock.listens = is_first
            sock.due += 1

    def send(self, data: Any) -> None:
        """Send data to the server: bytes or a buffer, a file, or an iterable of these; connect first if necessary."""
        if self.sock is None:
            if not self.auto_open:
                raise std.NotConnected
            self.connect()
        if self.debuglevel > 0:
            say("send:", repr(data))
        sock: Any = self.sock
        if hasattr(data, "read"):
            for block in self.__read_blocks(data, "sending"):
                sys.audit("http.client.send", self, block)
                sock.sendall(block)
            return
        sys.audit("http.client.send", self, data)
        try:
            sock.sendall(data)
        except TypeError:
            if not isinstance(data, Iterable):
                raise TypeError(f"data should be a bytes-like object or an iterable, got {type(data)!r}") from None
            for piece in data:
                sock.sendall(piece)

    def _read_readable(self, readable: Any) -> Iterator[bytes]:
        return self.__read_blocks(readable, "reading")

    def __read_blocks(self, readable: Any, action: str) -> Iterator[bytes]:
        if self.debuglevel > 0:
            say(f"{action} a readable")
        is_text = self._is_textIO(readable)
        if is_text and self.debuglevel > 0:
            say("encoding file using iso-8859-1")
        while block := readable.read(self.blocksize):
            yield block.encode("iso-8859-1") if is_text else block

    # The request at once

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, Any] = {},
        *,
        encode_chunked: bool = False,
    ) -> None:
        """Send a whole request; see http.client for the kinds of body."""
        self._send_request(method, url, body, headers, encode_chunked)

    def _send_request(self, method: str, url: str, body: Any, headers: Mapping[str, Any], encode_chunked: bool) -> None:
        if not isinstance(method, str):
            self._validate_method(method)
        is_bare = type(headers) is dict and not headers
        names = _NO_NAMES if is_bare else {name.lower() for name in headers}
        framing, encode_chunked = self.__frame(method, body, names, encode_chunked)
        fields = framing if is_bare else (*framing, *headers.items())
        try:
            add_lines = self.__add_at_once if self.__is_plain() else self.__take_steps
            add_lines(method, url or "/", names, fields)
            if isinstance(body, str):
                body = find("_encode", vars(std)["_encode"])(body, "body")
        except (ValueError, TypeError):
            if self.__state == _STARTED:
                self.__state = _IDLE
                del self._buffer[:]  # the next request would begin with the lines of this one
            raise
        self.endheaders(body, encode_chunked=encode_chunked)

    def __take_steps(self, method: str, url: str, names: Set[str], fields: _Fields) -> None:
        skips = {}
        if "host" in names:
            skips["skip_host"] = True
        if "accept-encoding" in names:
            skips["skip_accept_encoding"] = True
        self.putrequest(method, url, **skips)
        for name, value in fields:
            self.putheader(name, value)

    def __add_at_once(self, method: str, url: str, names: Set[str], fields: _Fields) -> None:
        """Add the lines that the steps would add, which take half of the time of a request (decision 33)."""
        self.__check_idle()
        line = " ".join((method, url, "HTTP/1.1"))
        if REQUEST_LINE.fullmatch(line) is None:
            lines.check_method(method)
            lines.check_url(url)
        made = [line.encode("ascii")]
        if "host" not in names:
            made.append(lines.build_host_line(url, *self.__authority()))
        if "accept-encoding" not in names:
            made.append(b"Accept-Encoding: identity")
        made += [lines.build_line(name, (value,)) for name, value in fields]
        self._method, self.__state = method, _STARTED
        self._buffer += made

    def __is_plain(self) -> bool:
        """Return whether no step was replaced: in a subclass, in this object, or in the class itself."""
        try:
            steps = _take_steps(self)  # not from __dict__: making that slows down all later accesses (decision 33)
        except AttributeError:
            return False  # the replacement is not a method
        return steps == _own_steps and replaced.has_own_checks and type(self._buffer) is list

    def __frame(self, method: str, body: Any, names: Set[str], encode_chunked: bool) -> tuple[tuple[Any, ...], bool]:
        """Return the field that frames the body, if the headers do not declare it, and whether to chunk the body."""
        has_length, has_coding = "content-length" in names, "transfer-encoding" in names
        length = None if has_length or has_coding else self._get_content_length(body, method)
        if body is None and length is None:
            return (), has_coding and not has_length and encode_chunked
        field, is_chunked = choose_framing(
            length, has_length=has_length, has_coding=has_coding, encode_chunked=has_coding and encode_chunked
        )
        if field is None:
            return (), is_chunked
        if is_chunked and self.debuglevel > 0:
            say(f"Unable to determine size of {body!r}")
        return (field,), is_chunked

    @staticmethod
    def _get_content_length(body: Any, method: str) -> int | None:
        """Return the length of a body; None if it is unknown, or if there is no body and the method needs none."""
        if body is None:
            return 0 if method.upper() in replaced.methods_with_body else None
        if hasattr(body, "read"):
            return None
        try:
            return memoryview(body).nbytes
        except TypeError:
            return len(body) if isinstance(body, str) else None

    @staticmethod
    def _is_textIO(stream: Any) -> bool:  # noqa: N802  (http.client's name)
        return isinstance(stream, io.TextIOBase)

    # The response

    def getresponse(self) -> Any:
        """Return the response, once its head was received."""
        is_cut = self.__forget_response()
        if self.__state != _SENT or self.__response or is_cut:
            raise std.ResponseNotReady(self.__state)
        response = self.__make_response()
        try:
            try:
                response.begin()
            except ConnectionError:
                self.close()
                raise
            self.__state = _IDLE
            sock = self.sock
            if issubclass(type(sock), OwnSocket) and sock.is_answered:
                response.will_close = True
            if response.will_close:
                self.close()
            else:
                self.__response = response
            return response
        except BaseException:
            response.close()
            raise

    def __make_response(self) -> Any:
        level = (self.debuglevel,) if self.debuglevel > 0 else ()
        response = self.response_class(self.sock, *level, method=self._method)
        if self.max_response_headers is not None:
            response.max_headers = self.max_response_headers
        return response

    def __forget_response(self) -> bool:
        """Forget a response that has ended, and its connection if content is unread; True if a request was lost so."""
        response = self.__response
        if not response or not response.isclosed():
            return False
        self.__response = None
        if getattr(response, "is_whole", True):
            return False
        is_sent = self.__state == _SENT
        self._drop_socket()
        return is_sent


_take_steps: Final = attrgetter(*(f"{name}.__func__" for name in _STEPS), *_VERSIONS)
_own_steps: Final = attrgetter(*_STEPS, *_VERSIONS)(HTTPConnection)
