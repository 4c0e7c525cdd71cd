"""Records of WARC 1.1 (ISO 28500:2017), as bytes: two for each exchange, and one that describes the file.

They are built here and not by warcio, which would parse the heads of HTTP messages and build them again, with other
blanks and without folded lines (decision 104).
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ...bounded import BoundedDict
from ...client.content.codings import GZIP, load_zlib
from ...recording import Recording
from ...version import __version__

VERSION: Final = "WARC/1.1"
PROFILE: Final = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
CONFORMS_TO: Final = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"

LEVEL: Final = 6
"""The level of compression: 9 takes up to twice the time for one per cent."""

MEDIA_TYPES: Final = {
    "warcinfo": "application/warc-fields",
    "request": "application/http; msgtype=request",
    "response": "application/http; msgtype=response",
    "revisit": "application/http; msgtype=response",
}

Fields = list[tuple[str, str]]


class Capture(NamedTuple):
    """An exchange to write.

    Attributes:
        url: the URL, without userinfo and fragment.
        address: the IP address of its host; None if it is unknown, such as behind a proxy.
        recording: the bytes.
    """

    url: str
    address: str | None
    recording: Recording


class Original(NamedTuple):
    """The record with a payload, to which later records with the same one refer."""

    id: str
    url: str
    date: str


class Records:
    """Builds records, and remembers payloads, so that a repeated one is not written again.

    Args:
        gzip: compress each record, in a gzip member of its own.
        digest: "sha1" or "sha256".
        max_digests: how many payloads are remembered; the least recently used ones are forgotten.
        mask: names of fields whose values are replaced.
    """

    def __init__(self, *, gzip: bool, digest: str, max_digests: int, mask: Sequence[str]) -> None:
        self._gzip = gzip
        self._digest = digest
        self._mask = tuple(mask)
        self._masked = _build_pattern(mask) if mask else None
        self._originals: BoundedDict[bytes, Original] = BoundedDict(max_digests)

    def build(self, capture: Capture) -> bytes:
        """Return the record of a response, or a `revisit` record in its place, and the record of the request."""
        recording, date = capture.recording, _format_date(capture.recording.started)
        common = [("WARC-Target-URI", capture.url), ("WARC-Date", date)]
        if capture.address is not None:
            common.append(("WARC-IP-Address", capture.address))
        response = recording.response
        head, body = self._hide(response[: recording.head_size]), response[recording.head_size :]
        id = _make_id()
        own: Fields = [("WARC-Record-ID", id), *common]
        if recording.response_cut is not None:
            answer = self._build("response", [*own, ("WARC-Truncated", recording.response_cut)], head, body)
        else:
            answer = self._build_whole(Original(id, capture.url, date), own, head, body)
        return answer + self._build_request(recording, [("WARC-Concurrent-To", id), *common])

    def _build_whole(self, this: Original, fields: Fields, head: bytes, body: bytes) -> bytes:
        """Return the record of a whole response, or a `revisit` record if there is one with the same payload."""
        if not body:
            return self._build("response", fields, head, body)
        payload = self._hash(body)
        original = self._originals.get(payload)
        self._originals[payload] = original or this  # it is now the newest: the oldest ones are dropped
        if original is None:
            return self._build("response", fields, head, body, payload)
        fields += [
            ("WARC-Profile", PROFILE),
            ("WARC-Refers-To", original.id),
            ("WARC-Refers-To-Target-URI", original.url),
            ("WARC-Refers-To-Date", original.date),
            ("WARC-Truncated", "length"),  # as the standard demands where the payload is left out
        ]
        return self._build("revisit", fields, head, b"", payload)

    def _build_request(self, recording: Recording, fields: Fields) -> bytes:
        head, separator, body = recording.request.partition(b"\r\n\r\n")
        fields = [("WARC-Record-ID", _make_id()), *fields]
        if recording.request_cut is not None:
            fields.append(("WARC-Truncated", recording.request_cut))
        return self._build("request", fields, self._hide(head + separator), body)

    def build_info(self, name: str, fields: Mapping[str, str]) -> bytes:
        """Return the `warcinfo` record, with which a file begins.

        Args:
            name: of the file.
            fields: of the user.
        """
        known = {"software": f"asyncclient/{__version__}", "format": "WARC File Format 1.1", "conformsTo": CONFORMS_TO}
        masked = {"masked-http-fields": ", ".join(self._mask)} if self._mask else {}
        lines = [f"{key}: {value}\r\n" for key, value in {**known, **masked, **fields}.items()]
        own = [("WARC-Record-ID", _make_id()), ("WARC-Date", _format_date(datetime.now(UTC).timestamp()))]
        block = "".join(lines).encode()
        return self._build("warcinfo", [*own, ("WARC-Filename", name)], block, b"")

    def _build(self, kind: str, fields: Fields, head: bytes, body: bytes, payload: bytes | None = None) -> bytes:
        """Return a record.

        Args:
            kind: the WARC-Type.
            fields: its fields, without the digests.
            head, body: the parts of its block.
            payload: the digest of the payload; by default it is made of the body, if there is one.
        """
        if payload is None and body:
            payload = self._hash(body)
        lines = [
            f"{VERSION}\r\nWARC-Type: {kind}\r\n",
            *(f"{name}: {value}\r\n" for name, value in fields),
            f"WARC-Block-Digest: {self._format_digest(self._hash(head, body))}\r\n",
            "" if payload is None else f"WARC-Payload-Digest: {self._format_digest(payload)}\r\n",
            f"Content-Type: {MEDIA_TYPES[kind]}\r\nContent-Length: {len(head) + len(body)}\r\n\r\n",
        ]
        record = b"".join(("".join(lines).encode(), head, body, b"\r\n\r\n"))
        return _compress(record) if self._gzip else record

    def _hash(self, *parts: bytes) -> bytes:
        digest = hashlib.new(self._digest)
        for part in parts:
            digest.update(part)
        return digest.digest()

    def _format_digest(self, digest: bytes) -> str:
        """Return a digest as archives write it: SHA-1 in base 32, others in base 16, which needs no padding."""
        return f"{self._digest}:{base64.b32encode(digest).decode() if self._digest == 'sha1' else digest.hex()}"

    def _hide(self, head: bytes) -> bytes:
        return head if self._masked is None else self._masked.sub(rb"\1: masked", head)


def _build_pattern(names: Sequence[str]) -> re.Pattern[bytes]:
    """Return a pattern for whole fields with these names, folded lines included, but without the line ending."""
    any_name = b"|".join(re.escape(name.encode()) for name in names)
    return re.compile(rb"(?im)^(%b)[ \t]*:[^\n]*?(?:\n[ \t][^\n]*?)*(?=\r?(?:\n(?![ \t])|\Z))" % any_name)


def _format_date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _make_id() -> str:
    return f"<urn:uuid:{uuid.uuid4()}>"


def _compress(record: bytes) -> bytes:
    zlib: Any = load_zlib()
    member: bytes = zlib.compress(record, LEVEL, GZIP)
    return member
