"""The files of a folder as replies of the embedded server: with ranges, a list for a folder, and nothing outside."""

from __future__ import annotations

import html
import mimetypes
import os
import re
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from ..testing.routes import CONTENT_BLOCK, Reply, Request, give_ranges

_FORBIDDEN: Final = re.compile(r"[\x00\\]")


class Folder:
    """A function from requests to replies with the files of a folder.

    A link that leads out of the folder is not found, as is any path with `..`; names that begin with a dot are hidden.

    Args:
        root: the folder.

    Raises:
        NotADirectoryError: it is not a folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).resolve()
        if not self._root.is_dir():
            raise NotADirectoryError(20, "expected a folder", os.fspath(root))

    def __call__(self, request: Request) -> Reply:
        """Return the reply to a request."""
        if request.method not in ("GET", "HEAD"):
            return _text(405, "method not allowed\n", ("Allow", "GET, HEAD"))
        path = self._find(request.path)
        if path is None:
            return _text(404, "not found\n")
        if path.is_dir():
            if not request.path.endswith("/"):
                return _text(301, "moved\n", ("Location", f"{quote('/' + self._name(path))}/"))
            return self._list(path)
        return _send_file(request, path)

    def _find(self, target: str) -> Path | None:
        """Return the file or folder for the path of a URL; None if there is none inside of the root."""
        parts = [part for part in unquote(target).split("/") if part]
        if any(part.startswith(".") or _FORBIDDEN.search(part) for part in parts):
            return None
        try:
            path = self._root.joinpath(*parts).resolve(strict=True)
        except (OSError, ValueError):
            return None
        is_inside = path == self._root or self._root in path.parents
        return path if is_inside and (path.is_file() or path.is_dir()) else None

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _list(self, path: Path) -> Reply:
        names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir() if not entry.name.startswith("."))
        links = "".join(f'<li><a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
        title = html.escape("/" + self._name(path).removeprefix("."))
        return _text(
            200, f"<!doctype html><meta charset=utf-8><title>{title}</title><ul>\n{links}</ul>\n", kind="text/html"
        )


def _text(status: int, text: str, *fields: tuple[str, str], kind: str = "text/plain") -> Reply:
    data = text.encode("utf-8", "surrogateescape")
    return Reply(status, [data], len(data), (("Content-Type", f"{kind}; charset=utf-8"), *fields))


def _send_file(request: Request, path: Path) -> Reply:
    found = path.stat()
    tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    fields = (("Content-Type", kind), ("Last-Modified", formatdate(found.st_mtime, usegmt=True)))
    return give_ranges(request, found.st_size, tag, partial(_read, path), *fields)


def _read(path: Path, start: int, stop: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < stop and (block := file.read(min(CONTENT_BLOCK, stop - start))):
            start += len(block)
            yield block
