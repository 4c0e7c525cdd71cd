"""The client, the main interface of the package."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from inspect import unwrap
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, Unpack

from ..arguments import check_type, list_collection
from ..caller import Caller
from ..limits import DEFAULT, DEFAULT_POOL, Limits, PoolLimits
from ..message.credentials import SECRET_FIELDS
from ..message.fields import list_pairs
from ..message.url import Params, add_params, join_base, parse_base, parse_joined, strip_url
from ..pool.group import PoolStats
from ..pool.pool import Pool
from ..stream.options import SocketOption
from ..stream.resolve import Resolver
from ..stream.tls import TrustLike
from ..timeouts import Timeout
from ..tracing.log import INFO, find_logged, is_logged
from ..tracing.tracer import Tracer
from ..transport import Transport, check_transport
from .auth.schemes import AuthLike, open_auth
from .body.arguments import UNSET, Unset
from .cookies.jar import CookieJar, NamedCookies
from .option_docs import lists_options
from .other_names import CLIENT, answers_clients
from .pauses import Pauses
from .pool_transport import PoolTransport
from .proxy.proxies import ProxySelector, ProxySetting
from .request import CLIENT_OPTIONS, REQUEST_OPTIONS, DownloadOptions, Headers, Options, Progress, Request
from .response import Response, take_received
from .retries import Retry, RetryBudget
from .round import Rounds
from .settings import DefaultEncoding, Settings, find_deadline, find_timeout
from .site import Sites
from .streams import Streams
from .transfer import Transfer
from .verbs import Verbs

if TYPE_CHECKING:
    from ..tracing.tracers import Tracers
    from .middlewares import BlockingMiddleware, CallNext, Middleware

CONNECTING: Final = (
    "limits",
    "pool",
    "ssl",
    "resolver",
    "local_address",
    "interface",
    "socket_options",
    "socket_path",
    "stall_warning",
    "lenient",
)
"""Names of the arguments for opening and using connections, which PoolTransport has too."""

_DEFAULT_TIMEOUT = Timeout()

_P = ParamSpec("_P")

Responding = Coroutine[Any, Any, Response]
"""The awaitable of a response."""


def _explain_unknown(init: Callable[_P, None]) -> Callable[_P, None]:
    """Wrap a constructor with optional arguments: for an unknown option the TypeError names the equivalent here."""
    known = (init.__kwdefaults__ or {}).keys()
    CLIENT_OPTIONS.update(known)

    @wraps(init)
    def explaining(*args: _P.args, **options: _P.kwargs) -> None:
        if len(args) > 1 or not options.keys() <= known:
            from .unknown_options import explain_client_option  # imported on use: for errors only

            raise explain_client_option(next(iter(options.keys() - known), ""), known, REQUEST_OPTIONS)
        init(*args, **options)

    return explaining


@answers_clients(CLIENT)
class Client(Verbs, Streams):
    """An HTTP client: a pool of connections, and the rules of HTTP above it.

    It belongs to the event loop that first uses it. Any number of tasks may use it at once. `async with Client() as
    client` closes it.

    Args:
        base_url: the URL to which relative URLs are appended. With it, the client's secrets (auth, and fields such as
            Authorization) are sent to its origin only.
        headers: fields to send with each request; None removes one of the client's defaults.
        params: added to the query of each request.
        cookies: a CookieJar to use, or a mapping with which to start one.
        auth: (user, password), an Auth, or a function that returns fields.
        timeout: a Timeout, or seconds in total; None for no limits.
        limits: limits on what a server may send.
        pool: limits on the number of connections and how long they are kept.
        ssl: an SSLContext; False verifies nothing; "sha256:…" accepts only the certificate with this fingerprint.
        proxy: a URL, a list of them (a chain), a mapping by scheme or host, or a function of the URL.
        trust_env: read proxies from the environment if none is given; nothing else is read from there. True unless a
            `transport` is given.
        follow_redirects: follow up to max_redirects redirects.
        retries: a Retry, a number of retries, or None: requests are resent only if that is certainly safe.
        max_body_size: limit of a response's content in bytes, encoded and decoded.
        resolver: finds the addresses of a host name.
        local_address: the address to connect from: a host, or (host, port).
        interface: the network interface that connections use, such as "eth1", where the system has SO_BINDTODEVICE
            (Linux).
        socket_options: (level, name, value) to set on each socket before it connects. TCP keep-alive is on unless it is
            turned off here.
        socket_path: a Unix socket to connect to, whatever the URL, whose host and port then only name the server in
            requests. Proxies are not used.
        stall_warning: seconds after which a PoolWarning names the users of the connections if requests wait and no
            connection becomes free; None for no warning.
        tracers: Tracers, whose methods are called for the events of requests and connections.
        secret_headers: names of further fields that must not be sent to another origin after a redirect.
        encode_json: encodes a json argument to str or bytes.
        default_encoding: encoding of text if neither Content-Type nor the content declares one: the label of a charset,
            or a function that returns a label or None for the first 64 KiB of the content. None is UTF-8.
        lenient: repair faults of responses that browsers repair and that are unambiguous, and list them in
            Response.repairs; a connection is not reused after a repair.
        middlewares: coroutine functions around each request, outside redirects and retries, the first one outermost:
            `async def middleware(request, call_next)` returns the response of `await call_next(request)` or another.
        transport: sends the requests instead of a pool of connections. aclose() closes it with the client. The
            arguments for connections (limits, pool, ssl, resolver, local_address, interface, socket_options,
            socket_path, stall_warning, lenient) are then given to the transport:
            `Client(transport=PoolTransport(ssl=…))`.

    Raises:
        ValueError, TypeError: an argument that is invalid, or not allowed together with `transport`.
    """

    @_explain_unknown
    def __init__(
        self,
        *,
        base_url: str = "",
        headers: Headers | None = None,
        params: Params | None = None,
        cookies: CookieJar | NamedCookies | None = None,
        auth: AuthLike | None = None,
        timeout: float | Timeout | None = _DEFAULT_TIMEOUT,
        limits: Limits = DEFAULT,
        pool: PoolLimits = DEFAULT_POOL,
        ssl: TrustLike = None,
        proxy: ProxySetting = None,
        trust_env: bool | Unset = UNSET,
        follow_redirects: bool = True,
        max_redirects: int = 20,
        retries: Retry | int | None = None,
        max_body_size: int | None = None,
        resolver: Resolver | None = None,
        local_address: str | tuple[str, int] | None = None,
        interface: str | None = None,
        socket_options: Sequence[SocketOption] = (),
        socket_path: str | os.PathLike[str] | None = None,
        stall_warning: float | None = 30.0,
        tracers: Iterable[Tracer] = (),
        secret_headers: Iterable[str] = (),
        encode_json: Callable[[Any], str | bytes] | None = None,
        default_encoding: DefaultEncoding | None = None,
        lenient: bool = False,
        middlewares: Iterable[Middleware] | Iterable[BlockingMiddleware] = (),
        transport: Transport | None = None,
    ) -> None:
        self._base_url = base_url = strip_url(base_url or "")
        self._cookies = cookies if isinstance(cookies, CookieJar) else CookieJar(cookies)
        self._params = params
        self._encode_json = encode_json
        self._is_based = bool(base_url) or params is not None or encode_json is not None  # build_request() adds to it
        _check_arguments(retries, max_redirects, max_body_size, default_encoding)
        _check_kinds(trust_env, follow_redirects, encode_json)
        self._middlewares = () if middlewares == () else _list_middlewares(middlewares)
        secrets = _list_secret_names(secret_headers)
        connecting = (limits, pool, ssl, resolver, local_address, interface, socket_options, socket_path)
        self._transport = _open_transport(transport, *connecting, stall_warning, lenient)
        retry = Retry(total=retries) if isinstance(retries, int) else retries
        selector = _select_proxies(proxy, trust_env, transport, socket_path)
        sites = Sites(selector, list_pairs(headers or ()), secrets, parse_base(base_url)[:3] if base_url else None)
        self._settings = Settings(
            transport=self._transport,
            pauses=Pauses(),
            rounds=Rounds(sites, open_auth(auth), secrets),
            jar=self._cookies,
            timeout=find_timeout(timeout, _DEFAULT_TIMEOUT),
            retries=retry,
            budget=None if retry is None or retry.budget is None else RetryBudget(retry.budget),
            follow_redirects=follow_redirects,
            max_redirects=max_redirects,
            max_body_size=max_body_size,
            default_encoding=default_encoding,
        )
        self._tracers = _open_tracers(tracers)

    @property
    def base_url(self) -> str:
        """The URL to which relative URLs are appended."""
        return self._base_url

    @property
    def cookies(self) -> CookieJar:
        """The cookies, which can be changed."""
        return self._cookies

    # Requests

    @lists_options
    async def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and return the response with its content read.

        Raises:
            ConnectError: no connection could be opened; see ConnectTimeout, TLSError, TLSTimeout, ProxyError.
            PoolTimeout, WriteTimeout, ReadTimeout, TotalTimeout, RateTimeout: it took too long.
            StaleConnectionError: an idle connection was closed, and the request can't be resent automatically.
            BodyNotReplayable: the body must be sent again, and can't be.
            TooManyRedirects, RedirectError: a redirect can't be followed.
            DecodingError, ContentTooLarge, IncompleteRead: invalid, too large or truncated content.
            HTTPException: any other fault of a server.
            ClientClosed: the client is closed, or was closed meanwhile.
            ValueError, TypeError, InvalidURL: a value that can't be sent.
        """
        request = self.build_request(method, url, **options) if self._is_based else Request(method, url, **options)
        del options  # a dict that is not needed while the response is waited for (decision 112)
        if self._middlewares:
            return await self.send(request)
        transfer = Transfer(self._settings, request)
        is_traced = self._tracers is not None or find_logged(INFO) is not False
        response = await (self._run(transfer, may_retry=True) if is_traced else transfer.run())
        if not take_received(response):
            if self._settings.retries is not None or is_traced:
                return await self._read(transfer, response)
            await response.read()
        return response

    async def send(self, request: Request) -> Response:
        """Send a prepared request unchanged, and return the response with its content read.

        Raises: see request().
        """
        if not isinstance(request, Request):
            raise TypeError(f"expected a Request, got {type(request).__name__}: send a URL by request()")
        if not self._middlewares:
            return await self._send(request)
        response = await self._surround(self._send)(request)
        await response.read()
        return response

    async def _send(self, request: Request) -> Response:
        transfer = Transfer(self._settings, request)
        return await self._read(transfer, await self._run(transfer, may_retry=True))

    def _surround(self, send: CallNext) -> Callable[[Request], Responding]:
        from .middlewares import surround  # imported on use: few clients have middlewares

        return surround(send, self._middlewares)

    @lists_options
    async def download(
        self,
        url: str,
        path: str | os.PathLike[str],
        *,
        resume: bool = False,
        overwrite: bool = False,
        progress: Progress | None = None,
        checksum: str | None = None,
        **options: Unpack[DownloadOptions],
    ) -> Response:
        """GET a URL into a file, and return the response, whose content is in the file only.

        The content is written to `path` + ".part" and renamed to the path when it is complete and its digests match
        (RFC 9530). Until then, and after any failure, the path is unchanged. Unencoded content is requested, unless
        Accept-Encoding is given here, and the content is stored as received. An interrupted download is continued or
        started again as often as `retries` allows.

        Args:
            path: a file, which is replaced if it exists; or a directory, in which the file is named `response.filename`
                and replaces no other file.
            resume: keep the part after a failure or a cancellation if it can be continued, with a note that identifies
                it (".part.note"), and start with the part that an earlier call has left for the same URL.
            overwrite: replace an existing file if path is a directory.
            progress: called after each write with the bytes of the file so far, and its final size (None: unknown).
            checksum: of the file: "md5", "sha1", "sha256", "sha384" or "sha512", a colon and the digits, or only these.
            options: as in request(), but `decode` is False by default; with True, encoded content is decoded.

        Raises:
            StatusError: the status is not 2xx; the content was not read. 304 is returned if the request was
                conditional; the path is then unchanged.
            ChecksumError: a digest of the content does not match; the path is unchanged.
            ProtocolError: the response has only a part, although the whole content was requested; or as in request().
            FileExistsError: the file exists in the directory; or a path is not a regular file (a FIFO, a device).
            OSError: the file can't be written, is a directory, or is being downloaded already.
            Others: see request(), and the exceptions of progress.
        """
        from .download.download import Download, choose_options  # imported on use: few programs need it

        request = self.build_request("GET", url, **choose_options(options))
        download = Download(
            self._settings,
            self._open,
            request,
            path,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            checksum=checksum,
        )
        return await download.run()

    @lists_options
    def build_request(self, method: str, url: str, **options: Unpack[Options]) -> Request:
        """Return the request that request() would send, including the client's base_url and params.

        Raises:
            ValueError, TypeError, InvalidURL: a value that can't be sent.
        """
        if self._base_url:
            url = join_base(self._base_url, strip_url(url))
        if self._params is not None:
            url = add_params(url, self._params)
        if self._encode_json is not None:
            return Request(method, url, encode_json=self._encode_json, **options)
        return Request(method, url, **options)

    def _open(self, request: Request, caller: Caller | None = None) -> Responding:
        """Send a request; return its response with unread content."""
        if self._middlewares:
            return self._surround(lambda request: self._run(Transfer(self._settings, request, caller)))(request)
        return self._run(Transfer(self._settings, request, caller))

    def _run(self, transfer: Transfer, *, may_retry: bool = False) -> Responding:
        """Send a request; see run_traced() about `may_retry`."""
        trace, tracers = transfer.trace, self._find_tracers()
        if trace is None and tracers is not None:
            from .watching import begin_trace  # imported on use: few programs trace

            trace = begin_trace(tracers, transfer.request)
        if trace is None:
            return transfer.run()
        from .watching import run_traced

        return run_traced(transfer, trace, may_retry=may_retry)

    def _find_tracers(self) -> Tracers | None:
        """Return the tracers, or the log if it is on; None without both."""
        if self._tracers is not None or not is_logged(INFO):
            return self._tracers
        from ..tracing.tracers import LOG_ONLY

        return LOG_ONLY

    async def _read(self, transfer: Transfer, response: Response) -> Response:
        """Read the content of a response, retrying the request if the content breaks off; return the last response.

        A retry is safe: the caller has not received any of the content.
        """
        try:
            while not await transfer.read(response):
                response = await self._run(transfer, may_retry=True)
        except BaseException as error:
            if transfer.trace is not None:
                transfer.trace.request_ended(error)
            raise
        return response

    # Connections

    async def preconnect(self, origin: str, n: int = 1) -> None:
        """Open connections to an origin until n are idle, within the limits; it does not wait for a free slot.

        Raises:
            ConnectError, TotalTimeout: a connection could not be opened; the others are kept.
        """
        url = parse_joined(join_base(self._base_url, strip_url(origin)) if self._base_url else origin)
        timeout = self._settings.timeout
        deadline = find_deadline(timeout)
        site = self._settings.rounds.sites.find(url, is_foreign=False)
        tracers = self._find_tracers()
        open_trace = None if tracers is None else tracers.open_connection
        await self._pool_transport.preconnect(site.destination, n, timeout, deadline, open_trace)

    def stats(self) -> PoolStats:
        """Return the numbers of connections in use, idle and being opened, and of waiting requests; also by host."""
        return self._pool.stats()

    @property
    def _pool_transport(self) -> PoolTransport:
        if not isinstance(self._transport, PoolTransport):
            raise TypeError(f"expected a PoolTransport to ask about connections, got {type(self._transport).__name__}")
        return self._transport

    @property
    def _pool(self) -> Pool:
        return self._pool_transport.pool

    def close_idle(self) -> int:
        """Begin to close all idle connections, and return how many; requests in progress are not affected.

        Use it after a change of network, or before a long pause; later requests open new connections. Never waits.
        """
        return self._pool.close_idle()

    async def aclose(self) -> None:
        """End requests in progress with an error, and close all connections. The client can't be used again.

        Over TLS, servers get close_notify; theirs is awaited for Timeout.tls_close seconds, by default not at all.
        """
        self._settings.pauses.close()
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Client {self._transport!r}>"


def _open_tracers(tracers: Iterable[Tracer]) -> Tracers | None:
    given = list_collection("tracers", tracers, object, "a collection of Tracers")
    if not given:
        return None
    from ..tracing.tracers import Tracers  # imported on use: few programs have any

    return Tracers(given)


def _open_transport(transport: Transport | None, *values: Any) -> Transport:
    """Return the transport of a client: a pool of connections, or the given one.

    Args:
        values: arguments of PoolTransport, in the order of CONNECTING.
    """
    connecting = dict(zip(CONNECTING, values, strict=True))
    if transport is None:
        return PoolTransport(**connecting)
    check_transport(transport)
    usual = unwrap(PoolTransport.__init__).__kwdefaults__
    given = [name for name, value in connecting.items() if value is not usual[name] and value != usual[name]]
    if given:
        raise ValueError(f"expected no {given[0]} with a transport: give it to that, as PoolTransport({given[0]}=...)")
    return transport


def _list_middlewares(given: Iterable[Any]) -> tuple[Any, ...]:
    from .middlewares import list_middlewares  # imported on use: few clients have middlewares

    return list_middlewares(given)


def _list_secret_names(given: Iterable[str]) -> frozenset[str]:
    names = list_collection("secret_headers", given, str, "a collection of names")
    return frozenset((*SECRET_FIELDS, *(name.lower() for name in names)))


def _select_proxies(
    proxy: ProxySetting, trust_env: bool | Unset, transport: Transport | None, socket_path: object
) -> ProxySelector:
    if socket_path is not None and proxy is not None:
        raise ValueError("expected no proxy, local_address or interface with a socket_path")
    if isinstance(trust_env, Unset):
        trust_env = transport is None
    return ProxySelector(proxy, trust_env=trust_env and socket_path is None)


def _check_arguments(
    retries: object,
    max_redirects: object,
    max_body_size: object,
    default_encoding: DefaultEncoding | None,
) -> None:
    """Refuse invalid values now instead of when a request is in progress."""
    if isinstance(retries, bool) or not isinstance(retries, Retry | int | None):
        raise TypeError(f"expected a Retry, a number or None as retries, got {type(retries).__name__}")
    for name, value in (("max_redirects", max_redirects), ("max_body_size", max_body_size)):
        if not isinstance(value, int) and not (value is None and name == "max_body_size"):
            raise TypeError(f"expected a number as {name}, got {type(value).__name__}")
        if value is not None and value < 0:
            raise ValueError(f"expected {name} of at least 0, got {value}")
    if default_encoding is not None:
        from .content.text import check_default_encoding  # imported on use: few clients set one

        check_default_encoding(default_encoding)


def _check_kinds(trust_env: object, follow_redirects: object, encode_json: object) -> None:
    """Refuse values of another type that would be used late or mean something else."""
    check_type("trust_env", trust_env, int | Unset, "True or False")
    check_type("follow_redirects", follow_redirects, int, "True or False")
    if encode_json is not None and not callable(encode_json):
        raise TypeError(f"expected a function as encode_json, got {type(encode_json).__name__}")
