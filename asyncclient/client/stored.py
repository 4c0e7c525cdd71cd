"""What a pickle or a copy of a response has in place of the connection that the response came on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ResponseNotRead
from ..message.fields import Fields
from ..message.head import Head, Interim
from ..message.repairs import Repair
from ..stream.tls import TLSInfo
from ..timings import Timings

if TYPE_CHECKING:
    from ..response import HTTPResponse


class StoredResponse:
    """The facts of an HTTPResponse that is closed, without its connection. Content cannot be read from it.

    Attributes: those of HTTPResponse.
    """

    upgraded = None
    closed = True
    length = 0

    def __init__(self, response: HTTPResponse | StoredResponse) -> None:
        self.head: Head = response.head
        self.interim: tuple[Interim, ...] = response.interim
        self.trailers: Fields | None = response.trailers
        self.repairs: tuple[Repair, ...] = response.repairs
        self.timings: Timings = response.timings
        self.peer: Any = response.peer
        self.proxy_headers: Fields | None = response.proxy_headers
        self.tls: TLSInfo | None = response.tls

    @property
    def version(self) -> int:
        """10 for HTTP/1.0, 11 for HTTP/1.1."""
        return self.head.version

    @property
    def reason(self) -> str:
        """The reason phrase, "" if the response has none."""
        return self.head.reason

    @property
    def headers(self) -> Fields:
        """The fields."""
        return self.head.fields

    async def read(self) -> bytes:
        """Raise ResponseNotRead: the content was given up before the response was stored."""
        raise ResponseNotRead("the content was not read before the response was pickled or copied")

    async def read1(self, n: int = -1) -> bytes:
        """Raise ResponseNotRead, as read() does."""
        return await self.read()

    def take(self) -> None:
        """Return None: the content is not here."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
