"""Import and export of cookies: http.cookiejar, and the Netscape file format of curl, wget and browser exports."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ...stream.files import find_mode, open_regular_or_null
from .fields import Cookie, check_cookie

if TYPE_CHECKING:
    from http import cookiejar

_HTTP_ONLY = "#HttpOnly_"
_MAGIC = "# Netscape HTTP Cookie File\n"
_FLAGS = {"TRUE": True, "FALSE": False}
_SECONDS = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]*+)?|", re.ASCII)


def read_netscape(source: str | PathLike[str], *, strict: bool = False) -> Iterator[Cookie]:
    """Iterate over the cookies in the text of a Netscape cookie file, or in the file at a path.

    A line that is not a cookie for a domain is skipped, as in curl; a file with no other lines is an error.

    A `str` is text. A path must be a `pathlib.Path` or another PathLike; its file is read as latin-1 at the first step,
    which blocks: in an event loop, read the text in a worker thread. Cookies without an expiry, or with one of 0 or
    less, are session cookies.

    Args:
        source: text or path.
        strict: raise an error for the first line that would be skipped.

    Raises:
        OSError: the file can't be read, or is not a regular file (for example a FIFO).
        ValueError: a line is not a cookie. The error has the line number only, because values are secrets.
    """
    text = source if isinstance(source, str) else _read_file(source)
    first_error, count = None, 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        is_comment = line.startswith("#") and not line.startswith(_HTTP_ONLY)
        if not line.strip() or is_comment:
            continue
        try:
            cookie = _read_line(line, number)
        except ValueError as error:
            if strict:
                raise
            first_error = first_error or error
            continue
        count += 1
        yield cookie
    if first_error is not None and not count:
        raise first_error


def _read_file(path: PathLike[str]) -> str:
    with open(path, encoding="latin-1", opener=open_regular_or_null) as file:
        return file.read()


def _read_line(line: str, number: int) -> Cookie:
    parts = line.removeprefix(_HTTP_ONLY).split("\t", 6)
    parts += [""] if len(parts) == 6 else []  # an empty value whose TAB was removed by an editor
    try:
        domain, is_shared, path, is_secure, expires, name, value = parts
        if not domain.strip(".") or _SECONDS.fullmatch(expires) is None:
            raise ValueError
        seconds = float(expires or 0)
        cookie = Cookie(
            name,
            value,
            domain,
            path,
            expires=seconds if seconds > 0 else None,
            secure=_FLAGS[is_secure.upper()],
            http_only=line.startswith(_HTTP_ONLY),
            host_only=not _FLAGS[is_shared.upper()],
        )
        return check_cookie(cookie)
    except (ValueError, KeyError):
        raise ValueError(f"expected a cookie of a Netscape file in line {number}") from None


def write_netscape(cookies: Iterable[Cookie]) -> str:
    """Return cookies as the text of a Netscape cookie file; write it as latin-1 to a file that only its owner can read.

    Session cookies get an expiry of 0. Cookies that the format cannot express are left out: those for every host, and
    those with a TAB in name or path.
    """
    return _MAGIC + "".join(_write_line(cookie) for cookie in cookies if _is_writable(cookie))


def load_file(path: str | PathLike[str], *, missing_ok: bool = False) -> list[Cookie]:
    """Return the cookies of a file; see CookieJar.load()."""
    try:
        return [*read_netscape(Path(path))]
    except FileNotFoundError:
        if not missing_ok:
            raise
        return []


def save_file(path: str | PathLike[str], cookies: Iterable[Cookie]) -> None:
    """Write cookies to a file; see CookieJar.save()."""
    target = os.path.realpath(path)  # a symbolic link stays one
    if target == os.path.realpath(os.devnull):
        return
    try:
        find_mode(target)
        _replace(target, write_netscape(cookies))
    except OSError as error:  # the error may name the new file
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def _replace(target: str, text: str) -> None:
    """Write a new file that only its owner can read, and rename it."""
    from tempfile import mkstemp  # imported on use: slow to import

    descriptor, name = mkstemp(dir=os.path.dirname(target), prefix=".asyncclient-")
    try:
        with open(descriptor, "w", encoding="latin-1", newline="") as file:
            file.write(text)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _is_writable(cookie: Cookie) -> bool:
    return cookie.domain != "" and "\t" not in cookie.name + cookie.path


def _write_line(cookie: Cookie) -> str:
    prefix = _HTTP_ONLY if cookie.http_only else ""
    dot = "" if cookie.host_only else "."
    flags = [str(flag).upper() for flag in (not cookie.host_only, cookie.secure)]
    expires = "0" if cookie.expires is None else str(int(cookie.expires))
    parts = [prefix + dot + cookie.domain, flags[0], cookie.path, flags[1], expires, cookie.name, cookie.value]
    return "\t".join(parts) + "\n"


def from_cookiejar(jar: cookiejar.CookieJar) -> Iterator[Cookie]:
    """Iterate over the cookies of an http.cookiejar.CookieJar or a class derived from it, such as requests' jar.

    Cookies that can't be sent are skipped, so that one bad cookie from a server does not lose the others. A domain of
    "" means every host there too. Ports and comments (RFC 2965) are dropped.
    """
    for cookie in jar:
        for domain in _domains_of(cookie):
            try:
                yield check_cookie(_from_standard(cookie, domain))
            except (TypeError, ValueError):
                continue


def _domains_of(cookie: cookiejar.Cookie) -> list[str]:
    """Return the domain, and the host without dots that it may stand for: http.cookiejar adds `.local` to those."""
    host = cookie.domain.removesuffix(".local")
    return [cookie.domain] if "." in host or host in ("", cookie.domain) else [host, cookie.domain]


def _from_standard(cookie: cookiejar.Cookie, domain: str) -> Cookie:
    spellings = ("HttpOnly", "httponly", "HTTPOnly")  # those of servers and of MozillaCookieJar
    return Cookie(
        name="" if cookie.value is None else cookie.name,
        value=cookie.name if cookie.value is None else cookie.value,
        domain=domain,
        path=cookie.path,
        expires=cookie.expires,
        secure=cookie.secure,
        http_only=any(map(cookie.has_nonstandard_attr, spellings)),
        host_only=domain != "" and not domain.startswith("."),
    )


def to_cookiejar(cookies: Iterable[Cookie]) -> cookiejar.CookieJar:
    """Return a new http.cookiejar.CookieJar with these cookies; those for every host have the domain "" there too."""
    from http import cookiejar  # imported on use: takes 20 ms

    jar = cookiejar.CookieJar()
    for cookie in cookies:
        jar.set_cookie(_to_standard(cookie, cookiejar.Cookie))
    return jar


def _to_standard(cookie: Cookie, kind: type[cookiejar.Cookie]) -> cookiejar.Cookie:
    is_shared = cookie.domain != "" and not cookie.host_only
    needs_local = cookie.host_only and not {".", ":"} & set(cookie.domain)  # it looks up such hosts by that name
    return kind(
        version=0,
        name=cookie.name or cookie.value,
        value=cookie.value if cookie.name else None,
        port=None,
        port_specified=False,
        domain="." * is_shared + cookie.domain + ".local" * needs_local,
        domain_specified=is_shared,
        domain_initial_dot=is_shared,
        path=cookie.path,
        path_specified=True,
        secure=cookie.secure,
        expires=None if cookie.expires is None else int(cookie.expires),
        discard=cookie.expires is None,
        comment=None,
        comment_url=None,
        rest={"HttpOnly": ""} if cookie.http_only else {},
    )
