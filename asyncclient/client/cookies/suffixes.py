"""Which domains are public suffixes: below them anybody can register, so no cookie may be shared there.

The list is publicsuffixlist's (extra `[cookies]`), with its private part (github.io and the like). Without that
package only single labels count as public: `com` does, `co.uk` does not.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@cache
def load_suffixes() -> PublicSuffixList | None:
    """Return the rules, None where publicsuffixlist is not installed.

    The first call reads a file of 330 KB, which takes 20 to 30 ms; an event loop may want it on another thread.
    """
    try:
        # optional, and not for programs that never see a Domain attribute
        from publicsuffixlist import PublicSuffixList
    except ImportError:
        return None
    return PublicSuffixList(accept_encoded_idn=False)  # encoding all its rules would take as long again, twice


@lru_cache(256)  # 5 µs without; a server sets all its cookies for one domain
def is_public_suffix(domain: str) -> bool:
    """Return whether a domain is a public suffix; in any case of letters, with or without a dot at its end.

    What is no domain name, an empty label in it say, counts as one, since cookies for it are refused then.
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
