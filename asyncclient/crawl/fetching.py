"""Fetching one entry: the request, and the decision what its result means for the crawl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ..client.client import Client
from ..client.pool_transport import PoolTransport
from ..client.proxy.proxies import ProxySetting
from ..client.redirects import decide_redirect, find_location
from ..errors import (
    ClientClosed,
    ConnectError,
    HTTPException,
    IncompleteRead,
    PhaseTimeout,
    RedirectError,
    RemoteDisconnected,
    StaleConnectionError,
)
from ..limits import PoolLimits
from ..message.fields import HeaderValue
from ..politeness import HostResting, RobotsDisallowed
from ..timeouts import Timeout
from ..transport import Transport
from .entry import Entry
from .page import Page

if TYPE_CHECKING:
    from ..client.response import Response

TRIED_AGAIN: Final = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses after which a URL is fetched again."""

_PASSING: Final = (ConnectError, PhaseTimeout, IncompleteRead, RemoteDisconnected, StaleConnectionError, OSError)
"""Errors of the network, after which a URL is fetched again."""


class Fetched(NamedTuple):
    """The result of fetching an entry. At most one of `redirect`, `is_again` and `rest` is set.

    Attributes:
        page: the page.
        redirect: the URL that a redirect leads to.
        is_again: True if the fault may pass, so that the entry may be fetched again.
        rest: seconds after which the host may be asked, if nothing was sent; None otherwise.
    """

    page: Page
    redirect: str | None = None
    is_again: bool = False
    rest: float | None = None


async def fetch(client: Client, entry: Entry) -> Fetched:
    """Return the result of fetching an entry. Faults of the server and of the network are results.

    Raises:
        ClientClosed: the client is closed, or was closed meanwhile.
    """
    try:
        response = await client.get(entry.url)
    except ClientClosed:
        raise
    except (HTTPException, OSError, ValueError) as error:
        return judge_error(entry, error)
    return judge_response(entry, response)


def judge_error(entry: Entry, error: Exception) -> Fetched:
    """Return the result for an error."""
    page = Page(entry, None, error, f"{type(error).__name__}: {error!s:.300}")
    if isinstance(error, HostResting):
        return Fetched(page, rest=error.seconds)
    if isinstance(error, RobotsDisallowed):
        return Fetched(page, is_again=error.is_unreachable)
    return Fetched(page, is_again=isinstance(error, _PASSING))


def judge_response(entry: Entry, response: Response) -> Fetched:
    """Return the result for a response whose content was read."""
    status = response.status
    if status < 400:
        return Fetched(Page(entry, response), redirect=None if status < 300 else _find_target(response))
    page = Page(entry, response, reason=f"{status} {response.reason:.100}".rstrip())
    return Fetched(page, is_again=status in TRIED_AGAIN)


def _find_target(response: Response) -> str | None:
    """Return the URL that a redirect leads to; None if it leads nowhere."""
    try:
        redirect = decide_redirect("GET", response.url, response.status, find_location(response.headers))
    except RedirectError:
        return None
    return None if redirect is None else redirect.url


def open_pool(connections: int, idle: int) -> PoolTransport:
    """Return the connections of a crawler: so many in use, and so many others that are kept open."""
    most = connections + idle
    return PoolTransport(pool=PoolLimits(connections=most, per_host=connections, idle=most, idle_per_host=connections))


def open_client(
    transport: Transport,
    agent: str,
    *,
    headers: Mapping[str, HeaderValue] | None,
    timeout: float | Timeout,
    max_content: int,
    proxy: ProxySetting,
    trust_env: bool,
) -> Client:
    """Return the client of a crawler, which leaves redirects and retries to it."""
    return Client(
        transport=transport,
        headers={"User-Agent": agent, **(headers or {})},
        timeout=timeout,
        max_body_size=max_content,
        proxy=proxy,
        trust_env=trust_env,
        follow_redirects=False,
    )
