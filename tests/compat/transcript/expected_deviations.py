"""Where compat differs from http.client on purpose: why, and what it tells in tests/compat/transcript/deviations.py."""

from typing import NamedTuple


class Difference(NamedTuple):
    """The reason for a deviation, the minors of Python 3 without it, and the text of compat on each."""

    reason: str
    same_on: tuple[int, ...]
    told: str


DIFFERENCES = {
    "interim_responses_other_than_continue": Difference(
        "An interim response taken for the final one leaves that to the next request. They are skipped, 100 at most.",
        (),
        r"""
200 b'hello'
200 b'hello'
200 b'hello'
endless: HTTPException 'got more than 100 interim responses'
""",
    ),
    "invalid_or_contradicting_lengths": Difference(
        (
            "http.client reads until the connection ends, or takes the first: another response's bytes may be "
            "among them."
        ),
        (),
        r"""
b'x': HTTPException "invalid content length: b'x'"
b'+5': HTTPException "invalid content length: b'+5'"
b'5 5': HTTPException "invalid content length: b'5 5'"
b'5.0': HTTPException "invalid content length: b'5.0'"
b'0x5': HTTPException "invalid content length: b'0x5'"
b'5, 6': HTTPException "content lengths that differ: b'5, 6'"
b'5\r\nContent-Length: 6': HTTPException "content lengths that differ: b'5,6'"
b'5, 5': b'hello'
b'-5': b'hello'
b'': HTTPException "invalid content length: b''"
""",
    ),
    "unsolicited_data": Difference(
        "They would pass for the next response, so the connection is not used again.",
        (),
        r"""
b'hello'
b'hello' 2
""",
    ),
    "a_response_that_was_closed_unread": Difference(
        "What was not read would pass for the next response, so the connection is not used again.",
        (),
        r"""
second: b'hello'
2
""",
    ),
    "heads_that_are_not_sound": Difference(
        (
            "Where two parsers may see different fields, the connection is not used again. A Content-Length behind "
            "a line that is no field counts; http.client stops there."
        ),
        (),
        r"""
no colon 2 True
empty name 2 True
space before the colon 2 True
space in the name 2 True
first line folded 2 True
gzip 2 True
identity 2 True
Proxy-Connection 2 True
""",
    ),
    "a_head_that_ends_with_the_connection": Difference(
        "A head without its end is incomplete (RFC 9112 §8), for http.client it is whole.",
        (),
        r"""
getresponse: IncompleteRead 'IncompleteRead(0 bytes read)'
getresponse: IncompleteRead 'IncompleteRead(6 bytes read)'
getresponse: IncompleteRead 'IncompleteRead(19 bytes read)'
getresponse: IncompleteRead 'IncompleteRead(0 bytes read)'
""",
    ),
    "missing_sizes_that_peek_hides": Difference(
        "Content that breaks off before the size of a chunk is incomplete, however it is read.",
        (),
        r"""
before a size, peek() and read(2): IncompleteRead 'IncompleteRead(0 bytes read)'
before a size, readline(): IncompleteRead 'IncompleteRead(0 bytes read)'
before a size, list(): IncompleteRead 'IncompleteRead(0 bytes read)'
without any size, peek() and read(2): IncompleteRead 'IncompleteRead(0 bytes read)'
without any size, readline(): IncompleteRead 'IncompleteRead(0 bytes read)'
without any size, list(): IncompleteRead 'IncompleteRead(0 bytes read)'
no size, peek() and read(2): IncompleteRead 'IncompleteRead(0 bytes read)'
no size, readline(): IncompleteRead 'IncompleteRead(0 bytes read)'
no size, list(): IncompleteRead 'IncompleteRead(0 bytes read)'
""",
    ),
    "content_that_was_cut": Difference(
        "Content that was cut is incomplete at each further read; in some cases http.client tells it is at its end.",
        (),
        r"""
after a chunk: b'one\n'
after a chunk: IncompleteRead 'IncompleteRead(0 bytes read)'
after a chunk: IncompleteRead 'IncompleteRead(0 bytes read)'
before a size: b'one\n'
before a size: IncompleteRead 'IncompleteRead(0 bytes read)'
before a size: IncompleteRead 'IncompleteRead(0 bytes read)'
without any size: IncompleteRead 'IncompleteRead(0 bytes read)'
without any size: IncompleteRead 'IncompleteRead(0 bytes read)'
without any size: IncompleteRead 'IncompleteRead(0 bytes read)'
no size: b'one\n'
no size: IncompleteRead 'IncompleteRead(0 bytes read)'
no size: IncompleteRead 'IncompleteRead(0 bytes read)'
""",
    ),
    "status_lines_with_blanks": Difference(
        "A status line has single spaces and none before it (RFC 9112 §4).",
        (),
        r"""
b'HTTP/1.1  200  very   OK  \r\n': BadStatusLine 'HTTP/1.1  200  very   OK  \r\n'
b' HTTP/1.1 200 OK\r\n': BadStatusLine ' HTTP/1.1 200 OK\r\n'
""",
    ),
    "length_used_up": Difference(
        "As Python 3.13: a response is closed as soon as read1() or readline() has used up its length.",
        (13,),
        r"""
read1() b'hello' True 0
readline() b'hello' True 0
list() [b'hello'] True 0
""",
    ),
    "read_of_a_negative_number": Difference(
        "As Python 3.14: it reads all, as with any file.",
        (),
        r"""
read(-1): (b'hello', True)
read(-1): (b'hello', True)
read(-1): (b'hello', True)
""",
    ),
    "an_answer_while_content_is_sent": Difference(
        "The answer is heard while content goes out. On http.client it is a race what becomes of it.",
        (),
        r"""
413 b'no\n' True None
""",
    ),
    "a_socket_that_never_waits": Difference(
        "That nothing has come yet is not the end of the connection, for which http.client takes it.",
        (),
        r"""
getresponse: BlockingIOError '[Errno 11] Resource temporarily unavailable'
False
b'hello'
""",
    ),
    "a_chunk_of_wider_items": Difference(
        "The size of a chunk is in bytes; http.client writes the number of items.",
        (),
        r"""
[b'6\r\n\x01\x00\x02\x00\x03\x00\r\n', b'0\r\n\r\n']
[b'8\r\n\x01\x00\x00\x00\x02\x00\x00\x00\r\n', b'0\r\n\r\n']
""",
    ),
    "a_body_that_fails": Difference(
        "Half a request is on the connection, so it is closed.",
        (),
        r"""
request: BodyError '1'
['close()']
request: UnicodeEncodeError "'latin-1' codec can't encode character '\\u20ac' in position 1: ordinal not in range(256)"
['close()']
""",
    ),
    "rejected_requests_leave_nothing": Difference(
        "What was put into the buffer before the fault was found is taken back.",
        (),
        r"""
InvalidURL
next: None
[b'GET /next HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: x\r\n\r\n']
UnicodeEncodeError
next: None
[b'GET /next HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: x\r\n\r\n']
ValueError
next: None
[b'GET /next HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: x\r\n\r\n']
ValueError
next: None
[b'GET /next HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: x\r\n\r\n']
UnicodeEncodeError
next: None
[b'GET /next HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: x\r\n\r\n']
""",
    ),
    "invalid_methods": Difference(
        "A method with a space is two words of the request line (RFC 9110 §9.1).",
        (),
        r"""
'G T': ValueError "method must be a token. 'G T'"
[]
'\x7f': ValueError "method must be a token. '\\x7f'"
[]
'G:T': ValueError "method must be a token. 'G:T'"
[]
'(GET)': ValueError "method must be a token. '(GET)'"
[]
""",
    ),
    "nul_in_a_header": Difference(
        "NUL is in no field (RFC 9110 §5.5); some servers end the field there.",
        (),
        r"""
('a\x00', 'b'): ValueError "Invalid header name b'a\\x00'"
[]
('a', 'b\x00'): ValueError "Invalid header value b'b\\x00'"
[]
""",
    ),
    "host_of_a_scoped_target": Difference(
        "http.client loses the port of an address with a zone.",
        (),
        r"""
[b'GET http://[fe80::1%25a]:8/x HTTP/1.1\r\nHost: [fe80::1]:8\r\nAccept-Encoding: identity\r\n\r\n']
""",
    ),
    "requests_to_a_proxy": Difference(
        "As Python 3.12: HTTP/1.1, with Host.",
        (12, 13),
        r"""
b'hello' [b'CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n']
""",
    ),
    "responses_of_a_proxy": Difference(
        "As Python 3.12: get_proxy_response_headers(), and debug output with all lines.",
        (12, 13),
        r"""
before: None
send: b'CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: given\r\n\r\n'
header: Via: me

header:

send: b'GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAccept-Encoding: identity\r\n\r\n'
reply: 'HTTP/1.1 200 OK\r\n'
header: Content-Length: 5
b'hello'
after: [('Via', 'me')]
""",
    ),
    "tunnel_to_version_6": Difference(
        "As Python 3.13 documents it: brackets, in Host too, where 3.13.0 itself forgot them.",
        (),
        r"""
connect: None
[b'CONNECT [fe80::1]:81 HTTP/1.1\r\nHost: [fe80::1]:81\r\n\r\n']
""",
    ),
    "tunnel_to_a_bad_host": Difference(
        "As later Pythons: the host goes into the request line, where line breaks would begin fields.",
        (),
        r"""
'a b': None
connect: ValueError "Tunnel host can't contain control characters 'a b'"
[]
'a\r\nX: 1': None
connect: ValueError "Tunnel host can't contain control characters 'a\\r\\nX'"
[]
""",
    ),
    "the_socket_of_a_handshake_that_failed": Difference(
        "http.client leaves it there: the next request fails on it, or goes out in the clear where it was not used up.",
        (),
        r"""
connect: SSLCertVerificationError
True
""",
    ),
    "arguments_of_older_pythons": Difference(
        "As Python 3.11: key_file, cert_file and check_hostname, with a warning.",
        (11,),
        r"""
files: 'localhost'
check_hostname: ValueError 'check_hostname needs a SSL context with either CERT_OPTIONAL or CERT_REQUIRED'
no check: False
DeprecationWarning key_file, cert_file and check_hostname are deprecated, use a custom context instead.
DeprecationWarning key_file, cert_file and check_hostname are deprecated, use a custom context instead.
DeprecationWarning key_file, cert_file and check_hostname are deprecated, use a custom context instead.
""",
    ),
    "arguments_of_newer_pythons": Difference(
        "As Python 3.15: max_response_headers.",
        (),
        r"""
150
""",
    ),
}
