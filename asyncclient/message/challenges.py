"""WWW-Authenticate: what a server asks credentials for, and of which kind (RFC 9110 §11).

A comma parts challenges, and the parameters of one challenge too; some servers write blanks alone between parameters,
which is read, too. What servers write is taken as it comes: nothing here raises, and every pattern walks over its text
once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from .media import QUOTED_TEXT
from .syntax import TOKEN_TEXT

# What stands between two commas, or from a blank before a parameter on: a scheme, a token68 or a parameter after it, or
# a parameter alone; then anything. A token before a "=" is no scheme but a parameter's name; one that goes on after its
# "=" is no token68.
_ELEMENT = re.compile(
    rf"[ \t]*+(?:({TOKEN_TEXT})(?=[ \t,]|\Z)(?![ \t]*+=)[ \t]*+(?:([A-Za-z0-9._~+/-]++=*+)(?=[ \t]*+(?:,|\Z)))?+)?+"
    rf'(?:({TOKEN_TEXT})[ \t]*+=[ \t]*+(?:{QUOTED_TEXT}|([^\s,"]*+)))?+'
    rf'(?:[^,"\t ]++|{QUOTED_TEXT}|[ \t]++(?!{TOKEN_TEXT}[ \t]*+=))*+,?+',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

_MOST = 1000
"""Elements that are looked at: 1 MiB of `a,` would be half a million challenges."""


class Challenge(NamedTuple):
    """A challenge.

    Attributes:
        scheme: in lower case, such as "basic" or "digest".
        token68: what follows the scheme where that is no parameters, as with Negotiate; "" if there is none.
        params: by their names in lower case, realm among them; quotes and escapes are undone. The first of a name
            counts, so that nothing can be added behind it.
    """

    scheme: str
    token68: str
    params: dict[str, str]


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """Return the challenges of WWW-Authenticate or Proxy-Authenticate fields, in order (RFC 9110 §11.6.1).

    Several fields are one list. Of it 1000 elements are looked at; what is neither a scheme, nor a parameter of the
    scheme before it, is left out.
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
    """Return the parameters of an Authentication-Info field, by their names in lower case (RFC 9110 §11.6.3)."""
    params: dict[str, str] = {}
    for element in _find_elements((value,)):
        _add_param(params, element)
    return params


def _find_elements(values: Iterable[str]) -> Iterator[re.Match[str]]:
    return islice((match for value in values for match in _ELEMENT.finditer(value)), _MOST)


def _add_param(params: dict[str, str], element: re.Match[str]) -> None:
    name, quoted, plain = element.group(3, 4, 5)
    if name is not None:
        params.setdefault(name.lower(), plain if quoted is None else _ESCAPE.sub(r"\1", quoted))
