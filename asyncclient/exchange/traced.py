"""The sending half of a stream for a traced request: its trace is told of what is written."""

from __future__ import annotations

from ..tracing.trace import Trace
from .stream import Buffer, ByteStream


class TracedSending:
    """The methods of a ByteStream that send_request() calls; the first write is that of the head.

    Args:
        stream: sends the bytes.
        trace: is told of them.
    """

    def __init__(self, stream: ByteStream, trace: Trace) -> None:
        self._stream = stream
        self._trace = trace
        self._has_head = False
        self.peer = stream.peer
        self.readhead = stream.readhead
        self.wait_readable = stream.wait_readable
        self.drain = stream.drain

    def write(self, data: Buffer) -> None:
        """See ByteStream."""
        self._stream.write(data)
        if self._has_head:
            self._trace.body_sent(len(data))
        else:
            self._has_head = True
            self._trace.head_sent(len(data))

    async def sendfile(self, descriptor: int, offset: int, count: int) -> int | None:
        """See ByteStream."""
        sent = await self._stream.sendfile(descriptor, offset, count)
        if sent:
            self._trace.body_sent(sent)
        return sent
