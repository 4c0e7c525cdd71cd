"""The content of a request, from options and items."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from .exits import CommandError, Exit
from .habits import check_values
from .items import Item, Kind

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


class Data(NamedTuple):
    """One option that gives content: `kind` is the option without `--data-`."""

    kind: str
    text: str


class Content(NamedTuple):
    """The content of a request.

    Attributes:
        options: keyword arguments of a Request.
        fields: fields that it needs unless they are given.
        query: `--data` for the URL, if it goes there.
    """

    options: dict[str, Any]
    fields: dict[str, str]
    query: str = ""


def build_content(options: Any, items: Sequence[Item]) -> Content:
    """Return the content that options and items describe.

    Raises:
        CommandError: a file cannot be read.
        ValueError: more than one kind of content is given, or JSON is malformed.
    """
    check_values(options)
    fields = [item for item in items if item.kind not in (Kind.HEADER, Kind.PARAM)]
    given = [name for name in ("data", "form", "upload_file") if getattr(options, name)] + ["items"] * bool(fields)
    if len(given) > 1:
        raise ValueError(f"expected one kind of content, got {' and '.join(given)}")
    if options.upload_file:
        is_input = options.upload_file == "-"
        return Content({"body": sys.stdin.buffer.read() if is_input else _find_file(options.upload_file)}, {})
    if options.form:
        return Content({"files": [_parse_part(text) for text in options.form]}, {})
    if options.data:
        return _build_data(options.data, in_query=options.get)
    return _build_items(fields, is_form=options.urlencoded) if fields else Content({}, {})


def _build_data(data: Sequence[Data], *, in_query: bool) -> Content:
    kinds = {each.kind for each in data}
    if "json" in kinds and len(kinds) > 1:
        raise ValueError("expected --json or --data, got both")
    if in_query:
        return Content({}, {}, b"&".join(map(_read_data, data)).decode("utf-8", "surrogateescape"))
    if "json" in kinds:
        return Content({"body": b"".join(map(_read_data, data))}, {"Content-Type": JSON, "Accept": JSON})
    (first, *others) = data
    if not others and first.kind == "binary" and first.text.startswith("@") and first.text != "@-":
        return Content({"body": _find_file(first.text[1:])}, {"Content-Type": FORM})
    return Content({"data": b"&".join(map(_read_data, data))}, {})


def _read_data(data: Data) -> bytes:
    kind, text = data
    if kind == "urlencode":
        from urllib.parse import quote_plus  # imported on use: slow to import

        name, mark, value = text.partition("=")
        return f"{name}={quote_plus(value)}".encode() if mark and name else quote_plus(value or name).encode()
    if kind == "raw" or not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    content = sys.stdin.buffer.read() if text == "@-" else read_file(text[1:])
    return content.replace(b"\r", b"").replace(b"\n", b"") if kind == "data" else content


def _find_file(path: str) -> Path:
    if not Path(path).is_file():
        raise CommandError(Exit.READ, "input", f"{path}: no such file")
    return Path(path)


def read_file(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(Exit.READ, "input", f"{path}: {error.strerror}") from None


def _parse_part(text: str) -> tuple[str, tuple[Any, ...]]:
    """Return the name and the Part of a form: NAME=TEXT, NAME=@FILE or NAME=<FILE, with ;type= and ;filename=."""
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise ValueError(f"expected NAME=CONTENT for --form, got {text!r}")
    if not value.startswith(("@", "<")):
        return name, (None, value)
    path, *parameters = value[1:].split(";")
    given = dict(_parse_parameter(parameter) for parameter in parameters)
    if value.startswith("<"):
        return name, (None, read_file(path), given.get("type", ""))
    file = _find_file(path)
    return name, (given.get("filename", file.name), file, given.get("type"))


def _parse_parameter(text: str) -> tuple[str, str]:
    name, mark, value = text.strip().partition("=")
    if not mark or name not in ("type", "filename"):
        raise ValueError(f"expected type= or filename= after a file of a form, got {text!r}")
    return name, value.strip('"')


def _build_items(items: Iterable[Item], *, is_form: bool) -> Content:
    values = [(item, _READERS[item.kind](item)) for item in items]
    files = [(item.name, value) for item, value in values if item.kind is Kind.FILE]
    pairs = [(item.name, value) for item, value in values if item.kind is not Kind.FILE]
    if files or is_form:
        texts = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in pairs]
        return Content({"data": texts, "files": files} if files else {"data": texts}, {})
    return Content({"json": dict(pairs)}, {"Accept": f"{JSON}, */*;q=0.5"})


def _read_json(item: Item) -> Any:
    text = item.value if item.kind is Kind.JSON else read_file(item.value).decode()
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"expected JSON after {item.name}:=, got {text[:40]!r}: {error}") from None


_READERS: Final[dict[Kind, Callable[[Item], Any]]] = {
    Kind.FIELD: lambda item: item.value,
    Kind.FIELD_OF_FILE: lambda item: read_file(item.value).decode(),
    Kind.JSON: _read_json,
    Kind.JSON_OF_FILE: _read_json,
    Kind.FILE: lambda item: _find_file(item.value),
}
