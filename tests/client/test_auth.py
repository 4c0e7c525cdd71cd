"""Basic, Bearer, netrc files and functions; the values that a client accepts as auth; and no secret in a text."""

import asyncio
import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.auth.digest import Digest
from asyncclient.client.auth.netrc import Netrc, read_netrc
from asyncclient.client.auth.schemes import (
    Auth,
    AuthRequest,
    Basic,
    Bearer,
    Custom,
    from_userinfo,
    open_auth,
)
from asyncclient.message.credentials import basic_value

REQUEST = AuthRequest("GET", "http://h/a?b", "/a?b", "h", 80)
CONTROLS = ["\r", "\n", "\0", "\r\nX: y", "\t", "\x7f"]


def to(host: str) -> AuthRequest:
    return AuthRequest("GET", f"http://{host}/", "/", host, 80)


async def ask(auth: Auth | None, request: AuthRequest = REQUEST) -> list[tuple[str, str]]:
    assert auth is not None
    found = auth.authorize(request)
    return found if isinstance(found, list) else await found


# Basic


@pytest.mark.parametrize(
    ("username", "password", "value"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 §2
        ("test", "123\u00a3", "Basic dGVzdDoxMjPCow=="),  # RFC 7617 §2.1
        ("", "", "Basic Og=="),
        ("key", "", "Basic a2V5Og=="),
        ("u", "a:b", "Basic dTphOmI="),
        ("e\u0301", "a\u0308", basic_value("\u00e9", "\u00e4")),
    ],
)
async def test_basic(username: str, password: str, value: str) -> None:
    assert basic_value(username, password) == value
    assert await ask(Basic(username, password)) == [("Authorization", value)]
    assert await ask(open_auth((username, password))) == [("Authorization", value)]


TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]))


@given(TEXT.filter(lambda text: ":" not in text), TEXT)
def test_basic_is_base64_of_both(username: str, password: str) -> None:
    scheme, _, encoded = basic_value(username, password).partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded, validate=True).decode().split(":", 1) == [username, password]


@pytest.mark.parametrize("make", [basic_value, Basic, lambda user, password: open_auth((user, password))])
@pytest.mark.parametrize(
    ("username", "password", "text"),
    [
        ("SECRET:", "p", "expected a user without colon for Basic"),
        ("SECRET\ud800", "p", "expected user and password that UTF-8 can encode"),
        ("u", "SECRET\ud800", "expected user and password that UTF-8 can encode"),
        *(("SECRET" + bad, "p", "expected user and password without control characters") for bad in CONTROLS),
        *(("u", "SECRET" + bad, "expected user and password without control characters") for bad in CONTROLS),
    ],
)
def test_basic_refuses_invalid_credentials(
    make: Callable[[str, str], object], username: str, password: str, text: str
) -> None:
    with pytest.raises(ValueError, match=f"^{text}$") as caught:
        make(username, password)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("kind", [Basic, Digest])
def test_user_and_password_are_str(kind: Callable[[Any, Any], object]) -> None:
    for username, password in ((b"SECRET", "p"), ("u", b"SECRET"), ("u", None)):
        with pytest.raises(TypeError, match=r"^expected str as user and password, got (bytes|NoneType)$"):
            kind(username, password)


@pytest.mark.parametrize(
    ("userinfo", "username", "password"),
    [
        ("user", "user", ""),
        ("user:", "user", ""),
        (":p", "", "p"),
        ("user%40x:p", "user@x", "p"),
        ("u:p:q", "u", "p:q"),
        ("u:%3A%2f+", "u", ":/+"),
        ("%C3%A9:%e2%82%ac", "\u00e9", "\u20ac"),
        ("u:100%", "u", "100%"),
    ],
)
async def test_userinfo_is_percent_decoded(userinfo: str, username: str, password: str) -> None:
    assert await ask(from_userinfo(userinfo)) == [("Authorization", basic_value(username, password))]


@pytest.mark.parametrize("userinfo", ["SECRET%3A:p", "SECRET%0D%0A:p", "u:SECRET%00", "u:SECRET%FF", "%E9:SECRET"])
def test_userinfo_that_can_not_be_sent_is_not_shown(userinfo: str) -> None:
    with pytest.raises(ValueError, match=r"^expected (a )?user") as caught:
        from_userinfo(userinfo)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# Bearer


@pytest.mark.parametrize("token", ["x", "mF_9.B5f-4.1JqM", "a+/~=="])
async def test_bearer(token: str) -> None:
    assert await ask(Bearer(token)) == [("Authorization", f"Bearer {token}")]


@pytest.mark.parametrize("bad", ["", " ", "SECRET x", "SECRET\u00e9", *("SECRET" + bad for bad in CONTROLS)])
def test_bearer_refuses_invalid_tokens(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a token of visible ASCII characters$"):
        Bearer(bad)


def test_bearer_takes_str_alone() -> None:
    token: Any = b"SECRET"
    with pytest.raises(TypeError, match=r"^expected str as token, got bytes$"):
        Bearer(token)


# Challenges


@pytest.mark.parametrize("auth", [Auth(), Basic("u", "p"), Bearer("t"), Custom(lambda request: None), Netrc()])
def test_credentials_are_not_sent_twice_in_a_row(auth: Auth) -> None:
    assert auth.answer(REQUEST, 401, ['Basic realm="r"'], 1) is None


async def test_auth_does_nothing_by_itself() -> None:
    auth = Auth()
    auth.note(REQUEST, {"Authentication-Info": 'nextnonce="x"'})
    assert await ask(auth) == []


# Functions


@pytest.mark.parametrize(
    ("returned", "fields"),
    [
        ({"X-Key": "k", "X-Other": "o"}, [("X-Key", "k"), ("X-Other", "o")]),
        ([("X-Key", "k"), ("X-Key", "l")], [("X-Key", "k"), ("X-Key", "l")]),
        ((("X-Key", "k"),), [("X-Key", "k")]),
        ("Scheme credentials", [("Authorization", "Scheme credentials")]),
        (None, []),
        ({}, []),
    ],
)
async def test_function_gives_the_fields_of_a_request(returned: Any, fields: list[tuple[str, str]]) -> None:
    seen = []

    def give(request: AuthRequest) -> Any:
        seen.append(request)
        return returned

    async def give_later(request: AuthRequest) -> Any:
        await asyncio.sleep(0)
        return give(request)

    assert await ask(open_auth(give)) == fields
    assert await ask(open_auth(give_later)) == fields
    assert seen == [REQUEST, REQUEST]


async def test_function_may_be_an_object_that_is_called() -> None:
    class Key:
        def __call__(self, request: AuthRequest) -> str:
            return f"Key {request.host}"

    assert await ask(open_auth(Key())) == [("Authorization", "Key h")]


async def test_own_auth_is_used_as_it_is() -> None:
    class Token(Auth):
        async def authorize(self, request: AuthRequest) -> list[tuple[str, str]]:
            return [("X-Token", request.method)]

    auth = Token()
    assert open_auth(auth) is auth
    assert await ask(auth) == [("X-Token", "GET")]


@pytest.mark.parametrize("returned", [5, b"SECRET", ["SECRET"], [("n", b"SECRET")], {"n": 5}, {5: "SECRET"}, [("n",)]])
async def test_auth_function_with_an_invalid_result_is_an_error(returned: Any) -> None:
    async def give_later(request: AuthRequest) -> Any:
        return returned

    for function in (lambda request: returned, give_later):
        with pytest.raises(TypeError, match=r"^expected ") as caught:
            await ask(Custom(function))
        assert "SECRET" not in str(caught.value)


async def test_exceptions_of_an_auth_function_reach_the_caller() -> None:
    def fail(request: AuthRequest) -> str:
        raise LookupError("no token")

    async def fail_later(request: AuthRequest) -> str:
        return fail(request)

    for function in (fail, fail_later):
        with pytest.raises(LookupError, match="no token"):
            await ask(Custom(function))


# Arguments of a client


def test_auth_none_turns_authentication_off() -> None:
    assert open_auth(None) is None


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ("SECRET", "str"),
        (b"SECRET", "bytes"),
        (["u", "SECRET"], "list"),
        ({"u": "SECRET"}, "dict"),
        (5, "int"),
        (Basic, "the class Basic"),
        (("u", "p", "SECRET"), "a tuple of 3"),
        ((), "a tuple of 0"),
    ],
)
def test_invalid_auth_is_an_error_that_names_its_type(auth: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=rf"^expected \(user, password\).* as auth, got {kind}$"):
        open_auth(auth)


@pytest.mark.parametrize("auth", [Basic("SECRET", "SECRET"), Bearer("SECRET"), Digest("SECRET", "SECRET")])
def test_repr_shows_the_kind_alone(auth: Auth) -> None:
    assert repr(auth) == str(auth) == f"<{type(auth).__name__}>"


def test_repr_of_a_request_shows_neither_content_nor_user() -> None:
    request = AuthRequest("POST", "http://u:SECRET@h/", "/", "h", 80, b"SECRET")
    assert repr(request) == str(request) == "<AuthRequest POST '***@h/'>"


# Netrc files

NETRC = """\
# a comment
machine Example.com login user password pass
machine api.test
    login "two words"
    password "a b"
    account ignored
machine ::1 login six password p
machine none account a
machine key password token
machine colon login a:SECRET password p
macdef init
    cd /

default login anonymous password guest
"""


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    path = tmp_path / "netrc"
    path.write_text(NETRC, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("host", "credentials"),
    [
        ("example.com", ("user", "pass")),
        ("api.test", ("two words", "a b")),
        ("::1", ("six", "p")),
        ("key", ("", "token")),
        ("none", None),
        ("other.example.com", ("anonymous", "guest")),
    ],
)
async def test_netrc_has_credentials_by_host(netrc: Path, host: str, credentials: tuple[str, str] | None) -> None:
    fields = [("Authorization", basic_value(*credentials))] if credentials else []
    auth = Netrc(netrc)
    assert await ask(auth, to(host)) == fields
    assert auth.authorize(to(host)) == fields  # at once, now that the file was read


@pytest.mark.parametrize(
    ("content", "credentials"),
    [
        ("machine a login first password 1\nmachine a login second password 2", {"a": ("first", "1")}),
        ("machine A login first password 1\nmachine a login second password 2", {"a": ("first", "1")}),
        ("default login first password 1\ndefault login second", {"": ("first", "1")}),
        ("machine a\nmachine a login second", {"a": ("", "")}),
        ("machine default login u password p", {"default": ("u", "p")}),
        ("machine müller.example login u password p", {"xn--mller-kva.example": ("u", "p")}),
        ("machine [::1] user u password p", {"::1": ("u", "p")}),
        ("machine a. login u password p", {"a": ("u", "p")}),
        ("\ufeffmachine a login u password #p", {"a": ("u", "#p")}),
        ('machine a login "" password "a \\" b\\\\"', {"a": ("", 'a " b\\')}),
        ("machine a login u\\ v password p # machine b login x\n#machine c\n# d", {"a": ("u v", "p")}),
        ("macdef x\nput machine\n\nmachine a login u password p", {"a": ("u", "p")}),
        ("machine a login u password p macdef x\nput machine\n", {"a": ("u", "p")}),
        (" \n", {}),
    ],
)
def test_netrc_as_text(netrc: Path, content: str, credentials: dict[str, tuple[str, str]]) -> None:
    netrc.write_text(content, encoding="utf-8")
    assert read_netrc(netrc) == credentials


async def test_netrc_without_default_gives_others_nothing(netrc: Path) -> None:
    netrc.write_text("machine a login u password p\n")
    assert await ask(Netrc(netrc), to("b")) == []


async def test_netrc_is_searched_for_the_parsed_host_not_for_the_text_of_the_url(netrc: Path) -> None:
    netrc.write_text("machine good.test login u password p\n")
    request = AuthRequest("GET", "http://evil.test/@good.test:", "/@good.test:", "evil.test", 80)
    assert await ask(Netrc(netrc), request) == []


async def test_netrc_is_read_once_and_not_before_it_is_needed(netrc: Path) -> None:
    openings = []

    class Counted(os.PathLike[str]):
        def __fspath__(self) -> str:
            openings.append(self)
            return str(netrc)

    auth = Netrc(Counted())
    assert not openings
    expected = [("Authorization", basic_value("user", "pass"))]
    assert await asyncio.gather(*(ask(auth, to("example.com")) for _ in range(10))) == [expected] * 10
    assert await ask(auth, to("example.com")) == expected
    assert len(openings) == 1


async def test_netrc_survives_a_cancelled_reader(netrc: Path) -> None:
    auth = Netrc(netrc)
    task = asyncio.ensure_future(ask(auth, to("example.com")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ask(auth, to("example.com")) == [("Authorization", basic_value("user", "pass"))]


async def test_missing_netrc_is_an_empty_one(tmp_path: Path) -> None:
    assert await ask(Netrc(tmp_path / "none"), to("h")) == []


def test_default_path(tmp_path: Path, netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("NETRC", "")
    assert read_netrc() == {}
    (home / ".netrc").write_text("machine a login home password p\n")
    (home / ".netrc").chmod(0o600)
    assert read_netrc() == read_netrc("~/.netrc") == {"a": ("home", "p")}
    monkeypatch.setenv("NETRC", str(netrc))
    assert read_netrc()["example.com"] == ("user", "pass")
    assert read_netrc("~/.netrc") == {"a": ("home", "p")}
    monkeypatch.delenv("NETRC")
    (home / ".netrc").chmod(0o644)
    if os.name == "posix":
        with pytest.raises(ValueError, match="permissive"):
            read_netrc()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            b"machine a login u password p\nSECRET\n",
            "expected a netrc file, got something else in line [23] of '.*netrc'",
        ),
        (b"machine a login u SECRET p\n", "expected a netrc file, got something else in line [12] of '.*netrc'"),
        (b"machine", "expected a netrc file, got something else in line 1 of '.*netrc'"),
        (b"machine a login SECRET\xff password p\n", "expected a netrc file in UTF-8, got another: '.*netrc'"),
        (b"macdef SECRET\nx", "expected a netrc file, got something else in line 2 of '.*netrc'"),
    ],
)
async def test_bad_netrc_is_named_by_line_alone(netrc: Path, content: bytes, text: str) -> None:
    netrc.write_bytes(content)
    auth = Netrc(netrc)
    for _ in range(2):
        with pytest.raises(ValueError, match=f"^{text}$") as caught:
            await ask(auth, to("a"))
        assert "SECRET" not in str(caught.value)
        assert caught.value.__suppress_context__


async def test_unreadable_netrc_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=tmp_path.name):
        await ask(Netrc(tmp_path), to("h"))


async def test_netrc_user_that_can_not_be_sent_fails_for_its_host_alone(netrc: Path) -> None:
    auth = Netrc(netrc)
    with pytest.raises(ValueError, match=r"^expected a user without colon for Basic$"):
        await ask(auth, to("colon"))
    assert await ask(auth, to("key"))


async def test_repr_of_netrc_shows_nothing_out_of_it(netrc: Path) -> None:
    auth = Netrc(netrc)
    await ask(auth, to("h"))
    assert repr(auth) == "<Netrc>"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (os.mkfifo, FileExistsError),
        (lambda path: path.symlink_to("/dev/zero"), FileExistsError),
        (Path.mkdir, IsADirectoryError),
    ],
)
async def test_netrc_must_be_a_regular_file_and_blocks_nothing(
    tmp_path: Path, make: Callable[[Path], object], error: type[OSError]
) -> None:
    make(tmp_path / "netrc")
    with pytest.raises(error):
        await ask(Netrc(tmp_path / "netrc"), to("h"))


def test_netrc_may_be_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", os.devnull)
    assert read_netrc() == {}
