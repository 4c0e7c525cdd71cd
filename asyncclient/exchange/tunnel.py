"""CONNECT: asking a proxy for a tunnel (RFC 9110 §9.3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..errors import ConnectTimeout, HTTPException, IncompleteRead, PhaseTimeout, ProxyError, clip
from ..limits import DRAIN, Limits
from ..message.fields import Fields
from ..message.framing import Framing, decide_framing
from ..message.head import Head, build_field, build_request_line
from .receive import Content, ResponseHeads, open_content
from .stream import ByteStream


def build_connect(authority: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the head of a CONNECT request; Host is the target's unless the headers have one."""
    lines = [build_request_line("CONNECT", authority)]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(build_field("Host", authority))
    lines += [build_field(name, value) for name, value in headers]
    return b"\r\n".join((*lines, b"", b""))


class TunnelLogin(Protocol):
    """What logs in to a proxy for one tunnel, over all attempts."""

    async def list_fields(self) -> list[tuple[str, str]]:
        """Return the fields for the next CONNECT."""
        ...

    async def answer(self, headers: Fields) -> bool:
        """Return whether a 407 with these fields has an answer, which list_fields() gives then."""
        ...


class LoginContinues(Exception):
    """The login to a proxy needs another CONNECT, and the proxy closes the connection: it goes on with a new one."""


async def open_tunnel(
    stream: ByteStream, authority: str, head: bytes, limits: Limits, login: TunnelLogin | None = None
) -> Head:
    """Send a CONNECT request and return the head of the 2xx that opens the tunnel; the stream is the tunnel then.

    Args:
        stream: to the proxy.
        authority: of the target, for messages.
        head: of the request, as build_connect() gives it.
        limits: of the answer.
        login: adds fields, and answers a 407.

    Raises:
        ProxyError: any other answer, or a proxy that does not speak HTTP or speaks before it is asked: what came with
            its answer could pass for the beginning of the target's.
        ConnectTimeout: no answer in time; the limit is that of the stream's reads.
        LoginContinues: the login has an answer to a 407, and needs a new stream to give it.
    """
    while True:
        fields = [] if login is None else await login.list_fields()
        final = await _ask(stream, authority, _add_fields(head, fields), limits)
        if 200 <= final.status < 300:
            break
        framing, body = await _read_refusal(stream, final, limits)
        if final.status != 407 or login is None or not await login.answer(final.fields):
            raise _build_error(authority, final, body)
        if framing is None or framing[2] is not None:
            raise LoginContinues
    if await stream.wait_readable(0):
        raise ProxyError(
            f"no tunnel to {authority}: the proxy sent more than its answer, or closed",
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
    """Return what came of the content of a refusal, and its framing if that was read to its end."""
    try:
        framing = decide_framing(head, "GET")
        content = open_content(stream, framing, limits)
        body = await _read_up_to(content, DRAIN)
        return (framing if content.is_done else None), body
    except (HTTPException, OSError):
        return None, b""


def _build_error(authority: str, head: Head, body: bytes) -> ProxyError:
    return ProxyError(
        f"no tunnel to {authority}: the proxy answered {head.status} {clip(head.reason)[1:-1]}",
        status=head.status,
        reason=head.reason,
        headers=head.fields.pairs(),
        body=body,
    )


async def _read_up_to(content: Content, limit: int) -> bytes:
    parts: list[bytes] = []
    try:
        while limit and (part := await content.read(limit)):
            parts.append(part)
            limit -= len(part)
    except (IncompleteRead, PhaseTimeout):
        pass  # what came of it will do for a message
    return b"".join(parts)
