"""Which values of an exchange are secret, and texts in which they are replaced by ***; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote

from ..message.credentials import SECRET_FIELDS

MASK: Final = "***"

MASKED_FIELDS: Final = (*SECRET_FIELDS, "set-cookie")
"""Names of the fields whose values are masked by default."""

SECRET_PARAMS: Final = (
    "access_token",
    "api_key",
    "api_token",
    "auth_token",
    "client_secret",
    "current_password",
    "id_token",
    "new_password",
    "old_password",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "refresh_token",
    "secret",
    "secret_key",
    "session_token",
    "token",
)
"""Names of the parameters of queries and forms, and of the keys of JSON, whose values are masked by default."""

_SCHEMES: Final = ("authorization", "proxy-authorization")
_URL_FIELDS: Final = ("location", "content-location", "referer")

_BEFORE_JSON: Final = "\ufeff\x1e \t\r\n"

_NAME: Final = re.compile(r"(?:^|(?<=[?&#;]))([^?&=#;\s]*)=")
_URL_VALUE: Final = re.compile(r"[^&#]*")
_TEXT_VALUE: Final = re.compile(r"[^&#\s\"<>]*")  # a URL within other text ends there
_FORM_PARAM: Final = re.compile(r"((?:^|(?<=&))([^&=]*)=)[^&]*")
_WHOLE_FORM: Final = re.compile(r"[^\s&=]++=[^\s&]*+(?:&[^\s&]*+)*+\s*+\Z")
_NO_LETTERS: Final = re.compile(r"[^\w/]+|_+")  # a key "/token" is a path
_LAST_PART: Final = re.compile(r"[^\[\].]+(?=[\[\].]*$)")

_STRING: Final = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'  # the last one of content that broke off has no end
_JSON: Final = re.compile(rf'({_STRING})(?=\s*:)|({_STRING}|[^\s{{}}\[\],:"]+)|([{{\[])|[}}\]]', re.DOTALL)
_NO_SECRETS: Final = ("null", "true", "false")
_RECORDS: Final = (
    ("event-stream", re.compile(r"((?>\r\n|\n|\r){2,})")),
    ("json-seq", re.compile(r"(\x1e)")),
    ("jsonl", re.compile(r"(\n)")),
    ("ndjson", re.compile(r"(\n)")),
)
"""Ends of the records of media types that have several, so that a record that breaks off does not change the next."""


class Masks:
    """Which values are secret.

    Names of parameters and keys are compared without case, underscores and hyphens: `api_key` is also `apiKey`. Of
    `user[password]` the last part counts.

    Args:
        headers: names of fields, in addition to MASKED_FIELDS.
        params: names of parameters of queries and forms and of keys of JSON.
        usual_params: the names of SECRET_PARAMS are secret, too.
    """

    def __init__(
        self, headers: Collection[str] = (), params: Collection[str] = (), *, usual_params: bool = True
    ) -> None:
        self._fields = {*MASKED_FIELDS, *(name.lower() for name in headers)}
        self._params = {_reduce(name) for name in (*params, *(SECRET_PARAMS if usual_params else ()))}

    def mask_url(self, url: str) -> str:
        """Return a URL with the secret parameters of its query and its fragment masked."""
        return self._mask_params(url, _URL_VALUE)

    def _mask_params(self, text: str, value: re.Pattern[str]) -> str:
        parts, end = [], 0
        for found in _NAME.finditer(text):
            if found.start() >= end and self.is_secret(unquote(found[1])):
                parts += [text[end : found.end()], MASK]
                end = _end_of(value, text, found.end())
        return "".join(parts) + text[end:]

    def _mask_form(self, text: str) -> str:
        return _FORM_PARAM.sub(self._mask_param, text)

    def _mask_param(self, found: re.Match[str]) -> str:
        return f"{found[1]}{MASK}" if self.is_secret(unquote(found[2])) else found[0]

    def mask_field(self, name: str, value: str) -> str:
        """Return the value of a field; of cookies and credentials the names and the scheme are kept."""
        lower = name.lower()
        if lower not in self._fields:
            return self._mask_params(value, _URL_VALUE if lower in _URL_FIELDS else _TEXT_VALUE)
        if lower == "cookie":
            return ";".join(map(_mask_cookie, value.split(";")))
        if lower == "set-cookie":
            cookie, semicolon, attributes = value.partition(";")
            return f"{_mask_cookie(cookie)}{semicolon}{attributes}"
        scheme, blank, _ = value.partition(" ")
        return f"{scheme} {MASK}" if lower in _SCHEMES and blank else MASK

    def mask_content(self, media_type: str, text: str) -> str:
        """Return content with the secrets of a form or of JSON masked; other content as it is.

        Content is a form or JSON by its media type, or because it looks like that from its first character on.
        """
        if media_type.endswith("urlencoded"):
            return self._mask_form(text)
        for word, ends in _RECORDS:
            if word in media_type:
                return "".join(map(self._mask_json, ends.split(text)))
        if "json" in media_type or text.lstrip(_BEFORE_JSON).startswith(("{", "[")):
            return self._mask_json(text)
        return self._mask_form(text) if _WHOLE_FORM.match(text) else text

    def _mask_json(self, text: str) -> str:
        """Return JSON with all that is below secret keys masked, and the rest as it was written."""
        levels, is_secret = [False], False  # of each open array or object; of the next value

        def mask(found: re.Match[str]) -> str:
            nonlocal is_secret
            key, value, begin = found.groups()
            if key is not None:
                is_secret = levels[-1] or self.is_secret(_read_key(key))
                return found[0]
            if value == "data":  # not JSON, but the name of a field of an event stream before a line of it
                return value
            hides, is_secret = is_secret or levels[-1], False
            if value is not None:
                return f'"{MASK}"' if hides and value not in _NO_SECRETS else value
            if begin is not None:
                levels.append(hides)
            elif len(levels) > 1:
                levels.pop()
            return found[0]

        return _JSON.sub(mask, text)

    def is_secret(self, name: str) -> bool:
        """Return whether a parameter or a key of this name has a secret value."""
        if _reduce(name) in self._params:
            return True
        last = _LAST_PART.search(name)
        return last is not None and _reduce(last[0]) in self._params


def _reduce(name: str) -> str:
    return _NO_LETTERS.sub("", name).lower()


def _read_key(key: str) -> str:
    try:
        return str(json.loads(key, strict=False))
    except ValueError:
        return key


def _mask_cookie(cookie: str) -> str:
    """Return `name=***`; a cookie without a name is its value."""
    name, equals, _ = cookie.partition("=")
    if equals:
        return f"{name}={MASK}"
    return cookie.replace(cookie.strip(), MASK) if cookie.strip() else cookie


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()
