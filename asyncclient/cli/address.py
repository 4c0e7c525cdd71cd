"""The URL of a request as typed: the scheme may be left out."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..client.proxy.proxies import ProxySetting

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USERINFO: Final = re.compile(r"(?<=://)[^/?#]*@")
_HOST: Final = re.compile(r"(?:[^/?#@]*@)?(\[[^\]]*\]|[^:/?#]*)")


def complete_url(text: str) -> str:
    """Return a URL with a scheme: https, but http for localhost and loopback addresses; `:8000/x` is on localhost.

    >>> complete_url("example.com/a"), complete_url("localhost:8000"), complete_url(":8000/x")
    ('https://example.com/a', 'http://localhost:8000', 'http://localhost:8000/x')
    """
    if _SCHEME.match(text):
        return text
    if text.startswith((":", "/")) and not text.startswith(("//", "::")):
        return f"http://localhost{text}"
    text = text.removeprefix("//")
    return f"{'http' if is_loopback(find_host(text)) else 'https'}://{text}"


def name_credentials(text: str) -> str:
    """Return a text with words to fill in instead of the user and password of a URL in it.

    >>> name_credentials("--proxy=http://me:secret@example.com:8080")
    '--proxy=http://USER:PASSWORD@example.com:8080'
    """
    return _USERINFO.sub("USER:PASSWORD@", text)


def choose_proxy(text: str | None) -> ProxySetting:
    """Return the setting for an option --proxy; "" means no proxy, also not that of the environment."""
    return {"all": None} if text == "" else text


def find_host(text: str) -> str:
    """Return the host of a URL without a scheme, without brackets."""
    match = _HOST.match(text)
    return "" if match is None else match[1].strip("[]")


def is_loopback(host: str) -> bool:
    """Return True for localhost, names below it and loopback addresses."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
