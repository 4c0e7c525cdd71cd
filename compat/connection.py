"""http.client's connections: each step is a method that programs override, the bytes of each are the engine's.

Every request takes the steps putrequest, putheader, endheaders, _send_output, send and, at first, connect, through
`self`; the lines gather in `_buffer`, and `sock` is whatever a program has put there. A socket opened here waits on a
private loop (see sockets.py); a foreign one is used by its own sendall() and makefile(), in the caller's thread.
"""

from __future__ import annotations

import http.client as std
from collections.abc import Iterable, Mapping, Set
from operator import attrgetter
from typing import Any, Final

from asyncclient.message.cycle import BLOCKING, Event
from asyncclient.message.lenient import REQUEST_LINE

from . import lines
from .names import gather_members, replaced, say
from .opening import DEFAULT_TIMEOUT
from .response import HTTPResponse
from .sending import Sending
from .sockets import OwnSocket

_STEPS: Final = frozenset(
    [
        "putrequest",
        "putheader",
        "endheaders",
        "_output",
        "_send_output",
        "_encode_request",
        "_http_vsn",
        "_http_vsn_str",
        "_validate_method",
        "_validate_path",
        "_validate_host",
        "_wrap_ipv6",
    ]
)
"""What the bytes of a request go through; where a program has replaced none of them it is sent at once."""

_NONE: Final[Set[str]] = frozenset()


class _Following(dict[str, dict[str, str]]):
    """What may follow in each state; nothing in one that a program has made up."""

    def __missing__(self, state: str) -> dict[str, str]:
        return {}


_following: Final = _Following(BLOCKING)

_Fields = Iterable[tuple[Any, Any]]


class HTTPConnection(Sending):
    """One connection to an HTTP server, as http.client documents it.

    Args:
        host: a name or address; may hold the port: "host:port", "[v6]:port".
        port: 80 if it is nowhere.
        timeout: seconds for each blocking operation; None waits for ever. socket's global default if not given.
        source_address: (host, port) to connect from.
        blocksize: bytes read at once from a body that is a file.
        max_response_headers: lines that the head of a response may have; 100 if not given.
    """

    __module__ = "http.client"

    _http_vsn = 11
    response_class: Any = HTTPResponse

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
        super().__init__(host, port, timeout, source_address)
        self.blocksize = blocksize
        self.max_response_headers = max_response_headers
        self._buffer: list[bytes] = []
        self.__response: Any = None
        self.__state = "Idle"
        self.__members = 0  # attributes among which there is no step of a program's own

    # The request, step by step

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        """Begin a request: its line, and the Host and Accept-Encoding fields unless they are skipped.

        Raises:
            CannotSendRequest: one is under way.
            ValueError, InvalidURL: a method or url that can't be sent; nothing is left of it.
        """
        following = self.__check_idle()
        self._validate_method(method)
        url = url or "/"
        self._validate_path(url)
        # Joined, not formatted: that would have a str of another class speak for itself, unchecked.
        line = self._encode_request(" ".join((method, url, self._http_vsn_str)))
        self._method, self.__state = method, following
        self._output(line)
        if self._http_vsn == 11:
            if not skip_host:
                self.putheader("Host", lines.build_host(url, *self.__authority(), self._wrap_ipv6))
            if not skip_accept_encoding:
                self.putheader("Accept-Encoding", "identity")

    def __check_idle(self) -> str:
        """Return the state that a new request leads to."""
        self.__forget_response()
        following = _following[self.__state].get(Event.PUTREQUEST)
        if following is None:
            raise std.CannotSendRequest(self.__state)
        return following

    def _validate_method(self, method: str) -> None:
        lines.check_method(method)

    def _validate_path(self, url: str) -> None:
        lines.check_url(url)

    def _encode_request(self, request: str) -> bytes:
        return request.encode("ascii")

    def __authority(self) -> tuple[str, int | None, int]:
        """Return host and port that requests are meant for, and the port that need not be said."""
        if self._tunnel_host:
            return self._tunnel_host, self._tunnel_port, self.default_port
        return self.host, self.port, self.default_port

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a header line; several values go on in lines of their own, after a tab.

        Raises:
            CannotSendHeader: no request was begun.
            ValueError: a name or value that can't be sent.
        """
        if Event.PUTHEADER not in _following[self.__state]:
            raise std.CannotSendHeader
        checks = replaced.fields
        if checks is None:
            self._output(lines.build_line(header, values))
        else:
            self._output(lines.build_line_checked_by(checks, header, values))

    def _output(self, s: bytes) -> None:
        self._buffer.append(s)

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        """End the head and send it, with a body if given.

        Raises:
            CannotSendHeader: no request was begun.
        """
        following = _following[self.__state].get(Event.ENDHEADERS)
        if following is None:
            raise std.CannotSendHeader
        self.__state = following
        self._send_output(message_body, encode_chunked=encode_chunked)

    def _send_output(self, message_body: Any = None, encode_chunked: bool = False) -> None:
        self._buffer.extend((b"", b""))
        head = b"\r\n".join(self._buffer)
        del self._buffer[:]
        self.__send_head(head)
        if message_body is not None:
            self._send_body(message_body, encode_chunked and self._http_vsn == 11)

    def __send_head(self, head: bytes) -> None:
        sock, is_first = self.sock, not self.__response
        if issubclass(type(sock), OwnSocket):
            is_first = is_first and not sock.due
            if is_first and sock.has_unsolicited():
                self._drop_socket()  # it would pass for the response
        self.send(head)
        sock = self.sock
        if issubclass(type(sock), OwnSocket):
            sock.listens = is_first
            sock.due += 1

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
        """Send a whole request.

        Args:
            body: bytes or any buffer; str, sent as ISO-8859-1; a file or an iterable, sent in chunks unless the headers
                have Content-Length or Transfer-Encoding.
            encode_chunked: put the body in chunks although the headers have Transfer-Encoding.
        """
        self._send_request(method, url, body, headers, encode_chunked)

    def _send_request(self, method: str, url: str, body: Any, headers: Mapping[str, Any], encode_chunked: bool) -> None:
        if not isinstance(method, str):
            self._validate_method(method)
        is_bare = type(headers) is dict and not headers
        names = _NONE if is_bare else {name.lower() for name in headers}
        framing, encode_chunked = self.__frame(method, body, names, encode_chunked)
        fields = framing if is_bare else (*framing, *headers.items())
        try:
            if self.__is_plain():
                self.__send_at_once(method, url or "/", names, fields, body, encode_chunked)
                return
            self.__take_steps(method, url, names, fields)
            if isinstance(body, str):
                body = lines.encode_body(body)
        except (ValueError, TypeError):
            self.__take_back()
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

    def __send_at_once(
        self, method: str, url: str, names: Set[str], fields: _Fields, body: Any, encode_chunked: bool
    ) -> None:
        """Send what the steps would, without taking them: they are half of the time that a request takes."""
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
        if isinstance(body, str):
            body = lines.encode_body(body)
        self._method, self.__state = method, "Request-sent"
        made += (b"", b"")
        self.__send_head(b"\r\n".join(made))
        if body is not None:
            self._send_body(body, encode_chunked)

    def __is_plain(self) -> bool:
        """Return whether no step is a program's own, be it by a subclass, on the instance or by patching the class."""
        members = self.__dict__
        if len(members) != self.__members:  # only then it can have one of a step's name
            if not _STEPS.isdisjoint(members):
                return False
            self.__members = len(members)
        is_own = _take_steps(type(self)) == _own_steps and replaced.has_own_checks
        return is_own and type(self._buffer) is list

    def __frame(
        self, method: str, body: Any, names: Set[str], encode_chunked: bool
    ) -> tuple[tuple[tuple[str, str], ...], bool]:
        """Return the field that frames the body, unless one is given, and whether it is to go in chunks."""
        if "content-length" in names:
            return (), False
        if "transfer-encoding" in names:
            return (), encode_chunked
        length = self._get_content_length(body, method)
        if length is not None:
            return (("Content-Length", str(length)),), False
        if body is None:
            return (), False
        if self.debuglevel > 0:
            say(f"Unable to determine size of {body!r}")
        return (("Transfer-Encoding", "chunked"),), True

    def __take_back(self) -> None:
        """Leave nothing of a request that can't be sent for the next one."""
        if self.__state == "Request-started":
            self.__state = "Idle"
            del self._buffer[:]

    # The response

    def getresponse(self) -> Any:
        """Return the response, once its head has come.

        Raises:
            ResponseNotReady: no request was sent, or the response before this one was not read.
            RemoteDisconnected: the server closed the connection without a response; the next request reconnects.
            HTTPException, OSError: no response that can be read.
        """
        is_cut = self.__forget_response()
        following = _following[self.__state].get(Event.GETRESPONSE)
        if following is None or self.__response or is_cut:
            raise std.ResponseNotReady(self.__state)
        response = self.__make_response()
        try:
            try:
                response.begin()
            except ConnectionError:
                self.close()
                raise
            self.__state = following
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
        """Let go of a response that has ended; True if it left something unread, and its connection with that."""
        response = self.__response
        if not response or not response.isclosed():
            return False
        self.__response = None
        if getattr(response, "is_whole", True):
            return False
        is_sent = self.__state == "Request-sent"
        self._drop_socket()
        return is_sent

    def close(self) -> None:
        """Close the connection; a request that was begun is forgotten."""
        self.__state = "Idle"
        del self._buffer[:]
        try:
            self._drop_socket()
        finally:
            response, self.__response = self.__response, None
            if response:
                response.close()


gather_members(HTTPConnection)

_take_steps: Final = attrgetter(*_STEPS)
_own_steps: Final = _take_steps(HTTPConnection)
