"""The client and the request that the options describe."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..client.auth.schemes import AuthLike, Basic, Bearer
from ..client.client import Client
from ..client.cookies.jar import CookieJar
from ..client.pool_transport import PoolTransport
from ..client.retries import Retry
from ..message.credentials import SECRET_FIELDS
from ..message.fields import Fields
from ..stream.resolve import StaticResolver
from ..stream.tls import TrustLike, create_tls_context
from ..timeouts import Timeout
from ..transport import Transport, TransportRequest, TransportResponse
from .address import choose_proxy, complete_url
from .body import build_content
from .exits import CommandError, Exit
from .items import Kind, Words
from .output import describe_status

RETRIED: Final = (408, 429, 500, 502, 503, 504)
"""Statuses of responses after which --retry sends the request again, as in curl."""

_RESOLVE: Final = re.compile(r"([^\[\]:]+|\[[^\]]+\]):([0-9]{1,5}):(.+)")
_SECRET: Final = re.compile(rf"(?im)^({'|'.join((*SECRET_FIELDS, 'set-cookie'))})(: *).*$")


class Prepared(NamedTuple):
    """A request: method, URL, and keyword arguments."""

    method: str
    url: str
    options: dict[str, Any]


def prepare(options: Any, words: Words) -> Prepared:
    """Return the request that the arguments describe.

    Raises:
        ValueError: an argument is invalid.
        CommandError: a file cannot be read.
    """
    content = build_content(options, words.items)
    url = complete_url(words.url)
    if content.query:
        url += ("&" if "?" in url else "?") + content.query
    headers = _list_headers(options, words)
    known = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in content.fields.items() if name.lower() not in known]
    params = [(item.name, item.value) for item in words.items if item.kind is Kind.PARAM]
    keywords = {**content.options, "headers": headers, "params": params or None}
    return Prepared(_choose_method(options, words, has_content=bool(content.options)), url, keywords)


def _choose_method(options: Any, words: Words, *, has_content: bool) -> str:
    if options.request or words.method:
        return str(options.request or words.method)
    if options.head:
        return "HEAD"
    return "PUT" if options.upload_file else "POST" if has_content else "GET"


def _list_headers(options: Any, words: Words) -> list[tuple[str, str | None]]:
    fields = [_parse_field(text) for text in options.header]
    fields += [(item.name, item.value or None) for item in words.items if item.kind is Kind.HEADER]
    named = (("User-Agent", options.user_agent), ("Referer", options.referer))
    fields += [(name, value) for name, value in named if value is not None]
    if options.range:
        fields.append(("Range", f"bytes={options.range}"))
    return fields


def _parse_field(text: str) -> tuple[str, str | None]:
    name, mark, value = text.partition(":")
    if not mark and name.endswith(";"):
        return name[:-1], ""
    if not mark:
        raise ValueError(f"expected 'Name: value' for --header, got {text!r}")
    return name, value.strip() or None


def open_client(options: Any, report: Callable[[str], object] | None = None) -> Client:
    """Return the client for the options; with a function it reports the heads of requests, line by line."""
    pool = PoolTransport(
        ssl=build_trust(options),
        resolver=_build_resolver(options.resolve),
        socket_path=options.unix_socket,
        interface=options.interface,
    )
    transport: Transport = pool if report is None else ReportingTransport(pool, report)
    if options.har:
        from ..testing.recorder import Recorder  # imported on use: a part of the kit for tests

        transport = Recorder(transport, options.har)
    return Client(
        transport=transport,
        trust_env=options.unix_socket is None,
        proxy=choose_proxy(options.proxy),
        auth=_build_auth(options),
        cookies=read_cookies(options.cookie),
        timeout=build_timeout(options),
        retries=Retry(total=options.retry, statuses=RETRIED) if options.retry else None,
        follow_redirects=options.location,
        max_redirects=options.max_redirs,
        max_body_size=options.max_filesize,
    )


def build_timeout(options: Any) -> Timeout:
    """Return the time limits that the options set."""
    limits = {"total": options.max_time}
    if options.connect_timeout:
        limits |= dict.fromkeys(("connect", "tls"), options.connect_timeout)
    return Timeout(**limits)


def build_trust(options: Any) -> TrustLike:
    """Return the trust settings, and the certificate of the client."""
    if not (options.cacert or options.cert):
        return False if options.insecure else None
    try:
        context = create_tls_context(options.cacert)
    except OSError as error:
        raise CommandError(Exit.CA_FILE, "tls", f"--cacert {options.cacert}: {error}") from None
    if options.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if options.cert:
        path, _, password = options.cert.partition(":")
        try:
            context.load_cert_chain(path, options.key, password or None)
        except OSError as error:
            raise CommandError(
                Exit.CLIENT_CERTIFICATE, "tls", f"--cert {path}: {error}", "expected a PEM file"
            ) from None
    return context


def _build_resolver(given: list[str]) -> StaticResolver | None:
    addresses: dict[str | tuple[str, int], list[str]] = {}
    for text in given:
        match = _RESOLVE.fullmatch(text)
        if match is None:
            raise ValueError(f"expected HOST:PORT:ADDRESS for --resolve, got {text!r}")
        parts = [address.strip("[]") for address in match[3].split(",")]
        addresses[match[1].strip("[]"), int(match[2])] = parts
    return StaticResolver(addresses) if addresses else None


def _build_auth(options: Any) -> AuthLike | None:
    if options.bearer:
        return Bearer(options.bearer)
    if options.netrc:
        from ..client.auth.netrc import Netrc  # imported on use, as the next ones

        return Netrc()
    if options.user is None:
        return None
    name, mark, password = options.user.partition(":")
    if not mark:
        from getpass import getpass

        password = getpass(f"password of {name}: ")
    if not options.digest:
        return Basic(name, password)
    from ..client.auth.digest import Digest

    return Digest(name, password)


def read_cookies(given: list[str]) -> CookieJar:
    """Return a jar with the cookies of files; `a=b` is a field of the request, see list_cookie_pairs()."""
    jar = CookieJar()
    for text in given:
        if "=" not in text and Path(text).exists():
            jar.load(text)
    return jar


def list_cookie_pairs(given: list[str]) -> dict[str, str] | None:
    """Return the cookies that are given as text."""
    pairs = [pair.strip().partition("=") for text in given if "=" in text for pair in text.split(";")]
    return {name: value for name, mark, value in pairs if mark} or None


class ReportingTransport:
    """A transport that reports the heads of requests and responses.

    Args:
        transport: sends the requests.
        report: called with each line: `> ` before those sent, `< ` before those received, `* ` before others.
    """

    def __init__(self, transport: PoolTransport, report: Callable[[str], object]) -> None:
        self._transport, self._report = transport, report

    async def send(self, request: TransportRequest) -> TransportResponse:
        """Send a request; return its response."""
        scheme, host, port, proxy = request.destination
        self._report(f"* {scheme}://{host}:{port}" + ("" if proxy is None else f" via {proxy}"))
        self._report_head("> ", request.head.build().decode("latin-1"))
        response = await self._transport.send(request)
        self._report(f"* {_describe_connection(response)}")
        for interim in response.interim:
            self._report_fields(f"HTTP/1.1 {interim.status} {interim.reason}", interim.headers)
        self._report_fields(describe_status(response), response.headers)
        return response

    def _report_fields(self, line: str, fields: Fields) -> None:
        self._report_head("< ", "\r\n".join([line, *(f"{name}: {value}" for name, value in fields.items())]))

    def _report_head(self, mark: str, head: str) -> None:
        for line in head.rstrip("\r\n").split("\r\n"):
            self._report(mark + _SECRET.sub(r"\1\2***", line))
        self._report(mark.rstrip())

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._transport.aclose()


def _describe_connection(response: TransportResponse) -> str:
    peer, tls = response.peer, response.tls
    address = ":".join(map(str, peer[:2])) if isinstance(peer, tuple) else str(peer)
    reused = "reused connection" if response.timings.reused else "connected"
    return f"{reused} to {address}" + (f", {tls.version} {tls.cipher}" if tls else "")
