"""The grammar of RFC 9110 and RFC 9112 as compiled patterns, named after the RFCs' own rules.

Every pattern is possessive, so a peer cannot make it backtrack. A line ends with CRLF. A bare LF is accepted where
RFC 9112 §2.2 allows it; a bare CR never is.
"""

from __future__ import annotations

import re

TOKEN_TEXT = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
"""RFC 9110 §5.6.2: token."""

_TOKEN = TOKEN_TEXT.encode()
_VALUE = rb"[\x01-\x09\x0b\x0c\x0e-\xff]*+"  # all but NUL, LF and CR, listed: a negated class is slower (decision 50)
_EOL = rb"\r?+\n"

TOKEN = re.compile(TOKEN_TEXT)

REQUEST_TARGET = re.compile(r"[\x21-\x7e]++")
"""RFC 9112 §3.2, loosely: visible ASCII. Which form of target is right depends on the request."""

REQUEST_LINE = re.compile(TOKEN_TEXT + r" [\x21-\x7e]++ HTTP/1\.[01]")
"""RFC 9112 §3, without the line ending."""

FIELD_VALUE = re.compile(r"[^\x00\r\n]*+")
"""RFC 9110 §5.5: any characters except NUL, CR and LF."""

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""RFC 9110 §5.5: control characters except the tab; a generated field value must not contain them."""

STATUS_LINE = re.compile(rb"HTTP/([0-9])\.([0-9]) ([1-9][0-9]{2})(?: (" + _VALUE + rb"))?+" + _EOL)
"""RFC 9112 §4. The reason and the space before it may be missing: many servers omit both."""

INTERIM_HEADS = re.compile(rb"(?:HTTP/1\.[0-9] 1(?!01)[^\n]*+\n(?:(?!\r?+\n)[^\n]*+\n)*+\r?+\n)*+")
"""RFC 9110 §15.2: complete interim responses (1xx except 101) before the final response."""

OTHER_PROTOCOL = re.compile(rb"HTTP/[02-9](?:\.[0-9])?+(?=[ \r\n])")
"""RFC 9112 §2.3: a version other than HTTP/1.x, also in the short form `HTTP/2` that servers and tools write."""

FIELD_LINES = re.compile(rb"(?:" + _TOKEN + rb":" + _VALUE + _EOL + rb")*+" + _EOL)
"""RFC 9112 §5: a whole field section without folded lines, and the empty line after it."""

_PLAIN = (
    rb"(?:(?![cCtTsS](?i:ontent-length|ontent-encoding|onnection|ransfer-encoding|et-cookie):)"
    + _TOKEN + rb":" + _VALUE + _EOL
    + rb"|(?i:connection: keep-alive)" + _EOL + rb")*+"
)  # fmt: skip

PLAIN_FIELD_LINES = re.compile(
    _PLAIN + rb"(?:(?i:content-length):[ \t]*+([0-9]{1,18}+)" + _EOL + _PLAIN + rb")?+" + _EOL
)
"""FIELD_LINES whose only inspected field, if any, is one Content-Length: no Transfer-Encoding, no `Connection: close`,
no Content-Encoding, no Set-Cookie. One match checks the section and finds the length (decision 50)."""

FIELD_LINE = re.compile(rb"(" + _TOKEN + rb"):" + _VALUE + _EOL)

FIELD = re.compile(r"([^:\r\n]++):[ \t]*+([^\r\n]*+)")
"""Name and value of each line of a section that FIELD_LINES has matched; trailing blanks are part of the value."""

OBS_FOLD = re.compile(rb"(?:(?<![ \t])[ \t]++)?+" + _EOL + rb"[ \t]++")
"""RFC 9112 §5.2: a line folded into the next one; a recipient replaces the fold by a space. A run of blanks is entered
only at its first blank: if each blank were tried, a long run would take quadratic time."""

INSPECTED_FIELD = re.compile(
    rb"\n(content-length|transfer-encoding|connection|content-encoding|set-cookie):[ \t]*+([^\r\n]*+)", re.IGNORECASE
)
"""The fields that decide the framing, whether the connection persists, the content coding, and cookies."""

CONTENT_LENGTH = re.compile(rb"[0-9]{1,18}+(?:[ \t]*+,[ \t]*+[0-9]{1,18}+)*+")
"""RFC 9110 §8.6: digits, or a list of equal numbers as some intermediaries make it. 18 digits are enough for an
exbibyte."""

CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)([ \t]*+(?:;[^\x00\r\n]*+)?+)\r\n")
"""RFC 9112 §7.1: size and extensions. Blanks after the size are accepted, because some servers pad it; a bare LF is
not."""

PLAIN_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)\r\n")
"""The same without extensions and blanks."""
