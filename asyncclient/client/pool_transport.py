"""The default transport: a pool of connections, each of which serves one exchange at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final, NoReturn

from ..arguments import check_port, check_type, known_arguments
from ..bounded import BoundedDict
from ..errors import ClientClosed, ConnectError, NotConnected, StaleConnectionError
from ..exchange.exchange import Exchange
from ..exchange.send import fits_single_write
from ..limits import DEFAULT, DEFAULT_POOL, Limits, PoolLimits
from ..pool.group import Group, Lease, OpenTrace
from ..pool.pool import Pool
from ..response import HTTPResponse
from ..stream.options import SocketOption, bind_to_interface, parse_options
from ..stream.resolve import Resolver
from ..stream.tls import TrustLike, parse_trust
from ..timeouts import Deadline, Timeout
from ..transport import Destination, RequestBody, TransportRequest
from ..wire import RECENT, RECENT_FOR_RESEND, report_sent
from .deadlines import await_in_time
from .network import Network, label_of

if TYPE_CHECKING:
    from ..tracing.trace import Trace

MAX_GROUPS: Final = 1024
"""Groups without connections that are kept; beyond it the oldest is dropped, and built again when it is needed."""


_INSTEAD: Final = {
    "cert": "ssl=context, after context.load_cert_chain(...)",
    "limit": "pool=PoolLimits(connections=...)",
    "limit_per_host": "pool=PoolLimits(per_host=...)",
    "max_connections": "pool=PoolLimits(connections=...)",
    "max_keepalive_connections": "pool=PoolLimits(idle=...)",
    "keepalive_expiry": "pool=PoolLimits(keep_alive=...)",
    "proxy": "Client(transport=..., proxy=...)",
    "retries": "Client(transport=..., retries=...)",
    "timeout": "Client(transport=..., timeout=...)",
    "uds": "socket_path=",
    "verify": "ssl=",
}
"""What to write for the words of other libraries."""


@known_arguments(_INSTEAD)
class PoolTransport:
    """Sends each request on a connection of a pool, and keeps the connection for later requests.

    It belongs to the event loop that first uses it.

    Args:
        limits: limits on what servers may send.
        pool: limits on the number of connections and how long they are kept.
        ssl, resolver, local_address, interface, socket_options, socket_path, stall_warning, lenient: as for Client.

    Attributes:
        pool: the connections.
    """

    def __init__(
        self,
        *,
        limits: Limits = DEFAULT,
        pool: PoolLimits = DEFAULT_POOL,
        ssl: TrustLike = None,
        resolver: Resolver | None = None,
        local_address: str | tuple[str, int] | None = None,
        interface: str | None = None,
        socket_options: Sequence[SocketOption] = (),
        socket_path: str | os.PathLike[str] | None = None,
        stall_warning: float | None = 30.0,
        lenient: bool = False,
    ) -> None:
        _check_arguments(limits, pool, resolver, local_address, lenient)
        path = _check_socket_path(socket_path, local_address, interface)
        source = (local_address, 0) if isinstance(local_address, str) else local_address
        options = parse_options(socket_options)
        if interface is not None:
            options = (*options, bind_to_interface(interface))
        self._network = Network(parse_trust(ssl), resolver, source, options, path)
        self._exchange_class = _choose_exchange(lenient)
        self._known: BoundedDict[Destination, Group] = BoundedDict(MAX_GROUPS)
        self.pool = Pool(limits, pool, stall_warning)

    async def send(self, request: TransportRequest) -> HTTPResponse:
        """Send a request on an idle connection, or on a new one; see Transport.send()."""
        pool = self.pool
        group = self._known.get(request.destination) or await self._find_group(request.destination)
        exchange = self._exchange_class(request.head, monotonic())
        try:
            recent = RECENT_FOR_RESEND if request.may_resend else RECENT
            lease = None if request.wants_new else pool.take_idle(group, recent)
            if lease is None:
                lease = await pool.acquire(
                    group, request.timeout, request.deadline, recent, is_new=request.wants_new, trace=request.trace
                )
                exchange.leave_queue(lease.wire.opening, monotonic())
            trace = request.trace
            if trace is not None:
                _trace(exchange, lease, trace)
            if request.on_start is not None or request.recorder is not None:
                _start(request, exchange, lease)
            if request.body is None:
                lease.send(exchange, request.timeout, request.deadline)
            elif not self._send_at_once(lease, exchange, request, request.body):
                await self._send_body(lease, exchange, request, request.body)
                trace = None  # which the wire has told
            if trace is not None:
                report_sent(exchange, trace, None if request.body is None else request.body.data)
            caller = request.caller
            del request  # it is not needed while the response is waited for (decision 23)
            try:
                response = None
                if exchange.heads.final is not None or lease.wire.stream.has_news:  # while a body was being sent
                    response = lease.take_response(exchange)
                while response is None:
                    await lease.wait_response(exchange)
                    response = lease.take_response(exchange)
            except BaseException:
                lease.end(exchange, None)
                raise
        except Exception as error:
            other = self._translate(error, exchange, group)
            if other is None:
                raise
            raise other from error
        if caller is not None:
            lease.guard(response, caller)
        return response

    async def _find_group(self, destination: Destination) -> Group:
        """Return the group of connections to a destination.

        Connections through a proxy for plain http URLs also belong to one origin: HTTP lets such a connection serve any
        origin, but some proxies (proxy.py, pproxy) send every request on it to the origin of the first.
        """
        group = self._known.get(destination)
        if group is None:
            route = await self._network.build_route(destination)
            group = self._known[destination] = self.pool.group(destination, label_of(destination), route)
        return group

    def _send_at_once(self, lease: Lease, exchange: Exchange, request: TransportRequest, body: RequestBody) -> bool:
        """Send the request in one write if its body is in memory and short enough; otherwise return False."""
        head, data = exchange.head, body.data
        if data is None or request.trailers is not None or not fits_single_write(head, data):
            return False
        try:
            head.frame(len(data), encode_chunked=False)
            lease.send(exchange, request.timeout, request.deadline, data)
        except BaseException:
            lease.release()
            raise
        return True

    async def _send_body(self, lease: Lease, exchange: Exchange, request: TransportRequest, body: RequestBody) -> None:
        """Send the request with its body, which is opened for this attempt."""
        head, trailers = exchange.head, request.trailers
        in_chunks = head.is_chunked or trailers is not None
        try:
            try:
                opening = body.open()
                source = await await_in_time(opening, request.deadline, lease.group.label)
                chunked = head.frame(source.length, encode_chunked=in_chunks)
                await lease.send_body(
                    exchange, request.timeout, request.deadline, source, chunked=chunked, trailers=trailers
                )
            finally:
                await body.aclose()
        except BaseException:
            lease.release()  # another request may use it if nothing was sent on it
            raise

    def _translate(self, error: Exception, exchange: Exchange, group: Group) -> Exception | None:
        """Return the error to raise instead of one that ended an exchange; None to raise that error itself."""
        if self.pool.is_closed and isinstance(error, NotConnected):
            return ClientClosed("the client was closed meanwhile")
        is_closed = isinstance(error, ConnectionError) and not isinstance(error, ConnectError)
        if not (is_closed and exchange.was_kept and exchange.heads.first_at is None):
            return None
        if exchange.was_sent:
            text = f"connection to {group.label} was closed or reset before a response"
            text += "; the server may have read the request"
        else:
            text = f"{group.label} closed the connection before the request was sent"
        return StaleConnectionError(text, was_sent=exchange.was_sent)

    async def preconnect(
        self,
        destination: Destination,
        n: int,
        timeout: Timeout,
        deadline: Deadline,
        open_trace: OpenTrace | None = None,
    ) -> None:
        """Open connections until n to a destination are idle; see Client.preconnect()."""
        await self.pool.preconnect(await self._find_group(destination), n, timeout, deadline, open_trace)

    def __getstate__(self) -> NoReturn:
        """Refuse copies and pickles, before a pool without attributes is made."""
        raise TypeError("the connections of a client can't be copied or pickled: create another client")

    async def aclose(self) -> None:
        """End requests in progress with an error and close all connections, within Timeout.close seconds."""
        await self.pool.aclose()

    def __repr__(self) -> str:
        return repr(self.pool)


def _trace(exchange: Exchange, lease: Lease, trace: Trace) -> None:
    """Tell a trace of its connection, and have it told of the exchange."""
    if lease.trace is None:  # opened while the log was off, or for another client
        lease.trace = trace.adopt_connection(lease.group.label, exchange.started, is_new=lease.is_new)
    trace.connection_acquired(lease.trace)
    exchange.heads.trace = trace


def _start(request: TransportRequest, exchange: Exchange, lease: Lease) -> None:
    """Tell that a request is about to be sent; if that raises an error, another request may use the connection."""
    try:
        if request.on_start is not None:
            request.on_start()
        if request.recorder is not None:
            from ..recording import start_recording  # imported on use: few programs need it

            start_recording(lease.wire, exchange, request.recorder())
    except BaseException:
        lease.release()
        raise


def _choose_exchange(lenient: bool) -> type[Exchange]:
    if not lenient:
        return Exchange
    from ..exchange.lenient import LenientExchange  # imported on use: few programs need it

    return LenientExchange


def _check_arguments(limits: object, pool: object, resolver: object, local_address: object, lenient: object) -> None:
    """Refuse invalid values now instead of when a request is in progress."""
    check_type("limits", limits, Limits, "Limits")
    check_type("pool", pool, PoolLimits, "PoolLimits")
    check_type("lenient", lenient, int, "True or False")
    check_type("local_address", local_address, str | tuple | None, "a host, or (host, port),")
    if isinstance(local_address, tuple):
        check_port("in local_address", local_address[1])
    if resolver is not None and not hasattr(type(resolver), "resolve"):
        raise TypeError(f"expected an object with resolve() as resolver, got {type(resolver).__name__}")


def _check_socket_path(path: str | os.PathLike[str] | None, local_address: object, interface: object) -> str | None:
    """Return the path of a Unix socket; refuse a local address or an interface in addition to it."""
    if path is None:
        return None
    if local_address is not None or interface is not None:
        raise ValueError("expected no proxy, local_address or interface with a socket_path")
    check_type("socket_path", path, str | os.PathLike, "a path")
    return os.fspath(path)
