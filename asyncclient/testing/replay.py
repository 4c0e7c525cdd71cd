"""A transport that answers from an HTTP archive (HAR 1.2), such as a Recorder or a browser writes."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..arguments import known_arguments, list_collection
from ..errors import clip
from ..local_response import LocalResponse
from ..message.media import find_charset, parse_content_type
from ..transport import Transport
from .answers import build_response
from .har import build_body
from .masks import MASK, Masks
from .mock import MockTransport
from .recorder import Recorder, open_masks
from .sent import SentRequest, parse_query

RULES: Final = ("method", "url", "query", "body")
"""The parts of a request that may be compared."""

_FRAMING: Final = ("content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive")
"""Fields that describe content as it was received, not as it is stored."""


@known_arguments({})
class Replay(MockTransport):
    """A MockTransport whose routes are the entries of an HTTP archive.

    >>> from asyncclient import Client
    >>> client = Client(transport=Replay("api.har"))  # doctest: +SKIP

    Each entry answers once, in the order of the file. Entries without a response are left out. A request that matches
    none fails with UnexpectedRequest, as on any MockTransport, and more routes can be added.

    Args:
        file: the path of the archive.
        match: the parts of a request that are compared: method, url (without the query), query, body. Masked values
            match any value.
        repeat: answer with the last of equal entries any number of times.
        secret_params: the further names that were masked when it was recorded; they are needed to compare bodies.
        usual_params: as it was recorded; see Recorder.

    Raises:
        OSError: the file can't be read.
        ValueError: it is not an HTTP archive, or has an unknown part of a request.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        *,
        match: Collection[str] = RULES[:3],
        repeat: bool = False,
        secret_params: Collection[str] = (),
        usual_params: bool = True,
    ) -> None:
        super().__init__()
        self._rules = list_collection("match", match, str, "a collection of names")
        if unknown := set(self._rules) - set(RULES):
            raise ValueError(f"expected names among {', '.join(RULES)} as match, got {clip(sorted(unknown))}")
        self._masks = open_masks((), secret_params, usual_params)
        entries = _load(Path(file))
        last = {_key(entry): number for number, entry in enumerate(entries)}
        for number, entry in enumerate(entries):
            self._add(entry, times=None if repeat and last[_key(entry)] == number else 1)

    def _add(self, entry: dict[str, Any], times: int | None) -> None:
        request = entry["request"]
        url, _, query = request["url"].partition("?")
        is_met = partial(_is_equal, request, query, self._rules, self._masks)
        method = request["method"] if "method" in self._rules else None
        route = self.route(method, url if "url" in self._rules else None, times=times, params={}, where=is_met)
        route.respond(_build_response(request["method"], entry["response"]))


def record_once(
    transport: Transport,
    file: str | os.PathLike[str],
    *,
    secret_params: Collection[str] = (),
    usual_params: bool = True,
    **options: Any,
) -> Recorder | Replay:
    """Return a Replay if the file exists, otherwise a Recorder that writes it.

    Args:
        transport: sends the requests that are recorded; it is not used if the file exists.
        file: the path of the archive; remove the file to record it again.
        secret_params, usual_params: see Recorder.
        options: further arguments of Recorder.

    Raises: see Replay and Recorder.
    """
    if Path(file).exists():
        return Replay(file, secret_params=secret_params, usual_params=usual_params)
    return Recorder(transport, file, secret_params=secret_params, usual_params=usual_params, **options)


def _load(path: Path) -> list[dict[str, Any]]:
    """Return the entries of an archive that have a response."""
    try:
        entries = json.loads(path.read_bytes())["log"]["entries"]
        return [entry for entry in entries if entry["request"]["url"] and entry["response"]["status"] >= 200]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"expected an HTTP archive (HAR 1.2) in {str(path)!r}: {error!r}") from error


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["request"]["method"], entry["request"]["url"]


def _is_equal(request: dict[str, Any], query: str, rules: Collection[str], masks: Masks, sent: SentRequest) -> bool:
    """Return whether query and body are those that were recorded, as far as they are compared."""
    if "query" in rules and not _has_params(parse_query(query), sent.params):
        return False
    return "body" not in rules or _has_body(request.get("postData") or {}, masks, sent)


def _has_params(recorded: list[tuple[str, str]], params: list[tuple[str, str]]) -> bool:
    """Return whether parameters are equal, in any order; a masked value is equal to any."""
    masked = {name for name, value in recorded if value == MASK}
    found = [(name, MASK if name in masked else value) for name, value in params]
    return sorted(found) == sorted(recorded)


def _has_body(recorded: dict[str, Any], masks: Masks, sent: SentRequest) -> bool:
    if "_base64" in recorded:
        return base64.b64decode(recorded["_base64"]) == sent.content
    body = build_body(sent.headers, sent.content, masks)
    media_type = parse_content_type(body["mimeType"])[0]
    kept = str(recorded.get("text", ""))  # masked here, too: other programs write archives with secrets
    is_text = "_base64" not in body and body.get("comment") == recorded.get("comment")
    return is_text and body["text"] == masks.mask_content(media_type, kept)


def _build_response(method: str, response: dict[str, Any]) -> LocalResponse:
    """Return the response of an entry, its content decoded; its length is that of this content."""
    fields = [(field["name"], field["value"]) for field in response["headers"]]
    kept = [(name, value) for name, value in fields if not name.startswith(":") and name.lower() not in _FRAMING]
    content = response.get("content") or {}
    text = content.get("text", "") if method != "HEAD" else ""
    data = base64.b64decode(text) if content.get("encoding") == "base64" else _encode(text, content)
    return build_response(response["status"], headers=kept, content=data, reason=response.get("statusText", ""))


def _encode(text: str, content: dict[str, Any]) -> bytes:
    """Return text in the charset of its media type; in UTF-8 if that lacks a character."""
    try:
        return text.encode(find_charset(content.get("mimeType")) or "utf-8")
    except UnicodeEncodeError:
        return text.encode()
