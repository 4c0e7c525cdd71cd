"""Digest authentication: a hash proves the password without sending it (RFC 7616).

The server sends a nonce, and each request carries a hash of the nonce, the password, the method and the target. A
Session is the immutable state that begins with one challenge; a later nonce makes a new Session. Requests to one origin
share the nonce and differ in its count. Nothing is awaited between taking a count and using it.

Not implemented, on purpose: rspauth is not checked, because an attacker that can change a response can also remove it;
and nothing is sent to other hosts that a challenge lists as its domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from ...bounded import BoundedDict
from ...errors import BodyNotReplayable
from ...message.challenges import Challenge, parse_auth_params, parse_challenges
from ...message.credentials import encode_credential
from ...message.target import build_authority
from ...message.url import build_url, join_url, parse_url
from .schemes import AddedFields, Auth, AuthRequest

_HASHES = {"md5": "md5", "sha-256": "sha256", "sha-512-256": "sha512_256"}
"""hashlib's names, the weakest first."""

_MAX_SESSIONS = 256
"""Servers whose sessions are kept, and nonces whose counts are kept; the oldest are dropped."""

_MAX_PREFIXES = 32
"""URLs of a domain parameter that are used: a hostile parameter of 64 KiB would take 0.1 s to parse."""

_Server = tuple[str, str, int, bool]


class Session(NamedTuple):
    """The state of Digest authentication to one server, from one challenge.

    Attributes:
        params: the parameters of the challenge; next_nonce() replaces the nonce.
        cnonce: the client nonce; constant for the session, because A1 of the -sess algorithms contains it.
        counts: yields the nonce counts (nc), each once.
        user: the parameters that name the user, formatted for sending.
        key: H(A1) in hex: it is equivalent to the password for this realm.
        prefixes: URLs in the protection space begin with one of these.
    """

    params: dict[str, str]
    cnonce: str
    counts: Iterator[int]
    user: str
    key: str
    prefixes: tuple[str, ...]

    def __repr__(self) -> str:
        """Show only the class: every attribute is a secret or leads to one."""
        return "<Session>"

    def next_nonce(self, nonce: str, counts: Iterator[int]) -> Session:
        """Return the session to use after a nextnonce (RFC 7616 §3.5); A1 is unchanged."""
        return self._replace(params={**self.params, "nonce": nonce}, counts=counts)

    def build(self, request: AuthRequest) -> str | None:
        """Return the value of Authorization (RFC 7616 §3.4); None if it needs the content and that is not in memory."""
        params = self.params
        qop = _choose_qop(params, request)
        if qop is None:
            return None
        nc = f"{next(self.counts):08x}"
        parts = [f"Digest {self.user}", f"realm={_quote(params['realm'])}", f"uri={_quote(request.target)}"]
        if "algorithm" in params:
            parts.append(f"algorithm={params['algorithm']}")
        parts.append(f"nonce={_quote(params['nonce'])}")
        if qop:
            parts += [f"nc={nc}", f"cnonce={_quote(self.cnonce)}", f"qop={qop}"]
        parts.append(f'response="{self._prove(request, qop, nc)}"')
        if "opaque" in params:
            parts.append(f"opaque={_quote(params['opaque'])}")
        return ", ".join(parts)

    def _prove(self, request: AuthRequest, qop: str, nc: str) -> str:
        """Return the hash that proves the password (RFC 7616 §3.4.1; without qop RFC 2617 §3.2.2.1)."""
        algorithm, _ = _split_algorithm(self.params)
        a2 = f"{request.method}:{request.target}"
        if qop == "auth-int":
            a2 += f":{_hash(algorithm, request.body or b'')}"
        counted = [nc, self.cnonce, qop] if qop else []
        proof = [self.key, self.params["nonce"], *counted, _hash(algorithm, a2.encode("latin-1"))]
        return _hash(algorithm, ":".join(proof).encode("latin-1"))


def begin_session(
    username: bytes, password: bytes, params: dict[str, str], url: str, cnonce: str, counts: Iterator[int]
) -> Session:
    """Return the session that a challenge begins.

    Args:
        username, password: from encode_credential().
        params: of a challenge for which is_usable() is True, decoded as latin-1.
        url: absolute URL of the refused request.
        cnonce: the client nonce, of characters that need no quoting.
        counts: yields 1, 2, ..., or continues if the nonce has been used before.
    """
    algorithm, is_session = _split_algorithm(params)
    realm, nonce = params["realm"].encode("latin-1"), params["nonce"].encode("latin-1")
    key = _hash(algorithm, b"%b:%b:%b" % (username, realm, password))
    if is_session:
        key = _hash(algorithm, b"%b:%b:%b" % (key.encode("ascii"), nonce, cnonce.encode("ascii")))
    user = _build_user(username, realm, algorithm, is_hashed=params.get("userhash", "").lower() == "true")
    return Session(params, cnonce, counts, user, key, tuple(_find_prefixes(params.get("domain", ""), url)))


def _build_user(username: bytes, realm: bytes, algorithm: str, *, is_hashed: bool) -> str:
    """Return the user's name as parameters: hashed (RFC 7616 §3.4.4), quoted, or not ASCII and encoded by RFC 8187."""
    if is_hashed:
        return f'username="{_hash(algorithm, username + b":" + realm)}", userhash=true'
    if username.isascii():
        return f"username={_quote(username.decode('ascii'))}"
    from urllib.parse import quote  # imported on use: slow to import and rarely needed (decision 52)

    return f"username*=UTF-8''{quote(username, safe='')}"


def _find_prefixes(domain: str, url: str) -> Iterator[str]:
    """Yield the URL prefixes of the protection space: those listed (RFC 7616 §3.3), or "" for any URL."""
    if not domain.strip():
        yield ""
    for reference in domain.split()[:_MAX_PREFIXES]:
        try:
            yield build_url(parse_url(join_url(url, reference)))
        except ValueError:  # includes InvalidURL
            continue


def is_usable(challenge: Challenge) -> bool:
    """Return True if a challenge is for Digest with parameters that are supported here.

    Without qop the challenge follows RFC 2069, which has no cnonce, so a -sess algorithm is not possible.
    """
    params = challenge.params
    if challenge.scheme != "digest" or not {"realm", "nonce"} <= params.keys():
        return False
    algorithm, is_session = _split_algorithm(params)
    qops = _list_qops(params)
    is_known = not {"auth", "auth-int"}.isdisjoint(qops) if qops else not is_session
    return is_known and _has_hash(algorithm)


def choose_challenge(challenges: Sequence[Challenge], request: AuthRequest) -> Challenge | None:
    """Return the challenge to answer: the first of those with the strongest algorithm; None if none is usable.

    Raises:
        BodyNotReplayable: every usable challenge requires a hash of the content, which is not in memory.
    """
    usable = [challenge for challenge in challenges if is_usable(challenge)]
    answerable = [challenge for challenge in usable if _choose_qop(challenge.params, request) is not None]
    if usable and not answerable:
        authority = build_authority(request.host, request.port)
        raise BodyNotReplayable(f"{authority} wants Digest with auth-int, which needs the content in memory")
    return max(answerable, key=_strength, default=None)


def _strength(challenge: Challenge) -> int:
    return list(_HASHES).index(_split_algorithm(challenge.params)[0])


def _split_algorithm(params: dict[str, str]) -> tuple[str, bool]:
    """Return the algorithm in lower case without -sess, and whether -sess was present; the default is MD5."""
    algorithm = params.get("algorithm", "md5").lower()
    return algorithm.removesuffix("-sess"), algorithm.endswith("-sess")


def _list_qops(params: dict[str, str]) -> list[str]:
    return [qop.strip().lower() for qop in params.get("qop", "").split(",") if qop.strip()]


def _choose_qop(params: dict[str, str], request: AuthRequest) -> str | None:
    """Return "auth" if offered, else "auth-int", "" without qop; None if auth-int is required but impossible."""
    qops = _list_qops(params)
    if not qops or "auth" in qops:
        return "auth" if qops else ""
    return "auth-int" if "auth-int" in qops and request.body is not None else None


def _has_hash(algorithm: str) -> bool:
    import hashlib  # imported on use, here and below: it takes 2 ms, and only Digest needs it

    return _HASHES.get(algorithm) in hashlib.algorithms_available


def _hash(algorithm: str, data: bytes) -> str:
    import hashlib

    # Systems in FIPS mode refuse MD5 unless it is declared as not used for security. The server chose the algorithm.
    return hashlib.new(_HASHES[algorithm], data, usedforsecurity=False).hexdigest()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Digest(Auth):
    """User name and password for servers that use the Digest scheme (RFC 7616).

    The first request to an origin is sent without credentials and again after the 401; later requests use the latest
    nonce at once. Supported are MD5, SHA-256 and, if OpenSSL has it, SHA-512-256, each also with -sess; the strongest
    algorithm offered is used, with qop=auth if it is offered, otherwise auth-int.

    Raises:
        TypeError: the user or the password is not a str.
        ValueError: either has a control character, or can't be encoded as UTF-8.
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = encode_credential(username)
        self._password = encode_credential(password)
        self._sessions: BoundedDict[_Server, Session] = BoundedDict(_MAX_SESSIONS)
        # Counts are kept by nonce as well: two requests may be refused with the same nonce, or with two alternating
        # nonces, and a server treats a repeated count as a replay.
        self._counts: BoundedDict[str, Iterator[int]] = BoundedDict(_MAX_SESSIONS)

    def authorize(self, request: AuthRequest) -> AddedFields:
        """Return Authorization with the latest nonce of this origin; [] without a nonce, or outside its domain."""
        session = self._sessions.get(_server(request))
        if session is None or not request.url.startswith(session.prefixes):
            return []
        value = session.build(request)
        return [] if value is None else [("Authorization", value)]

    def answer(self, request: AuthRequest, status: int, challenges: Sequence[str], attempt: int) -> AddedFields | None:
        """Return Authorization for a challenge; on the second attempt only if the nonce was stale (RFC 7616 §3.3).

        Raises:
            BodyNotReplayable: only auth-int is offered, and the content is not in memory.
        """
        challenge = choose_challenge(parse_challenges(challenges), request)
        if challenge is None or (attempt > 1 and challenge.params.get("stale", "").lower() != "true"):
            return None
        import secrets  # imported on use: it imports hashlib

        params = challenge.params
        if request.is_proxy:  # a proxy's domain has no meaning and must be ignored (RFC 7616 §3.3)
            params = {name: value for name, value in params.items() if name != "domain"}
        counts = self._count(params["nonce"])
        session = begin_session(self._username, self._password, params, request.url, secrets.token_hex(16), counts)
        self._sessions[_server(request)] = session
        value = session.build(request)
        return None if value is None else [("Authorization", value)]

    def note(self, request: AuthRequest, fields: Mapping[str, str]) -> None:
        """Store the nextnonce of Authentication-Info for later requests (RFC 7616 §3.5)."""
        info = fields.get("Authentication-Info")
        session = self._sessions.get(_server(request))
        if info is None or session is None:
            return
        nonce = parse_auth_params(info).get("nextnonce")
        if nonce is not None:
            self._sessions[_server(request)] = session.next_nonce(nonce, self._count(nonce))

    def _count(self, nonce: str) -> Iterator[int]:
        counts = self._counts[nonce] = self._counts.get(nonce) or count(1)
        return counts


def _server(request: AuthRequest) -> _Server:
    return request.url.partition(":")[0], request.host, request.port, request.is_proxy
