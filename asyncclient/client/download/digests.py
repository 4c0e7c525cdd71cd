"""Digests of downloads: those in fields of responses (RFC 9530), and the checksum that a caller has."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from ...arguments import check_type
from ...errors import clip
from .resuming import Span

LENGTHS: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
"""Hexadecimal digits of a checksum."""

_CHECKSUM: Final = re.compile(r"(?:(\w+):)?([0-9a-fA-F]+)")
_DIGITS: Final = re.compile(r"[0-9a-fA-F]+")
_DIGEST = re.compile(r"(?:^|,)[ \t]*+(sha-256|sha-512)=:([A-Za-z0-9+/=]*+):")


class Check(NamedTuple):
    """A digest that the bytes from `start` to before `stop` (None: the end) must have.

    `field` says where it is from, `algorithm` is a name of hashlib.
    """

    field: str
    algorithm: str
    expected: bytes
    start: int
    stop: int | None


def parse_checksum(text: str) -> Check:
    """Return the check for a checksum of the whole file: `sha256:…`, or digits alone, whose number tells the algorithm.

    Raises:
        TypeError: it is not a str.
        ValueError: the algorithm or the number of digits is wrong.
    """
    check_type("checksum", text, str, "a str such as 'sha256:…'")
    match = _CHECKSUM.fullmatch(text)
    algorithm = "" if match is None else (match[1] or find_algorithm(text)).lower()
    if match is None or algorithm not in LENGTHS:
        raise ValueError(f"expected {', '.join(LENGTHS)}, a colon and the hexadecimal digits, got {clip(text)}")
    if len(match[2]) != LENGTHS[algorithm]:
        raise ValueError(f"expected {LENGTHS[algorithm]} digits of {algorithm} in checksum, got {len(match[2])}")
    return Check("checksum", algorithm, bytes.fromhex(match[2]), 0, None)


def find_algorithm(digits: str) -> str:
    """Return the algorithm that has so many hexadecimal digits; "" if none has, or for other text."""
    is_digits = _DIGITS.fullmatch(digits) is not None
    return next((name for name, length in LENGTHS.items() if is_digits and length == len(digits)), "")


def list_checks(fields: Mapping[str, str], span: Span) -> list[Check]:
    """Return the supported digests in fields or trailers; malformed ones are skipped (RFC 9530).

    Content-Digest covers the content of this response, Repr-Digest the whole representation.
    """
    checks = []
    for field, start, stop in (("Content-Digest", span.start, span.stop), ("Repr-Digest", 0, span.total)):
        for algorithm, text in dict(_DIGEST.findall(fields.get(field, ""))).items():
            try:
                expected = base64.b64decode(text, validate=True)
            except binascii.Error:
                continue
            checks.append(Check(field, algorithm.replace("-", ""), expected, start, stop))
    return checks
