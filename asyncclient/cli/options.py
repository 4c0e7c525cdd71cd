"""The options of a request: curl's names and letters where curl has them."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Final

from ..version import __version__
from .body import Data
from .spelling import Parser, positive, seconds
from .subcommands import SUMMARIES

DESCRIPTION: Final = """Send a request and print the response: its content as bytes, or on a terminal head and content,
formatted and in colours."""

ITEMS: Final = """Name:value   a field; without value it is not sent
name==value  a parameter of the URL
name=value   text of a JSON object, with --urlencoded of a form
name:=value  JSON, such as n:=1
name@FILE    a file of a multipart form
name=@FILE, name:=@FILE read the value from a file"""


def build_parser() -> Parser:
    """Return the parser of a request."""
    words = "[METHOD] URL [ITEM ...]\n       asyncclient SUBCOMMAND --help"
    parser = Parser(prog="asyncclient", words=words, description=DESCRIPTION)
    parser.add_argument_group("subcommands", "\n".join(f"{name:<10}{text}" for name, text in SUMMARIES.items()))
    parser.add_argument_group("items", ITEMS)
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[METHOD] URL [ITEM]",
        help="the request; https:// may be left out, for localhost http://",
    )
    parser.add_argument("--version", action="version", version=f"asyncclient {__version__}")
    parser.add_argument(
        "--print-completion", choices=("bash", "zsh", "fish"), help="print the completion for a shell and exit"
    )
    _add_request(parser.add_argument_group("request"))
    _add_content(parser.add_argument_group("content of the request"))
    _add_output(parser.add_argument_group("output"))
    _add_connection(parser.add_argument_group("connection"))
    return parser


def _add_request(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-X", "--request", metavar="METHOD", help="the method; by default GET, or POST with content")
    add("-I", "--head", action="store_true", help="send HEAD and print the head of the response")
    add(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="FIELD",
        help="'Name: value'; 'Name:' removes a field, 'Name;' sends an empty one",
    )
    add("-A", "--user-agent", metavar="TEXT", help="the User-Agent")
    add("-e", "--referer", metavar="URL", help="the Referer")
    add("-r", "--range", metavar="FIRST-LAST", help="the bytes to request")
    add("-b", "--cookie", action="append", default=[], metavar="COOKIES", help="'a=b; c=d', or a file of cookies")
    add("-c", "--cookie-jar", metavar="FILE", help="write all cookies to a file, which --cookie can read")
    add("-u", "--user", metavar="NAME:PASSWORD", help="credentials; without password it is asked for")
    add("--digest", action="store_true", help="use the scheme Digest for --user instead of Basic")
    add("--bearer", metavar="TOKEN", help="send a token as credentials")
    add("-n", "--netrc", action="store_true", help="read credentials from ~/.netrc")
    add("-L", "--location", action="store_true", help="follow redirects; credentials stay with their origin")
    add("--max-redirs", type=positive, default=20, metavar="N", help="redirects to follow (default: 20)")


def _add_content(group: argparse._ArgumentGroup) -> None:
    add = partial(group.add_argument, dest="data", action="append", metavar="DATA")
    add("-d", "--data", type=partial(Data, "data"), help="content as of a form; @FILE reads a file, @- the input")
    add("--data-binary", type=partial(Data, "binary"), help="the same, with line ends kept")
    add("--data-raw", type=partial(Data, "raw"), help="the same, with @ as a character")
    add("--data-urlencode", type=partial(Data, "urlencode"), help="NAME=TEXT, encoded for a form")
    add("--json", type=partial(Data, "json"), help="content that is JSON already; @FILE reads a file")
    group.add_argument(
        "-F",
        "--form",
        action="append",
        default=[],
        metavar="NAME=CONTENT",
        help="a part of a multipart form; =@FILE;type=TYPE sends a file, =<FILE its text",
    )
    group.add_argument("--urlencoded", action="store_true", help="send name=value items as a form, not as JSON")
    group.add_argument("-G", "--get", action="store_true", help="append --data to the URL")
    group.add_argument("-T", "--upload-file", metavar="FILE", help="PUT a file; - is the input")


def _add_output(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-o", "--output", metavar="FILE", help="write the content to a file, complete or not at all; - is the output")
    add("-O", "--remote-name", action="store_true", help="the same, named by Content-Disposition or the URL")
    add("--output-dir", default=".", metavar="DIR", help="the directory for --remote-name")
    add("--force", action="store_true", help="replace a file that exists")
    add("-C", "--continue-at", choices=("-",), metavar="-", help="continue a download that was interrupted")
    add(
        "-i",
        "--include",
        action=argparse.BooleanOptionalAction,
        help="print the head of the response (default: on a terminal)",
    )
    add("-v", "--verbose", action="store_true", help="print the heads that are sent and received, without secrets")
    add("-s", "--silent", action="store_true", help="print no errors, notes and progress")
    add("-S", "--show-error", action="store_true", help="print errors despite --silent")
    add("-f", "--fail", action="store_true", help="end with 22 and without content if the status is 400 or above")
    add("--fail-with-body", action="store_true", help="the same, with the content")
    add("--compressed", action="store_true", help="ask for compressed content, as is the default without --output")
    add("--no-decode", action="store_true", help="keep the content coding of the response")
    add("--max-filesize", type=positive, metavar="BYTES", help="limit of the content")
    add(
        "--pretty",
        choices=("auto", "always", "never"),
        default="auto",
        help="format and colour the content (default: on a terminal)",
    )
    add("--timings", action="store_true", help="print how long each phase took, as a waterfall")
    add("--har", metavar="FILE", help="write all requests and responses to an HTTP archive, with secrets masked")
    add("--json-output", action="store_true", help="print one JSON object: head, content, timings, or the error")


def _add_connection(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-m", "--max-time", type=seconds, metavar="SECONDS", help="limit of the whole request")
    add("--connect-timeout", type=seconds, metavar="SECONDS", help="limit of resolving, connecting and TLS")
    add("--retry", type=positive, metavar="N", help="send again after a failure, 408, 429, 500, 502 to 504")
    add("-x", "--proxy", metavar="URL", help="the proxy; by default from the environment")
    add("--resolve", action="append", default=[], metavar="HOST:PORT:ADDR", help="use addresses for a host")
    add("--unix-socket", metavar="PATH", help="connect to a Unix socket")
    add("--interface", metavar="NAME", help="the network interface to use")
    add_trust(group)


def add_trust(group: argparse._ActionsContainer) -> None:
    """Add the options about certificates, which sending.build_trust() reads."""
    add = group.add_argument
    add("-k", "--insecure", action="store_true", help="verify no certificate: others can read and change everything")
    add("--cacert", metavar="FILE", help="trust these authorities instead of the system's")
    add("-E", "--cert", metavar="FILE[:PASSWORD]", help="the client's certificate")
    add("--key", metavar="FILE", help="the key of the client's certificate")
