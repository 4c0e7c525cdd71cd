"""robots.txt (RFC 9309): the settings, and the rules of a file, read by protego. Pure: files are fetched elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..arguments import check_type, keyword_only
from ..errors import clip
from .rules import check_seconds

if TYPE_CHECKING:
    from protego import Protego

MAX_SIZE: Final = 500 * 1024
"""Bytes of a robots.txt that are read; the rest is ignored (RFC 9309 §2.5)."""

_TOKEN: Final = re.compile(r"[^\s/;,()*:]+")
"""The product token of an agent: its name before the version (RFC 9309 §2.2.1)."""

_LINE: Final = re.compile(r"[ \t]*+(?:(user[- ]?agent)|(site-?maps?)|[^#\s])[ \t]*+:?+[ \t]*+([^#]*+)", re.IGNORECASE)
"""A line that is not empty and not a comment: of an agent, of a sitemap, or a rule."""


@keyword_only({"user_agent": "agent="}, "Robots(agent=...)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Robots:
    """How a client asks for robots.txt.

    Args:
        agent: the name to look for in the files, such as "examplebot"; a version and more may follow it, as in
            User-Agent. Requests should have it in their User-Agent. Upper and lower case are equal.
        ttl: seconds for which a file is used before it is fetched again.
        retry: the same after a file could not be fetched; until then nothing of the origin may be requested.
        timeout: seconds that fetching a file may take, from when its request may be sent.

    Raises:
        ValueError: the agent has no name, or a number is below 0.
        TypeError: an argument of another type, or a positional one.
    """

    agent: str
    ttl: float = 24 * 3600.0
    retry: float = 600.0
    timeout: float = 30.0

    def __post_init__(self) -> None:
        """Check the values."""
        check_type("agent", self.agent, str, "a name")
        if _TOKEN.match(self.agent) is None:
            raise ValueError(f"expected a name as agent, such as 'examplebot', got {clip(self.agent)}")
        for name in ("ttl", "retry", "timeout"):
            check_seconds(name, getattr(self, name))

    @property
    def token(self) -> str:
        """The product token of the agent, in lower case."""
        return find_token(self.agent) or ""


def find_token(agent: str) -> str | None:
    """Return the name at the start of an agent in lower case, without version; None if there is no name."""
    match = _TOKEN.match(agent)
    return None if match is None else match[0].lower()


class RobotsFile:
    """The rules of a robots.txt for one agent.

    Args:
        text: the file.
        token: the product token of the agent, in lower case.

    Attributes:
        crawl_delay: seconds between two requests, from Crawl-delay or Request-rate; 0 without them.
        sitemaps: the URLs of the sitemaps.
        size: characters of the part that was kept.
    """

    __slots__ = ("_parsed", "_token", "crawl_delay", "sitemaps", "size")

    def __init__(self, text: str, token: str) -> None:
        from protego import Protego  # imported on use: an extra

        kept = "\n".join(_select(text, token))
        parsed = Protego.parse(kept)
        self._token = token
        self.size = len(kept)
        self.sitemaps = tuple(parsed.sitemaps)
        self.crawl_delay = _find_delay(parsed, token)
        self._parsed = parsed

    def allows(self, url: str) -> bool:
        """Return True if the agent may request a URL."""
        return self._parsed.can_fetch(url, self._token)


class FixedRules:
    """The rules in the absence of a robots.txt: anything is allowed, or nothing."""

    __slots__ = ("_is_allowed",)

    crawl_delay = 0.0
    sitemaps: tuple[str, ...] = ()
    size = 0

    def __init__(self, *, is_allowed: bool) -> None:
        self._is_allowed = is_allowed

    def allows(self, url: str) -> bool:
        """Return True if anything is allowed."""
        return self._is_allowed


UNAVAILABLE: Final = FixedRules(is_allowed=True)
"""There is no such file, so that everything is allowed (RFC 9309 §2.3.1.3)."""

UNREACHABLE: Final = FixedRules(is_allowed=False)
"""The file could not be fetched, so that nothing is allowed (RFC 9309 §2.3.1.4)."""


def _find_delay(parsed: Protego, token: str) -> float:
    delay, rate = parsed.crawl_delay(token) or 0.0, parsed.request_rate(token)
    if rate is not None and rate.start_time is None:
        delay = max(delay, rate.seconds / rate.requests)
    return delay


def _select(text: str, token: str) -> Iterator[str]:
    """Yield the lines of a file that concern an agent: groups for it or for `*`, and sitemaps.

    The others are dropped before the file is parsed: a group with many agents and many rules would take memory for each
    pair of them. A group is for an agent if a product token in it is equal to the agent's (RFC 9309 §2.2.1).
    """
    is_wanted = is_in_rules = False
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        agent, sitemap, value = match.groups()
        if sitemap is not None:
            yield line
        elif agent is None:
            is_in_rules = True
            if is_wanted:
                yield line
        else:
            name = "*" if value.startswith("*") else find_token(value)
            is_wanted = (is_wanted and not is_in_rules) or name in ("*", token)
            is_in_rules = False
            if name in ("*", token):
                yield f"User-agent: {name}"
