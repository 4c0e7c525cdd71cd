"""Patterns of requests: which requests a route is for, and in a word why another request is not one of them.

The reasons name the argument that differs, and never a value of the request, which may be a secret.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypedDict
from urllib.parse import unquote

from ..client.body.arguments import UNSET, Unset
from ..client.body.form import FormData
from ..client.request import spell_method
from ..errors import InvalidURL, clip
from ..message.fields import list_pairs
from ..message.target import show_url
from ..message.url import Params, build_url, list_values, parse_url
from .sent import SentRequest, parse_query

URLPattern = str | re.Pattern[str]
"""A URL, in which `{name}` stands for a part of the path or host, and `*` at the end for anything; or a compiled
pattern that matches the whole URL."""

HeaderPattern = str | re.Pattern[str] | None
"""The value of a field, a compiled pattern that matches the whole value, or None for a field that must be missing."""

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Conditions(TypedDict, total=False):
    """The conditions of a route in addition to method and URL; those that are given must all be met.

    Attributes:
        params: parameters that the query must have; it may have others, unless the URL of the route has a query.
        headers: fields that the request must have, with their values; None for a field that must be missing.
        json: the content as JSON, compared with ==.
        data: the fields of an URL-encoded form, in any order.
        content: the content: bytes, a str in UTF-8, or a compiled pattern of bytes that is found in it.
        where: a function of the request that returns True.
    """

    params: Params
    headers: Mapping[str, HeaderPattern] | Iterable[tuple[str, HeaderPattern]]
    json: Any
    data: FormData
    content: bytes | str | re.Pattern[bytes]
    where: Callable[[SentRequest], object]


class RequestPattern:
    """Which requests a route is for: method, URL and conditions.

    Args:
        method: the method; None for any.
        url: see URLPattern; None for any.
        conditions: see Conditions.

    Raises:
        ValueError, InvalidURL: a URL that is not an absolute http or https URL.
        TypeError: a value of another type.
    """

    def __init__(
        self,
        method: str | None = None,
        url: URLPattern | None = None,
        *,
        params: Params | None = None,
        headers: Mapping[str, HeaderPattern] | Iterable[tuple[str, HeaderPattern]] = (),
        json: Any = UNSET,
        data: FormData | None = None,
        content: bytes | str | re.Pattern[bytes] | None = None,
        where: Callable[[SentRequest], object] | None = None,
    ) -> None:
        self._method = None if method is None else spell_method(method)
        self._url, self._query = _compile(url)
        self._label = "any URL" if url is None else _show_pattern(url)
        if params is not None and self._query is not None and not self._query:
            self._query = None  # without a query in the URL, the params decide about it
        self._params = None if params is None else Counter(_list_params(params))
        self._headers = list_pairs(headers)
        self._json = json
        self._form = None if data is None else Counter(_list_params(data))
        self._content = content.encode() if isinstance(content, str) else content
        self._where = where
        self._check_types()

    def _check_types(self) -> None:
        if self._where is not None and not callable(self._where):
            raise TypeError(f"expected a function as where, got {type(self._where).__name__}")
        if not isinstance(self._content, bytes | re.Pattern | None):
            raise TypeError(f"expected bytes, str or a pattern of bytes as content, got {type(self._content).__name__}")
        for name, value in self._headers:
            if not isinstance(value, str | re.Pattern | None):
                raise TypeError(f"expected str, a pattern or None for header {name}, got {type(value).__name__}")

    def find_params(self, request: SentRequest) -> dict[str, str]:
        """Return the parts of the URL that the pattern names, decoded; the URL matches."""
        match = None if self._url is None else self._url.fullmatch(self._select(request.url))
        return {} if match is None else {name: unquote(text or "") for name, text in match.groupdict().items()}

    def find_difference(self, request: SentRequest) -> str:
        """Return the first condition that the request does not meet, as a word or two; "" if it meets all."""
        if self._method not in (None, request.method):
            return "another method"
        return self._compare_url(request) or self._compare_headers(request) or self._compare_content(request)

    def _compare_url(self, request: SentRequest) -> str:
        if self._url is not None and self._url.fullmatch(self._select(request.url)) is None:
            return "another URL"
        sent = Counter(request.params)
        if self._query is not None and sent != self._query:
            return _compare_queries(self._query, sent) if self._query else "no query expected"
        if self._params is not None and (missing := self._params - sent):
            return f"other params: {clip(sorted({name for name, _ in missing}))}"
        return ""

    def _compare_headers(self, request: SentRequest) -> str:
        different = [name for name, value in self._headers if not _is_value(request.headers.get(name), value)]
        return f"other headers: {clip(different)}" if different else ""

    def _compare_content(self, request: SentRequest) -> str:
        if not isinstance(self._json, Unset) and not _has_json(request, self._json):
            return "other JSON"
        if self._form is not None and Counter(request.form()) != self._form:
            return "another form"
        if self._content is not None and not _has_content(request.content, self._content):
            return "other content"
        return "where is not met" if self._where is not None and not self._where(request) else ""

    def _select(self, url: str) -> str:
        """Return the part of a URL that is compared with the pattern: without the query if that is compared itself."""
        return url if self._query is None and self._params is None else url.partition("?")[0]

    def __str__(self) -> str:
        return f"{self._method or 'any method'} {self._label}"


def _compile(url: URLPattern | None) -> tuple[re.Pattern[str] | None, Counter[tuple[str, str]] | None]:
    """Return the pattern of a URL, and the query to compare; None if the query is a part of the pattern."""
    if url is None or isinstance(url, re.Pattern):
        return url, None
    if not isinstance(url, str):
        raise TypeError(f"expected a URL or a compiled pattern as url, got {type(url).__name__}")
    start, _, query = url.partition("#")[0].partition("?")
    if url.endswith("*"):
        return re.compile(_compile_start(url[:-1]) + ".*", re.DOTALL), None
    return re.compile(_compile_start(start)), Counter(parse_query(query))


def _show_pattern(url: URLPattern) -> str:
    """Return the URL of a route as the test wrote it, with its query; without user and password."""
    text = url if isinstance(url, str) else url.pattern
    start, question_mark, query = text.partition("?")
    return clip((start.rpartition("@")[2] if isinstance(url, str) else start) + question_mark + query)


def _compare_queries(wanted: Counter[tuple[str, str]], sent: Counter[tuple[str, str]]) -> str:
    """Return which parameters differ, by name; a parameter without a value is not named, it may be a secret itself."""
    names = {name for name, _ in wanted - sent} | {name for name, value in sent - wanted if value}
    return f"another query: {clip(sorted(names))}" if names else "another query"


def _compile_start(text: str) -> str:
    """Return a pattern of a URL with placeholders; the rest of the URL is normalised as that of a request."""
    names = _PLACEHOLDER.findall(text)
    # Words that a URL may contain anywhere stand for the placeholders meanwhile: braces would be percent-encoded.
    words = [f"placeholder-{number}-" for number in range(len(names))]
    plain = iter(words)
    if "://" not in text:
        raise InvalidURL(
            f"expected an http or https URL, whole also if the client has a base_url, got {show_url(text)}"
        )
    url = build_url(parse_url(_PLACEHOLDER.sub(lambda _: next(plain), text))._replace(userinfo=None, fragment=None))
    pattern = re.escape(url)
    for name, word in zip(names, words, strict=True):
        pattern = pattern.replace(re.escape(word), f"(?P<{name}>[^/?#]+)")
    return pattern


def _list_params(given: Any) -> list[tuple[str, str]]:
    """Return parameters as a request has them once they are decoded."""
    if isinstance(given, str):
        return parse_query(given)
    pairs = list_values(given, "params", "a mapping, pairs (name, value) or a str")
    return [(name, value if isinstance(value, str) else value.decode("latin-1")) for name, value in pairs]


def _is_value(found: str | None, wanted: HeaderPattern) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return wanted.fullmatch(found) is not None if isinstance(wanted, re.Pattern) else found == wanted


def _has_json(request: SentRequest, wanted: object) -> bool:
    try:
        return bool(request.json() == wanted)
    except ValueError:
        return False


def _has_content(content: bytes, wanted: bytes | re.Pattern[bytes]) -> bool:
    return content == wanted if isinstance(wanted, bytes) else wanted.search(content) is not None
