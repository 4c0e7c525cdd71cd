"""Masks: which values of URLs, fields, forms and JSON are secret."""

import pytest

from asyncclient.testing.masks import Masks

_FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("media_type", "text", "masked"),
    [
        ("application/json", '{"password": "s3cr', '{"password": "***"'),
        ("application/json", '[{"token": {"a": [1, true, {"b": "c"}]}, "d": 2}]', None),
        ("application/x-ndjson", '{"token": "a"}\n{"n": "b"}\n', '{"token": "***"}\n{"n": "b"}\n'),
        ("", '{"token": "a"}', '{"token": "***"}'),
        ("text/plain", '["token", "a"]', '["token", "a"]'),
        ("text/plain", 'the "token": "a"', 'the "token": "a"'),
        ("text/html", '<p data-a=\'{"token": "a"}\'>', '<p data-a=\'{"token": "a"}\'>'),
        ("text/plain", "{" * 100_000, "{" * 100_000),
        ("application/json", "token=a", "token=a"),
        ("application/json", "]}" * 3 + '{"id_token": "a"}', "]}" * 3 + '{"id_token": "***"}'),
        ("application/json", r'{"to\u006ben": "a"}', r'{"to\u006ben": "***"}'),
        ("application/x-www-form-urlencoded", "a=1&Token=b&tokens=c", "a=1&Token=***&tokens=c"),
        ("application/x-www-form-urlencoded", "password=it's \"<me&x=1", "password=***&x=1"),
        ("", "password=it's-me&x=1", "password=***&x=1"),
        ("text/plain", "the password=a&x=1", "the password=a&x=1"),
        ("application/json", '{"password": "correct horse battery\\', '{"password": "***"'),
        ("text/plain", '\ufeff{"token": "a"}', '\ufeff{"token": "***"}'),
        ("", '{"token": "a', '{"token": "***"'),
        ("application/jsonl", '{"a": "b\n{"token": "a"}\n', '{"a": "b\n{"token": "***"}\n'),
        ("application/json-seq", '\x1e{"a": "b\n\x1e{"token": "a"}\n', '\x1e{"a": "b\n\x1e{"token": "***"}\n'),
        ("text/event-stream", 'data: {"token": "a"}\n\n', 'data: {"token": "***"}\n\n'),
        ("text/event-stream", 'data: a "\n\ndata: {"token": "a"}', 'data: a "\n\ndata: {"token": "***"}'),
        (
            "text/event-stream",
            'data: {"token":\r\ndata: {"a": "b"}}\r\n\r\n',
            'data: {"token":\r\ndata: {"a": "***"}}\r\n\r\n',
        ),
        ("application/json", '{"/token": {"get": 1}}', '{"/token": {"get": 1}}'),
    ],
)
def test_content_is_masked_by_its_media_type(media_type: str, text: str, masked: str | None) -> None:
    expected = '[{"token": {"a": ["***", true, {"b": "***"}]}, "d": 2}]' if masked is None else masked
    assert Masks().mask_content(media_type, text) == expected
    assert Masks().mask_content(media_type, expected) == expected


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("Location", "https://app/cb#access_token=a'b&type=c", "https://app/cb#access_token=***&type=c"),
        ("Location", "https://app/cb?a=1;token=b;c&d=1", "https://app/cb?a=1;token=***&d=1"),
        ("Location", "https://app/cb?token=token=a", "https://app/cb?token=***"),
        ("Location", "https://app/cb?token=a?password=b&c=d", "https://app/cb?token=***&c=d"),
        ("Link", '<https://app/?token=a>; rel="next"', '<https://app/?token=***>; rel="next"'),
        ("Set-Cookie", "a; Path=/", "***; Path=/"),
        ("Set-Cookie", "=a; Path=/", "=***; Path=/"),
        ("Cookie", "a; b=c; d", "***; b=***; ***"),
        ("Cookie", "a=b; ", "a=***; "),
    ],
)
def test_fields_are_masked(name: str, value: str, masked: str) -> None:
    assert Masks().mask_field(name, value) == masked


@pytest.mark.parametrize(
    "part", ['"', "\\", "{", "&a=", ";", "?token=;", "a ", '"" ', "=", "\r\n", "\ufeff", '{"token":"a"}\n']
)
def test_the_time_for_long_content_grows_with_its_length(part: str) -> None:
    text = part * (200_000 // len(part))  # a quadratic pattern would take minutes
    for media_type in ("", "application/json", "application/jsonl", "text/event-stream", _FORM):
        for start in ("", "{", "a="):
            Masks().mask_content(media_type, start + text)
    for name in ("Location", "Link", "Cookie", "Set-Cookie"):
        Masks().mask_field(name, text)
