"""asyncclient serve: a folder with ranges, and no file outside of it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncclient import Client, Response
from asyncclient.cli.exits import Exit
from asyncclient.cli.folder import Folder
from asyncclient.testing import DemoServer, RawServer
from tests.cli.running import Command, run_process
from tests.servers import ROOT, TIMEOUT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"0123456789")
    (root / "sub" / "b c.html").write_bytes(b"<p>")
    (root / ".hidden").write_bytes(b"secret")
    (tmp_path / "outside").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "outside")
    return root


async def get(folder: Path, path: str, **headers: str) -> Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with DemoServer(answer=Folder(folder)) as server, Client(trust_env=False) as client:
        return await client.get(server.url + path, headers=fields)


async def test_a_file_is_served(folder: Path) -> None:
    response = await get(folder, "/a.txt")
    assert (response.status, response.content) == (200, b"0123456789")
    assert response.headers["content-type"] == "text/plain"
    assert (await get(folder, "/a.txt", If_None_Match=response.headers["etag"])).status == 304
    assert (await get(folder, "/sub/b%20c.html")).content == b"<p>"


@pytest.mark.parametrize(
    ("asked", "content"),
    [("bytes=2-4", b"234"), ("bytes=8-", b"89"), ("bytes=-3", b"789"), ("bytes=5-100", b"56789"), ("bytes=0-0", b"0")],
)
async def test_a_range_is_served(folder: Path, asked: str, content: bytes) -> None:
    response = await get(folder, "/a.txt", Range=asked)
    assert (response.status, response.content) == (206, content)
    start = b"0123456789".index(content)
    assert response.headers["content-range"] == f"bytes {start}-{start + len(content) - 1}/10"


async def test_other_ranges_are_refused_or_ignored(folder: Path) -> None:
    assert (await get(folder, "/a.txt", Range="bytes=10-")).status == 416
    assert (await get(folder, "/a.txt", Range="bytes=-")).status == 200
    assert (await get(folder, "/a.txt", Range="bytes=0-1", If_Range='"old"')).status == 200


@pytest.mark.parametrize(
    "path", ["/../outside", "/%2e%2e/outside", "/..%2foutside", "/link", "/.hidden", "/a.txt/", "/a%00", "/none"]
)
async def test_nothing_outside_is_served(folder: Path, path: str) -> None:
    response = await get(folder, path)
    assert response.status == (200 if path == "/a.txt/" else 404)
    assert b"secret" not in response.content


async def test_a_folder_is_a_list(folder: Path) -> None:
    response = await get(folder, "/sub")
    assert response.url.endswith("/sub/")
    assert '<a href="b%20c.html">b c.html</a>' in response.text
    assert "hidden" not in (await get(folder, "/")).text


def test_the_command_serves_until_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "asyncclient", "serve", "--port", "0", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert run_process(f"{url}/a.txt").stdout == b"0123456789"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, output, errors) == (Exit.INTERRUPTED, "", "")


def test_a_wrong_folder_is_explained(command: Command, tmp_path: Path) -> None:
    code, _, errors = command("serve", tmp_path / "none")
    assert code == Exit.OTHER
    assert "expected a folder" in errors
    for port in ("x", "65536"):
        assert "expected a port of 0 to 65535" in command("serve", "--port", port).errors
    with RawServer.replying() as server:
        code, _, errors = command("serve", "--port", server.port)
    assert code == Exit.OTHER
    assert f"port {server.port}: " in errors
