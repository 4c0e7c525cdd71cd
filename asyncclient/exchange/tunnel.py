"""CONNECT: asking a proxy for a tunnel (RFC 9110 §9.3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..errors import ConnectTimeout, HTTPException, PhaseTimeout, ProxyError, clip
from ..limits import DRAIN, Limits
from ..message.fields import Fields
from ..message.framing import Framing, decide_framing
from ..message.head import Head, build_field, build_request_line
from .content import collect, open_content
from .receive import ResponseHeads
from .stream import ByteStream


def build_connect(authority: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the head of a CONNECT request; Host is the target's unless the headers have one."""
    lines = [build_request_line("CONNECT", authority)]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(build_field("Host", authority))
    lines += [build_field(name, value) for name, value in headers]
    return b"\r\n".join((*lines, b"", b""))


class TunnelAuthentication(Protocol):
    """The authentication to a proxy for one tunnel, over all attempts."""

    async def list_fields(self) -> list[tuple[str, str]]:
        """Return the fields for the next CONNECT."""
        ...

    async def answer(self, headers: Fields) -> bool:
        """Return whether a 407 with these fields can be answered; list_fields() then returns the answer."""
        ...


class AuthenticationContinues(Exception):
    """The challenge can be answered by another CONNECT, which needs a new connection: the proxy closes this one."""


async def open_tunnel(
    stream: ByteStream,
    authority: str,
    head: bytes,
    limits: Limits,
    authentication: TunnelAuthentication | None = None,
) -> Head:
    """Send CONNECT and return the head of the 2xx response; the stream then leads to the target.

    Args:
        stream: to the proxy.
        authority: of the target, for error messages.
        head: of the request, from build_connect().
        limits: of the response.
        authentication: adds fields to the request, and answers a 407.

    Raises:
        ProxyError: the response is not a 2xx or not HTTP, or the proxy sent unsolicited data, before the request or
            after its response: they could be taken for data of the target.
        ConnectTimeout: no response was received in time; the limit is that of the stream's reads.
        AuthenticationContinues: a 407 can be answered, but not on this stream.
    """
    while True:
        fields = [] if authentication is None else await authentication.list_fields()
        final = await _ask(stream, authority, _add_fields(head, fields), limits)
        if 200 <= final.status < 300:
            break
        framing, body = await _read_refusal(stream, final, limits)
        if final.status != 407 or authentication is None or not await authentication.answer(final.fields):
            raise _build_error(authority, final, body)
        if framing is None or framing[2] is not None:
            raise AuthenticationContinues
    if await stream.wait_readable(0):
        raise ProxyError(
            f"no tunnel to {authority}: the proxy sent more than its response, or closed",
            status=final.status,
            reason=final.reason,
            headers=final.fields.pairs(),
        )
    return final


async def _ask(stream: ByteStream, authority: str, head: bytes, limits: Limits) -> Head:
    try:
        stream.write(head)
        return await ResponseHeads().receive(stream, limits)
    except PhaseTimeout as exc:
        raise ConnectTimeout(f"no tunnel to {authority}: {exc}", "proxy", exc.seconds) from exc
    except (HTTPException, OSError) as exc:
        raise ProxyError(f"no tunnel to {authority}: {exc}") from exc


def _add_fields(head: bytes, fields: Sequence[tuple[str, str]]) -> bytes:
    if not fields:
        return head
    lines = (build_field(name, value) for name, value in fields)
    return b"\r\n".join((head[:-4], *lines, b"", b""))


async def _read_refusal(stream: ByteStream, head: Head, limits: Limits) -> tuple[Framing | None, bytes]:
    """Return the received content of a refusal, up to DRAIN bytes; and its framing, if it was read to its end."""
    parts: list[bytes] = []
    try:
        framing = decide_framing(head, "GET")
        content = open_content(stream, framing, limits)
        await collect(content.read, DRAIN, parts)
        return (framing if content.is_done else None), b"".join(parts)
    except (HTTPException, OSError):
        return None, b"".join(parts)


def _build_error(authority: str, head: Head, body: bytes) -> ProxyError:
    return ProxyError(
        f"no tunnel to {authority}: the proxy answered {head.status} {clip(head.reason)[1:-1]}",
        status=head.status,
        reason=head.reason,
        headers=head.fields.pairs(),
        body=body,
    )
