"""asyncclient crawl, as a command."""

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asyncclient.cli.exits import Exit
from asyncclient.crawl.command import SPELLINGS, build_parser, describe_continuation, main
from asyncclient.crawl.crawler import TIMEOUT
from asyncclient.testing import DemoServer, RawConnection, RawServer, build_response
from tests.pool.hosts import wait_until
from tests.servers import ROOT

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

NEAR = sorted(["0", "1", "2", "3", "4", "6", "7", "8", "9", "10", "13", "14"])
"""The pages to which three links lead, without page 5 and those below it."""

FAST = ("--rate", "1000", "--connections", "8")


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async with DemoServer() as server:
        yield f"{server.url}/site/40/0"


async def start(*arguments: str | Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "asyncclient", "crawl", *map(str, arguments)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)


async def crawl(*arguments: str | Path) -> tuple[int | None, str]:
    process = await start(*arguments)
    output, errors = await process.communicate()
    assert output == b""
    return process.returncode, errors.decode()


def urls_in(path: Path) -> list[str]:
    return [json.loads(line)["url"] for line in path.read_text().splitlines()]


async def test_a_site_is_crawled_and_written(site: str, tmp_path: Path) -> None:
    pages, files = tmp_path / "pages.jsonl", tmp_path / "files"
    status, text = await crawl(site, *FAST, "--jsonl", pages, "--files", files, "--warc", tmp_path / "new" / "a")
    assert status == 0
    assert text.startswith("40 pages in ")
    assert len(set(urls_in(pages))) == 40
    assert {json.loads(line)["attempts"] for line in pages.read_text().splitlines()} == {1}
    assert len(urls_in(files / "index.jsonl")) == 40
    assert len(list(tmp_path.glob("new/a-*.warc.gz"))) == 1


async def test_the_scheme_may_be_left_out(site: str, tmp_path: Path) -> None:
    listed, pages = tmp_path / "list.txt", tmp_path / "pages.jsonl"
    page = site.replace("http://127.0.0.1", "localhost").replace("/site/40/", "/site/2/")
    listed.write_text(site.replace("http://", "").replace("/site/40/", "/site/1/"))
    status, _ = await crawl(page, "--input", listed, *FAST, "--jsonl", pages)
    assert status == 0
    assert len(urls_in(pages)) == 3


async def test_a_page_without_a_response_is_reported_with_its_reason(tmp_path: Path) -> None:
    async with RawServer.replying(build_response(text="User-agent: *\nDisallow: /")) as server:
        status, text = await crawl(f"{server.url}/a", *FAST, "-q", "--jsonl", tmp_path / "pages.jsonl")
    assert status == 1
    assert json.loads((tmp_path / "pages.jsonl").read_text())["attempts"] == 0
    assert text.startswith(f"{server.url}/a: RobotsDisallowed: ")


async def test_an_archive_that_cannot_be_written_is_an_error_in_one_line(site: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, text = await crawl(site, *FAST, "-q", "--max-pages", "1", "--warc", tmp_path / "file" / "a")
    assert status == 1
    assert text.splitlines()[-1] == f"asyncclient crawl: {tmp_path / 'file'}: Not a directory"
    assert "Traceback" not in text


async def test_depth_scope_and_budget_are_kept(site: str, tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{n}.jsonl" for n in range(3))
    await crawl(site, *FAST, "-q", "--depth", "1", "--jsonl", first)
    await crawl(site, *FAST, "-q", "--exclude", "*/2", "--scope", "*/site/40/*", "--depth", "1", "--jsonl", second)
    status, text = await crawl(site, *FAST, "-q", "--max-pages", "5", "--jsonl", third)
    assert (status, text) == (0, "")
    assert [len(urls_in(path)) for path in (first, second, third)] == [3, 2, 5]


async def test_a_crawl_is_resumed(site: str, tmp_path: Path) -> None:
    database, pages = tmp_path / "crawl.db", tmp_path / "pages.jsonl"
    _, text = await crawl(site, *FAST, "--frontier", database, "--max-pages", "7", "--jsonl", pages)
    assert "\nraise --max-pages, and continue with: asyncclient crawl --resume " in text
    status, text = await crawl("--frontier", database, "--resume", *FAST, "--jsonl", pages)
    assert status == 0
    assert "0 URLs wait" in text
    assert len(urls_in(pages)) == len(set(urls_in(pages))) == 40


async def test_ctrl_c_ends_a_crawl_in_order(site: str, tmp_path: Path) -> None:
    database, pages = tmp_path / "crawl.db", tmp_path / "pages.jsonl"
    options = ("--rate", "20", "--depth", "3", "--exclude", "*/5", "--frontier", database, "--jsonl", pages)
    process = await start(site, *options)
    await wait_until(lambda: pages.exists() and pages.stat().st_size)
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert process.returncode == Exit.INTERRUPTED
    assert b"Traceback" not in errors
    *_, line = errors.decode().splitlines()
    mark, _, command = line.partition("continue with: asyncclient crawl ")
    assert mark == ""
    assert (await crawl(*shlex.split(command)))[0] == 0
    assert sorted(url.rpartition("/")[2] for url in urls_in(pages)) == NEAR


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-x", "http://me:secret@h:1"], ["-x", "http://USER:PASSWORD@h:1"]),
        (["-xme:secret@h:1"], ["-xUSER:PASSWORD@h:1"]),
        (["--proxy=socks5://me:sec/ret@h:1"], ["--proxy=socks5://USER:PASSWORD@h:1"]),
        (["-x", "http://me:secret@a", "-x", "http://h:1"], ["-x", "http://USER:PASSWORD@a", "-x", "http://h:1"]),
        (["me:secret@b.test/"], ["https://USER:PASSWORD@b.test/"]),
        (["-x", ""], ["-x", ""]),
        (["--agent", "bot (+mailto:me@b.test)"], ["--agent", "bot (+mailto:me@b.test)"]),
        (["http://b.test/@me"], ["http://b.test/@me"]),
    ],
)
async def test_the_command_that_continues_has_no_passwords(words: list[str], shown: list[str]) -> None:
    words = ["--frontier", "a.db", *words, "a.test"]
    line = describe_continuation(build_parser().parse_args(words), words, is_stopped=True)
    command = ["asyncclient", "crawl", "--resume", "--frontier", "a.db", *shown, "a.test"]
    assert line == f"continue with: {shlex.join(command)}"


async def test_the_second_ctrl_c_ends_a_crawl_at_once(tmp_path: Path) -> None:
    with RawServer(RawConnection.wait_closed) as server:
        process = await start(f"{server.url}/a", "--no-robots", "--frontier", tmp_path / "crawl.db")
        assert process.stderr is not None
        await wait_until(lambda: server.accepted)
        process.send_signal(signal.SIGINT)
        note = await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert note == b"asyncclient crawl: finishing 1 page; Ctrl-C again ends at once\n"
    figures, line = errors.decode().splitlines()
    assert figures.endswith(" 1 URL waits")
    assert line.startswith("continue with: asyncclient crawl --resume ")
    assert process.returncode == Exit.INTERRUPTED


async def test_ctrl_c_prints_nothing_with_quiet(tmp_path: Path) -> None:
    with RawServer(RawConnection.wait_closed) as server:
        process = await start(f"{server.url}/a", "--no-robots", "--quiet", "--frontier", tmp_path / "crawl.db")
        await wait_until(lambda: server.accepted)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (Exit.INTERRUPTED, b"")


async def test_a_missing_extra_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "protego", None)
    assert await asyncio.to_thread(main, ["http://127.0.0.1:1/"]) == Exit.MISSING_EXTRA


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "no URL is given"),
        (["--resume"], "--resume needs --frontier"),
        (["--resume", "--frontier", "missing.db"], "missing.db does not exist"),
        (["http://a.test/", "--frontier", __file__], "add --resume to continue its crawl"),
        (["http://a.test/", "--scope", "docs/*"], "a pattern of URLs"),
        (["http://a.test/", "--rate", "0"], "rate above 0"),
        (["http://a.test/", "--recursive"], ": links are followed; --depth N"),
        (["-r", "http://a.test/"], "it is the number of requests per second; links are followed"),
        (["http://a.test/", "--level", "2"], ": use --depth N"),
        (["http://a.test/", "--wait", "2"], ": use --rate N, requests per second"),
        (["http://a.test/", "-T", "2"], ": a page has 300 s, and 30 s for each wait"),
        (
            ["http://a.test/", "--delay", "2", "--user-agent", "a"],
            ": --delay: use --rate N, requests per second; --user-",
        ),
        (["ftp://a.test/"], "an http or https URL"),
    ],
)
async def test_wrong_arguments_are_explained(arguments: list[str], text: str) -> None:
    status, errors = await crawl(*arguments)
    assert status in (1, 2)
    assert text in errors
    assert "Traceback" not in errors


async def test_the_limits_that_a_hint_names_are_those_of_a_crawler() -> None:
    assert SPELLINGS["--timeout"] == f"a page has {TIMEOUT.total:g} s, and {TIMEOUT.read:g} s for each wait for content"
