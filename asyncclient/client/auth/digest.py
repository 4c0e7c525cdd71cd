"""Digest: a password proved, not sent (RFC 7616).

The server gives a nonce, and each request carries a hash over it, the password, the method and the target. What one
challenge began is a Session, which is a value: a later nonce makes another. Requests of one origin share its nonce and
differ in the count that goes with it, so nothing waits between taking a count and using it.

Not done, on purpose: rspauth is not checked, since whoever can change a response can leave it out; and nothing is sent
to other hosts that a challenge names as its domain.
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
from .schemes import Auth, AuthRequest, Pairs

_HASHES = {"md5": "md5", "sha-256": "sha256", "sha-512-256": "sha512_256"}
"""hashlib's names, the weakest first."""

_MOST = 256
"""Origins whose sessions are kept, and nonces whose counts are; the oldest go first."""

_MOST_PREFIXES = 32
"""URLs of a domain that are looked at: a hostile one of 64 KiB would take 0.1 s."""

_Origin = tuple[str, str, int, bool]


class Session(NamedTuple):
    """What a challenge began, with all that its answers have in common.

    Attributes:
        params: of the challenge; the nonce is another after next_nonce().
        cnonce: one for the whole session, as A1 of the -sess algorithms needs it.
        counts: gives nc, each number once for a nonce.
        user: the parameters that name the user, ready to be sent.
        key: H(A1) in hex: as good as the password for this realm.
        prefixes: URLs of the protection space begin with one of these.
    """

    params: dict[str, str]
    cnonce: str
    counts: Iterator[int]
    user: str
    key: str
    prefixes: tuple[str, ...]

    def __repr__(self) -> str:
        """Show that it is one, and nothing of it."""
        return "<Session>"

    def next_nonce(self, nonce: str, counts: Iterator[int]) -> Session:
        """Return the session as it goes on after a nextnonce (RFC 7616 §3.5); its A1 stays."""
        return self._replace(params={**self.params, "nonce": nonce}, counts=counts)

    def build(self, request: AuthRequest) -> str | None:
        """Return the value of Authorization for a request (RFC 7616 §3.4), None where its content can't be hashed."""
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
        """Return the hash that shows who knows the password (RFC 7616 §3.4.1, without qop RFC 2617 §3.2.2.1)."""
        algorithm, _ = _split_algorithm(self.params)
        a2 = f"{request.method}:{request.target}"
        if qop == "auth-int":
            a2 += f":{_hash(algorithm, request.body or b'')}"
        once = [nc, self.cnonce, qop] if qop else []
        proof = [self.key, self.params["nonce"], *once, _hash(algorithm, a2.encode("latin-1"))]
        return _hash(algorithm, ":".join(proof).encode("latin-1"))


def begin_session(
    username: bytes, password: bytes, params: dict[str, str], url: str, cnonce: str, counts: Iterator[int]
) -> Session:
    """Return the session that a challenge begins.

    Args:
        username, password: as encode_credential() gives them.
        params: of a challenge that is_usable(); text is as the fields were decoded, latin-1.
        url: absolute, of the request that was refused.
        cnonce: the client's nonce, of characters that need no quoting.
        counts: gives 1, 2, ..., or goes on from there if the nonce was used before.
    """
    algorithm, is_session = _split_algorithm(params)
    realm, nonce = params["realm"].encode("latin-1"), params["nonce"].encode("latin-1")
    key = _hash(algorithm, b"%b:%b:%b" % (username, realm, password))
    if is_session:
        key = _hash(algorithm, b"%b:%b:%b" % (key.encode("ascii"), nonce, cnonce.encode("ascii")))
    user = _build_user(username, realm, algorithm, is_hashed=params.get("userhash", "").lower() == "true")
    return Session(params, cnonce, counts, user, key, tuple(_find_prefixes(params.get("domain", ""), url)))


def _build_user(username: bytes, realm: bytes, algorithm: str, *, is_hashed: bool) -> str:
    """Return the user's name hashed (RFC 7616 §3.4.4), quoted, or where it is not ASCII as RFC 8187 has it."""
    if is_hashed:
        return f'username="{_hash(algorithm, username + b":" + realm)}", userhash=true'
    if username.isascii():
        return f"username={_quote(username.decode('ascii'))}"
    from urllib.parse import quote  # only here: few names need it, and it takes 3 ms to import

    return f"username*=UTF-8''{quote(username, safe='')}"


def _find_prefixes(domain: str, url: str) -> Iterator[str]:
    """Find how URLs of the protection space begin: those listed (RFC 7616 §3.3), any where none are."""
    if not domain.strip():
        yield ""
    for reference in domain.split()[:_MOST_PREFIXES]:
        try:
            yield build_url(parse_url(join_url(url, reference)))
        except ValueError:  # InvalidURL, too
            continue


def is_usable(challenge: Challenge) -> bool:
    """Return whether a challenge is one of Digest that can be answered here.

    Without qop it is of RFC 2069, which has no cnonce, so a -sess algorithm can't be meant.
    """
    params = challenge.params
    if challenge.scheme != "digest" or not {"realm", "nonce"} <= params.keys():
        return False
    algorithm, is_session = _split_algorithm(params)
    qops = _list_qops(params)
    is_known = not {"auth", "auth-int"}.isdisjoint(qops) if qops else not is_session
    return is_known and _has_hash(algorithm)


def choose_challenge(challenges: Sequence[Challenge], request: AuthRequest) -> Challenge | None:
    """Return the challenge to answer: of those with the strongest algorithm the first; None if there is none.

    Raises:
        BodyNotReplayable: each wants the content hashed, and it is not in memory.
    """
    usable = [challenge for challenge in challenges if is_usable(challenge)]
    fitting = [challenge for challenge in usable if _choose_qop(challenge.params, request) is not None]
    if usable and not fitting:
        authority = build_authority(request.host, request.port)
        raise BodyNotReplayable(f"{authority} wants Digest with auth-int, which needs the content in memory")
    return max(fitting, key=_strength, default=None)


def _strength(challenge: Challenge) -> int:
    return list(_HASHES).index(_split_algorithm(challenge.params)[0])


def _split_algorithm(params: dict[str, str]) -> tuple[str, bool]:
    """Return the algorithm in lower case without -sess, and whether that was there; it is MD5 unless said."""
    algorithm = params.get("algorithm", "md5").lower()
    return algorithm.removesuffix("-sess"), algorithm.endswith("-sess")


def _list_qops(params: dict[str, str]) -> list[str]:
    return [qop.strip().lower() for qop in params.get("qop", "").split(",") if qop.strip()]


def _choose_qop(params: dict[str, str], request: AuthRequest) -> str | None:
    """Return auth, or auth-int where only that is offered, "" where there is no qop; None if it can't be."""
    qops = _list_qops(params)
    if not qops or "auth" in qops:
        return "auth" if qops else ""
    return "auth-int" if "auth-int" in qops and request.body is not None else None


def _has_hash(algorithm: str) -> bool:
    import hashlib  # here and below: it takes 2 ms, and is for those who use Digest

    return _HASHES.get(algorithm) in hashlib.algorithms_available


def _hash(algorithm: str, data: bytes) -> str:
    import hashlib

    # Systems under FIPS refuse MD5, unless it is said that nothing depends on it: whoever offers it has decided.
    return hashlib.new(_HASHES[algorithm], data, usedforsecurity=False).hexdigest()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Digest(Auth):
    """User and password for servers that ask for Digest (RFC 7616).

    The first request to an origin goes out without, and again after the 401; later ones use the nonce of the last
    challenge at once. MD5, SHA-256 and, where OpenSSL has it, SHA-512-256 are known, each also with -sess; the
    strongest that is offered is used, with qop=auth if it is offered, else auth-int.

    Raises:
        TypeError: user or password is no str.
        ValueError: one of them has a control character, or can't be encoded as UTF-8.
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = encode_credential(username)
        self._password = encode_credential(password)
        self._sessions: BoundedDict[_Origin, Session] = BoundedDict(_MOST)
        # By nonce, not in the session alone: two requests may be refused with the same one, or with two in turn, and
        # a server takes a count that it has seen for a replay.
        self._counts: BoundedDict[str, Iterator[int]] = BoundedDict(_MOST)

    def authorize(self, request: AuthRequest) -> Pairs:
        """Return Authorization with the last nonce of this origin; [] without one, or outside of its domain."""
        session = self._sessions.get(_origin(request))
        if session is None or not request.url.startswith(session.prefixes):
            return []
        value = session.build(request)
        return [] if value is None else [("Authorization", value)]

    def answer(self, request: AuthRequest, status: int, challenges: Sequence[str], attempt: int) -> Pairs | None:
        """Return Authorization for a challenge; the second time only if the nonce alone was stale (RFC 7616 §3.3).

        Raises:
            BodyNotReplayable: auth-int alone is offered, and the content is not in memory to be hashed.
        """
        challenge = choose_challenge(parse_challenges(challenges), request)
        if challenge is None or (attempt > 1 and challenge.params.get("stale", "").lower() != "true"):
            return None
        import secrets  # it imports hashlib, and is for those who use Digest

        params = challenge.params
        if request.is_proxy:  # where a domain has no meaning, and has to be ignored (RFC 7616 §3.3)
            params = {name: value for name, value in params.items() if name != "domain"}
        counts = self._count(params["nonce"])
        session = begin_session(self._username, self._password, params, request.url, secrets.token_hex(16), counts)
        self._sessions[_origin(request)] = session
        value = session.build(request)
        return None if value is None else [("Authorization", value)]

    def note(self, request: AuthRequest, fields: Mapping[str, str]) -> None:
        """Take the nextnonce of a response's Authentication-Info for later requests (RFC 7616 §3.5)."""
        info = fields.get("Authentication-Info")
        session = self._sessions.get(_origin(request))
        if info is None or session is None:
            return
        nonce = parse_auth_params(info).get("nextnonce")
        if nonce is not None:
            self._sessions[_origin(request)] = session.next_nonce(nonce, self._count(nonce))

    def _count(self, nonce: str) -> Iterator[int]:
        counts = self._counts[nonce] = self._counts.get(nonce) or count(1)
        return counts


def _origin(request: AuthRequest) -> _Origin:
    return request.url.partition(":")[0], request.host, request.port, request.is_proxy
