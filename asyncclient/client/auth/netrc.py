"""Credentials by host from a netrc file, in the format that curl and ftp use."""

from __future__ import annotations

import os
import re
import stat
from asyncio import get_running_loop
from collections.abc import Awaitable
from io import TextIOWrapper
from threading import Lock
from typing import NamedTuple

from ...errors import InvalidURL
from ...message.credentials import basic_value
from ...message.target import fold_host
from ...stream.files import open_regular_or_null
from .schemes import AddedFields, Auth, AuthRequest

Credentials = tuple[str, str]

_DEFAULT = ""
"""The key of the entry `default`; no host has this name."""

_TOKEN = re.compile(r'[ \t\r\n]*+(?:"((?:[^"\\]++|\\.)*+)"|((?:[^\s\\]++|\\.)++))', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_REST_OF_LINE = re.compile(r"[^\n]*+")
_MACRO = re.compile(r"[^\n]*+(?:\n[^\n]++)*+\n(?:\n|\Z)")


class Netrc(Auth):
    """User names and passwords from a netrc file, sent by Basic to the hosts it names; `default` is for all others.

    The file is read once, in a worker thread, at the first request. A host without entry gets no credentials. Only the
    host is compared, not scheme or port; an address has no brackets in the file. The first of several entries for a
    host is used, as in curl.

    Because the file says which host each password is for, it also serves redirects to another origin that it names.
    `default` does not, and the file is not used after a redirect from https to http.

    Args:
        path: path of the file; "~" is the home directory. None is the file named by the environment variable NETRC,
            otherwise `~/.netrc`, which other users must not be able to read.
    """

    names_hosts = True

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = path
        self._credentials: dict[str, Credentials] | None = None
        # A lock for threads: only workers take it, so that concurrent requests read the file once.
        self._lock = Lock()

    def authorize(self, request: AuthRequest) -> AddedFields | Awaitable[AddedFields]:
        """Return Authorization if the file names the host, otherwise [].

        Raises:
            OSError: the file exists but can't be read; the next request tries again.
            ValueError: it is not a netrc file, others may read it, or the user or password can't be sent.
        """
        if self._credentials is None:
            return self._read_and_find(request)
        return _find_fields(self._credentials, request)

    async def _read_and_find(self, request: AuthRequest) -> AddedFields:
        return _find_fields(await get_running_loop().run_in_executor(None, self._read), request)

    def _read(self) -> dict[str, Credentials]:
        with self._lock:
            if self._credentials is None:
                self._credentials = read_netrc(self._path)
            return self._credentials


def _find_fields(credentials: dict[str, Credentials], request: AuthRequest) -> AddedFields:
    found = credentials.get(request.host.removesuffix("."))
    if found is None and not request.is_foreign:
        found = credentials.get(_DEFAULT)
    username, password = found or ("", "")
    return [("Authorization", basic_value(username, password))] if username or password else []


def read_netrc(path: str | os.PathLike[str] | None = None) -> dict[str, Credentials]:
    """Return user and password by lower-case ASCII host from a netrc file; {} if the file is missing. It blocks.

    The entry `default` has the key "".

    Args:
        path: see Netrc.

    Raises:
        OSError: the file exists but can't be read, or is not a regular file.
        ValueError: it is not a netrc file, or others may read the default file. No error text quotes the file.
    """
    chosen = os.fspath(path) if path is not None else os.environ.get("NETRC") or None
    name = "~/.netrc" if chosen is None else repr(chosen)
    expanded = os.path.expanduser("~/.netrc" if chosen is None else chosen)
    try:
        with open(expanded, encoding="utf-8-sig", opener=open_regular_or_null) as file:
            credentials = parse_netrc(file.read(), name)
            if chosen is None and any(user != "anonymous" for user, _ in credentials.values()):
                _check_owner(file)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ValueError(f"expected a netrc file in UTF-8, got another: {name}") from None
    return credentials


def _check_owner(file: TextIOWrapper) -> None:
    if os.name != "posix":
        return
    status = os.fstat(file.fileno())
    if status.st_uid != os.getuid():
        raise ValueError("expected ~/.netrc to belong to the current user")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError("expected that only its owner may read ~/.netrc, got more permissive permissions")


class _Entry(NamedTuple):
    host: str
    words: dict[str, str]


def parse_netrc(text: str, name: str = "a text") -> dict[str, Credentials]:
    """Return user and password by host from the text of a netrc file; see read_netrc().

    Raises:
        ValueError: the text is malformed; the error names `name` and the line number.
    """
    credentials: dict[str, Credentials] = {}
    for host, words in _Parser(text, name).read_entries():
        credentials.setdefault(host, (words.get("login", ""), words.get("password", "")))
    return credentials


class _Parser:
    """Parser of netrc files. Words are separated by blanks or quoted; a backslash escapes the next character.

    "#" starts a comment where a keyword is expected; a password may begin with "#".
    """

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0

    def read_entries(self) -> list[_Entry]:
        entries: list[_Entry] = []
        while (word := self._take_keyword()) is not None:
            match word:
                case "machine":
                    entries.append(_Entry(_fold_host(self._take_value()), {}))
                case "default":
                    entries.append(_Entry(_DEFAULT, {}))
                case "macdef":
                    self._skip(_MACRO)
                case "login" | "user" | "password" | "account" if entries:
                    entries[-1].words["login" if word == "user" else word] = self._take_value()
                case _:
                    raise self._build_error() from None
        return entries

    def _take_keyword(self) -> str | None:
        """Return the next word outside of comments; None at the end."""
        while (word := self._take_word()) is not None and word.startswith("#"):
            self._skip(_REST_OF_LINE)
        return word

    def _take_value(self) -> str:
        word = self._take_word()
        if word is None:
            raise self._build_error() from None
        return word

    def _take_word(self) -> str | None:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            if self._text[self._at :].strip(" \t\r\n"):
                raise self._build_error() from None
            return None
        self._at = match.end()
        return _ESCAPE.sub(r"\1", match[2] if match[1] is None else match[1])

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is None:
            self._at = len(self._text)
            raise self._build_error() from None
        self._at = match.end()

    def _build_error(self) -> ValueError:
        line = self._text.count("\n", 0, self._at) + 1
        return ValueError(f"expected a netrc file, got something else in line {line} of {self._name}")


def _fold_host(host: str) -> str:
    """Return a host in the form of AuthRequest.host."""
    host = host.removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        return fold_host(host.lower())
    except InvalidURL:
        return host.lower()
