"""Credentials by host from a netrc file, as curl and ftp have it."""

from __future__ import annotations

import os
from asyncio import get_running_loop
from collections.abc import Awaitable
from threading import Lock

from .auth import Auth, AuthRequest, Pairs, basic_value

Credentials = tuple[str, str]


class Netrc(Auth):
    """User and password of a netrc file, sent as Basic to the hosts that it names; its `default` goes to every other.

    The file is read once, in a worker thread, when the first request goes out. A host that is not in it gets nothing.
    The host alone decides: scheme and port do not count, and an address has no brackets in the file.

    Args:
        path: of the file, with "~" for the home directory. None is the file that NETRC names in the environment, or
            else `~/.netrc`, which nobody but its owner may be able to read.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = path
        self._credentials: dict[str, Credentials] | None = None
        # Of threads, not of a loop: workers alone take it, so that requests which come together read the file once.
        self._lock = Lock()

    def authorize(self, request: AuthRequest) -> Pairs | Awaitable[Pairs]:
        """Return Authorization if the file has the host, else [].

        Raises:
            OSError: the file is there, but can't be read; the next request tries again.
            ValueError: it is no netrc file, others may read it, or user or password can't be sent.
        """
        if self._credentials is None:
            return self._read_and_find(request.host)
        return _find_pairs(self._credentials, request.host)

    async def _read_and_find(self, host: str) -> Pairs:
        return _find_pairs(await get_running_loop().run_in_executor(None, self._read), host)

    def _read(self) -> dict[str, Credentials]:
        with self._lock:
            if self._credentials is None:
                self._credentials = read_netrc(self._path)
            return self._credentials


def _find_pairs(credentials: dict[str, Credentials], host: str) -> Pairs:
    username, password = credentials.get(host) or credentials.get("default") or ("", "")
    return [("Authorization", basic_value(username, password))] if username or password else []


def read_netrc(path: str | os.PathLike[str] | None = None) -> dict[str, Credentials]:
    """Return user and password by host, in lower case, of a netrc file; {} if it is missing. It blocks meanwhile.

    Args:
        path: see Netrc.

    Raises:
        OSError: it is there, but can't be read.
        ValueError: it is no netrc file, or others may read the default one. No text has anything out of the file.
    """
    from netrc import NetrcParseError, netrc  # only here: few use it

    chosen = path if path is not None else os.environ.get("NETRC") or None
    try:
        entries = netrc(None if chosen is None else os.path.expanduser(chosen)).hosts
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ValueError(f"expected a netrc file in UTF-8, got another: {_name(chosen)}") from None
    except NetrcParseError as exc:
        if exc.lineno is None:  # about the file, not out of it: who owns it, and who may read it
            raise ValueError(exc.msg) from None
        raise ValueError(f"expected a netrc file, got something else in line {exc.lineno} of {_name(chosen)}") from None
    return {host.lower(): (login or "", password or "") for host, (login, _, password) in entries.items()}


def _name(path: str | os.PathLike[str] | None) -> str:
    return "~/.netrc" if path is None else repr(os.fspath(path))
