"""Which responses redirect, the next request, and its fields."""

import itertools

import pytest

from asyncclient.client.redirects import Redirect, decide_redirect, strip_fields
from asyncclient.errors import RedirectError


def follow(location: str, url: str = "http://h/a/b", method: str = "GET", status: int = 302) -> Redirect:
    redirect = decide_redirect(method, url, status, location)
    assert redirect is not None
    return redirect


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 309, 399, 404])
def test_other_statuses_are_not_redirects(status: int) -> None:
    assert decide_redirect("GET", "http://h/", status, "/b") is None


@pytest.mark.parametrize("location", [None, ""])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_without_location_there_is_no_redirect(status: int, location: str | None) -> None:
    assert decide_redirect("GET", "http://h/", status, location) is None


@pytest.mark.parametrize(
    ("method", "status", "next_method", "keeps_body"),
    [
        ("GET", 301, "GET", True),
        ("GET", 302, "GET", True),
        ("GET", 303, "GET", False),
        ("GET", 307, "GET", True),
        ("GET", 308, "GET", True),
        ("HEAD", 301, "HEAD", True),
        ("HEAD", 302, "HEAD", True),
        ("HEAD", 303, "HEAD", False),
        ("HEAD", 307, "HEAD", True),
        ("HEAD", 308, "HEAD", True),
        ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("POST", 303, "GET", False),
        ("POST", 307, "POST", True),
        ("POST", 308, "POST", True),
        ("PUT", 301, "PUT", True),
        ("PUT", 302, "PUT", True),
        ("PUT", 303, "GET", False),
        ("PUT", 307, "PUT", True),
        ("PUT", 308, "PUT", True),
        ("DELETE", 301, "DELETE", True),
        ("DELETE", 303, "GET", False),
        ("PROPFIND", 302, "PROPFIND", True),
        ("PROPFIND", 303, "GET", False),
    ],
)
def test_method_and_body(method: str, status: int, next_method: str, keeps_body: bool) -> None:
    expected = Redirect(next_method, "http://h/b", keeps_body, False)
    assert decide_redirect(method, "http://h/a", status, "/b") == expected


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("c", "http://h/a/c"),
        ("../c", "http://h/c"),
        ("/c", "http://h/c"),
        ("?q", "http://h/a/b?q"),
        ("//g/c", "http://g/c"),
        ("https://g/c", "https://g/c"),
        ("HTTP://G:80", "http://g/"),
        ("https://g/a/../b", "https://g/b"),
        ("/c%2Fd%2f?e=f+g%20h&Signature=a%2Bb%3D", "http://h/c%2Fd%2f?e=f+g%20h&Signature=a%2Bb%3D"),
        ("/a b|{c}", "http://h/a%20b%7C%7Bc%7D"),
        ("/\xc3\xa9", "http://h/%C3%A9"),  # UTF-8 on the wire
        ("/\xe9?\xff", "http://h/%E9?%FF"),  # latin-1 on the wire: the same bytes go back
        ("/\xe9%e9/\xe9", "http://h/%E9%e9/%E9"),
        ("http://b\xc3\xbccher.example/\xe9", "http://xn--bcher-kva.example/%E9"),
        ("//b\xc3\xbccher.example", "http://xn--bcher-kva.example/"),
        ("/\\evil", "http://h/%5Cevil"),
        ("\\\\evil/c", "http://h/a/%5C%5Cevil/c"),
        ("http://user:secret@g/", "http://g/"),
        ("//user@h/", "http://h/"),
    ],
)
def test_location(location: str, url: str) -> None:
    assert follow(location).url == url


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("http://h/a#f", "/b", "http://h/b#f"),
        ("http://h/a#f", "/b#g", "http://h/b#g"),
        ("http://h/a#f", "/b#", "http://h/b#"),
        ("http://h/a#f", "#g", "http://h/a#g"),
        ("http://h/a", "/b", "http://h/b"),
        ("http://h/a", "http://g/#c", "http://g/#c"),
    ],
)
def test_fragment_is_inherited(url: str, location: str, expected: str) -> None:
    assert follow(location, url).url == expected


def test_userinfo_of_the_request_is_not_taken_along() -> None:
    assert follow("c", "http://user:secret@h/a/b").url == "http://h/a/c"


@pytest.mark.parametrize(
    "location",
    [
        "ftp://g/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,a",
        "mailto:a@b",
        "http:c",
        "http:/c",
        "http:\\\\evil",
        "http://",
        "http://g:0/",
        "http://g:99999/",
        "http://a@b@c/",
        "http://good\\@evil/",
        "http://g%2eevil/",
        "http://g\xff/",
        "/c\x01",
        "/c\td",
        "/c\x7f",
        "http://[::1/",
        "http://\u0100/",
    ],
)
def test_invalid_location_is_an_error(location: str) -> None:
    with pytest.raises(RedirectError, match="no http or https URL in the Location of a 302"):
        follow(location)


def test_error_shows_no_password_and_is_short() -> None:
    with pytest.raises(RedirectError) as caught:
        follow("ftp://user:secret@g/" + "a" * 1000)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 150


ORIGINS = ["http://h/", "https://h/", "http://h:81/", "https://h:81/", "http://g/", "http://www.h/", "https://h:80/"]


@pytest.mark.parametrize(("start", "end"), list(itertools.product(ORIGINS, repeat=2)))
@pytest.mark.parametrize("name", ["Authorization", "cookie", "PROXY-AUTHORIZATION", "Host", "X-Api-Key"])
def test_secrets_do_not_change_origin(start: str, end: str, name: str) -> None:
    redirect = follow(end, start)
    pairs = [("Accept", "*/*"), (name, "s"), ("X-Other", "o"), (name.lower(), "t")]
    stripped = [("Accept", "*/*"), ("X-Other", "o")]
    assert redirect.is_cross_origin is (start != end)
    assert strip_fields(pairs, redirect, frozenset(["X-API-Key"])) == (pairs if start == end else stripped)


@pytest.mark.parametrize(
    ("start", "end", "referer", "stays"),
    [
        ("https://h/", "http://h/", "https://h/page", False),
        ("https://h/", "http://g/", "HTTPS://other/page", False),
        ("https://h/", "http://g/", b"https://h/page", False),
        ("https://h/", "http://g/", "/page", False),
        ("https://h/", "http://g/", "http://h/page", True),
        ("http://h/", "http://g/", "https://h/page", False),
        ("http://h/", "http://g/", "/page", True),
        ("https://h/", "https://g/", "https://h/page", True),
        ("http://h/", "https://g/", "https://h/page", True),
        ("https://h/", "http://g/", None, True),
    ],
)
def test_the_referer_of_an_https_page_is_not_sent_to_an_http_url(
    start: str, end: str, referer: str | bytes | None, stays: bool
) -> None:
    pairs = [("Accept", "a"), ("REFERER", referer)]
    assert strip_fields(pairs, follow(end, start)) == (pairs if stays else pairs[:1])


def test_fields_that_are_not_declared_secret_are_kept() -> None:
    assert strip_fields([("X-Own-Key", "s")], follow("http://g/")) == [("X-Own-Key", "s")]


def test_secrets_are_not_sent_after_a_redirect_back() -> None:
    pairs = strip_fields([("Authorization", "s"), ("Accept", "*/*")], follow("http://evil/", "http://h/"))
    assert strip_fields(pairs, follow("http://h/", "http://evil/")) == [("Accept", "*/*")]


ABOUT_CONTENT = [
    "Content-Type",
    "Content-Length",
    "content-encoding",
    "Content-Language",
    "Content-Location",
    "Content-Range",
    "Content-Digest",
    "Transfer-Encoding",
    "Trailer",
    "Expect",
    "Digest",
    "Repr-Digest",
    "Last-Modified",
]


@pytest.mark.parametrize("name", ABOUT_CONTENT)
@pytest.mark.parametrize("url", ["http://h/", "http://g/"])
def test_fields_about_content_are_dropped_with_it(url: str, name: str) -> None:
    pairs = [(name, "v"), ("Accept", "a")]
    assert strip_fields(pairs, follow(url, "http://h/", "POST", 303)) == [("Accept", "a")]
    assert strip_fields(pairs, follow(url, "http://h/", "POST", 307)) == pairs
