"""The timings of a connection that is being opened; its trace is told of each step."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..message.target import build_authority
from ..timings import Timings
from .address import AddrInfo

if TYPE_CHECKING:
    from ..tracing.trace import ConnectionTrace


class Opening(Timings):
    """How long opening a connection has taken so far.

    Attributes:
        trace: is told of each step; None without tracers.
    """

    __slots__ = ("trace",)

    def __init__(self, started: float) -> None:
        Timings.__init__(self, started)
        self.trace: ConnectionTrace | None = None

    def note_resolved(self, seconds: float, infos: Iterable[AddrInfo]) -> None:
        """Note that the addresses are known."""
        self.resolve = seconds
        if self.trace is not None:
            self.trace.resolved(tuple(str(info[4][0]) for info in infos))

    def note_connected(self, since: float, peer: socket.socket | Any) -> None:
        """Note that the connection was accepted: by an address, the path of a Unix socket, or the peer of a socket."""
        self.connect = time.monotonic() - since
        if self.trace is not None:
            self.trace.connected(_describe(peer))

    @contextmanager
    def tunnel_by(self, kind: str, target: tuple[str, int] | str) -> Iterator[None]:
        """Measure, in a `with`, how long a proxy takes for a tunnel; several tunnels are added up.

        Args:
            kind: "connect" or the kind of SOCKS.
            target: where the tunnel leads.
        """
        started, trace = time.monotonic(), self.trace
        label = target if isinstance(target, str) else build_authority(*target)
        if trace is not None:
            trace.tunnel_started(kind, label)
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self.tunnel = (self.tunnel or 0.0) + seconds
        if trace is not None:
            trace.tunnel_opened(kind, label, seconds)

    def note_secured(self, since: float, ssl_object: Any) -> None:
        """Note a TLS handshake; there is another one before it if the proxy uses TLS, too."""
        self.tls = (self.tls or 0.0) + time.monotonic() - since
        if self.trace is not None:
            cipher = ssl_object.cipher()
            self.trace.secured(ssl_object.version() or "", cipher[0] if cipher else "")


def _describe(peer: socket.socket | Any) -> str:
    address: Any = peer
    if isinstance(peer, socket.socket):
        try:
            address = peer.getpeername()
        except OSError:  # it was reset meanwhile
            return ""
    return address if isinstance(address, str) else build_authority(address[0], address[1])
