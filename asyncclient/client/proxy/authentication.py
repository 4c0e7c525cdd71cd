"""Authentication to a proxy by an Auth: Proxy-Authorization, and the answer to a 407 (RFC 9110 §11.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...arguments import maybe_await
from ...message.fields import Fields
from ..auth.schemes import AddedFields, Auth, AuthRequest
from .proxies import Proxy

MAX_ANSWERS: Final = 2
"""Challenges of a proxy that are answered for one request: one, and another for a stale nonce."""


class ProxyAuthentication:
    """The authentication of one request (also CONNECT) to a proxy, over all challenges to that request.

    Args:
        proxy: the proxy.
        auth: its Auth.
        method, target: of the request, as sent.
        body: the content; b"" if there is none, None if it is not in memory.
    """

    __slots__ = ("_answer", "_answers", "_auth", "_request")

    def __init__(self, proxy: Proxy, auth: Auth, method: str, target: str, body: bytes | None = b"") -> None:
        self._auth = auth
        self._request = AuthRequest(method, f"{proxy}/", target, proxy.host, proxy.port, body, is_proxy=True)
        self._answers = 0
        self._answer: AddedFields | None = None

    async def list_fields(self) -> AddedFields:
        """Return the fields for the next attempt: those of the last answer, once, otherwise those of authorize()."""
        fields, self._answer = self._answer, None
        if fields is not None:
            return fields
        found = self._auth.authorize(self._request)
        return _rename(await maybe_await(found))

    async def answer(self, headers: Fields) -> bool:
        """Return True if a 407 with these fields can be answered; list_fields() then returns the answer."""
        if self._answers == MAX_ANSWERS:
            return False
        self._answers += 1
        challenges = headers.get_all("proxy-authenticate", [])
        found = self._auth.answer(self._request, 407, challenges, self._answers)
        fields = await maybe_await(found)
        self._answer = None if fields is None else _rename(fields)
        return fields is not None

    def note(self, headers: Mapping[str, str]) -> None:
        """Pass Proxy-Authentication-Info to the Auth, as Authentication-Info (RFC 7615)."""
        info = headers.get("proxy-authentication-info")
        if info is not None:
            self._auth.note(self._request, Fields([("Authentication-Info", info)]))


def _rename(fields: Sequence[tuple[str, str]]) -> AddedFields:
    """Return the fields of an Auth with Authorization renamed to Proxy-Authorization."""
    return [("Proxy-Authorization" if name.lower() == "authorization" else name, value) for name, value in fields]
