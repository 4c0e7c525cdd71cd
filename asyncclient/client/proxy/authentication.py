"""Logging in to a proxy with an Auth: Proxy-Authorization, and answers to a 407 (RFC 9110 §11.7)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Final

from ...message.fields import Fields
from ..auth.schemes import Auth, AuthRequest, Pairs
from .proxies import Proxy

ROUNDS: Final = 2
"""Answers to challenges of a proxy for one request: one, and one more for a nonce that has become stale."""


class ProxyLogin:
    """The login of one request to a proxy, which CONNECT is one of; it lasts over the challenges to that request.

    Args:
        proxy: which one.
        auth: its Auth.
        method, target: of the request, as they go out.
        body: the content; b"" if there is none, None if it is not in memory.
    """

    __slots__ = ("_answered", "_auth", "_request", "_rounds")

    def __init__(self, proxy: Proxy, auth: Auth, method: str, target: str, body: bytes | None = b"") -> None:
        self._auth = auth
        self._request = AuthRequest(method, f"{proxy}/", target, proxy.host, proxy.port, body, is_proxy=True)
        self._rounds = 0
        self._answered: Pairs | None = None

    async def list_fields(self) -> Pairs:
        """Return the fields for the next sending: those of the last answer, once, or what the Auth adds by itself."""
        fields, self._answered = self._answered, None
        if fields is not None:
            return fields
        found = self._auth.authorize(self._request)
        return _rename(await found if inspect.isawaitable(found) else found)

    async def answer(self, headers: Fields) -> bool:
        """Return whether a 407 with these fields has an answer, which list_fields() gives then."""
        if self._rounds == ROUNDS:
            return False
        self._rounds += 1
        challenges = headers.get_all("proxy-authenticate", [])
        found = self._auth.answer(self._request, 407, challenges, self._rounds)
        fields = await found if inspect.isawaitable(found) else found
        self._answered = None if fields is None else _rename(fields)
        return fields is not None

    def note(self, headers: Mapping[str, str]) -> None:
        """Let the Auth see Proxy-Authentication-Info, under the name that it has from a server (RFC 7615)."""
        info = headers.get("proxy-authentication-info")
        if info is not None:
            self._auth.note(self._request, Fields([("Authentication-Info", info)]))


def _rename(fields: Sequence[tuple[str, str]]) -> Pairs:
    """Return the fields of an Auth as a proxy has them."""
    return [("Proxy-Authorization" if name.lower() == "authorization" else name, value) for name, value in fields]
