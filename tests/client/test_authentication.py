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

from asyncclient import Auth, AuthRequest, Basic, Bearer, BodyNotReplayable, Client, Digest, Netrc, Retry
from asyncclient.testing import ScriptedTransport, SentRequest
from tests.client.answering import Answering, Asked, Recording, by_name, is_clean, redirect
from tests.connection.conversations import OK, reply
from tests.servers import Certificates

USER, PASSWORD = "Mufasa", "Circle of Life"


def refuse(*challenges: str, content: bytes = b"log in") -> bytes:
    fields = (f"WWW-Authenticate: {challenge}".encode() for challenge in challenges)
    return reply(content, *fields, status=b"401 Unauthorized")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def ask(client: dict[str, Any] | None = None, user: str = "", **options: Any) -> Asked:
    with Answering(default=OK) as server:
        async with Client(**(client or {})) as asking:
            await asking.get(f"http://{user}{server.host}:{server.port}/", **options)
    (asked,) = server.asked
    return asked


async def send_one(client: dict[str, Any], user: str, **options: Any) -> SentRequest:
    """The request that a client sends, seen by its transport."""
    transport = ScriptedTransport({"GET http://example.com/": 200})
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
    where: dict[str, Any] = {"client": {"auth": auth}} if is_clients else {"auth": auth}
    assert (await ask(**where))["authorization"] == value


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
    asked = await ask({}, "user:pass@")
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
    with Answering(default=OK) as server:
        async with Client() as client:
            with pytest.raises(error):
                await client.get(server.url, auth=auth)
            assert await is_clean(client)
    assert not server.asked


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
    with Answering(default=OK) as server:
        async with Client(auth=function, params={"k": "ä"}) as client:
            await client.post(f"{server.url}/x#part", body=b"content")
            await client.put(f"{server.url}/x", body=iter([b"unknown"]))
    url, target = f"{server.url}/x?k=%C3%A4", "/x?k=%C3%A4"
    values = [(asked[name] or "").removeprefix("Sign ") for asked in server.asked]
    assert values == [
        f"POST {url} {target} {server.host} b'content'",
        f"PUT {url} {target} {server.host} None",
    ]


async def test_an_auth_function_is_called_for_each_sending() -> None:
    tokens = iter("abcdef")
    answers: dict[str, Any] = {"/": [reply(b"", status=b"503 Busy"), redirect("/to")], "/to": OK}
    with Answering(answers) as server:
        async with Client(auth=lambda _: f"Token {next(tokens)}", retries=Retry(backoff=0)) as client:
            await client.get(server.url)
    assert [asked["authorization"] for asked in server.asked] == ["Token a", "Token b", "Token c"]


class Refused(Exception):
    """Raised by a function without a token."""


def raise_at_once(_: AuthRequest) -> str:
    raise Refused


async def raise_later(_: AuthRequest) -> str:
    raise Refused


@pytest.mark.parametrize("function", [raise_at_once, raise_later])
async def test_exceptions_of_a_clients_auth_function_reach_the_caller(function: Any) -> None:
    with Answering(default=OK) as server:
        async with Client(auth=function) as client:
            with pytest.raises(Refused):
                await client.get(server.url)
            assert await is_clean(client)
    assert not server.asked


@pytest.mark.parametrize("found", [5, [("X", 1)], [("X",)], {"X\r\n": "1"}, {"X": "a\r\nb"}])
async def test_invalid_results_of_an_auth_function_are_errors(found: Any) -> None:
    with Answering(default=OK) as server:
        async with Client(auth=lambda _: found) as client:
            with pytest.raises((TypeError, ValueError)):
                await client.get(server.url)
            assert await is_clean(client)
    assert not server.asked


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
    answers: dict[str, Any] = {"/": [refuse("One a=1", "Two"), reply(b"in", b"X-Info: 1")]}
    with Answering(answers) as server:
        async with Client(tracer=tracer) as client:
            response = await client.post(server.url, body=b"content", auth=auth)
    assert (response.content, auth.seen) == (b"in", [(401, ["One a=1", "Two"], 1)])
    assert [(asked["authorization"], asked.content) for asked in server.asked] == [
        ("Try 0", b"content"),
        ("Try 1", b"content"),
    ]
    assert (auth.noted[-1], tracer.reasons, server.accepted) == ("1", ["challenge"], 1)


@pytest.mark.parametrize(("most", "sent"), [(0, 1), (1, 2), (2, 3), (99, 3)])
async def test_repeated_challenges_are_answered_twice_at_most(most: int, sent: int) -> None:
    with Answering({"/": refuse("Try")}) as server:
        async with Client(auth=Answerer(most)) as client:
            response = await client.get(server.url)
            assert (response.status, response.content) == (401, b"log in")
            assert await is_clean(client)
    assert [asked["authorization"] for asked in server.asked] == [f"Try {number}" for number in range(sent)]


@pytest.mark.parametrize("auth", [None, ("user", "pass"), Bearer("x"), Digest("u", "p"), lambda _: "Own"])
async def test_a_refusal_that_cannot_be_answered_is_the_response(auth: Any) -> None:
    with Answering({"/": refuse('Basic realm="x"', 'Negotiate abc, NewScheme a="\\"", ,', "")}) as server:
        async with Client(auth=auth, retries=2) as client:
            response = await client.get(server.url)
    assert (response.status, response.content, len(server.asked)) == (401, b"log in", 1)


@pytest.mark.parametrize("status", [403, 407])
async def test_other_statuses_are_not_challenges(status: int) -> None:
    found = refuse("Try").replace(b"401 Unauthorized", b"%d No" % status)
    with Answering({"/": found}) as server:
        async with Client(auth=Answerer()) as client:
            assert (await client.get(server.url)).status == status
    assert len(server.asked) == 1


async def test_a_challenge_to_a_request_with_a_used_up_body_is_an_error() -> None:
    with Answering({"/": [refuse("Try"), OK]}) as server:
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
    answers: dict[str, Any] = {"/": [refuse("Try"), redirect("/to")], "/to": [refuse("Try"), refuse("Try"), OK]}
    auth = Answerer()
    with Answering(answers) as server:
        async with Client(auth=auth) as client:
            response = await client.get(server.url)
    assert (response.status, [attempt for _, _, attempt in auth.seen]) == (200, [1, 1, 2])


# Digest


def digest(algorithm: str, text: str | bytes) -> str:
    name = {"MD5": "md5", "SHA-256": "sha256"}[algorithm.removesuffix("-sess")]
    return hashlib.new(name, text.encode() if isinstance(text, str) else text).hexdigest()


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

    def __call__(self, asked: Asked) -> bytes:
        value = asked["authorization"]
        if value is None:
            return self._challenge("no credentials")
        params = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^, "]*))', value)}
        nonce = params["nonce"]
        if params["username"] != USER or params["uri"] != asked.target or params["realm"] != "pride":
            return self._challenge("wrong parameters")
        if params["response"] != self._expect(params, asked):
            return self._challenge("wrong response")
        if nonce not in self.nonces:
            return self._challenge("stale", is_stale=True)
        count = int(params.get("nc", "1"), 16)
        if self.qop and (count in self.nonces[nonce] or count > self.uses):
            return self._challenge("replayed", is_stale=True)
        self.nonces[nonce].add(count)
        info = (f'Authentication-Info: nextnonce="{self._add_nonce()}"'.encode(),) if self.nextnonce else ()
        return reply(self.content, *info) if asked.target != "/busy" else reply(b"", status=b"503 Busy")

    def _add_nonce(self) -> str:
        nonce = secrets.token_hex(8)
        self.nonces[nonce] = set()
        return nonce

    def _challenge(self, reason: str, is_stale: bool = False) -> bytes:
        self.refusals.append(reason)
        parts = [f'Digest realm="pride", nonce="{self._add_nonce()}", opaque="o,p"', f"algorithm={self.algorithm}"]
        if self.qop:
            parts.append(f'qop="{self.qop}"')
        return refuse('Basic realm="pride"', ", ".join([*parts, *(["stale=TRUE"] if is_stale else [])]))

    def _expect(self, params: dict[str, str], asked: Asked) -> str:
        a1 = f"{USER}:pride:{PASSWORD}"
        if self.algorithm.endswith("-sess"):
            a1 = f"{digest(self.algorithm, a1)}:{params['nonce']}:{params['cnonce']}"
        a2 = f"{asked.method}:{asked.target}"
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
    verifier = Verifier(algorithm, qop)
    with Answering(default=verifier) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            for method, body in (("GET", None), ("POST", b"content"), ("PUT", b"x" * 100_000)):
                response = await client.request(method, f"{server.url}/dir/x?a=b", body=body)
                assert response.content == b"in"
    assert verifier.refusals == ["no credentials"]
    assert [asked.method for asked in server.asked] == ["GET", "GET", "POST", "PUT"]
    assert server.accepted == 1


async def test_a_stale_nonce_is_replaced_without_an_error() -> None:
    verifier = Verifier(uses=2)
    with Answering(default=verifier) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            for _ in range(5):
                assert (await client.post(server.url, body=b"content")).content == b"in"
            verifier.nonces.clear()
            assert (await client.get(server.url)).content == b"in"
    assert verifier.refusals[0] == "no credentials"
    assert set(verifier.refusals[1:]) == {"replayed", "stale"}
    assert "wrong response" not in verifier.refusals


async def test_a_first_nonce_that_is_stale_at_once_gets_a_second_answer() -> None:
    verifier = Verifier()
    first = verifier(Asked("GET", "/", {}, b"", b""))  # a challenge
    verifier.nonces.clear()
    with Answering({"/": [first, verifier]}) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            assert (await client.get(server.url)).content == b"in"
    assert (len(server.asked), verifier.refusals) == (3, ["no credentials", "stale"])


async def test_a_wrong_password_is_refused_once() -> None:
    verifier = Verifier()
    with Answering(default=verifier) as server:
        async with Client(auth=Digest(USER, "wrong")) as client:
            response = await client.get(server.url)
            assert (response.status, len(server.asked)) == (401, 2)
            assert (await client.get(server.url)).status == 401


async def test_nextnonce_is_used() -> None:
    verifier = Verifier(nextnonce=True, uses=1)
    with Answering(default=verifier) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            for _ in range(4):
                assert (await client.get(server.url)).content == b"in"
    assert verifier.refusals == ["no credentials"]


async def test_digest_at_once_from_many_tasks() -> None:
    verifier = Verifier()
    with Answering(default=verifier) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            responses = await asyncio.gather(*(client.get(f"{server.url}/{number}") for number in range(20)))
    assert {response.content for response in responses} == {b"in"}
    assert "replayed" not in verifier.refusals


async def test_no_count_is_sent_twice_when_a_request_is_retried() -> None:
    verifier = Verifier()
    with Answering(default=verifier) as server:
        async with Client(auth=Digest(USER, PASSWORD), retries=Retry(total=2, backoff=0)) as client:
            assert (await client.get(f"{server.url}/busy")).status == 503
    assert verifier.refusals == ["no credentials"]
    assert len(server.asked) == 4


async def test_digest_credentials_are_sent_to_their_origin_only() -> None:
    verifier = Verifier()
    with Answering(default=verifier) as other, Answering(default=redirect(f"{other.url}/x")) as server:
        async with Client(auth=Digest(USER, PASSWORD)) as client:
            response = await client.get(server.url)
    assert (response.status, verifier.refusals, len(other.asked)) == (401, ["no credentials"], 1)
    assert other.asked[0]["authorization"] is None


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


@pytest.mark.parametrize("is_clients", [True, False])
async def test_netrc_is_used_for_the_hosts_of_redirects_that_it_names(netrc: Path, is_clients: bool) -> None:
    netrc.write_text(f"{netrc.read_text()}default login anybody password d")
    auth: dict[str, Any] = {"auth": Netrc(netrc)}
    with Answering() as server:
        server.answers = {
            "/": [redirect(server.url_as("one.example") + "/1")],
            "/1": [redirect(server.url_as("two.example") + "/2")],
            "/2": [redirect(f"{server.url}/3")],
            "/3": [OK],
        }
        async with Client(
            resolver=by_name("one.example", "two.example", "start.example"), **(auth if is_clients else {})
        ) as client:
            await client.get(server.url_as("start.example"), **({} if is_clients else auth))
    values = [asked["authorization"] for asked in server.asked]
    assert values == [basic("anybody", "d"), basic("user", "secret"), None, basic("local", "x")]


async def test_netrc_is_used_for_its_hosts_in_addition_to_base_url(netrc: Path) -> None:
    netrc.write_text(f"{netrc.read_text()}default login anybody password d")
    with Answering(default=OK) as server:
        resolver = by_name("one.example", "two.example", "home.example")
        async with Client(base_url=server.url_as("home.example"), auth=Netrc(netrc), resolver=resolver) as client:
            for url in ("/", server.url_as("one.example"), server.url_as("two.example")):
                await client.get(url)
    values = [asked["authorization"] for asked in server.asked]
    assert values == [basic("anybody", "d"), basic("user", "secret"), None]


async def test_netrc_is_not_used_after_a_redirect_from_https_to_http(netrc: Path, tls: Certificates) -> None:
    with Answering() as plain, Answering(tls=tls.server_context("one.example")) as secure:
        secure.answers = {"/": [redirect(f"{plain.url}/1")], "/2": [OK]}
        plain.answers = {"/1": [redirect(f"{secure.url_as('one.example')}/2")]}
        async with Client(ssl=tls.client_context(), auth=Netrc(netrc), resolver=by_name("one.example")) as client:
            await client.get(f"{secure.url_as('one.example')}/")
    assert [asked["authorization"] for asked in secure.asked] == [basic("user", "secret"), None]
    assert [asked["authorization"] for asked in plain.asked] == [None]


async def test_without_netrc_nothing_is_read(monkeypatch: pytest.MonkeyPatch, netrc: Path) -> None:
    monkeypatch.setenv("NETRC", str(netrc))
    assert (await ask())["authorization"] is None
    assert (await ask({"auth": Netrc()}))["authorization"] == basic("local", "x")


async def test_a_netrc_that_is_missing_gives_nothing(tmp_path: Path) -> None:
    assert (await ask({"auth": Netrc(tmp_path / "none")}))["authorization"] is None


async def test_an_invalid_netrc_is_an_error_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine x login secret nonsense secret")
    with pytest.raises(ValueError, match="expected a netrc file") as raised:
        await ask({"auth": Netrc(path)})
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
