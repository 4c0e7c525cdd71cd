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

_COOKIE_VALUE: Final = re.compile(r"=[^;]*")
_FIRST_COOKIE_VALUE: Final = re.compile(r"^([^=;]*=)[^;]*")
_PARAM: Final = re.compile(r"((?:^|(?<=[?&]))([^?&=#\s]*)=)[^&#\s\"'<>]*")
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_LAST_PART: Final = re.compile(r"[^\[\].]+(?=[\[\].]*$)")

_STRING: Final = r'"(?:[^"\\]++|\\.)*+(?:"|$)'  # the last one of content that broke off has no end
_JSON: Final = re.compile(rf'({_STRING})(?=\s*:)|({_STRING}|[^\s{{}}\[\],:"]+)|([{{\[])|[}}\]]', re.DOTALL)
_NO_SECRETS: Final = ("null", "true", "false")


class Masks:
    """Which values are secret.

    Names of parameters and keys are compared without case, underscores and hyphens: `api_key` is also `apiKey`. Of
    `user[password]` the last part counts.

    Args:
        headers: names of fields, in addition to MASKED_FIELDS.
        params: names of parameters of queries and forms and of keys of JSON, in addition to SECRET_PARAMS.
    """

    def __init__(self, headers: Collection[str] = (), params: Collection[str] = ()) -> None:
        self._fields = {*MASKED_FIELDS, *(name.lower() for name in headers)}
        self._params = {_reduce(name) for name in (*SECRET_PARAMS, *params)}

    def mask_text(self, text: str) -> str:
        """Return a URL, a query or a form with secret parameters masked."""
        return _PARAM.sub(self._mask_param, text) if "=" in text else text

    def _mask_param(self, found: re.Match[str]) -> str:
        return f"{found[1]}{MASK}" if self.is_secret(unquote(found[2])) else found[0]

    def mask_field(self, name: str, value: str) -> str:
        """Return the value of a field; of cookies and credentials the names and the scheme are kept."""
        lower = name.lower()
        if lower not in self._fields:
            return self.mask_text(value)
        if lower == "cookie":
            return _COOKIE_VALUE.sub(f"={MASK}", value)
        if lower == "set-cookie":
            return _FIRST_COOKIE_VALUE.sub(rf"\g<1>{MASK}", value)
        scheme, blank, _ = value.partition(" ")
        return f"{scheme} {MASK}" if lower in _SCHEMES and blank else MASK

    def mask_content(self, media_type: str, text: str) -> str:
        """Return content with the secrets of a form or of JSON masked; other content as it is.

        JSON that says so in its media type is masked also if it breaks off; other text only if it is JSON as a whole.
        """
        if media_type.endswith("urlencoded"):
            return self.mask_text(text)
        if media_type.endswith(("json", "jsonl")) or _is_json(text):
            return self._mask_json(text)
        return text

    def _mask_json(self, text: str) -> str:
        """Return JSON with all that is below secret keys masked, and the rest as it was written."""
        levels, is_secret = [False], False  # of each open array or object; of the next value

        def mask(found: re.Match[str]) -> str:
            nonlocal is_secret
            key, value, begin = found.groups()
            if key is not None:
                is_secret = levels[-1] or self.is_secret(_read_key(key))
                return found[0]
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


def _is_json(text: str) -> bool:
    """Return whether a text is an array or an object of JSON as a whole."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
