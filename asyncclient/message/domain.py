"""Encoding of non-ASCII domain names as in browsers (UTS 46, non-transitional; RFC 3492).

The options are those of the WHATWG URL standard's "domain to ASCII": hyphens are unrestricted, joiners and the Bidi
rule are checked, and characters that UTS 46 allows but IDNA 2008 does not (symbols, emoji) are encoded. `ß` is kept.
"""

from __future__ import annotations

from unicodedata import bidirectional

import idna

_MAX_LETTERS = 1024
"""Letters of a name before encoding. A longer name cannot have an encoding of 253 bytes."""

_MAX_LABEL = 63
_MAX_BYTES = 253
"""Bytes of an encoded name without its final dot (RFC 1035 §2.3.4)."""


def encode_domain(name: str) -> str:
    """Return a name in lower-case ASCII; only labels that are not ASCII are encoded.

    Raises:
        ValueError: the name can't be encoded; the text gives the reason.
    """
    if len(name) > _MAX_LETTERS:
        raise ValueError(f"a name of {len(name)} letters")
    labels = idna.uts46_remap(name, std3_rules=False, transitional=False).split(".")
    decoded = [_decode(label) for label in labels]
    has_bidi = any(bidirectional(letter) in ("R", "AL", "AN") for label in decoded for letter in label)
    for label in decoded:
        _check(label, has_bidi)
    encoded = ".".join(map(_encode, decoded))
    if len(encoded.removesuffix(".")) > _MAX_BYTES:
        raise ValueError(f"an encoded name of more than {_MAX_BYTES} bytes")
    return encoded


def _decode(label: str) -> str:
    """Return a label as Unicode; a label in Punycode must be equal to its own re-encoding."""
    if not label.startswith("xn--"):
        return label
    text = label[4:].encode("ascii").decode("punycode")
    if text.isascii() or _encode(text) != label or idna.uts46_remap(text, std3_rules=False, transitional=False) != text:
        raise ValueError(f"a label that is no valid Punycode: {label[:_MAX_LABEL]!r}")
    return text


def _check(label: str, has_bidi: bool) -> None:
    if label and has_bidi:
        idna.check_bidi(label, check_ltr=True)
    if label.isascii():
        return
    if len(label) > _MAX_LABEL:  # its Punycode has at least as many letters
        raise ValueError(f"a label of more than {_MAX_LABEL} letters")
    idna.check_initial_combiner(label)
    for position, letter in enumerate(label):
        if letter in "\u200c\u200d" and not idna.valid_contextj(label, position):
            raise ValueError(f"a joiner at position {position + 1} of {label[:_MAX_LABEL]!r}")


def _encode(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
