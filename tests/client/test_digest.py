"""Digest against the examples of the RFCs, and against a server with an implementation of its own."""

import asyncio
import hashlib
import itertools
import re
import urllib.parse
import urllib.request
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient import BodyNotReplayable
from asyncclient.client.auth.digest import Digest, Session, begin_session
from asyncclient.client.auth.schemes import AuthRequest

USER = "Mufasa"
PASSWORD = "Circle of Life"
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def ask(target: str = "/", body: bytes | None = b"", *, method: str = "GET", origin: str = "http://h") -> AuthRequest:
    host, _, port = origin.partition("://")[2].partition(":")
    return AuthRequest(method, origin + target, target, host, int(port or 80), body)


def read(value: str) -> dict[str, str]:
    """Take the value of Authorization apart by the standard library's means."""
    scheme, _, rest = value.partition(" ")
    assert scheme == "Digest"
    params = urllib.request.parse_http_list(rest)
    parsed = urllib.request.parse_keqv_list(params)
    assert len(parsed) == len(params), "a parameter that is there twice"
    return parsed


class Server:
    """Knows one user, and takes each count of a nonce once."""

    def __init__(self, *challenges: str, user: str = USER, password: str = PASSWORD) -> None:
        self.challenges = challenges or ('realm="r", qop="auth", algorithm=SHA-256',)
        self.user = user
        self.password = password
        self.counts: dict[str, set[str]] = {}
        self.numbers = itertools.count(1)

    def challenge(self, *, stale: bool = False) -> list[str]:
        end = ", stale=true" if stale else ""
        return [f'Digest {params}, nonce="{self.make_nonce()}"{end}' for params in self.challenges]

    def make_nonce(self) -> str:
        nonce = f"n{next(self.numbers)}"
        self.counts[nonce] = set()
        return nonce

    def admits(self, request: AuthRequest, fields: Sequence[tuple[str, str]] | None) -> bool:
        """Whether the credentials are right; a nonce that is unknown or a count that was there before is not."""
        if not fields:
            return False
        [(name, value)] = fields
        assert name == "Authorization"
        params = read(value)
        seen = self.counts.get(params["nonce"])
        if seen is None or params.get("nc", "") in seen:
            return False
        seen.add(params.get("nc", ""))
        return params["uri"] == request.target and params["response"] == self.prove(request, params)

    def prove(self, request: AuthRequest, params: dict[str, str]) -> str:
        algorithm = params.get("algorithm", "MD5")

        def digest(text: str | bytes) -> str:
            data = text.encode("latin-1") if isinstance(text, str) else text
            return hashlib.new(HASHES[algorithm.removesuffix("-sess")], data).hexdigest()

        secret = f"{self.user}:{params['realm']}:{self.password}".encode()
        if params.get("userhash") == "true":
            assert params["username"] == digest(f"{self.user}:{params['realm']}".encode())
        elif "username*" in params:
            assert urllib.parse.unquote(params["username*"].removeprefix("UTF-8''")) == self.user
        else:
            assert params["username"] == self.user
        a1 = digest(secret)
        if algorithm.endswith("-sess"):
            a1 = digest(f"{a1}:{params['nonce']}:{params['cnonce']}")
        a2 = f"{request.method}:{params['uri']}"
        if "qop" not in params:
            return digest(f"{a1}:{params['nonce']}:{digest(a2)}")
        if params["qop"] == "auth-int":
            a2 += ":" + digest(request.body or b"")
        return digest(f"{a1}:{params['nonce']}:{params['nc']}:{params['cnonce']}:{params['qop']}:{digest(a2)}")


def first(auth: Digest, request: AuthRequest, challenges: Sequence[str]) -> dict[str, str]:
    fields = auth.answer(request, 401, challenges, 1)
    assert fields is not None
    return read(fields[0][1])


# Examples

RFC_7616 = {
    "realm": "http-auth@example.org",
    "qop": "auth, auth-int",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
}


def build(username: str, password: str, params: dict[str, str], request: AuthRequest, cnonce: str) -> dict[str, str]:
    counts = itertools.count(1)
    session = begin_session(username.encode(), password.encode(), params, request.url, cnonce, counts)
    value = session.build(request)
    assert value is not None
    return read(value)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_example_of_rfc_7616(algorithm: str, response: str) -> None:
    params = {**RFC_7616, "algorithm": algorithm}
    request = ask("/dir/index.html", origin="http://www.example.org")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert build(USER, PASSWORD, params, request, cnonce) == {
        **params,
        "username": USER,
        "uri": "/dir/index.html",
        "nc": "00000001",
        "cnonce": cnonce,
        "qop": "auth",
        "response": response,
    }


def test_example_of_rfc_7616_with_user_hashed() -> None:
    """With the two hashes of erratum 4897: those printed are of SHA-512 cut short, not of SHA-512/256."""
    params = {
        "realm": "api@example.org",
        "algorithm": "SHA-512-256",
        "nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "opaque": "HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
        "userhash": "true",
    }
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    request = ask("/doe.json", origin="http://api.example.org")
    challenge = {**params, "qop": "auth", "charset": "UTF-8"}
    assert build("J\u00e4s\u00f8n Doe", "Secret, or not?", challenge, request, cnonce) == {
        **params,
        "username": "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b",
        "uri": "/doe.json",
        "nc": "00000001",
        "cnonce": cnonce,
        "qop": "auth",
        "response": "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
    }


def test_example_of_rfc_2617_has_no_algorithm() -> None:
    params = {
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "opaque": "5ccc069c403ebaf9f0171e9517f40e41",
    }
    request = ask("/dir/index.html", origin="http://www.nowhere.org")
    challenge = {**params, "qop": "auth,auth-int"}
    assert build(USER, "Circle Of Life", challenge, request, "0a4f113b") == {
        **params,
        "username": USER,
        "uri": "/dir/index.html",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        "qop": "auth",
        "response": "6629fae49393a05397450978507c4ef1",
    }


def test_only_the_parameters_that_rfc_7616_quotes_are_quoted() -> None:
    fields = Digest('a"b\\c', "p").answer(
        ask(), 401, [r'Digest realm="x \"y\"", nonce="n", opaque="o", qop="auth", algorithm=MD5, userhash=false'], 1
    )
    assert fields is not None
    pattern = (
        r'Digest username="a\\"b\\\\c", realm="x \\"y\\"", uri="/", algorithm=MD5, nonce="n", nc=00000001, '
        r'cnonce="[0-9a-f]{32}", qop=auth, response="[0-9a-f]{32}", opaque="o"'
    )
    assert re.fullmatch(pattern, fields[0][1])


# Authentication

ALGORITHMS = ["", *(f"algorithm={name}{end}" for name in HASHES for end in ("", "-sess"))]


@pytest.mark.parametrize("user", [USER, "J\u00e4s\u00f8n Doe", 'a"b\\c', "a:b", ""])
@pytest.mark.parametrize("userhash", ["", "userhash=true", "userhash=false"])
@pytest.mark.parametrize("qop", ['qop="auth"', 'qop="auth-int"', 'qop="auth-int, auth"', "qop=AUTH"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_server_admits_first_and_later_requests(algorithm: str, qop: str, userhash: str, user: str) -> None:
    params = ", ".join(filter(None, ['realm="a \\"b\\", c"', qop, algorithm, userhash, "charset=UTF-8"]))
    server = Server(params, user=user, password="p\u20acss: word")
    auth = Digest(user, "p\u20acss: word")
    request = ask("/a?b=c", b"content", method="POST")
    assert auth.authorize(request) == []
    assert server.admits(request, auth.answer(request, 401, server.challenge(), 1))
    assert server.admits(request, auth.authorize(request))
    other = ask("/", method="DELETE")
    assert server.admits(other, auth.authorize(other))
    assert server.counts == {"n1": {"00000001", "00000002", "00000003"}}


@pytest.mark.parametrize("qop", ["", ', qop=""'])
def test_challenge_without_qop_is_answered_by_rfc_2069(qop: str) -> None:
    server = Server(f'realm="r"{qop}')
    auth = Digest(USER, PASSWORD)
    fields = auth.answer(ask(), 401, server.challenge(), 1)
    assert server.admits(ask(), fields)
    assert not {"nc", "cnonce", "qop"} & read((fields or [])[0][1]).keys()


def test_other_password_is_not_admitted() -> None:
    server = Server()
    assert not server.admits(ask(), Digest(USER, "other").answer(ask(), 401, server.challenge(), 1))


def test_name_of_many_spellings_is_composed() -> None:
    server = Server(user="J\u00e4s\u00f8n", password="\u00e9")
    assert server.admits(ask(), Digest("Ja\u0308s\u00f8n", "e\u0301").answer(ask(), 401, server.challenge(), 1))


def test_realm_in_utf_8_is_hashed_and_sent_as_received() -> None:
    realm = "caf\u00e9".encode().decode("latin-1")  # as fields are decoded
    params = first(Digest(USER, PASSWORD), ask(), [f'Digest realm="{realm}", nonce="n", algorithm=MD5'])
    a1 = hashlib.md5(f"{USER}:caf\u00e9:{PASSWORD}".encode()).hexdigest()
    a2 = hashlib.md5(b"GET:/").hexdigest()
    assert params["realm"] == realm
    assert params["response"] == hashlib.md5(f"{a1}:n:{a2}".encode()).hexdigest()


# Which challenge


@pytest.mark.parametrize(
    ("challenges", "nonce"),
    [
        (['Digest realm="r", nonce="a"'], "a"),
        (['DIGEST REALM="r", NONCE="a", ALGORITHM=md5-SESS, QOP="auth"'], "a"),
        (['Basic realm="r", Digest realm="r", nonce="a", Negotiate'], "a"),
        (['Digest realm="r", nonce="a", algorithm=MD5', 'Digest realm="r", nonce="b", algorithm=SHA-256'], "b"),
        (['Digest realm="r", nonce="a", algorithm=SHA-256, Digest realm="r", nonce="b"'], "a"),
        (
            [
                'Digest realm="r", nonce="a", qop=auth, algorithm=SHA-256',
                'Digest realm="r", nonce="b", qop=auth, algorithm=SHA-512-256-sess',
            ],
            "b",
        ),
        (
            [
                'Digest realm="r", nonce="a", qop=auth, algorithm=SHA-256-sess',
                'Digest realm="r", nonce="b", qop=auth, algorithm=SHA-256',
            ],
            "a",
        ),
        (['Digest realm="r", nonce="a", algorithm=SHA-1', 'Digest realm="r", nonce="b", algorithm=MD5'], "b"),
        (['Digest realm="r", nonce="a", qop=new, algorithm=SHA-256', 'Digest realm="r", nonce="b"'], "b"),
        (['Digest realm="r", nonce="a", qop="new, auth"'], "a"),
    ],
)
def test_strongest_challenge_that_is_known_is_answered(challenges: list[str], nonce: str) -> None:
    assert first(Digest(USER, PASSWORD), ask(), challenges)["nonce"] == nonce


@pytest.mark.parametrize(
    "challenges",
    [
        [],
        [""],
        ["junk"],
        ['Basic realm="r"'],
        ["Digest"],
        ['Digest realm="r"'],
        ['Digest nonce="n"'],
        ['Basic realm="r", nonce="n"'],
        ['Digest realm="r", nonce="n", algorithm=SHA-1'],
        ['Digest realm="r", nonce="n", algorithm=SHA-1, qop=auth'],
        ['Digest realm="r", nonce="n", algorithm=""'],
        ['Digest realm="r", nonce="n", qop="new"'],
        ['Digest realm="r", nonce="n", algorithm=MD5-sess'],
    ],
)
def test_unknown_algorithms_and_qualities_get_no_answer(challenges: list[str]) -> None:
    auth = Digest(USER, PASSWORD)
    assert auth.answer(ask(), 401, challenges, 1) is None
    assert auth.authorize(ask()) == []


def test_content_not_in_memory_is_accepted_for_auth() -> None:
    challenges = [
        'Digest realm="r", nonce="a", qop="auth-int", algorithm=SHA-256',
        'Digest realm="r", nonce="b", qop="auth-int, auth"',
    ]
    auth = Digest(USER, PASSWORD)
    assert first(auth, ask(body=None), challenges)["nonce"] == "b"
    assert first(auth, ask(body=b""), challenges)["nonce"] == "a"


def test_content_not_in_memory_is_refused_for_auth_int() -> None:
    auth = Digest(USER, PASSWORD)
    challenges = ['Digest realm="r", nonce="n", qop="auth-int"']
    request = ask(body=None, origin="http://h:81")
    with pytest.raises(
        BodyNotReplayable, match=r"^h:81 wants Digest with auth-int, which needs the content in memory$"
    ):
        auth.answer(request, 401, challenges, 1)
    first(auth, ask(body=b"x"), challenges)
    assert auth.authorize(ask(body=None)) == []
    assert read(auth.authorize(ask(body=b"x"))[0][1])["nc"] == "00000002"


# Nonces


def test_second_refusal_is_answered_only_if_the_nonce_was_stale() -> None:
    server = Server()
    auth = Digest(USER, PASSWORD)
    assert auth.answer(ask(), 401, server.challenge(), 2) is None
    assert server.admits(ask(), auth.answer(ask(), 401, server.challenge(stale=True), 2))
    assert auth.answer(ask(), 401, ['Digest realm="r", nonce="n", stale=TRUE'], 2)
    assert auth.answer(ask(), 401, ['Digest realm="r", nonce="n", stale=false'], 2) is None


def test_new_nonce_replaces_the_old_one_and_restarts_the_count() -> None:
    server = Server()
    auth = Digest(USER, PASSWORD)
    auth.answer(ask(), 401, server.challenge(), 1)
    auth.authorize(ask())
    assert first(auth, ask(), server.challenge(stale=True))["nc"] == "00000001"
    params = read(auth.authorize(ask())[0][1])
    assert (params["nonce"], params["nc"]) == ("n2", "00000002")


def test_repeated_nonce_continues_its_count() -> None:
    auth = Digest(USER, PASSWORD)
    one, other = (['Digest realm="r", qop="auth", nonce="1"'], ['Digest realm="r", qop="auth", nonce="2"'])
    counts = [first(auth, ask(), challenges)["nc"] for challenges in (one, one, other, one, other)]
    assert counts == ["00000001", "00000002", "00000001", "00000003", "00000002"]


def test_client_nonces_differ_and_stay_for_a_session() -> None:
    challenges = ['Digest realm="r", qop="auth", nonce="n", algorithm=MD5-sess']
    auth = Digest(USER, PASSWORD)
    cnonces = [first(auth, ask(), challenges)["cnonce"] for _ in range(20)]
    assert len(set(cnonces)) == 20
    assert read(auth.authorize(ask())[0][1])["cnonce"] == cnonces[-1]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_nextnonce_is_used_from_then_on(algorithm: str) -> None:
    server = Server(f'realm="r", qop="auth", algorithm={algorithm}')
    auth = Digest(USER, PASSWORD)
    auth.answer(ask(), 401, server.challenge(), 1)
    auth.note(ask(), {"Authentication-Info": f'qop=auth, nextnonce="{server.make_nonce()}"'})
    for count in ("00000001", "00000002"):
        fields = auth.authorize(ask())
        assert server.admits(ask(), fields)
        params = read(fields[0][1])
        assert (params["nonce"], params["nc"]) == ("n2", count)


def test_nextnonce_does_not_change_the_key_of_a_session() -> None:
    """RFC 7616 §3.4.2: A1 of -sess is made once, of the nonce that the challenge had."""
    auth = Digest(USER, PASSWORD)
    before = first(auth, ask(), ['Digest realm="r", qop="auth", nonce="n", algorithm=MD5-sess'])
    auth.note(ask(), {"Authentication-Info": 'nextnonce="m"'})
    after = read(auth.authorize(ask())[0][1])
    a1 = hashlib.md5(f"{USER}:r:{PASSWORD}".encode()).hexdigest()
    key = hashlib.md5(f"{a1}:n:{before['cnonce']}".encode()).hexdigest()
    a2 = hashlib.md5(b"GET:/").hexdigest()
    proof = hashlib.md5(f"{key}:m:00000001:{before['cnonce']}:auth:{a2}".encode()).hexdigest()
    assert (after["nonce"], after["cnonce"], after["response"]) == ("m", before["cnonce"], proof)


@pytest.mark.parametrize("fields", [{}, {"Authentication-Info": ""}, {"Authentication-Info": 'qop=auth, "nextnonce'}])
def test_response_without_nextnonce_changes_nothing(fields: dict[str, str]) -> None:
    auth = Digest(USER, PASSWORD)
    auth.note(ask(), {"Authentication-Info": 'nextnonce="m"'})
    assert auth.authorize(ask()) == []
    first(auth, ask(), ['Digest realm="r", qop="auth", nonce="n"'])
    auth.note(ask(), fields)
    assert read(auth.authorize(ask())[0][1])["nonce"] == "n"


async def test_requests_at_once_have_a_count_of_their_own() -> None:
    server = Server()
    auth = Digest(USER, PASSWORD)
    challenge = server.challenge()

    async def fetch(target: str) -> bool:
        request = ask(target)
        fields: list[tuple[str, str]] | None = auth.authorize(request)
        await asyncio.sleep(0)  # on the wire
        if server.admits(request, fields):
            return True
        await asyncio.sleep(0)
        fields = auth.answer(request, 401, challenge, 1)
        await asyncio.sleep(0)
        return server.admits(request, fields)

    for _ in range(2):
        assert all(await asyncio.gather(*(fetch(f"/{n}") for n in range(100))))
    assert server.counts == {"n1": {f"{n:08x}" for n in range(1, 201)}}


# Protection space


@pytest.mark.parametrize("origin", ["http://h:81", "http://i", "https://h:80", "http://h.i"])
def test_nonce_is_sent_to_its_own_origin_only(origin: str) -> None:
    auth = Digest(USER, PASSWORD)
    first(auth, ask(), ['Digest realm="r", nonce="n", domain="/ http://h:81/ http://i/ https://h:80/ http://h.i/"'])
    assert auth.authorize(ask())
    assert auth.authorize(ask(origin=origin)) == []


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        ("", ["/", "/b"], []),
        (" ", ["/", "/b"], []),
        ("/", ["/", "/b"], []),
        ("/a", ["/a", "/a/b", "/a?b"], ["/", "/b"]),
        ("/a/ /b", ["/a/", "/a/b", "/b"], ["/a", "/c"]),
        ("sub/", ["/dir/sub/x"], ["/sub/", "/dir/"]),
        ("http://h:80/a", ["/a"], ["/"]),
        ("HTTP://H", ["/", "/a"], []),
        ("http://i/", [], ["/", "/dir/page"]),
        ("http://: /a", ["/a"], ["/"]),
        ("/x " * 40 + "/a", ["/x"], ["/a"]),
    ],
)
def test_domain_limits_credentials_sent_without_a_challenge(domain: str, inside: list[str], outside: list[str]) -> None:
    auth = Digest(USER, PASSWORD)
    assert "domain" not in first(auth, ask("/dir/page"), [f'Digest realm="r", nonce="n", domain="{domain}"'])
    assert [target for target in inside + outside if auth.authorize(ask(target))] == inside


def test_remembered_challenges_are_bounded() -> None:
    auth = Digest(USER, PASSWORD)
    origins = [f"http://h{n}" for n in range(300)]
    for origin in [*origins[:100], origins[0], *origins[100:]]:
        first(auth, ask(origin=origin), [f'Digest realm="r", nonce="{origin}"'])
    known = [origin for origin in origins if auth.authorize(ask(origin=origin))]
    assert known == [origins[0], *origins[-255:]]
    assert len(auth._counts) == 256


# Bad arguments, secrets, junk


@pytest.mark.parametrize("bad", ["SECRET\r", "SECRET\n", "SECRET\0", "SECRET\ud800"])
def test_invalid_credentials_are_refused_without_being_shown(bad: str) -> None:
    for user, password in ((bad, "p"), ("u", bad)):
        with pytest.raises(ValueError, match=r"^expected user and password") as caught:
            Digest(user, password)
        assert "SECRET" not in str(caught.value)


def test_repr_shows_neither_user_nor_password_nor_key() -> None:
    auth = Digest("SECRET", "SECRET")
    params = {"realm": "r", "nonce": "n"}
    session = begin_session(b"SECRET", b"SECRET", params, "http://h/", "c", itertools.count(1))
    assert (repr(auth), repr(session)) == ("<Digest>", "<Session>")
    assert isinstance(session, Session)
    assert session.key not in f"{session} {auth}"


LATIN_1 = st.text(st.sampled_from('=,"\\ aDigest') | st.characters(codec="latin-1", exclude_characters="\r\n\0"))
VALUE = LATIN_1 | st.sampled_from(["auth", "auth-int", "MD5", "SHA-256-sess", "true", "UTF-8"])
PARAM = st.tuples(
    st.sampled_from(["realm", "nonce", "opaque", "qop", "algorithm", "stale", "domain", "userhash"]), VALUE
)


@given(st.lists(LATIN_1, max_size=2), st.lists(PARAM, max_size=8), LATIN_1, st.integers(1, 2))
def test_the_answer_to_any_field_can_be_sent(
    junk: list[str], params: list[tuple[str, str]], info: str, attempt: int
) -> None:
    pairs = [*params, ("realm", "r"), ("nonce", "n")]
    challenges = [*junk, "Digest " + ", ".join(f'{name}="{value}"' for name, value in pairs)]
    auth = Digest("u", "p")
    answer = auth.answer(ask(), 401, challenges, attempt) or []
    auth.note(ask(), {"Authentication-Info": info})
    for name, value in [*answer, *auth.authorize(ask())]:
        assert name == "Authorization"
        assert not set("\r\n\0") & set(value)
        assert {"realm", "nonce", "uri", "response"} <= read(value).keys()
        assert value.encode("latin-1")
