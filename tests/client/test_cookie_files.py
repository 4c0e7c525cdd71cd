"""Cookies from and to Netscape files and http.cookiejar, whose own classes are the oracle."""

import os
import time
import urllib.request
from collections.abc import Callable
from http import cookiejar
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.client.cookies.files import from_cookiejar, read_netscape, to_cookiejar, write_netscape
from asyncclient.client.cookies.jar import Cookie, CookieJar

LATER = 4_000_000_000  # Unix seconds, in 2096

COOKIES = [
    Cookie("sid", "s3cr=t", "www.example.com", "/", secure=True, http_only=True, host_only=True),
    Cookie("shared", '"\xe9 x"', "example.com", "/a;b", LATER),
    Cookie("empty", "", "example.com"),
    Cookie("", "nameless", "localhost", host_only=True),
    Cookie("v4", "1", "127.0.0.1", host_only=True),
    Cookie("v6", "1", "::1", host_only=True),
    Cookie("tab", "a\tb", "example.com", http_only=True),
]

TEXT = (
    "# Netscape HTTP Cookie File\n"
    "#HttpOnly_www.example.com\tFALSE\t/\tTRUE\t0\tsid\ts3cr=t\n"
    f'.example.com\tTRUE\t/a;b\tFALSE\t{LATER}\tshared\t"\xe9 x"\n'
    ".example.com\tTRUE\t/\tFALSE\t0\tempty\t\n"
    "localhost\tFALSE\t/\tFALSE\t0\t\tnameless\n"
    "127.0.0.1\tFALSE\t/\tFALSE\t0\tv4\t1\n"
    "::1\tFALSE\t/\tFALSE\t0\tv6\t1\n"
    "#HttpOnly_.example.com\tTRUE\t/\tFALSE\t0\ttab\ta\tb\n"
)


def line(**changes: str) -> str:
    parts = {"domain": "a.com", "shared": "FALSE", "path": "/", "secure": "FALSE", "expires": "0", "name": "n"}
    return "\t".join((parts | {"value": "SECRET"} | changes).values())


def header_of(jar: cookiejar.CookieJar, url: str) -> str | None:
    request = urllib.request.Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie")


def standard_cookie(
    name: str = "n", value: str | None = "v", domain: str = "a.com", path: str = "/", **rest: str
) -> cookiejar.Cookie:
    is_shared = domain.startswith(".")
    return cookiejar.Cookie(
        0, name, value, None, False, domain, is_shared, is_shared, path, True, False, None, True, None, None, dict(rest)
    )


def standard_jar(*cookies: cookiejar.Cookie) -> cookiejar.CookieJar:
    jar = cookiejar.CookieJar()
    for cookie in cookies:
        jar.set_cookie(cookie)
    return jar


# Netscape's files


def test_file_is_written_and_read_alike() -> None:
    assert write_netscape(COOKIES) == TEXT
    assert list(read_netscape(TEXT)) == COOKIES


def test_file_at_a_path_is_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(TEXT, encoding="latin-1")
    assert list(read_netscape(path)) == COOKIES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \r\n# a comment\n#\ta\tb\tc\td\te\tf\n", []),
        (line() + "\r\n", [Cookie("n", "SECRET", "a.com", host_only=True)]),
        (line(value="\x85"), [Cookie("n", "\x85", "a.com", host_only=True)]),
        (line(value="")[:-1], [Cookie("n", "", "a.com", host_only=True)]),
        (line(shared="true", secure="true"), [Cookie("n", "SECRET", "a.com", secure=True)]),
        (line(domain=".A.com", shared="TRUE"), [Cookie("n", "SECRET", "a.com")]),
        (line(domain=".a.com"), [Cookie("n", "SECRET", "a.com", host_only=True)]),
        (line(domain=".co.uk", shared="TRUE"), [Cookie("n", "SECRET", "co.uk", host_only=True)]),
        (line(expires=""), [Cookie("n", "SECRET", "a.com", host_only=True)]),
        (line(expires="-1"), [Cookie("n", "SECRET", "a.com", host_only=True)]),
        (line(expires="9.5"), [Cookie("n", "SECRET", "a.com", expires=9.5, host_only=True)]),
    ],
)
def test_files_of_other_programs_are_read(text: str, expected: list[Cookie]) -> None:
    assert list(read_netscape(text)) == expected


@pytest.mark.parametrize(
    "bad",
    [
        "SECRET",
        "a.com SECRET",
        line()[: line().rindex("\tn")],
        line(domain=""),
        line(domain="."),
        line(domain="http://a.com"),
        line(path="SECRET"),
        line(shared="yes"),
        line(secure=""),
        line(expires="soon"),
        line(expires="1e400"),
        line(expires="9" * 16),
        line(name="", value=""),
        line(value="SECRET;"),
        line(value="SECRET\x00"),
        line(value="SECRET\u20ac"),
    ],
)
def test_bad_line_is_named_by_number_alone(bad: str) -> None:
    cookies = read_netscape(f"# first\n{line()}\n{bad}\n", strict=True)
    assert next(cookies).name == "n"
    with pytest.raises(ValueError, match=r"^expected a cookie of a Netscape file in line 3$") as caught:
        next(cookies)
    assert caught.value.__suppress_context__
    assert [cookie.name for cookie in read_netscape(f"{bad}\n{line()}\n{bad}\n{line(name='m')}")] == ["n", "m"]
    with pytest.raises(ValueError, match=r"^expected a cookie of a Netscape file in line 2$"):
        list(read_netscape(f"\n{bad}\n{bad}\n"))


@pytest.mark.parametrize(
    "cookie", [Cookie("a", "1", ""), Cookie("a\tb", "1", "a.com"), Cookie("a", "1", "a.com", "/\t")]
)
def test_cookies_that_the_format_cannot_express_are_left_out(cookie: Cookie) -> None:
    assert list(read_netscape(write_netscape([cookie, *COOKIES]))) == COOKIES


def test_jar_is_loaded_from_a_file_in_its_order() -> None:
    jar = CookieJar({"own": "1"})
    jar.store("www.example.com", "/", True, ["z=1", "y=2; Domain=example.com; Max-Age=1000", "x=3; HttpOnly", "alone"])
    again = CookieJar(read_netscape(write_netscape(jar)))
    assert again.build_header("www.example.com", "/", True) == "z=1; y=2; x=3; alone"


def test_mozilla_cookie_jar_reads_and_writes_the_same(tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    kept = [cookie._replace(expires=LATER) for cookie in COOKIES if "\t" not in cookie.value]
    path.write_text(write_netscape(kept), encoding="utf-8")
    jar = cookiejar.MozillaCookieJar(path)
    jar.load()
    assert sorted(from_cookiejar(jar)) == sorted(kept)
    jar.save()
    assert sorted(read_netscape(path.read_text(encoding="utf-8"))) == sorted(kept)


@given(st.text())
def test_any_text_gives_cookies_or_a_value_error(text: str) -> None:
    try:
        cookies = list(read_netscape(text))
    except ValueError as error:
        assert str(error).startswith("expected a cookie of a Netscape file in line ")  # noqa: PT017
    else:
        assert list(read_netscape(write_netscape(cookies))) == cookies


# http.cookiejar


def test_cookies_are_copied_to_a_cookiejar_and_back() -> None:
    jar = to_cookiejar([*COOKIES, Cookie("own", "1", "")])
    assert type(jar) is cookiejar.CookieJar
    assert [cookie.expires for cookie in to_cookiejar([COOKIES[1]._replace(expires=LATER + 0.5)])] == [LATER]
    back = set(from_cookiejar(jar))
    assert back == {*COOKIES, Cookie("own", "1", ""), Cookie("", "nameless", "localhost.local", host_only=True)}


@pytest.mark.parametrize(
    ("cookie", "url", "header"),
    [
        (Cookie("a", "1", "www.example.com", host_only=True), "http://www.example.com/", "a=1"),
        (Cookie("a", "1", "example.com"), "http://www.example.com/", "a=1"),
        (Cookie("a", "1", "example.com"), "http://example.org/", None),
        (Cookie("a", "1", "example.com", "/x"), "http://example.com/", None),
        (Cookie("a", "1", "example.com", secure=True), "http://example.com/", None),
        (Cookie("a", "1", "example.com", secure=True), "https://example.com/", "a=1"),
        (Cookie("a", "1", "example.com", expires=time.time() - 1), "http://example.com/", None),
        (Cookie("a", "1", "example.com", expires=LATER + 0.5), "http://example.com/", "a=1"),
        (Cookie("a", "1", "localhost", host_only=True), "http://localhost/", "a=1"),
        (Cookie("a", "1", "127.0.0.1", host_only=True), "http://127.0.0.1/", "a=1"),
        (Cookie("", "x", "example.com"), "http://example.com/", "x"),
    ],
)
def test_cookiejar_sends_the_converted_cookies(cookie: Cookie, url: str, header: str | None) -> None:
    assert header_of(to_cookiejar([cookie]), url) == header


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (standard_cookie(), [Cookie("n", "v", "a.com", host_only=True)]),
        (standard_cookie(domain=".a.com"), [Cookie("n", "v", "a.com")]),
        (standard_cookie(domain=".co.uk"), [Cookie("n", "v", "co.uk", host_only=True)]),
        (standard_cookie(domain=""), [Cookie("n", "v", "")]),
        (standard_cookie(domain=".a.local"), [Cookie("n", "v", "a.local")]),
        (
            standard_cookie(domain="a.local"),
            [Cookie("n", "v", "a", host_only=True), Cookie("n", "v", "a.local", host_only=True)],
        ),
        (standard_cookie(value=None), [Cookie("", "n", "a.com", host_only=True)]),
        (standard_cookie(HttpOnly=""), [Cookie("n", "v", "a.com", http_only=True, host_only=True)]),
        (standard_cookie(httponly=""), [Cookie("n", "v", "a.com", http_only=True, host_only=True)]),
        (standard_cookie(HTTPOnly=""), [Cookie("n", "v", "a.com", http_only=True, host_only=True)]),
        (standard_cookie(value="a;b"), []),
        (standard_cookie(value="a\r\nb"), []),
        (standard_cookie(value="\u20ac"), []),
        (standard_cookie(path="x"), []),
    ],
)
def test_cookies_of_a_cookiejar_that_cannot_be_sent_are_left_out(
    cookie: cookiejar.Cookie, expected: list[Cookie]
) -> None:
    assert list(from_cookiejar(standard_jar(cookie))) == expected
    jar = CookieJar(standard_jar(cookie, standard_cookie("other", domain="b.com")))
    assert len(jar) == len(expected) + 1
    assert jar.build_header("b.com", "/", False) in ("other=v", "n=v; other=v")


class MappingCookieJar(cookiejar.CookieJar, dict[str, str]):  # type: ignore[misc]
    """As requests' jar: a CookieJar and a mapping name -> value at once."""


def test_cookiejar_that_is_a_mapping_too_keeps_its_domains() -> None:
    theirs = MappingCookieJar()
    theirs.set_cookie(standard_cookie())
    theirs["n"] = "v"
    jar = CookieJar(theirs)
    assert jar.build_header("a.com", "/", False) == "n=v"
    assert jar.build_header("b.com", "/", False) is None


def test_cookies_of_a_cookiejar_are_added_to_the_jar() -> None:
    jar = CookieJar([Cookie("n", "old", "a.com", host_only=True), Cookie("m", "1", "a.com")])
    jar.update(standard_jar(standard_cookie(value="new")))
    assert jar.build_header("a.com", "/", False) == "n=new; m=1"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (os.mkfifo, FileExistsError),
        (lambda path: path.symlink_to("/dev/zero"), FileExistsError),
        (Path.mkdir, IsADirectoryError),
    ],
)
def test_cookie_files_must_be_regular_files_and_block_nothing(
    tmp_path: Path, make: Callable[[Path], object], error: type[OSError]
) -> None:
    make(tmp_path / "cookies.txt")
    with pytest.raises(error):
        list(read_netscape(tmp_path / "cookies.txt"))


# Files of a jar


def test_a_jar_is_saved_and_loaded(tmp_path: Path) -> None:
    jar, path = CookieJar(COOKIES), tmp_path / "cookies.txt"
    jar.set("everywhere", "1", domain="")
    path.write_text("old")
    path.chmod(0o644)
    jar.save(path)
    assert path.read_bytes().decode("latin-1") == write_netscape(jar)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [path]
    again = CookieJar({"own": "2"})
    again.load(str(path))
    assert [cookie._replace(created=0) for cookie in again if cookie.domain] == COOKIES
    assert again.get("own") == "2"
    jar.clear_session()
    jar.save(path)
    again = CookieJar()
    again.load(path)
    assert [cookie.name for cookie in again] == ["shared"]


def test_a_missing_file_of_cookies_is_an_error_unless_it_may_be_missing(tmp_path: Path) -> None:
    jar = CookieJar()
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        jar.load(tmp_path / "none.txt")
    jar.load(tmp_path / "none.txt", missing_ok=True)
    with pytest.raises(FileNotFoundError, match=r"none/jar\.txt"):
        jar.save(tmp_path / "none" / "jar.txt")
    (tmp_path / "jar.txt").write_text("no cookie\n")
    with pytest.raises(ValueError, match="expected a cookie of a Netscape file in line 1"):
        jar.load(tmp_path / "jar.txt", missing_ok=True)


def test_a_jar_that_cannot_be_written_leaves_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"):
        CookieJar(COOKIES).save(folder)
    assert [*tmp_path.iterdir()] == [folder]


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to(path.with_name("fifo"))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (os.mkfifo, FileExistsError),
        (link_to_fifo, FileExistsError),
        (Path.mkdir, IsADirectoryError),
        (lambda path: path.symlink_to(path), OSError),
    ],
)
def test_a_jar_replaces_regular_files_only(
    tmp_path: Path, make: Callable[[Path], object], error: type[OSError]
) -> None:
    path = tmp_path / "cookies.txt"
    make(path)
    before = {found: found.lstat().st_mode for found in tmp_path.iterdir()}
    with pytest.raises(error) as raised:
        CookieJar(COOKIES).save(path)
    assert (raised.value.filename, raised.value.filename2) == (str(path), None)
    assert {found: found.lstat().st_mode for found in tmp_path.iterdir()} == before


@pytest.mark.parametrize("exists", [True, False])
def test_a_jar_replaces_the_target_of_a_symbolic_link(tmp_path: Path, exists: bool) -> None:
    link, target = tmp_path / "cookies.txt", tmp_path / "dotfiles" / "cookies.txt"
    target.parent.mkdir()
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    CookieJar(COOKIES).save(link)
    assert link.is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes().decode("latin-1") == write_netscape(COOKIES)


def test_the_null_device_takes_no_cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, link = tmp_path / "null", tmp_path / "cookies.txt"
    device.touch()
    link.symlink_to(device)
    monkeypatch.setattr(os, "devnull", str(device))  # a wrong save() would replace the real device
    before = device.stat()
    for path in (device, link):
        CookieJar(COOKIES).save(path)
    assert device.stat() == before
    assert link.is_symlink()
