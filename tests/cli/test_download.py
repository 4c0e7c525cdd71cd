"""asyncclient download: several files, verified and continued."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncclient.cli.exits import Exit
from asyncclient.testing import RawConnection, RawServer
from tests.cli.running import Command, reply
from tests.servers import ROOT, TIMEOUT

SIZE = 2_000_000

CONTENT = {f"/{name}": name.encode() * 1000 for name in "abcdef"}


def answer(connection: RawConnection) -> None:
    while head := connection.read_head():
        content = CONTENT.get(head.split()[1].decode())
        connection.send(reply(status="404 Not Found") if content is None else reply(content, 'ETag: "a"'))


def contents(folder: Path) -> dict[str, bytes]:
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_files_are_downloaded_into_a_folder(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with RawServer(answer) as server:
        result = command("download", *(server.url + path for path in CONTENT), "-c", 3, "-d", folder)
    assert (result.code, result.errors) == (0, "")
    assert contents(folder) == CONTENT
    assert sorted(result.output.decode().splitlines())[0] == f"{folder}/a  1,000 bytes  {server.url}/a"


def test_urls_are_read_from_a_file(command: Command, tmp_path: Path) -> None:
    listed, folder = tmp_path / "list", tmp_path / "new"
    digest = hashlib.sha256(CONTENT["/b"]).hexdigest()
    with RawServer(answer) as server:
        listed.write_text(f"# files\n{server.url}/a\n\n{server.url}/b sha256:{digest}\n{server.url}/a\n")
        assert command("download", "-i", listed, "-d", folder, "-q") == (0, b"", "")
        listed.write_text(f"{server.url}/a {digest}\n")
        assert command("download", "-i", listed, "-d", folder, "-q", "--skip-existing").code == Exit.DECODING
        listed.write_text(f"{digest}  b\n")
        assert "expected a URL before its checksum" in command("download", "-i", listed).errors
    assert [*contents(folder)] == ["/a", "/b"] or [*contents(folder)] == ["/b", "/a"]


def test_a_file_with_another_digest_is_not_stored(command: Command, tmp_path: Path) -> None:
    good, bad = hashlib.sha256(CONTENT["/a"]).hexdigest(), "0" * 64
    arguments = ["--checksum", f"sha256:{good}", "--checksum", f"SHA256:{bad}", "-d", tmp_path]
    with RawServer(answer) as server:
        result = command("download", server.url + "/a", server.url + "/b", *arguments)
    assert result.code == Exit.DECODING
    assert result.errors.startswith("asyncclient download: checksum: ")
    assert f"expected sha256 {bad}" in result.errors
    assert [*contents(tmp_path)] == ["/a"]


def test_a_wrong_checksum_keeps_the_file_that_is_replaced(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with RawServer(answer) as server:
        arguments = ["--force", "--checksum", f"md5:{'0' * 32}", "-d", tmp_path]
        result = command("download", server.url + "/a", *arguments)
    assert result.code == Exit.DECODING
    assert "--no-decode" not in result.errors
    assert contents(tmp_path) == {"/a": b"old"}


def test_a_failure_does_not_stop_the_others(command: Command, tmp_path: Path) -> None:
    with RawServer(answer) as server:
        result = command("download", server.url + "/none", server.url + "/a", "-d", tmp_path)
    assert result.code == Exit.STATUS
    assert f"404 Not Found for GET '{server.url}/none'" in result.errors
    assert [*contents(tmp_path)] == ["/a"]


def test_files_that_exist_are_kept_without_force(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with RawServer(answer) as server:
        arguments = ("download", server.url + "/a", "-d", tmp_path, "-q")
        refused = command(*arguments)
        skipped = command(*arguments, "--skip-existing")
        assert (tmp_path / "a").read_bytes() == b"old"
        replaced = command(*arguments, "--force")
    assert (refused.code, skipped.code, replaced.code) == (Exit.WRITE, 0, 0)
    assert "--force replaces a file" in refused.errors
    assert contents(tmp_path) == {"/a": CONTENT["/a"]}


@pytest.mark.parametrize("is_right", [True, False])
def test_a_file_that_is_kept_is_verified(command: Command, tmp_path: Path, *, is_right: bool) -> None:
    (tmp_path / "a").write_bytes(b"old")
    digest = hashlib.sha256(b"old" if is_right else b"new").hexdigest()
    with RawServer(answer) as server:
        arguments = ["--skip-existing", "--checksum", f"sha256:{digest}", "-d", tmp_path]
        result = command("download", server.url + "/a", *arguments)
    kept = f"{tmp_path}/a  3 bytes  {server.url}/a  kept\n"
    assert (result.code, result.output.decode()) == ((0, kept) if is_right else (Exit.DECODING, ""))
    assert (f"expected sha256 {digest}" in result.errors) != is_right
    assert contents(tmp_path) == {"/a": b"old"}


def test_a_file_that_is_kept_is_marked_for_programs(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with RawServer(answer) as server:
        result = command("download", server.url + "/a", "--skip-existing", "--json-output", "-d", tmp_path)
    assert json.loads(result.output) == {"url": f"{server.url}/a", "path": f"{tmp_path}/a", "size": 3, "kept": True}


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        (["-C", "-", "-o", "a"], 'ETag: "a"', "{} bytes kept; run the same command again to continue"),
        (["-C", "-", "-O", "b==1"], 'ETag: "a"', "{} bytes kept; run the same command again to continue"),
        (["-C", "-", "-O"], "A: b", "nothing is kept; the server does not identify the content"),
    ],
)
def test_a_line_after_ctrl_c_names_the_kept_bytes(tmp_path: Path, options: list[str], field: str, text: str) -> None:
    def cut(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(reply(bytes(SIZE), field)[:-500])
        connection.wait_closed()

    with RawServer(cut) as server:
        line = [sys.executable, "-m", "asyncclient", f"{server.url}/a", *options]
        pipe, env = subprocess.PIPE, os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(line, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe) as process:
            while sum(path.stat().st_size for path in tmp_path.glob("*.part")) < SIZE / 2:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=TIMEOUT)
    size = sum(path.stat().st_size for path in tmp_path.glob("*.part"))
    expected = f"asyncclient: interrupted: {text.format(f'{size:,}')}\n"
    assert (process.returncode, output, errors.decode()) == (Exit.INTERRUPTED, b"", expected)


def test_a_download_goes_on_after_a_failure(command: Command, tmp_path: Path) -> None:
    content, asked = os.urandom(1000), []

    def cut(connection: RawConnection) -> None:
        head = connection.read_head()
        asked.append(b"\r\nRange: bytes=" in head)
        whole = reply(content, 'ETag: "a"')
        if asked[-1]:
            first = int(head.partition(b"\r\nRange: bytes=")[2].partition(b"-")[0])
            place = f"Content-Range: bytes {first}-999/1000"
            connection.send(reply(content[first:], 'ETag: "a"', place, status="206 Partial Content"))
        else:
            connection.send(whole[:-500])
        connection.close()

    with RawServer(cut) as server:
        assert command("download", server.url + "/a", "-d", tmp_path).code == 0
    assert asked == [False, True]
    assert contents(tmp_path) == {"/a": content}


def test_ctrl_c_keeps_the_part_and_the_next_call_goes_on(command: Command, tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(connection: RawConnection) -> None:
        asked.append(connection.read_head())
        if b"\r\nRange: bytes=" in asked[-1]:
            first = int(asked[-1].partition(b"\r\nRange: bytes=")[2].partition(b"-")[0])
            place = f"Content-Range: bytes {first}-{SIZE - 1}/{SIZE}"
            connection.send(reply(bytes(SIZE - first), 'ETag: "a"', place, status="206 Partial Content"))
        else:
            connection.send(reply(bytes(SIZE), 'ETag: "a"')[:-500])
        connection.wait_closed()

    with RawServer(answer) as server:
        line = [sys.executable, "-m", "asyncclient", "download", server.url + "/a", "-d", str(tmp_path)]
        with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while not [path for path in tmp_path.glob("*.part") if path.stat().st_size]:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=TIMEOUT)
        (part,) = tmp_path.glob("*.part")
        text = f"interrupted: {part.stat().st_size:,} bytes kept; run the same command again to continue"
        assert (process.returncode, output) == (Exit.INTERRUPTED, b"")
        assert errors.decode() == f"asyncclient download: {text}\n"
        assert not (tmp_path / "a").exists()
        assert command("download", server.url + "/a", "-d", tmp_path).code == 0
    assert b"\r\nRange: bytes=" in asked[1]
    assert contents(tmp_path) == {"/a": bytes(SIZE)}


def test_results_for_programs_are_lines_of_json(command: Command, tmp_path: Path) -> None:
    with RawServer(answer) as server:
        result = command("download", server.url + "/a", server.url + "/none", "-d", tmp_path, "--json-output")
    lines = {line["url"][-2:]: line for line in map(json.loads, result.output.splitlines())}
    assert (lines["/a"]["size"], lines["/a"]["path"]) == (1000, f"{tmp_path}/a")
    assert lines["ne"]["error"]["code"] == Exit.STATUS


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "expected a URL"),
        (["a.test", "--checksum", "x"], "expected md5"),
        (["--checksum", f"md5:{'0' * 32}"], "expected a URL for each --checksum"),
        (["-i", "missing"], "missing: No such file"),
        (["a.test", "--recursive"], ": use asyncclient crawl URL"),
        (["a.test", "--continue"], "run the same command again to continue"),
        (["a.test", "-C", "-"], "run the same command again to continue"),
        (["-c", "a.test"], "it is the number of files at once; run the same command again to continue"),
        (["a.test", "-o", "b"], "asyncclient URL --output FILE"),
        (["a.test", "--resume"], "run the same command again to continue"),
        (["a.test", "--no-clobber"], ": use --skip-existing"),
        (["a.test", "-N"], ": use --skip-existing, or --force"),
        (["a.test", "-nv"], ": use --silent"),
        (["a.test", "-nc"], ": use --skip-existing"),
        (["a.test", "-T", "5"], ": use --max-time SECONDS"),
        (["a.test", "--spider"], ": use asyncclient URL --head"),
        (["a.test", "--spider", "--no-clobber", "5"], "--spider: use asyncclient URL --head; --no-clobber: use --skip"),
        (["a.test", "--bearer", "x"], "--help lists the options"),
        (["a.test", "--post-data", "x"], ": use asyncclient URL --data DATA"),
    ],
)
def test_wrong_arguments_are_explained(command: Command, arguments: list[str], text: str) -> None:
    code, output, errors = command("download", *arguments)
    assert code != 0
    assert output == b""
    assert text in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("words", [["download"], ["crawl", "--no-robots"], []])
def test_a_missing_extra_has_its_own_exit_code(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    code, _, errors = command(*words, "http://127.0.0.1:1/a")
    assert (code, errors.count("\n")) == (Exit.MISSING_EXTRA, 1)
    assert "SOCKS needs the extra asyncclient-http[socks]" in errors
