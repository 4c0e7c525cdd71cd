"""All names of http.client on 3.11 to 3.13: of the module, of its classes and of their instances, public and private.

Each is there in compat, means the same, and can be replaced where http.client looks it up when it is called.
"""

import http.client as std
import sys
from types import ModuleType
from typing import Final

from compat import client

SINCE: Final = {
    "_create_https_context": (3, 12),
    "_parse_header_lines": (3, 12),
    "get_proxy_response_headers": (3, 12),
    "_raw_proxy_headers": (3, 12),
    "_wrap_ipv6": (3, 13),
}
UNTIL: Final = {"key_file": (3, 11), "cert_file": (3, 11)}

OURS: Final = "HTTPConnection HTTPSConnection HTTPResponse HTTPMessage parse_headers _read_headers _parse_header_lines"
OURS_IN_MODULE: Final = [*OURS.split(), "_create_https_context"]
"""The names that compat defines; every other is http.client's own object."""

LOOKED_UP: Final = [
    "print",
    "parse_headers",
    "_read_headers",
    "_parse_header_lines",
    "_encode",
    "_strip_ipv6_iface",
    "urlsplit",
    "_is_legal_header_name",
    "_is_illegal_header_value",
    "_contains_disallowed_url_pchar_re",
    "_contains_disallowed_method_pchar_re",
    "_METHODS_EXPECTING_BODY",
    "_create_https_context",
]
"""The names that http.client's own code looks up in the module each time; `print` is one if a program has set it."""

METHODS: Final[dict[str, list[str]]] = {
    "HTTPConnection": [
        "_is_textIO",
        "_get_content_length",
        "set_tunnel",
        "_get_hostport",
        "set_debuglevel",
        "_tunnel",
        "connect",
        "close",
        "send",
        "_output",
        "_read_readable",
        "_send_output",
        "putrequest",
        "_encode_request",
        "_validate_method",
        "_validate_path",
        "_validate_host",
        "putheader",
        "endheaders",
        "request",
        "_send_request",
        "getresponse",
        "get_proxy_response_headers",
        "_wrap_ipv6",
    ],
    "HTTPSConnection": ["connect"],
    "HTTPResponse": [
        "_read_status",
        "begin",
        "_check_close",
        "_close_conn",
        "close",
        "flush",
        "readable",
        "isclosed",
        "read",
        "readinto",
        "_read_next_chunk_size",
        "_read_and_discard_trailer",
        "_get_chunk_left",
        "_read_chunked",
        "_readinto_chunked",
        "_safe_read",
        "_safe_readinto",
        "read1",
        "peek",
        "readline",
        "_read1_chunked",
        "_peek_chunked",
        "fileno",
        "getheader",
        "getheaders",
        "info",
        "geturl",
        "getcode",
    ],
    "HTTPMessage": ["getallmatchingheaders"],
}

VALUES: Final[dict[str, list[str]]] = {
    "HTTPConnection": ["_http_vsn", "_http_vsn_str", "response_class", "default_port", "auto_open", "debuglevel"],
    "HTTPSConnection": ["default_port"],
    "HTTPResponse": [],
    "HTTPMessage": [],
}
"""Attributes of the classes that are not methods."""

INSTANCES: Final[dict[str, list[str]]] = {
    "HTTPConnection": [
        "timeout",
        "source_address",
        "blocksize",
        "sock",
        "_buffer",
        "_HTTPConnection__response",
        "_HTTPConnection__state",
        "_method",
        "_tunnel_host",
        "_tunnel_port",
        "_tunnel_headers",
        "_raw_proxy_headers",
        "host",
        "port",
        "_create_connection",
    ],
    "HTTPSConnection": ["_context", "key_file", "cert_file"],
    "HTTPResponse": [
        "fp",
        "debuglevel",
        "_method",
        "headers",
        "msg",
        "version",
        "status",
        "reason",
        "chunked",
        "chunk_left",
        "length",
        "will_close",
    ],
}


def is_in_this_python(name: str) -> bool:
    since, until = SINCE.get(name, (3, 0)), UNTIL.get(name, (3, 99))
    return since <= sys.version_info[:2] <= until


def names_of_module() -> list[str]:
    """The names of http.client's module, except those of every module."""
    return [name for name in vars(std) if name not in vars(ModuleType("x")) and name not in ("__file__", "__cached__")]


LIBRARIES: Final[dict[str, ModuleType]] = {"http.client": std, "compat.client": client}
