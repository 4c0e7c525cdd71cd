"""WWW-Authenticate and Proxy-Authenticate: the authentication schemes that a server offers (RFC 9110 §11).

Commas separate challenges and also the parameters of one challenge; some servers write only blanks between parameters,
which is accepted. Malformed values raise nothing, and every pattern scans its text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from .media import QUOTED_TEXT
from .syntax import TOKEN_TEXT

# The text up to a comma, or up to a blank before a parameter: a scheme, with a token68 or a parameter after it, or a
# parameter alone; then anything else. A token before "=" is a parameter's name, not a scheme; a token that continues
# after its "=" is not a token68.
_ELEMENT = re.compile(
    rf"[ \t]*+(?:({TOKEN_TEXT})(?=[ \t,]|\Z)(?![ \t]*+=)[ \t]*+(?:([A-Za-z0-9._~+/-]++=*+)(?=[ \t]*+(?:,|\Z)))?+)?+"
    rf'(?:({TOKEN_TEXT})[ \t]*+=[ \t]*+(?:{QUOTED_TEXT}|([^\s,"]*+)))?+'
    rf'(?:[^,"\t ]++|{QUOTED_TEXT}|[ \t]++(?!{TOKEN_TEXT}[ \t]*+=))*+,?+',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

_MAX_ELEMENTS = 1000
"""Elements parsed at most: a field of 1 MiB of `a,` would give half a million challenges."""


class Challenge(NamedTuple):
    """One challenge.

    Attributes:
        scheme: in lower case, for example "basic" or "digest".
        token68: the token68 after the scheme, as with Negotiate; "" if there is none.
        params: by lower-case name, realm included, unquoted. The first of repeated parameters is kept, so that one
            appended later cannot replace it.
    """

    scheme: str
    token68: str
    params: dict[str, str]


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """Return the challenges of WWW-Authenticate or Proxy-Authenticate fields, in order (RFC 9110 §11.6.1).

    Several fields form one list, of which at most 1000 elements are parsed. An element that is neither a scheme nor a
    parameter of the preceding scheme is skipped.
    """
    challenges: list[Challenge] = []
    for element in _find_elements(values):
        scheme, token68 = element[1], element[2]
        if scheme is not None:
            challenges.append(Challenge(scheme.lower(), token68 or "", {}))
        if challenges:
            _add_param(challenges[-1].params, element)
    return challenges


def parse_auth_params(value: str) -> dict[str, str]:
    """Return the parameters of an Authentication-Info field by lower-case name (RFC 9110 §11.6.3)."""
    params: dict[str, str] = {}
    for element in _find_elements((value,)):
        _add_param(params, element)
    return params


def _find_elements(values: Iterable[str]) -> Iterator[re.Match[str]]:
    return islice((match for value in values for match in _ELEMENT.finditer(value)), _MAX_ELEMENTS)


def _add_param(params: dict[str, str], element: re.Match[str]) -> None:
    name, quoted, plain = element.group(3, 4, 5)
    if name is not None:
        params.setdefault(name.lower(), plain if quoted is None else _ESCAPE.sub(r"\1", quoted))
