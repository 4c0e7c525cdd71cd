"""Credentials in header fields: the names of the fields, and user names and passwords as sent."""

from __future__ import annotations

import binascii
import re
from typing import Final

SECRET_FIELDS: Final = ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token")
"""Lower-case names of the fields of requests whose values are credentials, unless an option says more."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def basic_value(username: str, password: str) -> str:
    """Return the value of Authorization or Proxy-Authorization for the Basic scheme: UTF-8 in base64 (RFC 7617).

    Raises:
        TypeError: the user or the password is not a str.
        ValueError: the user has a colon, or either has a control character or a lone surrogate.
    """
    user, secret = encode_credential(username), encode_credential(password)
    if b":" in user:
        raise ValueError("expected a user without colon for Basic")  # RFC 7617 §2: the colon ends the user
    return "Basic " + binascii.b2a_base64(user + b":" + secret, newline=False).decode("ascii")


def encode_credential(text: str) -> bytes:
    """Return a user or password as sent or hashed: UTF-8 in NFC (RFC 7617 §2.1, RFC 7616 §3.3).

    Raises:
        TypeError: it is not a str.
        ValueError: it has a control character or a lone surrogate.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected str as user and password, got {type(text).__name__}")
    if _CONTROL.search(text) is not None:
        raise ValueError("expected user and password without control characters")
    if text.isascii():
        return text.encode("ascii")
    from unicodedata import normalize  # imported on use: a shared library of 1 MB

    try:
        return normalize("NFC", text).encode("utf-8")
    except UnicodeEncodeError:  # not chained: the error holds the credential
        raise ValueError("expected user and password that UTF-8 can encode") from None
