"""Public suffixes: domains below which anyone can register a name, so that cookies must not be shared there.

The list is that of publicsuffixlist (extra `[cookies]`), private part included (for example github.io). Without that
package only single labels count as public suffixes: `com` does, `co.uk` does not.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@cache
def load_suffixes() -> PublicSuffixList | None:
    """Return the rules; None if publicsuffixlist is not installed.

    The first call reads a file of 330 KB, which takes 20 to 30 ms. In an event loop, call it in a worker thread.
    """
    try:
        # imported on use: optional, and needed only for a Domain attribute
        from publicsuffixlist import PublicSuffixList
    except ImportError:
        return None
    return PublicSuffixList(accept_encoded_idn=False)  # encoding all rules would triple the time


@lru_cache(256)  # a server usually sets all its cookies for one domain
def is_public_suffix(domain: str) -> bool:
    """Return True if a domain is a public suffix; case and a final dot are ignored.

    Malformed names (for example with an empty label) count as public suffixes, so cookies for them are refused.
    Source: RFC 6265bis §5.7, https://publicsuffix.org/list/.
    """
    labels = domain.lower().removesuffix(".").split(".")
    if len(labels) == 1 or "" in labels:
        return True
    suffixes = load_suffixes()
    if suffixes is None:
        return False
    try:
        return suffixes.is_public(".".join(map(_decode_label, labels)))
    except UnicodeError:
        return True


def _decode_label(label: str) -> str:
    return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
