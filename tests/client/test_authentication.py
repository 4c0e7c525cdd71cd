"""Authentication: Basic, Bearer, Digest against a server that verifies, netrc, functions, and their precedence."""

import asyncio
import base64
import hashlib
import io
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from asyncclient import (
    Auth,
    AuthRequest,
    Basic,
    Bearer,
    BodyNotReplayable,
    Client,
    Digest,
    LocalResponse,
    Netrc,
    Retry,
)
from asyncclient.message.fields import Fields
from asyncclient.testing import MockTransport, SentRequest
from tests.client.answering import Answering, Asked, Recording, by_name, is_clean, redirect
from tests.connection.conversations import OK, reply
from tests.servers import Certificates

USER, PASSWORD = "Mufasa", "Circle of Life"
URL = "http://example.com"


def refuse(*challenges: str) -> LocalResponse:
    fields = [("WWW-Authenticate", challenge) for challenge in challenges]
    return LocalResponse(401, headers=fields, content=b"log in")


def moved(location: str) -> LocalResponse:
    return LocalResponse(302, headers={"Location": location})


def to_bytes(response: LocalResponse) -> bytes:
    """The same response for a server."""
    fields = (f"{name}: {value}".encode() for name, value in response.headers.items())
    return reply(response.take() or b"", *fields, status=b"%d %b" % (response.status, response.reason.encode()))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def send_one(client: dict[str, Any], user: str = "", **options: Any) -> SentRequest:
    """Return the request that the transport gets."""
    transport = MockTransport({"GET http://example.com/": 200})
    async with Client(transport=transport, **client) as asking:
        await asking.get(f"http://{user}example.com/", **options)
    (sent,) = transport.requests
    return sent


# Credentials sent without a challenge


@pytest.mark.parametrize(
    ("auth", "value"),
    [
        (("user", "pass"), basic("user", "pass")),
        (("üser", "pä:ss"), basic("üser", "pä:ss")),
        (("user", ""), basic("user", "")),
        (Basic("user", "pass"), basic("user", "pass")),
        (Bearer("abc.def-123"), "Bearer abc.def-123"),
        (Digest("user", "pass"), None),
        (None, None),
    ],
)
@pytest.mark.parametrize("is_clients", [True, False])
async def test_credentials_are_sent_without_a_challenge(auth: Any, value: str | None, is_clients: bool) -> None:
    sent = await (send_one({"auth": auth}) if is_clients else send_one({}, auth=auth))
    assert sent.headers.get("authorization") == value


@pytest.mark.parametrize(
    ("user", "value"),
    [
        ("user:pass@", basic("user", "pass")),
        ("user@", basic("user", "")),
        ("us%40er:p%3Aa%C3%A4@", basic("us@er", "p:aä")),
        ("", basic("client", "x")),
    ],
)
async def test_the_user_of_a_url_takes_precedence_over_the_clients(user: str, value: str) -> None:
    sent = await send_one({"auth": ("client", "x")}, user)
    assert sent.headers["authorization"] == value
    assert (sent.url, sent.headers["host"]) == ("http://example.com/", "example.com")


async def test_the_user_of_a_url_is_not_in_its_request_line() -> None:
    with Answering(default=OK) as server:
        async with Client() as client:
            await client.get(f"http://user:pass@{server.host}:{server.port}/")
    (asked,) = server.asked
    assert (asked["authorization"], asked.target) == (basic("user", "pass"), "/")
    assert "@" not in (asked["host"] or "@")


@pytest.mark.parametrize(
    ("client", "user", "options", "value"),
    [
        ({"auth": ("client", "x")}, "", {"auth": ("own", "x")}, basic("own", "x")),
        ({"auth": ("client", "x")}, "", {"auth": None}, None),
        ({"auth": ("client", "x")}, "url:x@", {"auth": None}, None),
        ({}, "url:x@", {"auth": ("own", "x")}, basic("own", "x")),
        ({"auth": ("client", "x")}, "url:x@", {"headers": {"authorization": "Own"}}, "Own"),
        ({}, "", {"auth": ("own", "x"), "headers": [("Authorization", "Own")]}, "Own"),
        ({}, "", {"auth": ("own", "x"), "headers": [(b"Authorization", b"Own")]}, "Own"),
        ({"auth": ("client", "x")}, "", {"headers": {"Authorization": None}}, None),
        ({"headers": {"Authorization": "Client"}}, "", {}, "Client"),
        ({"headers": {"Authorization": "Client"}}, "", {"headers": {"Authorization": None}}, None),
        ({"headers": {"Authorization": "Client"}}, "", {"auth": ("own", "x")}, basic("own", "x")),
    ],
)
async def test_precedence_of_credentials(
    client: dict[str, Any], user: str, options: dict[str, Any], value: str | None
) -> None:
    assert (await send_one(client, user, **options)).headers.get("authorization") == value


@pytest.mark.parametrize(
    ("auth", "error"),
    [
        (("us3r:", "s3cret"), ValueError),
        (("us3r", "s3cret\n"), ValueError),
        (("us3r",), TypeError),
        (("us3r", 5), TypeError),
        ("us3r:s3cret", TypeError),
        (Basic, TypeError),
        (5, TypeError),
    ],
)
async def test_invalid_auth_is_refused_without_showing_secrets(auth: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        Client(auth=auth)
    assert not re.search("us3r|s3cret", str(raised.value))
    transport = MockTransport({})
    async with Client(transport=transport) as client:
        with pytest.raises(error):
            await client.get(URL, auth=auth)
    assert not transport.requests


# Functions


def give_mapping(request: AuthRequest) -> Mapping[str, str]:
    return {"X-Signature": sign(request)}


def give_pairs(request: AuthRequest) -> list[tuple[str, str]]:
    return [("X-Signature", sign(request)), ("X-Date", "today")]


def give_value(request: AuthRequest) -> str:
    return f"Sign {sign(request)}"


async def give_later(request: AuthRequest) -> Mapping[str, str]:
    return {"X-Signature": sign(request)}


def sign(request: AuthRequest) -> str:
    return f"{request.method} {request.url} {request.target} {request.host} {request.body!r}"


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (give_mapping, "x-signature"),
        (give_pairs, "x-signature"),
        (give_value, "authorization"),
        (give_later, "x-signature"),
    ],
)
async def test_an_auth_function_gets_the_request_that_is_sent(function: Any, name: str) -> None:
    url, target = f"{URL}/x?k=%C3%A4", "/x?k=%C3%A4"
    transport = MockTransport({f"POST {url}": 200, f"PUT {url}": 200})
    async with Client(transport=transport, auth=function, params={"k": "ä"}) as client:
        await client.post(f"{URL}/x#part", body=b"content")
        await client.put(f"{URL}/x", body=iter([b"unknown"]))
    values = [request.headers[name].removeprefix("Sign ") for request in transport.requests]
    assert values == [f"POST {url} {target} example.com b'content'", f"PUT {url} {target} example.com None"]


async def test_an_auth_function_is_called_for_each_sending() -> None:
    tokens = iter("abcdef")
    transport = MockTransport({f"GET {URL}/": [503, moved("/to")], f"GET {URL}/to": 200})
    policy = Retry(backoff=0)
    async with Client(transport=transport, auth=lambda _: f"Token {next(tokens)}", retries=policy) as client:
        await client.get(URL)
    assert authorizations(transport) == ["Token a", "Token b", "Token c"]


def authorizations(transport: MockTransport) -> list[str | None]:
    return [request.headers.get("authorization") for request in transport.requests]


class Refused(Exception):
    """Raised by a function without a token."""


def raise_at_once(_: AuthRequest) -> str:
    raise Refused


async def raise_later(_: AuthRequest) -> str:
    raise Refused


@pytest.mark.parametrize("function", [raise_at_once, raise_later])
async def test_exceptions_of_a_clients_auth_function_reach_the_caller(function: Any) -> None:
    transport = MockTransport({})
    async with Client(transport=transport, auth=function) as client:
        with pytest.raises(Refused):
            await client.get(URL)
    assert not transport.requests


@pytest.mark.parametrize("found", [5, [("X", 1)], [("X",)], {"X\r\n": "1"}, {"X": "a\r\nb"}])
async def test_invalid_results_of_an_auth_function_are_errors(found: Any) -> None:
    transport = MockTransport({})
    async with Client(transport=transport, auth=lambda _: found) as client:
        with pytest.raises((TypeError, ValueError)):
            await client.get(URL)
    assert not transport.requests


async def test_an_auth_function_that_returns_its_argument_is_explained() -> None:
    async with Client(transport=MockTransport({}), auth=lambda request: request) as client:
        with pytest.raises(
            TypeError, match=r"^expected fields, the value .*, or None from the auth function, got AuthRequest$"
        ):
            await client.get(URL)


# Challenges


class Answerer(Auth):
    """Answers each challenge with its number, as often as it is asked."""

    def __init__(self, most: int = 99) -> None:
        self.most = most
        self.seen: list[tuple[int, Sequence[str], int]] = []
        self.noted: list[str | None] = []

    def authorize(self, request: AuthRequest) -> list[tuple[str, str]]:
        return [("Authorization", "Try 0")]

    async def answer(
        self, request: AuthRequest, status: int, challenges: Sequence[str], attempt: int
    ) -> list[tuple[str, str]] | None:
        self.seen.append((status, challenges, attempt))
        return [("Authorization", f"Try {attempt}")] if attempt <= self.most else None

    def note(self, request: AuthRequest, fields: Mapping[str, str]) -> None:
        self.noted.append(fields.get("x-info"))


async def test_a_custom_auth_answers_challenges() -> None:
    auth, tracer = Answerer(), Recording()
    answers: dict[str, Any] = {"/": [to_bytes(refuse("One a=1", "Two")), reply(b"in", b"X-Info: 1")]}
    with Answering(answers) as server:
        async with Client(tracers=[tracer]) as client:
            response = await client.post(server.url, body=b"content", auth=auth)
    assert (response.content, auth.seen) == (b"in", [(401, ["One a=1", "Two"], 1)])
    assert [(asked["authorization"], asked.content) for asked in server.asked] == [
        ("Try 0", b"content"),
        ("Try 1", b"content"),
    ]
    assert (auth.noted[-1], tracer.reasons, server.accepted) == ("1", ["challenge"], 1)


@pytest.mark.parametrize(("most", "sent"), [(0, 1), (1, 2), (2, 3), (99, 3)])
async def test_repeated_challenges_are_answered_twice_at_most(most: int, sent: int) -> None:
    transport = MockTransport({f"GET {URL}/": refuse("Try")})
    async with Client(transport=transport, auth=Answerer(most)) as client:
        response = await client.get(URL)
        assert (response.status, response.content) == (401, b"log in")
    assert authorizations(transport) == [f"Try {number}" for number in range(sent)]


@pytest.mark.parametrize("auth", [None, ("user", "pass"), Bearer("x"), Digest("u", "p"), lambda _: "Own"])
async def test_a_refusal_that_cannot_be_answered_is_the_response(auth: Any) -> None:
    refusal = refuse('Basic realm="x"', 'Negotiate abc, NewScheme a="\\"", ,', "")
    transport = MockTransport({f"GET {URL}/": refusal})
    async with Client(transport=transport, auth=auth, retries=2) as client:
        response = await client.get(URL)
    assert (response.status, response.content, len(transport.requests)) == (401, b"log in", 1)


@pytest.mark.parametrize("status", [403, 407])
async def test_other_statuses_are_not_challenges(status: int) -> None:
    transport = MockTransport({f"GET {URL}/": LocalResponse(status, headers={"WWW-Authenticate": "Try"})})
    async with Client(transport=transport, auth=Answerer()) as client:
        assert (await client.get(URL)).status == status
    assert len(transport.requests) == 1


async def test_a_challenge_to_a_request_with_a_used_up_body_is_an_error() -> None:
    with Answering({"/": [to_bytes(refuse("Try")), OK]}) as server:
        async with Client(auth=Answerer()) as client:
            with pytest.raises(BodyNotReplayable):
                await client.post(server.url, body=iter([b"content"]))
            assert await is_clean(client)
            response = await client.post(server.url, body=io.BytesIO(b"content"))
    assert (response.status, [asked.content for asked in server.asked]) == (200, [b"content", b"content"])


class Noting(Answerer):
    """Raises when it is given a response."""

    def note(self, request: AuthRequest, fields: Mapping[str, str]) -> None:
        raise Refused


@pytest.mark.parametrize("status", [200, 401])
async def test_exceptions_of_an_auth_about_a_response_reach_the_caller(status: int) -> None:
    with Answering({"/": reply(bytes(1000), status=b"%d X" % status), "/next": OK}) as server:
        async with Client() as client:
            with pytest.raises(Refused):
                await client.get(server.url, auth=Noting())
            assert await is_clean(client)
            assert (await client.get(f"{server.url}/next")).content == b"ok"


async def test_a_redirect_restarts_the_attempts_of_auth() -> None:
    refusal, auth = refuse("Try"), Answerer()
    transport = MockTransport({f"GET {URL}/": [refusal, moved("/to")], f"GET {URL}/to": [refusal, refusal, 200]})
    async with Client(transport=transport, auth=auth) as client:
        response = await client.get(URL)
    assert (response.status, [attempt for _, _, attempt in auth.seen]) == (200, [1, 1, 2])


# Digest


def digest(algorithm: str, text: str | bytes) -> str:
    name = {"MD5": "md5", "SHA-256": "sha256"}[algorithm.removesuffix("-sess")]
    return hashlib.new(name, text.encode() if isinstance(text, str) else text).hexdigest()


def target_of(asked: SentRequest) -> str:
    return asked.url.removeprefix(URL)


class Verifier:
    """A server's side of Digest (RFC 7616), written from the RFC: no count of a nonce is good twice."""

    def __init__(
        self, algorithm: str = "MD5", qop: str | None = "auth", uses: int = 99, nextnonce: bool = False
    ) -> None:
        self.algorithm = algorithm
        self.qop = qop
        self.uses = uses
        self.nextnonce = nextnonce
        self.nonces: dict[str, set[int]] = {}
        self.refusals: list[str] = []
        self.content = b"in"

    def __call__(self, asked: SentRequest) -> LocalResponse:
        value = asked.headers.get("authorization")
        if value is None:
            return self._challenge("no credentials")
        params = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^, "]*))', value)}
        nonce = params["nonce"]
        if params["username"] != USER or params["uri"] != target_of(asked) or params["realm"] != "pride":
            return self._challenge("wrong parameters")
        if params["response"] != self._expect(params, asked):
            return self._challenge("wrong response")
        if nonce not in self.nonces:
            return self._challenge("stale", is_stale=True)
        count = int(params.get("nc", "1"), 16)
        if self.qop and (count in self.nonces[nonce] or count > self.uses):
            return self._challenge("replayed", is_stale=True)
        self.nonces[nonce].add(count)
        info = [("Authentication-Info", f'nextnonce="{self._add_nonce()}"')] if self.nextnonce else []
        return LocalResponse(503 if target_of(asked) == "/busy" else 200, headers=info, content=self.content)

    def serve(self, asked: Asked) -> bytes:
        """The same for a server."""
        fields = Fields([(name, value) for name, values in asked.fields.items() for value in values])
        return to_bytes(self(SentRequest(asked.method, f"{URL}{asked.target}", fields, asked.content)))

    def _add_nonce(self) -> str:
        nonce = secrets.token_hex(8)
        self.nonces[nonce] = set()
        return nonce

    def _challenge(self, reason: str, is_stale: bool = False) -> LocalResponse:
        self.refusals.append(reason)
        parts = [f'Digest realm="pride", nonce="{self._add_nonce()}", opaque="o,p"', f"algorithm={self.algorithm}"]
        if self.qop:
            parts.append(f'qop="{self.qop}"')
        return refuse('Basic realm="pride"', ", ".join([*parts, *(["stale=TRUE"] if is_stale else [])]))

    def _expect(self, params: dict[str, str], asked: SentRequest) -> str:
        a1 = f"{USER}:pride:{PASSWORD}"
        if self.algorithm.endswith("-sess"):
            a1 = f"{digest(self.algorithm, a1)}:{params['nonce']}:{params['cnonce']}"
        a2 = f"{asked.method}:{target_of(asked)}"
        if params.get("qop") == "auth-int":
            a2 += f":{digest(self.algorithm, asked.content)}"
        once = f"{params['nc']}:{params['cnonce']}:{params['qop']}:" if "qop" in params else ""
        return digest(
            self.algorithm, f"{digest(self.algorithm, a1)}:{params['nonce']}:{once}{digest(self.algorithm, a2)}"
        )


@pytest.mark.parametrize("qop", [None, "auth", "auth-int", "auth-int,auth"])
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
async def test_digest(algorithm: str, qop: str | None) -> None:
    if qop is None and algorithm.endswith("-sess"):
        qop = "auth"
    verifier, url = Verifier(algorithm, qop), f"{URL}/dir/x?a=b"
    transport = MockTransport({f"{method} {url}": verifier for method in ("GET", "POST", "PUT")})
    async with Client(transport=transport, auth=Digest(USER, PASSWORD)) as client:
        await send_three(client, url)
    assert verifier.refusals == ["no credentials"]
    assert [request.method for request in transport.requests] == ["GET", "GET", "POST", "PUT"]


async def send_three(client: Client, url: str) -> None:
    for method, body in (("GET", None), ("POST", b"content"), ("PUT", b"x" * 100_000)):
        assert (await client.request(method, url, body=body)).content == b"in"


async def test_digest_on_one_connection() -> None:
    verifier = Verifier("SHA-256-sess", "auth-int")
    with Answering(default=verifier.serve) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            await send_three(client, f"{server.url}/dir/x?a=b")
    assert verifier.refusals == ["no credentials"]
    assert [asked.method for asked in server.asked] == ["GET", "GET", "POST", "PUT"]
    assert server.accepted == 1


def verify(verifier: Verifier, password: str = PASSWORD, **options: Any) -> tuple[Client, MockTransport]:
    """Return a client with Digest, whose transport answers by the verifier; and the transport."""
    table = {f"{method} {URL}{path}": verifier for method in ("GET", "POST") for path in ("/", "/busy")}
    transport = MockTransport(table)
    return Client(transport=transport, auth=Digest(USER, password), **options), transport


async def test_a_stale_nonce_is_replaced_without_an_error() -> None:
    verifier = Verifier(uses=2)
    client, _ = verify(verifier)
    async with client:
        for _ in range(5):
            assert (await client.post(URL, body=b"content")).content == b"in"
        verifier.nonces.clear()
        assert (await client.get(URL)).content == b"in"
    assert verifier.refusals[0] == "no credentials"
    assert set(verifier.refusals[1:]) == {"replayed", "stale"}
    assert "wrong response" not in verifier.refusals


async def test_a_first_nonce_that_is_stale_at_once_gets_a_second_answer() -> None:
    verifier = Verifier()
    first = verifier(SentRequest("GET", URL, Fields(), b""))  # a challenge
    verifier.nonces.clear()
    transport = MockTransport({f"GET {URL}/": [first, verifier, verifier]})
    async with Client(transport=transport, auth=Digest(USER, PASSWORD)) as client:
        assert (await client.get(URL)).content == b"in"
    assert (len(transport.requests), verifier.refusals) == (3, ["no credentials", "stale"])


async def test_a_wrong_password_is_refused_once() -> None:
    client, transport = verify(Verifier(), "wrong")
    async with client:
        response = await client.get(URL)
        assert (response.status, len(transport.requests)) == (401, 2)
        assert (await client.get(URL)).status == 401


async def test_nextnonce_is_used() -> None:
    verifier = Verifier(nextnonce=True, uses=1)
    client, _ = verify(verifier)
    async with client:
        for _ in range(4):
            assert (await client.get(URL)).content == b"in"
    assert verifier.refusals == ["no credentials"]


async def test_digest_at_once_from_many_tasks() -> None:
    verifier = Verifier()
    with Answering(default=verifier.serve) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            responses = await asyncio.gather(*(client.get(f"{server.url}/{number}") for number in range(20)))
    assert {response.content for response in responses} == {b"in"}
    assert "replayed" not in verifier.refusals


async def test_no_count_is_sent_twice_when_a_request_is_retried() -> None:
    verifier = Verifier()
    client, transport = verify(verifier, retries=Retry(total=2, backoff=0))
    async with client:
        assert (await client.get(f"{URL}/busy")).status == 503
    assert verifier.refusals == ["no credentials"]
    assert len(transport.requests) == 4


async def test_digest_credentials_are_sent_to_their_origin_only() -> None:
    verifier, other = Verifier(), "http://other.example/x"
    transport = MockTransport({f"GET {URL}/": moved(other), f"GET {other}": verifier})
    async with Client(transport=transport, auth=Digest(USER, PASSWORD)) as client:
        response = await client.get(URL)
    assert (response.status, verifier.refusals, len(transport.requests)) == (401, ["no credentials"], 2)
    assert authorizations(transport) == [None, None]


# netrc


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    path = tmp_path / "netrc"
    path.write_text("machine one.example login user password secret\nmachine 127.0.0.1 login local password x\n")
    path.chmod(0o600)
    return path


async def test_netrc_by_host(netrc: Path) -> None:
    with Answering(default=OK) as server:
        async with Client(auth=Netrc(netrc), resolver=by_name("one.example", "two.example")) as client:
            for host in ("one.example", "ONE.example", "two.example", "127.0.0.1"):
                await client.get(server.url_as(host))
    values = [asked["authorization"] for asked in server.asked]
    assert values == [*[basic("user", "secret")] * 2, None, basic("local", "x")]


ONE, TWO, START, LOCAL = "http://one.example", "http://two.example", "http://start.example", "http://127.0.0.1"


@pytest.mark.parametrize("is_clients", [True, False])
async def test_netrc_is_used_for_the_hosts_of_redirects_that_it_names(netrc: Path, is_clients: bool) -> None:
    netrc.write_text(f"{netrc.read_text()}default login anybody password d")
    auth: dict[str, Any] = {"auth": Netrc(netrc)}
    table: dict[str, Any] = {START: moved(ONE), ONE: moved(TWO), TWO: moved(LOCAL), LOCAL: 200}
    transport = MockTransport({f"GET {url}/": answer for url, answer in table.items()})
    async with Client(transport=transport, **(auth if is_clients else {})) as client:
        await client.get(START, **({} if is_clients else auth))
    assert authorizations(transport) == [basic("anybody", "d"), basic("user", "secret"), None, basic("local", "x")]


async def test_netrc_is_used_for_its_hosts_in_addition_to_base_url(netrc: Path) -> None:
    netrc.write_text(f"{netrc.read_text()}default login anybody password d")
    transport = MockTransport({f"GET {url}/": 200 for url in (START, ONE, TWO)})
    async with Client(transport=transport, base_url=START, auth=Netrc(netrc)) as client:
        for url in ("/", ONE, TWO):
            await client.get(url)
    assert authorizations(transport) == [basic("anybody", "d"), basic("user", "secret"), None]


async def test_netrc_is_not_used_after_a_redirect_from_https_to_http(netrc: Path, tls: Certificates) -> None:
    with Answering() as plain, Answering(tls=tls.server_context("one.example")) as secure:
        secure.answers = {"/": [redirect(f"{plain.url}/1")], "/2": [OK]}
        plain.answers = {"/1": [redirect(f"{secure.url_as('one.example')}/2")]}
        async with Client(ssl=tls.client_context(), auth=Netrc(netrc), resolver=by_name("one.example")) as client:
            await client.get(f"{secure.url_as('one.example')}/")
    assert [asked["authorization"] for asked in secure.asked] == [basic("user", "secret"), None]
    assert [asked["authorization"] for asked in plain.asked] == [None]


async def test_without_netrc_nothing_is_read(monkeypatch: pytest.MonkeyPatch, netrc: Path) -> None:
    netrc.write_text("machine example.com login local password x\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert "authorization" not in (await send_one({})).headers
    assert (await send_one({"auth": Netrc()})).headers["authorization"] == basic("local", "x")


async def test_a_netrc_that_is_missing_gives_nothing(tmp_path: Path) -> None:
    assert "authorization" not in (await send_one({"auth": Netrc(tmp_path / "none")})).headers


async def test_an_invalid_netrc_is_an_error_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine x login secret nonsense secret")
    with pytest.raises(ValueError, match="expected a netrc file") as raised:
        await send_one({"auth": Netrc(path)})
    assert "secret" not in str(raised.value)


# Secrets in texts


@pytest.mark.parametrize(
    "auth", [Basic("us3r", "s3cret"), Bearer("s3cret"), Digest("us3r", "s3cret"), Answerer(), lambda _: "s3cret"]
)
async def test_no_text_shows_a_secret(auth: Any) -> None:
    client = Client(auth=auth)
    request = client.build_request("GET", "http://us3r:s3cret@h/", auth=auth)
    texts = [repr(client), repr(request), repr(auth), str(auth)]
    assert not [text for text in texts if "s3cret" in text or "us3r" in text]
    await client.aclose()
