"""Valid and invalid hosts, ports and authorities."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.errors import InvalidURL
from asyncclient.message.target import (
    build_authority,
    build_host,
    check_host,
    encode_host,
    find_authority,
    is_ipv6,
    parse_host_port,
    parse_port,
    show_url,
)

CONTROLS = ["\r", "\n", "\0", "\t", " ", "\x0b", "\x1f", "\x7f", "\r\nX: y", " HTTP/1.1\r\nX: y"]


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("example.com", None, ("example.com", 80)),
        ("example.com", 8080, ("example.com", 8080)),
        ("example.com", "8080", ("example.com", 8080)),
        ("example.com:8080", None, ("example.com", 8080)),
        ("example.com:08080", None, ("example.com", 8080)),
        ("example.com:65535", None, ("example.com", 65535)),
        ("EXAMPLE_1.com.", None, ("EXAMPLE_1.com.", 80)),
        ("127.0.0.1:1", None, ("127.0.0.1", 1)),
        ("::1", None, ("::1", 80)),
        ("::1", 81, ("::1", 81)),
        ("[::1]", None, ("::1", 80)),
        ("[::1]:81", None, ("::1", 81)),
        ("[::1]", 81, ("::1", 81)),
        ("[fe80::1%eth0]:81", None, ("fe80::1%eth0", 81)),
        ("fe80::1%eth0", None, ("fe80::1%eth0", 80)),
        ("[::ffff:1.2.3.4]", None, ("::ffff:1.2.3.4", 80)),
        ("bücher.example:81", None, ("bücher.example", 81)),
    ],
)
def test_host_and_port(host: str, port: int | str | None, expected: tuple[str, int]) -> None:
    assert parse_host_port(host, port, 80) == expected


@pytest.mark.parametrize(
    "port",
    [
        "",
        " ",
        "80 ",
        " 80",
        "+80",
        "-1",
        "8_0",
        "0x50",
        "80.0",
        "http",
        "80a",
        "a80",
        "65536",
        "99999",
        "100000",
        "000080",
        "٨٠",
        "８０",
        "\xb2",
        "80\n",
        "80\r\nX: y",
        "80\0",
        "80\x85",
        "0",
        0,
        -1,
        65536,
        10**30,
        80.0,
        True,
        b"80",
        None,
    ],
)
def test_invalid_port_is_refused(port: object) -> None:
    with pytest.raises(InvalidURL, match="expected a port of 1 to 65535"):
        parse_port(port)  # type: ignore[arg-type]
    if isinstance(port, str):
        for host in (f"example.com:{port}", f"[::1]:{port}"):
            with pytest.raises(InvalidURL):
                parse_host_port(host, None, 80)


@pytest.mark.parametrize("character", [*CONTROLS, "/", "?", "#", "@", "\\", "<", ">", '"', "^", "`", "{", "|", "}"])
def test_host_with_a_delimiter_or_control_character_is_refused(character: str) -> None:
    for host in (f"a{character}b", f"{character}b", f"a{character}"):
        with pytest.raises(InvalidURL, match="expected a host name or address"):
            check_host(host)
        with pytest.raises(InvalidURL):
            parse_host_port(f"{host}:80", None, 80)
        with pytest.raises(InvalidURL):
            parse_host_port(host, 80, 80)
        with pytest.raises(InvalidURL):
            parse_host_port(f"[::1%{host}]", None, 80)


@pytest.mark.parametrize(
    "host", ["", "[]", ":80", "[]:80", "[::1", "[::1:80", "::1]", "[::1]x", "[::1]x:80", "x[::1]", "a]b", "[[::1]]"]
)
def test_impossible_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidURL):
        parse_host_port(host, None, 80)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/a?token=x#y", "'http://h/a?…'"),
        ("http://h/a#y", "'http://h/a?…'"),
        ("http://h/a", "'http://h/a'"),
        ("http://u:p?q@h/a?b", "'***@h/a?…'"),
        ("http://h/?q=a@b?c", "'***@b?…'"),
    ],
)
def test_shown_url_has_no_userinfo_and_no_query(url: str, shown: str) -> None:
    assert show_url(url) == shown


def test_errors_are_short_and_are_value_errors() -> None:
    with pytest.raises(ValueError, match="got 'aaa") as caught:
        check_host("a" * 1000 + " ")
    assert len(str(caught.value)) < 130


@pytest.mark.parametrize(
    ("host", "encoded"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE_1.com", "EXAMPLE_1.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("日本。example", "xn--wgv71a.example"),
        ("ｅxample.com", "example.com"),
        ("a\u560d\u560ab", "xn--ab-9v7cla"),
        ("foo_bar.müller.example", "foo_bar.xn--mller-kva.example"),
        ("i❤.example", "xn--i-7iq.example"),
        ("r3---sn.käse.example", "r3---sn.xn--kse-qla.example"),
        ("_x.käse.example.", "_x.xn--kse-qla.example."),
        ("-käse-.example", "xn---kse--hra.example"),
        ("XN--bcher-KVA.käse", "xn--bcher-kva.xn--kse-qla"),
        ("k\u00adäse", "xn--kse-qla"),  # a soft hyphen is left out
        ("１２７.０.0.1", "127.0.0.1"),
        ("क्\u200dष.in", "xn--11b2ezcw70k.in"),  # a joiner where the script has one
        ("א.example", "xn--4db.example"),
    ],
)
def test_host_is_sent_as_ascii(host: str, encoded: str) -> None:
    assert encode_host(host) == encoded


@pytest.mark.parametrize(
    ("host", "encoded", "built"),
    [
        ("::1", "::1", "[::1]"),
        ("fe80::1%eth0", "fe80::1", "[fe80::1]"),
        ("a.example", "a.example", "a.example"),
        ("käse.example", "xn--kse-qla.example", "xn--kse-qla.example"),
    ],
)
def test_only_build_host_puts_an_ipv6_address_in_brackets(host: str, encoded: str, built: str) -> None:
    assert (encode_host(host), build_host(host)) == (encoded, built)


@pytest.mark.parametrize(
    "host",
    [
        "é..example",
        "é" * 64,
        ".".join(["é" * 10] * 40),
        "\ud800",
        "a\u2100b",
        "é\uff0fb",
        "evil.example\uff03.é",
        "é\uff20b",
        "a\u2028b",
        "a\x85b",
        "a\xa0b",
        "😀\u200d",
        "\u202eé",
        "xn--zzzzzzzzz.é",
        "é\uff1a80",
        "\u0665\u0031é",
        "1.א",  # a label that no name with right-to-left letters may have (RFC 5893 §2)
        "\u0301é",
        "é\uff0541",
        "xn--a.é",
        "xn--.é",
        "xn--abc-.é",
        "\u00ad.é",
        "é." + "a" * 64,
        "é" * 2000,
    ],
)
def test_host_that_cannot_be_encoded_is_refused(host: str) -> None:
    with pytest.raises(InvalidURL, match="host can't be encoded") as caught:
        encode_host(host)
    assert len(str(caught.value)) < 200


@given(
    st.lists(
        st.one_of(st.sampled_from(["xn--", ".", "-", "a", "é", "א", "\u200d", "❤", "99999", "i-7iq"]), st.characters())
    )
)
def test_any_name_is_encoded_to_one_that_stays_or_is_refused(parts: list[str]) -> None:
    name = "".join(parts)
    try:
        encoded = encode_host(name)
    except InvalidURL:
        return
    assert encoded.isascii()
    assert encode_host(encoded) == encoded
    if not name.isascii():
        check_host(encoded)
        assert encoded == encoded.lower()


IPV6 = [
    "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "ABCD:ef01::", "::1.2.3.4",
    "1:2:3:4:5:6:1.2.3.4", "1::5:255.0.0.10", "fe80::1%eth0", "0000:0000:0000:0000:0000:ffff:255.255.255.255",
]  # fmt: skip

NO_IPV6 = [
    ":", ":::", "1:2", "0::0::0", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", ":1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:", "::12345", "::g", "::1.2.3", "::1.2.3.4.5", "::1.2.3.256", "::1.2.3.04", "::1.2.3.4.",
    "1.2.3.4::",
    "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::1%", "%::1", "1.2.3.4:80", "a:80", "::\uff11",
]  # fmt: skip


@pytest.mark.parametrize("host", IPV6)
def test_ipv6_address_is_a_host(host: str) -> None:
    check_host(host)
    assert parse_host_port(f"[{host}]:81", None, 80) == (host, 81)


@pytest.mark.parametrize("host", NO_IPV6)
def test_colons_are_for_ipv6_addresses_alone(host: str) -> None:
    with pytest.raises(InvalidURL, match="expected a host"):
        check_host(host)
    with pytest.raises(InvalidURL):
        parse_host_port(f"[{host}]:80", None, 80)


@given(st.lists(st.sampled_from(["0", "12", "abcd", "1.2.3.4", "256.0.0.1", ":", "::", "g", "."]), max_size=17))
def test_ipv6_addresses_are_those_of_the_system(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        assert not is_ipv6(text)
    else:
        assert is_ipv6(text)


@pytest.mark.parametrize(
    ("host", "port", "default", "authority"),
    [
        ("example.com", 80, 80, "example.com"),
        ("example.com", 80, 443, "example.com:80"),
        ("example.com", 80, None, "example.com:80"),
        ("::1", 443, 443, "[::1]"),
        ("fe80::1%eth0", 8080, 443, "[fe80::1]:8080"),
        ("bücher.example", 1, 80, "xn--bcher-kva.example:1"),
    ],
)
def test_authority_has_the_port_unless_it_is_the_schemes_own(
    host: str, port: int, default: int | None, authority: str
) -> None:
    assert build_authority(host, port, default) == authority


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        ("http://example.com", "example.com"),
        ("HTTPS://example.com:81/a?b", "example.com:81"),
        ("http://user:secret@example.com/", "example.com"),
        ("http://user@host@example.com/", "example.com"),
        ("http://[::1]:80?@c", "[::1]:80"),
        ("http://example.com#@c", "example.com"),
        ("/http://example.com/", None),
        ("*", None),
        ("example.com:443", None),
        ("ftp://example.com/", None),
        ("http:/example.com/", None),
        ("http:///a", None),
    ],
)
def test_authority_of_a_target_in_absolute_form(target: str, authority: str | None) -> None:
    assert find_authority(target) == authority


@pytest.mark.parametrize(
    "target", ["http://user:secret@/p", "http://user:secret@", "https://user:secret@?q", "http://@/"]
)
def test_absolute_target_without_a_host_has_no_authority(target: str) -> None:
    assert find_authority(target) is None
