"""Checks of fields for framing and routing that a caller sets and the client also sets itself.

A client frames each body and decides where a request goes. A contradicting field of the caller would let bytes of one
message be read as another message (RFC 9112 §11.2), or send a credential to the wrong server. So each of these fields
is accepted if it agrees with the request as sent, completed if HTTP requires another field with it, or refused before
anything is sent. docs/framing.rst has the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import Any, Final

from ..errors import clip
from ..message import syntax
from ..message.fields import Pairs
from ..message.target import is_ipv6

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]++)\]|[A-Za-z0-9._~!$&'()*+;=%-]++)(?::[0-9]*+)?+")
"""RFC 9110 §4.2.1, without commas, which servers read as a list of hosts."""

_NOMINATED: Final = ("upgrade", "te", "keep-alive")
"""Hop-by-hop fields that Connection must name (RFC 9110 §7.6.1, §7.8, §10.1.4)."""

_END_TO_END: Final = frozenset(("authorization", "cookie", "expect", "host", "range", "trailer", "transfer-encoding"))
"""Fields that proxies must not remove, in addition to all whose names begin with `content-` or `proxy-`."""

_FOR_ONE_REQUEST: Final = {
    "content-length": "the client counts the body of each request",
    "transfer-encoding": "give it with the request whose body is to go in chunks",
    "content-encoding": "give it with the request whose body is compressed",
    "content-range": "give it with the request",
    "expect": "give expect_continue=True with the request",
    "trailer": "give trailers= with the request",
}
"""Fields that a client can't send with every request, and the alternative."""


def check_client_fields(pairs: Pairs) -> Pairs:
    """Return the fields for every request of a client, with a complete Connection.

    Raises:
        ValueError: a field that only a single request can have; or see check_fields().
    """
    for name, value in pairs:
        advice = _FOR_ONE_REQUEST.get(name.lower())
        if advice is not None and value is not None:
            raise ValueError(f"{name} can't go with all requests of a client: {advice}")
    given = [pair for pair in pairs if pair[1] is not None]
    return [*(pair for pair in pairs if pair[1] is None), *check_fields(given)]


def check_fields(
    pairs: Pairs,
    *,
    trailers: object = None,
    connection: Callable[[], str | None] = lambda: None,
) -> Pairs:
    """Return the fields of a request, with a Connection that names its hop-by-hop fields.

    Args:
        pairs: the fields.
        trailers: pairs that follow the body, a function that returns them, or None.
        connection: returns the client's own Connection.

    Raises:
        ValueError: a field that contradicts what the client sends.
    """
    found = _group(pairs)
    for name, values in found.items():
        _CHECKS[name](values)
    if "trailer" in found:
        _check_trailer(found["trailer"], trailers)
    return _complete_connection(pairs, found, connection)


def check_tunnelled(names: Container[str]) -> None:
    """Check the lower-case names of fields that are sent through the tunnel of a proxy.

    Raises:
        ValueError: Proxy-Authorization is among them; it would reach the server at the other end.
    """
    if "proxy-authorization" in names:
        raise ValueError("Proxy-Authorization would go through the tunnel to the server: give the user in proxy=")


def _group(pairs: Pairs) -> dict[str, list[str]]:
    """Return the values of controlled fields by name. Values of another type are refused later, by the head."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        key = name.lower()
        if key == "host" or (key in CONTROLLED and isinstance(value, str | bytes | int)):
            text = value.decode("latin-1") if isinstance(value, bytes) else "" if value is None else str(value)
            found.setdefault(key, []).append(text)
    return found


def _list_options(values: Iterable[str]) -> list[str]:
    options = (option.strip(" \t").lower() for value in values for option in value.split(","))
    return [option for option in options if option]


def _check_host(values: list[str]) -> None:
    """Refuse what servers must refuse (RFC 9112 §3.2): several Host fields, an empty or an invalid one."""
    if len(values) > 1 or not values[0]:
        raise ValueError(f"expected one Host field, got {'none' if not values[0] else len(values)}")
    match = _AUTHORITY.fullmatch(values[0])
    if match is None or (match[1] is not None and not is_ipv6(match[1])):
        raise ValueError(f"expected a host and perhaps a port as Host, got {clip(values[0])}")


def _check_transfer_encoding(values: list[str]) -> None:
    if [value.strip(" \t").lower() for value in values] != ["chunked"]:
        raise ValueError(
            f"expected chunked as Transfer-Encoding, got {clip(', '.join(values))}: a body that is compressed has a "
            "Content-Encoding"
        )


def _check_connection(values: list[str]) -> None:
    for option in _list_options(values):
        if syntax.TOKEN.fullmatch(option) is None:
            raise ValueError(f"expected options of Connection, got {clip(option)}")
        if option in _END_TO_END or option.startswith(("content-", "proxy-")):
            raise ValueError(f"Connection can't name {option}: proxies would drop that field")


def _check_te(values: list[str]) -> None:
    if any(option != "trailers" for option in _list_options(values)):
        raise ValueError(
            f"expected trailers as TE, got {clip(', '.join(values))}: ask for compressed content by Accept-Encoding"
        )


def _check_trailer(values: list[str], trailers: Any) -> None:
    if trailers is None:
        raise ValueError("Trailer announces fields after the body, and there are none: give them as trailers=")
    if callable(trailers):
        return
    sent, announced = {str(name).lower() for name, _ in trailers}, set(_list_options(values))
    if sent != announced:
        raise ValueError(f"Trailer announces {clip(sorted(announced))}, trailers= has {clip(sorted(sent))}")


def _refuse_proxy_connection(values: list[str]) -> None:
    raise ValueError("Proxy-Connection is not a field of HTTP/1.1: give Connection")


def _accept(values: list[str]) -> None:
    """Accept any value: RequestHead or the sender compares it with the body."""


_CHECKS: Final[dict[str, Callable[[list[str]], None]]] = {
    "host": _check_host,
    "content-length": _accept,
    "transfer-encoding": _check_transfer_encoding,
    "connection": _check_connection,
    "keep-alive": _accept,
    "te": _check_te,
    "trailer": _accept,
    "upgrade": _accept,
    "proxy-connection": _refuse_proxy_connection,
}

CONTROLLED: Final = frozenset(_CHECKS)
"""Lower-case names of the fields that check_fields() checks."""


def _complete_connection(pairs: Pairs, found: dict[str, list[str]], connection: Callable[[], str | None]) -> Pairs:
    """Return the fields with a Connection that names each hop-by-hop field."""
    needed = [name for name in _NOMINATED if name in found]
    if not needed:
        return pairs
    given = found.get("connection", [])
    if not any(name.lower() == "connection" for name, _ in pairs):
        given = [connection() or ""]
    options = _list_options(given)
    missing = [name for name in needed if name not in options]
    if not missing:
        return pairs
    value = ", ".join(filter(None, (*(text.strip(" \t,") for text in given), *missing)))
    return [*(pair for pair in pairs if pair[0].lower() != "connection"), ("Connection", value)]
