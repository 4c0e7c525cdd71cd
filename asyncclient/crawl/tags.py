"""Start tags of HTML documents, by the tokenization of the HTML standard (§13.2.5), without building a tree.

Building a tree takes quadratic time, and more, for elements that are nested deeply or wrongly (decision 103). The
pattern here takes each character once: a page from a hostile server costs no more than another one of its size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from typing import Final

BLANKS: Final = " \t\n\f\r"
"""White space of the HTML standard."""

_BLANK: Final = r"[ \t\n\f\r]"
_VALUE: Final = r"(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>\"'][^ \t\n\f\r>]*+)"
_ATTRIBUTES: Final = (
    rf"(?:[ \t\n\f\r/]*+[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+(?:{_BLANK}*+={_BLANK}*+{_VALUE}?+)?+)*+[ \t\n\f\r/]*+"
)
_END: Final = r"[ \t\n\f\r/>]"

_RAW: Final = ("style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
"""Elements whose content is text up to their end tag, whatever is in it."""

_NAMES: Final = ("a", "area", "base", "link", "frame", "meta", "script", "plaintext", *_RAW)
_SEEN: Final = f"(?i:{'|'.join(_NAMES)})"

# The parts of a document that are of no interest: text, a comment, an end tag or another start tag, and markup that
# browsers treat as a comment. A part that does not end takes the rest of the document, so that no part is tried twice.
_OTHER: Final = (
    r"[^<]++"
    r"|</[a-zA-Z][a-zA-Z0-9]*+>"
    r"|<!--(?:-?>|.*?--!?>|.*+)"
    rf"|</?+(?!(?<!/){_SEEN}{_END})[a-zA-Z][^ \t\n\f\r/>]*+{_ATTRIBUTES}(?:>|\Z)"
    r"|<[!?/][^>]*+>?+"
    rf"|<(?!{_SEEN}{_END})"
)
_NEXT: Final = re.compile(rf"(?:{_OTHER})*+(?:<({_SEEN})(?={_END})({_ATTRIBUTES})(>|\Z))?+", re.ASCII | re.DOTALL)
_ATTRIBUTE: Final = re.compile(
    rf"([^ \t\n\f\r/>][^ \t\n\f\r/>=]*+)(?:{_BLANK}*+={_BLANK}*+(\"[^\"]*+\"|'[^']*+'|[^ \t\n\f\r>]++)?+)?+"
)
_RAW_END: Final = {
    **{name: re.compile(rf"(?:[^<]++|<(?!/(?i:{name}){_END}))*+</(?i:{name}){_END}") for name in _RAW},
    # In a comment within a script, the end tag of a script that begins there does not end the outer one.
    "script": re.compile(
        rf"(?:[^<]++|<!(?=--)(?:(?!-->)(?:[^<-]++|-|<(?!/?+(?i:script){_END})"
        rf"|<(?i:script){_END}(?:(?!-->|</(?i:script){_END}).)*+(?:</(?i:script))?+))*+"
        rf"|<(?!/(?i:script){_END}))*+</(?i:script){_END}",
        re.DOTALL,
    ),
    "plaintext": re.compile("(?!)"),  # there is none
}
_REFERENCE: Final = re.compile(r"&(?:#[0-9]++;?+|#[xX][0-9A-Fa-f]++;?+|([A-Za-z][A-Za-z0-9]*+)(;|(?!=)))")


def find_tags(html: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the start tags of `a`, `area`, `base`, `frame`, `iframe`, `link` and `meta` in order.

    Each has its name and its attributes by name, both in lower case; of repeated attributes the first one. Tags in
    comments, scripts, styles and titles are not part of the document and are left out. The content of `noscript` and
    `template` is part of it.
    """
    at = 0
    while (match := _NEXT.match(html, at)) is not None and match[3]:
        name, at = match[1].lower(), match.end()
        if name == "iframe" or name not in _RAW_END:
            yield name, parse_attributes(match[2])
        if name in _RAW_END:
            content = _RAW_END[name].match(html, at)
            if content is None:
                return
            at = content.end() - len(f"</{name}>")


def parse_attributes(text: str) -> dict[str, str]:
    """Return the attributes of a start tag from the text after its name."""
    attributes: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(text):
        name = name.lower()
        if name not in attributes:
            plain = value[1:-1] if value[:1] in "\"'" else value
            attributes[name] = decode_references(plain) if "&" in plain else plain
    return attributes


def decode_references(value: str) -> str:
    """Return the value of an attribute with its character references decoded.

    A name without a semicolon is kept if a letter, a digit or "=" follows: `?a=1&copy=2` is a query (§13.2.5.73).
    """
    if value.count("&") == value.count("&amp;"):  # the common case
        return value.replace("&amp;", "&")
    return _REFERENCE.sub(_decode, value)


def _decode(match: re.Match[str]) -> str:
    name, end = match.groups()
    return unescape(match[0]) if name is None else html5.get(name + end, match[0])
