"""The command on a terminal of several widths."""

import json
import re
from pathlib import Path

import pytest

from asyncclient.testing import RawServer
from tests.cli.running import reply
from tests.cli.terminal import ESCAPE, run_on_terminal

JSON = reply(json.dumps({"name": "ä"}).encode(), "Content-Type: application/json")


def test_head_and_content_are_shown_in_colours() -> None:
    with RawServer.replying(JSON) as server:
        shown = run_on_terminal(60, server.url)
    assert shown != ESCAPE.sub("", shown)
    assert ESCAPE.sub("", shown).startswith("HTTP/1.1 200 OK\nContent-Length: ")
    assert ESCAPE.sub("", shown).endswith('\n\n{\n  "name": "ä"\n}\n')


def test_no_color_and_ascii_terminals_are_respected() -> None:
    with RawServer.replying(JSON) as server:
        shown = run_on_terminal(60, server.url, NO_COLOR="1", PYTHONIOENCODING="ascii")
    assert ESCAPE.sub("", shown).endswith('\n\n{\n  "name": "\\xe4"\n}\n')
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


def test_binary_content_is_not_printed() -> None:
    with RawServer.replying(reply(b"\x00\xff", "Content-Type: image/png")) as server:
        shown = run_on_terminal(110, server.url)
    assert "not printed: 2 bytes of image/png; --output FILE saves it" in shown


@pytest.mark.parametrize("columns", [60, 200])
def test_a_table_fits_the_terminal(columns: int) -> None:
    with RawServer.replying(reply(b"ok"), reply(b"ok")) as server:
        shown = run_on_terminal(columns, "demo", f"{server.url}/{'a' * 100}")
    assert max(map(len, shown.splitlines())) <= columns
    assert ("first byte" in shown) == (columns == 200)


def test_a_download_has_a_bar(tmp_path: Path) -> None:
    with RawServer.replying(reply(bytes(1_000_000))) as server:
        shown = ESCAPE.sub("", run_on_terminal(110, "download", f"{server.url}/file", "-d", tmp_path))
    assert re.search(r"file .*━+ 1\.0/1\.0 MB [\d.]+ .B/s 0:00:00", shown)
    assert (tmp_path / "file").stat().st_size == 1_000_000
