"""Exit codes, which are curl's where curl has one, and the line that explains an error."""

from __future__ import annotations

import os
import socket
import ssl
from enum import IntEnum
from typing import Final, NamedTuple

from ..errors import (
    BadStatusLine,
    ChecksumError,
    ConnectError,
    ContentTooLarge,
    DecodingError,
    HTTPException,
    IncompleteRead,
    InvalidURL,
    PhaseTimeout,
    ProxyError,
    RedirectError,
    RemoteDisconnected,
    StatusError,
    TLSError,
    TooManyRedirects,
)
from .visible import make_visible


class Exit(IntEnum):
    """Exit codes of the command."""

    DONE = 0
    OTHER = 1
    USAGE = 2
    URL = 3
    MISSING_EXTRA = 4
    RESOLVE = 6
    CONNECT = 7
    PROTOCOL = 8
    INCOMPLETE = 18
    STATUS = 22
    WRITE = 23
    READ = 26
    TIMEOUT = 28
    TLS = 35
    REDIRECTS = 47
    EMPTY = 52
    RECEIVE = 56
    CLIENT_CERTIFICATE = 58
    CERTIFICATE = 60
    DECODING = 61
    TOO_LARGE = 63
    CA_FILE = 77
    PROXY = 97
    INTERRUPTED = 130


class Failure(NamedTuple):
    """An error as the command shows it.

    Attributes:
        code: the exit code.
        phase: the step of the request that failed.
        remedy: a hint for the user; "" without one.
    """

    code: Exit
    phase: str
    remedy: str


class CommandError(Exception):
    """An error with its exit code, found by the command itself."""

    def __init__(self, code: Exit, phase: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(code, phase, remedy)


_UNTRUSTED: Final = Failure(Exit.CERTIFICATE, "tls", "--cacert FILE trusts an authority, --insecure verifies nothing")
_UNRESOLVED: Final = Failure(Exit.RESOLVE, "resolve", "check the name, or give its address by --resolve HOST:PORT:ADDR")

_FAILURES: Final[tuple[tuple[type[BaseException], Failure], ...]] = (
    (InvalidURL, Failure(Exit.URL, "url", "expected [http[s]://]host[:port][/path]")),
    (ProxyError, Failure(Exit.PROXY, "proxy", "check --proxy and the variables http_proxy, https_proxy, no_proxy")),
    (PhaseTimeout, Failure(Exit.TIMEOUT, "timeout", "--max-time and --connect-timeout change the limits")),
    (TLSError, Failure(Exit.TLS, "tls", "check that this port speaks TLS")),
    (ConnectError, Failure(Exit.CONNECT, "connect", "check that a server listens on this port")),
    (IncompleteRead, Failure(Exit.INCOMPLETE, "content", "continue by --output FILE --continue-at -")),
    (StatusError, Failure(Exit.STATUS, "status", "")),
    (TooManyRedirects, Failure(Exit.REDIRECTS, "redirect", "--max-redirs changes the limit")),
    (RedirectError, Failure(Exit.REDIRECTS, "redirect", "the Location of the response cannot be followed")),
    (ChecksumError, Failure(Exit.DECODING, "checksum", "check the URL and the checksum; no file was changed")),
    (DecodingError, Failure(Exit.DECODING, "content", "--no-decode gives the content as sent")),
    (ContentTooLarge, Failure(Exit.TOO_LARGE, "content", "--max-filesize changes the limit")),
    (RemoteDisconnected, Failure(Exit.EMPTY, "response", "--retry N sends the request again")),
    (BadStatusLine, Failure(Exit.PROTOCOL, "response", "check the scheme and the port")),
    (HTTPException, Failure(Exit.PROTOCOL, "response", "the server breaks the rules of HTTP/1.1")),
    (ImportError, Failure(Exit.MISSING_EXTRA, "start", "")),
)


_WRITE_REMEDIES: Final[dict[type[BaseException], str]] = {
    FileExistsError: "--force replaces a file",
    FileNotFoundError: "make the directory first",
}


def find_failure(error: BaseException) -> Failure:
    """Return the exit code, phase and remedy for an error."""
    if isinstance(error, CommandError):
        return error.failure
    if isinstance(error, TLSError) and isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return _UNTRUSTED
    if isinstance(error, PhaseTimeout):
        return Failure(Exit.TIMEOUT, error.phase, "--max-time and --connect-timeout change the limits")
    if isinstance(error, ConnectError) and any(isinstance(each, socket.gaierror) for each in error.attempts):
        return _UNRESOLVED
    for kind, failure in _FAILURES:
        if isinstance(error, kind):
            return failure
    if isinstance(error, OSError):
        if error.filename is not None:
            return Failure(Exit.WRITE, "output", _WRITE_REMEDIES.get(type(error), ""))
        return Failure(Exit.RECEIVE, "connection", "--retry N sends the request again")
    return Failure(Exit.USAGE, "arguments", "--help lists the options")


def explain(error: BaseException, url: str = "") -> str:
    """Return the line for an error: the phase, the text with the URL, and the remedy."""
    _, phase, remedy = find_failure(error)
    if isinstance(error, FileExistsError) and error.filename is not None:
        text = f"{error.filename}: the file exists"
    elif isinstance(error, OSError) and error.filename is not None:
        text = f"{os.fspath(error.filename).removesuffix('.part')}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    if url and "://" not in text:
        text = f"{text} ({url})"
    line = f"{phase}: {text}: {remedy}" if remedy else f"{phase}: {text}"
    return make_visible(" ".join(line.split()))
