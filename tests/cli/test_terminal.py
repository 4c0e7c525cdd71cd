"""The command on a terminal of several widths."""

import json
import re
from pathlib import Path
from threading import Event

import pytest

from asyncclient.testing import RawConnection, RawServer
from tests.cli.running import reply
from tests.cli.terminal import ESCAPE, Screen, run_on_terminal
from tests.servers import TIMEOUT

BAR = re.compile(r"^file +━+[╸╺]━* 600\.0 kB/1\.0 MB|^file .*━.* 0\.[1-6]/1\.0 MB", re.MULTILINE)
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


@pytest.mark.parametrize("columns", [60, 110, 200])
def test_a_waterfall_fits_the_terminal_and_has_colours(columns: int) -> None:
    replies = [reply(b"", "Location: /there", status="302 Found"), reply(b"ok", "Content-Type: text/plain")]
    with RawServer.replying(*replies) as server:
        shown = run_on_terminal(columns, server.url, "-L", "--timings", "--no-include")
    _, first, second, *signs = ESCAPE.sub("", shown).splitlines()
    assert max(map(len, (first, second, *signs))) <= columns
    assert first.startswith("GET htt")
    assert second.split()[-3:-2] == ["200"]
    assert "\x1b[33mc\x1b[0m connect" in shown
    assert "█ receive" in "\n".join(signs)


def test_heads_are_shown_once_with_verbose() -> None:
    with RawServer.replying(JSON, JSON) as server:
        verbose = ESCAPE.sub("", run_on_terminal(110, server.url, "-v"))
        both = ESCAPE.sub("", run_on_terminal(110, server.url, "-v", "-i"))
    assert verbose.count("HTTP/1.1 200 OK") == 1
    assert both.count("HTTP/1.1 200 OK") == 2


def test_a_download_has_a_bar_until_it_ends(tmp_path: Path) -> None:
    seen = Event()

    def answer(connection: RawConnection) -> None:
        connection.read_head()
        content = reply(bytes(1_000_000))
        connection.send(content[:-400_000])
        assert seen.wait(TIMEOUT)
        connection.send(content[-400_000:])

    def notice(text: str) -> None:
        if BAR.search(text):
            seen.set()

    with RawServer(answer) as server:
        shown = Screen(110, 24, tmp_path, server.port, on_change=notice).run(
            "asyncclient download localhost:8000/file -d files"
        )
    assert seen.is_set()
    assert shown == "files/file  1,000,000 bytes  http://localhost:8000/file"
    assert (tmp_path / "files" / "file").stat().st_size == 1_000_000


def test_a_file_saved_by_its_name_has_a_bar_of_that_name(tmp_path: Path) -> None:
    with RawServer.replying(reply(bytes(1_000_000))) as server:
        shown = Screen(110, 24, tmp_path, server.port).run("asyncclient -O localhost:8000/a/file.bin")
    assert re.fullmatch(r"file\.bin +━+ 1\.0/1\.0 MB [\d.]+ .B/s 0:00:00", shown)


def test_results_go_to_a_file_while_bars_are_on_the_terminal(tmp_path: Path) -> None:
    with RawServer.replying(reply(b"ok"), reply(status="404 Not Found")) as server:
        command = "asyncclient download localhost:8000/a localhost:8000/none -c 1 > list.txt"
        shown = Screen(110, 24, tmp_path, server.port).run(command)
        url = f"http://localhost:{server.port}"
    assert (tmp_path / "list.txt").read_text() == f"./a  2 bytes  {url}/a\n"
    assert shown == "asyncclient download: status: 404 Not Found for GET 'http://localhost:8000/none'"
