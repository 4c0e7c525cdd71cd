"""The replacement for an HTTPResponse in a pickled or copied response, which has no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ResponseNotRead
from ..message.fields import Fields
from ..message.head import Head, Interim
from ..message.repairs import Repair
from ..response import HeadView
from ..stream.tls import TLSInfo
from ..timings import Timings

if TYPE_CHECKING:
    from ..transport import TransportResponse


class StoredResponse(HeadView):
    """The data of a closed HTTPResponse, without its connection. Content cannot be read from it.

    Attributes: those of HTTPResponse.
    """

    head: Head
    interim: tuple[Interim, ...]
    trailers: Fields | None
    repairs: tuple[Repair, ...]
    timings: Timings
    peer: Any
    proxy_headers: Fields | None
    tls: TLSInfo | None

    upgraded = None
    closed = True
    length = 0

    def __init__(self, response: TransportResponse | StoredResponse) -> None:
        for name in StoredResponse.__annotations__:
            setattr(self, name, getattr(response, name))

    async def read(self) -> bytes:
        """Raise ResponseNotRead: the content was not read before the response was stored."""
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
