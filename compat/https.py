"""http.client's HTTPSConnection, with the arguments that older Pythons had."""

from __future__ import annotations

import http.client as std
import ssl
import warnings
from typing import Any, ClassVar

from .connection import DEFAULT_TIMEOUT, HTTPConnection
from .names import find, note_own
from .sockets import LoopSocket, LoopTLSSocket


def create_https_context(http_version: int) -> ssl.SSLContext:
    """Return a new context, which verifies certificates and host names unless ssl's default was replaced."""
    context: ssl.SSLContext = find("ssl", ssl)._create_default_https_context()
    if http_version == 11:
        context.set_alpn_protocols(["http/1.1"])
    _ask_later(context)
    return context


note_own("_create_https_context", create_https_context)


def _ask_later(context: ssl.SSLContext) -> None:
    """Allow a server to request a client certificate after the handshake (TLS 1.3)."""
    if context.post_handshake_auth is not None:
        context.post_handshake_auth = True


class HTTPSConnection(HTTPConnection):
    """A connection over TLS, as http.client documents it; key_file, cert_file and check_hostname are deprecated."""

    __module__ = "http.client"

    default_port: ClassVar[int] = std.HTTPS_PORT

    def __init__(
        self,
        host: str,
        port: int | None = None,
        key_file: str | None = None,
        cert_file: str | None = None,
        timeout: Any = DEFAULT_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        *,
        context: ssl.SSLContext | None = None,
        check_hostname: bool | None = None,
        blocksize: int = 8192,
        max_response_headers: int | None = None,
    ) -> None:
        super().__init__(
            host, port, timeout, source_address, blocksize=blocksize, max_response_headers=max_response_headers
        )
        self.key_file, self.cert_file = key_file, cert_file
        if (key_file, cert_file, check_hostname) != (None, None, None):
            text = "key_file, cert_file and check_hostname are deprecated, use a custom context instead."
            warnings.warn(text, DeprecationWarning, 2)
        create: Any = find("_create_https_context", create_https_context)
        chosen: Any = create(self._http_vsn) if context is None else context
        self._context: Any = chosen
        if check_hostname is None:
            check_hostname = self._context.check_hostname
        if check_hostname and self._context.verify_mode == ssl.CERT_NONE:
            raise ValueError("check_hostname needs a SSL context with either CERT_OPTIONAL or CERT_REQUIRED")
        if key_file or cert_file:
            self._context.load_cert_chain(cert_file, key_file)
            _ask_later(self._context)
        if check_hostname != self._context.check_hostname:
            self._context.check_hostname = check_hostname

    def connect(self) -> None:
        """Connect to the host and port given to the constructor, and perform the TLS handshake."""
        super().connect()
        try:
            self._secure()
        except BaseException:
            self._drop_socket()  # the next request would be sent without TLS
            raise

    def _secure(self) -> None:
        name = self._tunnel_host or self.host
        # A context of another class may use the connection as soon as wrap_socket() has made it.
        if type(self.sock) is not LoopSocket or type(self._context) is not ssl.SSLContext:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=name)
            return
        self.sock = self._context.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
        if type(self.sock) is ssl.SSLSocket:
            self.sock.__class__ = LoopTLSSocket
        self.sock.do_handshake()  # here, because connect() closes the socket whatever ends it
