"""Domain names that are not ASCII, encoded as browsers do (UTS 46, non-transitional; RFC 3492).

The options are those of the WHATWG URL standard's "domain to ASCII": hyphens are free, joiners and the Bidi rule are
checked, and characters that IDNA 2008 leaves out but UTS 46 has (symbols, emoji) are encoded. `ß` stays itself.
"""

from __future__ import annotations

from unicodedata import bidirectional

import idna

_MOST_LETTERS = 1024
"""Letters of a name that is looked at: no name longer than this has an encoding of 253 bytes."""

_MOST_IN_LABEL = 63
_MOST_BYTES = 253
"""Bytes of an encoded name without the dot at its end (RFC 1035 §2.3.4)."""


def encode_domain(name: str) -> str:
    """Return a name in ASCII and lower case; only labels that are not ASCII are encoded.

    Raises:
        ValueError: the name has no encoding; the text says why.
    """
    if len(name) > _MOST_LETTERS:
        raise ValueError(f"a name of {len(name)} letters")
    labels = idna.uts46_remap(name, std3_rules=False, transitional=False).split(".")
    decoded = [_decode(label) for label in labels]
    has_bidi = any(bidirectional(letter) in ("R", "AL", "AN") for label in decoded for letter in label)
    for label in decoded:
        _check(label, has_bidi)
    encoded = ".".join(map(_encode, decoded))
    if len(encoded.removesuffix(".")) > _MOST_BYTES:
        raise ValueError(f"an encoded name of more than {_MOST_BYTES} bytes")
    return encoded


def _decode(label: str) -> str:
    """Return a label as its reader sees it; one that is Punycode already has to be what encoding would give."""
    if not label.startswith("xn--"):
        return label
    text = label[4:].encode("ascii").decode("punycode")
    if text.isascii() or _encode(text) != label or idna.uts46_remap(text, std3_rules=False, transitional=False) != text:
        raise ValueError(f"a label that is no valid Punycode: {label[:_MOST_IN_LABEL]!r}")
    return text


def _check(label: str, has_bidi: bool) -> None:
    if label and has_bidi:
        idna.check_bidi(label, check_ltr=True)
    if label.isascii():
        return
    if len(label) > _MOST_IN_LABEL:  # Punycode has a letter at least for each of the label's
        raise ValueError(f"a label of more than {_MOST_IN_LABEL} letters")
    idna.check_initial_combiner(label)
    for position, letter in enumerate(label):
        if letter in "\u200c\u200d" and not idna.valid_contextj(label, position):
            raise ValueError(f"a joiner at position {position + 1} of {label[:_MOST_IN_LABEL]!r}")


def _encode(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
