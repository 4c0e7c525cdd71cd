"""Reading archives back by warcio."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from tests.pool.witness import Seen


class Record(NamedTuple):
    """A record: its type, its fields by name, its block, and its content without framing and coding."""

    kind: str
    fields: dict[str, str]
    block: bytes
    content: bytes

    @property
    def id(self) -> str:
        return self.fields["WARC-Record-ID"]


def records_in(path: Path | str) -> list[Record]:
    """Return all records of a file; a broken one at its end, of a process that was killed, is left out."""
    blocks = list(_read(path, no_record_parse=True))
    contents = list(_read(path))
    return [
        Record(kind, fields, block, content)
        for (kind, fields, block), (*_, content) in zip(blocks, contents, strict=True)
    ]


def _read(path: Path | str, **options: Any) -> Iterator[tuple[str, dict[str, str], bytes]]:
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, **options):
            yield record.rec_type, dict(record.rec_headers.headers), record.content_stream().read()


def exchanges_in(*paths: Path | str) -> list[Seen]:
    """Return the blocks of responses and requests, which follow each other."""
    found = [record for path in paths for record in records_in(path) if record.kind != "warcinfo"]
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert all(request.fields["WARC-Concurrent-To"] == response.id for response, request in pairs)
    assert all(request.fields["WARC-Date"] == response.fields["WARC-Date"] for response, request in pairs)
    return [Seen(request.block, response.block) for response, request in pairs]


def responses_in(*paths: Path | str) -> list[Record]:
    """Return the records of responses, also those without their payload."""
    return [record for path in paths for record in records_in(path) if record.kind in ("response", "revisit")]


def is_valid(*paths: Path | str) -> bool:
    """Check all digests, as the command `warcio check` does."""
    faults: int = Checker(SimpleNamespace(inputs=[*map(str, paths)], verbose=False)).process_all()
    return faults == 0
