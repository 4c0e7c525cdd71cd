"""The HTTPSConnection of http.client, awaitable."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from typing import ClassVar, Final

from .connection import HTTPConnection
from .exchange.body import BLOCKSIZE
from .limits import DEFAULT, Limits
from .stream.options import SocketOption
from .stream.tls import default_context
from .timeouts import GLOBAL_DEFAULT, GlobalDefault, Timeout

HTTPS_PORT: Final = 443


class HTTPSConnection(HTTPConnection):
    """An HTTPConnection over TLS: host name and chain are verified, ALPN offers http/1.1.

    Args:
        context: an ssl.SSLContext, used unchanged; the default is one context per process.

    The other arguments are those of HTTPConnection; the default port is 443.
    """

    default_port: ClassVar[int] = HTTPS_PORT

    def __init__(
        self,
        host: str,
        port: int | None = None,
        timeout: float | Timeout | GlobalDefault | None = GLOBAL_DEFAULT,
        source_address: tuple[str, int] | None = None,
        blocksize: int = BLOCKSIZE,
        *,
        context: ssl.SSLContext | None = None,
        max_response_headers: int | None = None,
        limits: Limits = DEFAULT,
        socket_path: str | os.PathLike[str] | None = None,
        socket_options: Sequence[SocketOption] = (),
    ) -> None:
        super().__init__(
            host,
            port,
            timeout,
            source_address,
            blocksize,
            max_response_headers=max_response_headers,
            limits=limits,
            socket_path=socket_path,
            socket_options=socket_options,
        )
        if context is not None and not isinstance(context, ssl.SSLContext):
            raise TypeError(
                f"expected an SSLContext as context, got {type(context).__name__}; for a file of authorities: "
                "asyncclient.create_tls_context(cafile=...)"
            )
        self._context = context

    async def _tls_context(self) -> ssl.SSLContext | None:
        return self._context or await default_context()
