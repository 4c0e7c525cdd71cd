"""WWW-Authenticate: values that RFC 9110 allows, values that servers send, and hostile values."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.message.challenges import Challenge, parse_auth_params, parse_challenges

BASIC = Challenge("basic", "", {"realm": "a"})


@pytest.mark.parametrize(
    ("values", "challenges"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (["Basic"], [Challenge("basic", "", {})]),
        ([" Basic "], [Challenge("basic", "", {})]),
        (["Negotiate, NTLM"], [Challenge("negotiate", "", {}), Challenge("ntlm", "", {})]),
        (['Basic realm="a"'], [BASIC]),
        (["Basic realm=a"], [BASIC]),
        (['BASIC REALM="a"'], [BASIC]),
        (['Basic\trealm \t= "a"'], [BASIC]),
        (['Basic , realm="a"'], [BASIC]),
        (['Basic realm="a",'], [BASIC]),
        ([',, Basic realm="a"'], [BASIC]),
        (['Basic realm=""'], [Challenge("basic", "", {"realm": ""})]),
        (['Basic realm="a", charset="UTF-8"'], [Challenge("basic", "", {"realm": "a", "charset": "UTF-8"})]),
        (['Basic realm="a,b", x=y'], [Challenge("basic", "", {"realm": "a,b", "x": "y"})]),
        ([r'Basic realm="a \"b\", c\\d"'], [Challenge("basic", "", {"realm": r'a "b", c\d'})]),
        (['Basic realm="Digest nonce=x, Bearer"'], [Challenge("basic", "", {"realm": "Digest nonce=x, Bearer"})]),
        (['Basic realm="a", realm="b"'], [BASIC]),
        (['Basic realm="a" realm="b"'], [BASIC]),
        (
            ['Digest realm="a" nonce="b" qop="auth"'],
            [Challenge("digest", "", {"realm": "a", "nonce": "b", "qop": "auth"})],
        ),
        (["Digest nonce = b \t realm=a"], [Challenge("digest", "", {"realm": "a", "nonce": "b"})]),
        (['Digest nonce="b" realm=a, Basic realm="a"'], [Challenge("digest", "", {"realm": "a", "nonce": "b"}), BASIC]),
        (
            ['Digest nonce="b",realm="a b=c" x="d=e"'],
            [Challenge("digest", "", {"realm": "a b=c", "nonce": "b", "x": "d=e"})],
        ),
        (['Basic realm="a", Bearer realm="b"'], [BASIC, Challenge("bearer", "", {"realm": "b"})]),
        (['Basic realm="a"', 'Bearer realm="b"'], [BASIC, Challenge("bearer", "", {"realm": "b"})]),
        (["Digest", 'nonce="x"'], [Challenge("digest", "", {"nonce": "x"})]),
        (['Basic realm="a", Basic realm="b"'], [BASIC, Challenge("basic", "", {"realm": "b"})]),
        (["Negotiate YWJj/+=="], [Challenge("negotiate", "YWJj/+==", {})]),
        (["Negotiate abc , Basic realm=a"], [Challenge("negotiate", "abc", {}), BASIC]),
        (
            ['NTLM TlRM, Basic realm="a", Negotiate'],
            [Challenge("ntlm", "TlRM", {}), BASIC, Challenge("negotiate", "", {})],
        ),
        (
            ['Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"'],
            [
                Challenge("newauth", "", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
                Challenge("basic", "", {"realm": "simple"}),
            ],
        ),
        (
            ['Digest realm="a", nonce=7ypf/xlj9X==, stale=FALSE, qop="auth,auth-int", algorithm=SHA-256'],
            [
                Challenge(
                    "digest",
                    "",
                    {
                        "realm": "a",
                        "nonce": "7ypf/xlj9X==",
                        "stale": "FALSE",
                        "qop": "auth,auth-int",
                        "algorithm": "SHA-256",
                    },
                )
            ],
        ),
        (['Digest realm="a", opaque=, nonce=n'], [Challenge("digest", "", {"realm": "a", "opaque": "", "nonce": "n"})]),
    ],
)
def test_challenges(values: list[str], challenges: list[Challenge]) -> None:
    assert parse_challenges(values) == challenges


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        ('realm="a"', []),
        ("abc==", []),
        ("=", []),
        ("@ä, \x00", []),
        ('"Basic realm=a"', []),
        ('Basic realm="a" "b=c"', [BASIC]),
        ('Basic realm="a" Digest nonce', [BASIC]),
        ("Basic realm=a b c", [BASIC]),
        ('Basic realm="a";x="b, c=d"', [BASIC]),
        ('Basic realm="a"junk, x=y', [Challenge("basic", "", {"realm": "a", "x": "y"})]),
        ('Basic @, realm="a"', [BASIC]),
        ("Basic realm=a b", [BASIC]),
        ('Basic realm="a', [BASIC]),
        ('Basic realm="a\\', [BASIC]),
        ('Basic realm="a, Digest nonce=b', [Challenge("basic", "", {"realm": "a, Digest nonce=b"})]),
    ],
)
def test_invalid_challenges_are_left_out(value: str, challenges: list[Challenge]) -> None:
    assert parse_challenges([value]) == challenges


def test_unclosed_quote_ends_with_its_field() -> None:
    challenges = parse_challenges(['Digest realm="a', 'Basic realm="a"'])
    assert challenges == [Challenge("digest", "", {"realm": "a"}), BASIC]


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ("", {}),
        ('nextnonce="x, y"', {"nextnonce": "x, y"}),
        ('qop=auth, NextNonce = "x", nextnonce="y"', {"qop": "auth", "nextnonce": "x"}),
        ("junk, nc=00000001", {"nc": "00000001"}),
        ('qop=auth nextnonce="x" nc=1', {"qop": "auth", "nextnonce": "x", "nc": "1"}),
    ],
)
def test_parameters_alone(value: str, params: dict[str, str]) -> None:
    assert parse_auth_params(value) == params


def test_number_of_challenges_is_bounded() -> None:
    challenges = parse_challenges(["a," * 900, "b," * 900])
    assert 990 <= len(challenges) <= 1000
    assert [challenge.scheme for challenge in challenges[:901]] == ["a"] * 900 + ["b"]


NAME = st.text("abcXYZ019-_.", min_size=1)
PARAMS = st.dictionaries(NAME.map(str.lower), st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(NAME, PARAMS)), st.sampled_from([", ", ",", " , ", ",,\t"]))
def test_built_challenges_parse_to_the_same_values(challenges: list[tuple[str, dict[str, str]]], joint: str) -> None:
    texts = [
        f"{scheme} {joint.join(f'{name}={quote(value)}' for name, value in params.items())}"
        for scheme, params in challenges
    ]
    expected = [Challenge(scheme.lower(), "", params) for scheme, params in challenges]
    assert parse_challenges([joint.join(texts)]) == expected
    assert parse_challenges(texts) == expected


@given(st.lists(st.text(st.sampled_from('=,"\\ \t\n\0aB/~') | st.characters()), max_size=3))
def test_any_text_gives_challenges_of_its_own_characters(values: list[str]) -> None:
    text = "\n".join(values)
    for scheme, token68, params in parse_challenges(values):
        assert scheme in text.lower()
        assert token68 in text
        for name, value in params.items():
            assert name in text.lower()
            assert set(value) <= set(text)


PIECES = ["a", "a ", "a,", "a=", "a=b,", 'a="', 'a="\\', '"', "\\", ",", " ", "=", "a/", 'a="b" ', "\0", "a = "]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("start", ["", "a ", 'a b="', "a b=c "])
def test_hostile_value_of_1_mb_takes_linear_time(start: str, piece: str) -> None:
    value = start + piece * (1_000_000 // len(piece))
    began = time.process_time()
    parse_challenges([value])
    assert time.process_time() - began < 2  # 0.1 s at most when measured alone; quadratic would be minutes
