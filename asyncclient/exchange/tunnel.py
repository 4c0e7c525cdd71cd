"""CONNECT: asking a proxy for a tunnel (RFC 9110 §9.3.6)."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConnectTimeout, HTTPException, IncompleteRead, PhaseTimeout, ProxyError, clip
from ..limits import DRAIN, Limits
from ..message.framing import decide_framing
from ..message.head import Head, build_field, build_request_line
from ..stream.base import ByteStream
from .receive import Answer, Content, open_content


def build_connect(authority: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the head of a CONNECT request; Host is the target's unless the headers have one."""
    lines = [build_request_line("CONNECT", authority)]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(build_field("Host", authority))
    lines += [build_field(name, value) for name, value in headers]
    return b"\r\n".join((*lines, b"", b""))


async def open_tunnel(stream: ByteStream, authority: str, head: bytes, limits: Limits) -> Head:
    """Send a CONNECT request and return the head of the 2xx that opens the tunnel; the stream is the tunnel then.

    Raises:
        ProxyError: any other answer, or a proxy that does not speak HTTP or speaks before it is asked: what came with
            its answer could pass for the beginning of the target's.
        ConnectTimeout: no answer in time; the limit is that of the stream's reads.
    """
    answer = Answer()
    try:
        stream.write(head)
        final = await answer.receive(stream, limits)
    except PhaseTimeout as exc:
        raise ConnectTimeout(f"no tunnel to {authority}: {exc}", "proxy", exc.seconds) from exc
    except (HTTPException, OSError) as exc:
        raise ProxyError(f"no tunnel to {authority}: {exc}") from exc
    if not 200 <= final.status < 300:
        raise await _refusal(stream, authority, final, limits)
    if await stream.wait_readable(0):
        raise ProxyError(
            f"no tunnel to {authority}: the proxy sent more than its answer, or closed",
            status=final.status,
            reason=final.reason,
            headers=final.fields.pairs(),
        )
    return final


async def _refusal(stream: ByteStream, authority: str, head: Head, limits: Limits) -> ProxyError:
    try:
        content = open_content(stream, decide_framing(head, "GET"), limits)
        body = await _read_up_to(content, DRAIN)
    except (HTTPException, OSError):
        body = b""
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
