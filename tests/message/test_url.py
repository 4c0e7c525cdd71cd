"""Parsing, refusing, joining URLs, and adding parameters."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncclient.errors import InvalidURL
from asyncclient.message.url import (
    URL,
    add_params,
    build_url,
    is_same_origin,
    join_base,
    join_url,
    parse_base,
    parse_url,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", URL("http", "h", 80, "/")),
        ("https://h", URL("https", "h", 443, "/")),
        ("http://h?q", URL("http", "h", 80, "/?q")),
        ("http://h/?", URL("http", "h", 80, "/?")),
        ("http://h//a/./b/../c", URL("http", "h", 80, "//a/./b/../c")),
        ("HTTPS://EXAMPLE.Com/A", URL("https", "example.com", 443, "/A")),
        ("http://EXAMPLE.Com/A", URL("http", "example.com", 80, "/A")),
        ("http://h.:81/", URL("http", "h.", 81, "/")),
        ("http://a_b-c.d/", URL("http", "a_b-c.d", 80, "/")),
        ("http://h:/a", URL("http", "h", 80, "/a")),  # RFC 9110 §4.2.1
        ("https://h:?q", URL("https", "h", 443, "/?q")),
        ("http://h:1/", URL("http", "h", 1, "/")),
        ("http://h:65535/", URL("http", "h", 65535, "/")),
        ("http://h:00443/", URL("http", "h", 443, "/")),
        ("http://h#f", URL("http", "h", 80, "/", None, "f")),
        ("http://h/a#", URL("http", "h", 80, "/a", None, "")),
        ("http://h/a#f/?#g", URL("http", "h", 80, "/a", None, "f/?#g")),
        ("http://h/#a b", URL("http", "h", 80, "/", None, "a%20b")),
        ("http://u:p:q@h:81/", URL("http", "h", 81, "/", "u:p:q")),
        ("http://u%40x:%2f@H/é", URL("http", "h", 80, "/%C3%A9", "u%40x:%2f")),
        ("http://@h/", URL("http", "h", 80, "/")),
        ("http://good#@evil/", URL("http", "good", 80, "/", None, "@evil/")),
        ("http://good?@evil/", URL("http", "good", 80, "/?@evil/")),
        ("http://good/@evil:x", URL("http", "good", 80, "/@evil:x")),
        ("http://[::1]", URL("http", "::1", 80, "/")),
        ("http://[2001:DB8::A]:81/a", URL("http", "2001:db8::a", 81, "/a")),
        ("http://[::ffff:127.0.0.1]/", URL("http", "::ffff:127.0.0.1", 80, "/")),
        ("http://u@[FE80::1%25Eth0]:81/a", URL("http", "fe80::1%Eth0", 81, "/a", "u")),
        ("http://[fe80::1%eth0]/", URL("http", "fe80::1%eth0", 80, "/")),
        ("http://BÜCHER.example/", URL("http", "xn--bcher-kva.example", 80, "/")),
        ("http://faß.de/", URL("http", "xn--fa-hia.de", 80, "/")),  # IDNA 2003 made fass.de of it
        ("http://ex。com/", URL("http", "ex.com", 80, "/")),
        ("http://foo_bar.müller.example/", URL("http", "foo_bar.xn--mller-kva.example", 80, "/")),
        ("http://i❤.example/", URL("http", "xn--i-7iq.example", 80, "/")),
        ("http://\u2615.example/", URL("http", "xn--53h.example", 80, "/")),
        ("http://r3---sn.käse.example/", URL("http", "r3---sn.xn--kse-qla.example", 80, "/")),
        ("http://a+b!(c)/", URL("http", "a+b!(c)", 80, "/")),
    ],
)
def test_url(url: str, expected: URL) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb%2fc%zz%",
        "/-._~!$&'()*+,;=:@/?a=b&c=%20+%2B#".rstrip("#"),
        "/[a]?b[]=c",
        "/?X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=ab%2B%3D/",
    ],
)
@pytest.mark.parametrize("origin", ["http://h", "http://user@h"])
def test_legal_targets_are_kept_byte_for_byte(origin: str, target: str) -> None:
    assert parse_url(origin + target).target == target


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("/a b ", "/a%20b"),
        ("/a b \r\n", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/日本?日=本", "/%E6%97%A5%E6%9C%AC?%E6%97%A5=%E6%9C%AC"),
        ("/\U0001f600", "/%F0%9F%98%80"),
        ("/\u560a\u2028\u0085", "/%E5%98%8A%E2%80%A8%C2%85"),  # narrowed to a byte, the first would be a line's end
        ('/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("/é%20%2f%", "/%C3%A9%20%2f%"),
        ("?a b", "/?a%20b"),
    ],
)
def test_only_illegal_characters_are_quoted(given: str, sent: str) -> None:
    assert parse_url(f"http://h{given}").target == sent


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "h",
        "//h/",
        "ftp://h/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:h",
        "http:/h",
        "http:///h",
        "http:\\\\h",
        "http://",
        "http://:80/",
        "http://@/",
        "http://u@/",
        "http://?q",
        "httpſ://h/",
        "http://h /",
        "http://h\u00a0/",
        "http://a b@h/",
        "http://a@b@c/",
        "http://good\\@evil/",
        "http://good\\.evil/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:99999999999/",
        "http://h:-1/",
        "http://h:+1/",
        "http://h:8_0/",
        "http://h:٨٠/",
        "http://h:80:80/",
        "http://h%2eexample/",
        "http://%68/",
        "http://ü%2eexample/",
        "http://h<b>/",
        "http://.h/",
        "http://a..b/",
        "http://ü..b/",
        f"http://{'a' * 64}/",
        f"http://b.{'a' * 64}.c/",
        "http://[]/",
        "http://[::1/",
        "http://::1]/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1]:x/",
        "http://[h]/",
        "http://[127.0.0.1]/",
        "http://[::1%25]/",
        "http://[::1%25a b]/",
        "http://[v1.a:b]/",
        "http://a[b]/",
        "http://a\u2100b/",  # IDNA makes "aa/cb" of it (CVE-2019-9636)
        "http://good.com\uff0fevil/",
        "http://h\uff1a80/",
        "http://\u202e.example/",
        "http://\uff05\uff14\uff11.example/",  # UTS 46 makes "%41" of it
        "http://[1:2]/",
        "http://[0::0::0]/",
        "http://[1:2:3:4:5:6:7:8:9]/",
        "http://[1:2:3:4:5:6:7:8%25a]:80:80/",
        "http://[::12345]/",
        "http://[::1.2.3]/",
        "http://[::256.1.1.1]/",
        "http://[1.2.3.4::]/",
        "http://[:::]/",
        "http://[.:]/",
        "http://h/\ud800",
        "http://\udc80/",
    ],
)
def test_urls_without_a_server_or_with_ambiguous_parts_are_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        parse_url(url)


@pytest.mark.parametrize("control", ["\r", "\n", "\0", "\t", "\x1f", "\x7f", "\r\nX: y"])
@pytest.mark.parametrize(
    "url", ["X{}http://h/", "ht{}tp://h/", "http://u{}@h/", "http://h{}/", "http://h:8{}/", "http://h/{}b", "http://h?{}b",
            "http://h/#{}b", "http://h/a{}b"]
)  # fmt: skip
def test_control_characters_are_refused(url: str, control: str) -> None:
    with pytest.raises(InvalidURL):
        parse_url(url.format(control))


@pytest.mark.parametrize("control", ["\0", "\x0b", "\x1f", "\x7f", "\xa0", "\ufeff"])
def test_other_characters_than_blanks_and_line_ends_are_not_stripped(control: str) -> None:
    with pytest.raises(InvalidURL):
        parse_url(f"{control}http://h/")


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\r\n", " \t\r\n "])
def test_blanks_and_line_ends_around_a_url_are_stripped(blank: str) -> None:
    for url in ("http://h/a?b", "http://ü@é/#c"):
        assert parse_url(f"{blank}{url}{blank}") == parse_url(url)


@pytest.mark.parametrize("url", [None, 1, b"http://h/", ["http://h/"]])
def test_url_is_a_str(url: Any) -> None:
    with pytest.raises(TypeError, match="expected str as URL"):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    ["ftp://u:secret@h/", "http://u:secret@h:x/", "http://u:secret@h%41/", "http://u:secret@/", "http://secret@a@h/",
     "http://u:secret@[h]/", "http://u:secret@\u202e/"],
)  # fmt: skip
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://user:secret x@h/", "%20 for a blank"),
        ("http://us er@h/", "%20 for a blank"),
        ("http://user:secret@x@h/", "%40 for '@'"),
        ("http://user:secret/x@h/", "a port of 1 to 65535; a user or password has %2F"),
        ("http://user:secret?x@h/", "a port of 1 to 65535; a user or password has %2F"),
        ("http://user:secret#x@h/", "a port of 1 to 65535; a user or password has %2F"),
        ("http://h:80\\@evil/", "without a backslash"),
        ("http://h\\a", "without a backslash"),
        ("http://user:secret@h:x/", "a port of 1 to 65535"),
        ("http://h:65536/", "a port of 1 to 65535"),
        ("http://h:0/", "a port of 1 to 65535"),
        ("http://u:secret@h/\0", "without control characters"),
        ("ftp://u:secret@h/", "expected an http or https URL, got"),
        ("h:80/a", "expected an http or https URL, got"),
        ("h/a", "expected an http or https URL, got"),
    ],
)
def test_error_names_the_fault_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_repr_shows_no_password() -> None:
    assert repr(parse_url("http://u:secret@h/a")) == "<URL http://h/a with userinfo>"
    assert repr(parse_url("http://h/a")) == "<URL http://h/a>"


@pytest.mark.parametrize(
    ("url", "built"),
    [
        ("HTTP://u:p@Example.com:80", "http://example.com/"),
        ("https://h:443/a?b#c", "https://h/a?b#c"),
        ("https://h:80/", "https://h:80/"),
        ("http://h/#", "http://h/#"),
        ("http://[2001:DB8::1]:81/", "http://[2001:db8::1]:81/"),
        ("http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/"),
        ("http://bücher.example/é", "http://xn--bcher-kva.example/%C3%A9"),
    ],
)
def test_build_url(url: str, built: str) -> None:
    assert build_url(parse_url(url)) == built


@given(st.text("abC0.-_:/?#@[]%\\ é\n"), st.text())
@example("h:81/ a?b#c", "")
@example("u:p@[::1%25E]", "/#{")
def test_url_that_was_built_is_read_as_the_same(start: str, end: str) -> None:
    try:
        url = parse_url(f"http://{start}{end}")
    except InvalidURL:
        return
    assert url.target.isascii()
    assert url.target.isprintable()
    assert " " not in url.target
    assert url.host.isascii()
    assert parse_url(build_url(url)) == url._replace(userinfo=None)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("http://h/", "http://H:80/a?b", True),
        ("https://u:p@h/", "https://h:443/#f", True),
        ("http://h/", "https://h/", False),
        ("http://h:443/", "https://h/", False),
        ("http://h/", "http://h:81/", False),
        ("http://h/", "http://www.h/", False),
        ("http://h/", "http://h./", False),
        ("http://bücher.example/", "http://xn--bcher-kva.example/", True),
    ],
)
def test_same_origin(a: str, b: str, expected: bool) -> None:
    assert is_same_origin(parse_url(a), parse_url(b)) is expected


RFC_EXAMPLES = {
    # RFC 3986 §5.4.1
    "g:h": "g:h", "g": "http://a/b/c/g", "./g": "http://a/b/c/g", "g/": "http://a/b/c/g/", "/g": "http://a/g",
    "//g": "http://g", "?y": "http://a/b/c/d;p?y", "g?y": "http://a/b/c/g?y", "#s": "http://a/b/c/d;p?q#s",
    "g#s": "http://a/b/c/g#s", "g?y#s": "http://a/b/c/g?y#s", ";x": "http://a/b/c/;x", "g;x": "http://a/b/c/g;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s", "": "http://a/b/c/d;p?q", ".": "http://a/b/c/", "./": "http://a/b/c/",
    "..": "http://a/b/", "../": "http://a/b/", "../g": "http://a/b/g", "../..": "http://a/", "../../": "http://a/",
    "../../g": "http://a/g",
    # §5.4.2
    "../../../g": "http://a/g", "../../../../g": "http://a/g", "/./g": "http://a/g", "/../g": "http://a/g",
    "g.": "http://a/b/c/g.", ".g": "http://a/b/c/.g", "g..": "http://a/b/c/g..", "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g", "./g/.": "http://a/b/c/g/", "g/./h": "http://a/b/c/g/h", "g/../h": "http://a/b/c/h",
    "g;x=1/./y": "http://a/b/c/g;x=1/y", "g;x=1/../y": "http://a/b/c/y", "g?y/./x": "http://a/b/c/g?y/./x",
    "g?y/../x": "http://a/b/c/g?y/../x", "g#s/./x": "http://a/b/c/g#s/./x", "g#s/../x": "http://a/b/c/g#s/../x",
    "http:g": "http:g",
}  # fmt: skip


@pytest.mark.parametrize("reference", RFC_EXAMPLES)
def test_references_of_the_rfc(reference: str) -> None:
    assert join_url("http://a/b/c/d;p?q", reference) == RFC_EXAMPLES[reference]


@pytest.mark.parametrize(
    ("base", "reference", "joined"),
    [
        ("http://h", "a", "http://h/a"),
        ("http://h", "?q", "http://h?q"),
        ("http://h?q", "", "http://h?q"),
        ("http://h/a?q#f", "", "http://h/a?q"),
        ("http://h/a?b/c", "d", "http://h/d"),
        ("http://h/a#b/c", "d", "http://h/d"),
        ("http://u:p@h:81/a", "/b", "http://u:p@h:81/b"),
        ("https://h/", "//g/a/../b", "https://g/b"),
        ("https://h/", "//g/..?c", "https://g/?c"),
        ("https://h/", "//g", "https://g"),
        ("http://h/a", "https://g/a/../b?c/../d", "https://g/b?c/../d"),
        ("http://h/a", "https://g/./a/..", "https://g/"),
        ("http://h/a", "https://g/.", "https://g/"),
        ("http://h/a", "mailto:a/../b@c", "mailto:a/../b@c"),
        ("http://h/a", "/b%2F..%2fc?d=e+f%20g", "http://h/b%2F..%2fc?d=e+f%20g"),
        ("http://h/a", "/b//c", "http://h/b//c"),
        ("http://h/a", "b//../c", "http://h/b/c"),
        ("http://h/a", "/.//g", "http://h//g"),
        ("http://h/a", "./b:c", "http://h/b:c"),
        ("http://h/a", "1:c", "http://h/1:c"),
        ("http://h/a", "?", "http://h/a?"),
        ("http://h/a", "#", "http://h/a#"),
        ("http://h/a/b", "\\\\g", "http://h/a/\\\\g"),
    ],
)
def test_join_url(base: str, reference: str, joined: str) -> None:
    assert join_url(base, reference) == joined


@pytest.mark.parametrize("base", ["", "/a", "//h/a", "http:a", "mailto:a@b"])
def test_base_is_absolute(base: str) -> None:
    with pytest.raises(InvalidURL, match="absolute URL as base"):
        join_url(base, "b")


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("http://h", {"a": "b"}, "http://h?a=b"),
        ("http://h/", {"a": "b", "c": "d"}, "http://h/?a=b&c=d"),
        ("http://h/", [("a", "b"), ("a", "c")], "http://h/?a=b&a=c"),
        ("http://h/", iter([("a", "b")]), "http://h/?a=b"),
        ("http://h/", {"a": ["b", 1], "c": ()}, "http://h/?a=b&a=1"),
        ("http://h/", {"a": None, "b": [None, "c"]}, "http://h/?b=c"),
        ("http://h/", {"a": True, "b": False, "c": 0, "d": -1.5}, "http://h/?a=true&b=false&c=0&d=-1.5"),
        ("http://h/", {"a": 1e20}, "http://h/?a=1e%2B20"),
        ("http://h/", {"a": b"\xff A\n"}, "http://h/?a=%FF%20A%0A"),
        ("http://h/", {"a b": "c d"}, "http://h/?a%20b=c%20d"),
        ("http://h/", {"&=": "#+%/?;'"}, "http://h/?%26%3D=%23%2B%25%2F%3F%3B%27"),
        ("http://h/", {"é": "日"}, "http://h/?%C3%A9=%E6%97%A5"),
        ("http://h/", {"a": "-._~Z9"}, "http://h/?a=-._~Z9"),
        ("http://h/", {"a": "\r\n\0"}, "http://h/?a=%0D%0A%00"),
        ("http://h/", {"a": ""}, "http://h/?a="),
        ("http://h/?x=%2f+y", {"a": "b"}, "http://h/?x=%2f+y&a=b"),
        ("http://h/?", {"a": "b"}, "http://h/?a=b"),
        ("http://h/?x&", {"a": "b"}, "http://h/?x&a=b"),
        ("http://h/x&", {"a": "b"}, "http://h/x&?a=b"),
        ("http://h/?x#f?g", {"a": "b"}, "http://h/?x&a=b#f?g"),
        ("http://h/#f?g", {"a": "b"}, "http://h/?a=b#f?g"),
        ("http://h/#", {}, "http://h/#"),
        ("http://h/?x", {}, "http://h/?x"),
        ("http://h/?x", "", "http://h/?x"),
        ("http://h/#f", "a=%2f+b&c", "http://h/?a=%2f+b&c#f"),
        ("http://h/", "a=b#c", "http://h/?a=b%23c"),
        ("/relative", {"a": 1}, "/relative?a=1"),
    ],
)
def test_add_params(url: str, params: Any, expected: str) -> None:
    assert add_params(url, params) == expected


@pytest.mark.parametrize(
    "params", [1, None, b"a=b", ["ab"], [("a", "b", "c")], {1: "b"}, {"a": {"b": "c"}}, {"a": {"b"}}, {"a": [["b"]]}]
)
def test_params_of_another_kind_are_refused(params: Any) -> None:
    with pytest.raises(TypeError, match="params"):
        add_params("http://h/", params)


@pytest.mark.parametrize("base", ["https://h/v1", "https://h/v1/"])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("users", "https://h/v1/users"),
        ("/users", "https://h/v1/users"),
        ("users/", "https://h/v1/users/"),
        ("/users?a=b#c", "https://h/v1/users?a=b#c"),
        ("//evil/x", "https://h/v1//evil/x"),
        ("things:do", "https://h/v1/things:do"),
        ("/v1/users?a", "https://h/v1/users?a"),
        ("/v1", "https://h/v1"),
        ("/v1?a", "https://h/v1?a"),
        ("/v1#a", "https://h/v1#a"),
        ("/v12/users", "https://h/v1/v12/users"),
        ("v1/users", "https://h/v1/v1/users"),
        ("https://other/a", "https://other/a"),
        ("HTTP://other", "HTTP://other"),
        ("ftp://other/", "ftp://other/"),
    ],
)
def test_join_base(base: str, url: str, expected: str) -> None:
    assert join_base(base, url) == expected


@pytest.mark.parametrize("url", ["http:/host", "https:host", "HTTP:", "https:?a"])
def test_join_base_refuses_a_url_without_slashes_after_the_scheme(url: str) -> None:
    with pytest.raises(InvalidURL, match=r"^expected // after the scheme of a URL, got "):
        join_base("http://h/api", url)


@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        ("https://h", "users", "https://h/users"),
        ("https://h", "?a", "https://h?a"),
        ("https://h/v1", "?a", "https://h/v1?a"),
        ("https://h/v1/", "#f", "https://h/v1/#f"),
        ("https://h/v1/", "", "https://h/v1/"),
        ("https://h/v1", "", "https://h/v1"),
    ],
)
def test_join_base_without_a_path(base: str, url: str, expected: str) -> None:
    assert join_base(base, url) == expected


@pytest.mark.parametrize("base", ["https://h/?a", "https://h/#f", "https://h?"])
def test_base_has_no_query_and_no_fragment(base: str) -> None:
    for call in (lambda: join_base(base, "users"), lambda: parse_base(base)):
        with pytest.raises(ValueError, match="without query and fragment"):
            call()


@pytest.mark.parametrize(
    "call",
    [lambda: join_base("http://u:secret@h?", "a"), lambda: join_url("http:u:secret@h", "a")],
)
def test_no_error_about_a_base_shows_a_password(call: Callable[[], str]) -> None:
    with pytest.raises(ValueError, match=r"\*\*\*@h") as caught:
        call()
    assert "secret" not in str(caught.value)
