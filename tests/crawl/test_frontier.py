"""Frontiers: the same rules in memory and in a file; what the file keeps, and which files are refused."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from asyncclient.crawl.entry import Counts, Entry, Outcome, State
from asyncclient.crawl.frontier import Frontier, FrontierError
from asyncclient.crawl.memory import MemoryFrontier
from asyncclient.crawl.sqlite import SQLiteFrontier
from tests.servers import ROOT


@pytest.fixture(params=["memory", "sqlite"])
async def frontier(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Frontier]:
    made: Frontier = MemoryFrontier() if request.param == "memory" else SQLiteFrontier(tmp_path / "crawl.db")
    assert await made.open() == Counts()
    yield made
    await made.aclose()


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[SQLiteFrontier]:
    made = SQLiteFrontier(tmp_path / "crawl.db")
    await made.open()
    yield made
    await made.aclose()


def entries_of(host: str, *paths: object) -> list[Entry]:
    return [Entry(f"http://{host}/{path}") for path in paths]


async def take_paths(frontier: Frontier, host: str, number: int = 100) -> list[str]:
    return [entry.url.rpartition("/")[2] for entry in (await frontier.take({host: number}))[host].entries]


async def test_the_new_urls_of_each_host_are_counted(frontier: Frontier) -> None:
    assert await frontier.add(entries_of("a", 1, 2, 1) + entries_of("b", 1)) == {"a": 2, "b": 1}
    assert await frontier.add(entries_of("a", 2, 3) + entries_of("b", 1)) == {"a": 1}
    assert await frontier.add([]) == {}


async def test_the_order_is_by_priority_then_attempts_then_adding(frontier: Frontier) -> None:
    urls = {"retried": (1, 2), "first": (0, 0), "low": (-5, 0), "second": (0, 0), "high": (1, 0)}
    await frontier.add([Entry(f"http://a/{path}", priority=p, attempts=a) for path, (p, a) in urls.items()])
    assert await take_paths(frontier, "a") == ["high", "retried", "first", "second", "low"]


async def test_an_entry_is_returned_as_it_was_added(frontier: Frontier) -> None:
    meta = {"text": "é\0\ud800", "list": [1, 2.5, None, True]}
    added = Entry("http://a/?q=%22'", depth=3, priority=-(2**40), attempts=2, meta=meta)
    await frontier.add([Entry("http://a/"), added])
    (entry,) = [entry for entry in (await frontier.take({"a": 2}))["a"].entries if entry.depth == 3]
    assert (entry.url, entry.host, entry.priority, entry.attempts) == (added.url, "a", added.priority, 2)
    assert (entry.meta, entry.id) == (meta, 2)


async def test_as_many_entries_are_taken_as_each_host_wants(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", *range(9)) + entries_of("b", *range(4)) + entries_of("c", 0))
    taken = await frontier.take({"a": 7, "b": 4, "unknown": 1, "c": 0})
    assert {host: (len(found.entries), found.is_all) for host, found in taken.items()} == {
        "a": (7, False),
        "b": (4, True),
        "unknown": (0, True),
        "c": (0, False),
    }


async def test_a_taken_entry_is_not_taken_again(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", 1, 2, 3))
    assert await take_paths(frontier, "a", 2) == ["1", "2"]
    await frontier.add([Entry("http://a/4", priority=1)])
    assert await take_paths(frontier, "a") == ["4", "3"]
    assert await take_paths(frontier, "a") == []


async def test_a_returned_entry_waits_behind_those_with_fewer_attempts(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", 1, 2, 3))
    first, second = (await frontier.take({"a": 2}))["a"].entries
    first.attempts = 1
    await frontier.finish([Outcome(first, State.WAITING, "reset"), Outcome(second, State.WAITING, counts=False)])
    assert await take_paths(frontier, "a") == ["2", "3", "1"]


async def test_finished_entries_are_not_taken_again(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", 1, 2, 3))
    first, second = (await frontier.take({"a": 2}))["a"].entries
    await frontier.finish([Outcome(first, State.DONE), Outcome(second, State.FAILED, "reset")])
    assert await frontier.add(entries_of("a", 1, 2)) == {}
    assert await take_paths(frontier, "a") == ["3"]
    await frontier.aclose()
    assert await frontier.open() == Counts(waiting=1, done=1, failed=1, pages=2)


async def test_the_pages_of_a_host_are_the_outcomes_that_count(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", *range(4)) + entries_of("b", 1))
    taken = await frontier.take({"a": 4, "b": 1})
    a, b, c, d = taken["a"].entries
    outcomes = [Outcome(a, State.DONE), Outcome(b, State.FAILED, "x"), Outcome(c, State.WAITING)]
    await frontier.finish([*outcomes, Outcome(d, State.FAILED, "robots.txt", counts=False)])
    assert {host: found.pages for host, found in (await frontier.take({"a": 1, "b": 1})).items()} == {"a": 3, "b": 0}
    await frontier.aclose()
    await frontier.open()
    assert (await frontier.take({"a": 1}))["a"].pages == 3


async def test_unfinished_entries_wait_again_when_the_frontier_is_opened_again(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", 1, 2))
    assert await take_paths(frontier, "a", 1) == ["1"]
    await frontier.aclose()
    await frontier.aclose()
    assert await frontier.open() == Counts(waiting=2)
    assert await take_paths(frontier, "a") == ["1", "2"]


async def test_failed_entries_are_returned_with_their_reasons(frontier: Frontier) -> None:
    await frontier.add([*entries_of("a", 1, 2), Entry("http://b/", depth=1, meta="m")])
    taken = await frontier.take({"a": 2, "b": 1})
    (entry,), (_, other) = taken["b"].entries, taken["a"].entries
    entry.attempts = 3
    await frontier.finish([Outcome(other, State.FAILED, "é"), Outcome(entry, State.FAILED, "reset by peer")])
    found = {failed.url: (failed, reason) async for failed, reason in frontier.failures()}
    failed, reason = found.pop("http://b/")
    assert (failed.host, failed.depth, failed.attempts, failed.meta, reason) == ("b", 1, 3, "m", "reset by peer")
    assert {url: reason for url, (_, reason) in found.items()} == {"http://a/2": "é"}


async def test_failed_entries_can_be_given_again(frontier: Frontier) -> None:
    await frontier.add(entries_of("a", *range(3)))
    outcomes = [Outcome(entry, State.FAILED, "reset") for entry in (await frontier.take({"a": 2}))["a"].entries]
    for outcome in outcomes:
        outcome.entry.attempts = 5
    await frontier.finish(outcomes)
    assert await frontier.retry_failed() == 2
    assert [failure async for failure in frontier.failures()] == []
    entries = (await frontier.take({"a": 5}))["a"].entries
    assert [(entry.url[-1], entry.attempts) for entry in entries] == [("0", 0), ("1", 0), ("2", 0)]
    assert await frontier.retry_failed() == 0


async def test_hosts_with_entries_to_take_are_found(frontier: Frontier) -> None:
    await frontier.add([Entry(f"http://{host}/") for host in "abcdef"])
    taken = await frontier.take({"a": 1, "b": 1})
    await frontier.finish([Outcome(taken["a"].entries[0], State.DONE)])
    assert set(await frontier.find_hosts(10, {"e"})) == {"c", "d", "f"}
    assert await frontier.find_hosts(10, "cdef") == []
    assert len(await frontier.find_hosts(2, {"e"})) == 2
    assert await frontier.find_hosts(0, ()) == []
    await frontier.finish([Outcome(taken["b"].entries[0], State.WAITING)])
    assert await frontier.find_hosts(10, "cdef") == ["b"]


async def test_all_hosts_are_found_in_some_calls(frontier: Frontier) -> None:
    names = {f"h{number}" for number in range(1203)}
    await frontier.add([Entry(f"http://{name}/") for name in sorted(names)])
    known: set[str] = set()
    while found := await frontier.find_hosts(400, known):
        assert known.isdisjoint(found)
        known.update(found)
    assert known == names


async def test_a_call_may_have_many_entries(frontier: Frontier) -> None:
    number = 22_000
    assert await frontier.add(entries_of("a", *range(number))) == {"a": number}
    entries = (await frontier.take({"a": number + 1}))["a"].entries
    assert [entry.id for entry in entries] == list(range(1, number + 1))
    await frontier.finish([Outcome(entry, State.FAILED, "reset") for entry in entries])
    assert [entry.id async for entry, _ in frontier.failures()] == list(range(1, number + 1))


# In a file


async def test_the_event_loop_goes_on_during_a_call(stored: SQLiteFrontier) -> None:
    adding = asyncio.create_task(stored.add(entries_of("a", *range(5000))))
    turns = 0
    while not adding.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    assert await adding == {"a": 5000}


@pytest.mark.parametrize("is_executed", [False, True])
async def test_a_cancelled_call_takes_nothing(stored: SQLiteFrontier, is_executed: bool) -> None:
    await stored.add(entries_of("a", *range(3)))
    taking = asyncio.create_task(stored.take({"a": 2}))
    await asyncio.sleep(0)
    if is_executed:
        assert stored._thread is not None
        stored._thread.submit(int).result()  # the thread has executed the call, and the loop does not know it yet
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await take_paths(stored, "a") == ["0", "1", "2"]


async def test_a_call_that_fails_changes_nothing(stored: SQLiteFrontier, tmp_path: Path) -> None:
    await stored.add(entries_of("a", 1, 2))
    await stored.aclose()
    with closing(sqlite3.connect(tmp_path / "crawl.db")) as connection:
        connection.execute("CREATE TRIGGER full BEFORE UPDATE ON hosts BEGIN SELECT RAISE(ABORT, 'full'); END")
    await stored.open()
    one, other = (await stored.take({"a": 2}))["a"].entries
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        await stored.finish([Outcome(one, State.DONE), Outcome(other, State.FAILED, "reset")])
    assert [failure async for failure in stored.failures()] == []
    await stored.aclose()
    assert await stored.open() == Counts(waiting=2)


async def test_a_frontier_can_be_opened_after_a_cancelled_opening(tmp_path: Path) -> None:
    frontier = SQLiteFrontier(tmp_path / "crawl.db")
    opening = asyncio.create_task(frontier.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    for _ in range(2):
        assert await frontier.open() == Counts()
        await frontier.aclose()


async def test_meta_of_a_type_unknown_to_json_is_refused_with_its_call(stored: SQLiteFrontier) -> None:
    entries = [*entries_of("a", *range(12_000)), Entry("http://b/", meta=b"bytes")]
    with pytest.raises(TypeError, match="bytes"):
        await stored.add(entries)
    assert await stored.find_hosts(1, ()) == []
    assert await stored.add(entries[:3]) == {"a": 3}


async def test_a_reason_may_have_any_character(stored: SQLiteFrontier) -> None:
    await stored.add(entries_of("a", 1))
    (entry,) = (await stored.take({"a": 1}))["a"].entries
    await stored.finish([Outcome(entry, State.FAILED, "a\0b\udc80'\"é")])
    assert [reason async for _, reason in stored.failures()] == ["a\\x00b\\udc80'\"é"]


async def test_calls_in_the_wrong_state_are_refused(stored: SQLiteFrontier) -> None:
    with pytest.raises(RuntimeError, match="expected a closed frontier"):
        await stored.open()
    await stored.aclose()
    with pytest.raises(RuntimeError, match="expected an open frontier"):
        await stored.add([])


async def test_a_closed_frontier_is_one_file(stored: SQLiteFrontier, tmp_path: Path) -> None:
    await stored.add(entries_of("a", 1))
    await stored.aclose()
    assert [path.name for path in tmp_path.iterdir()] == ["crawl.db"]


async def open_error(path: Path) -> str:
    with pytest.raises(FrontierError) as caught:
        await SQLiteFrontier(path).open()
    return str(caught.value)


async def test_files_of_other_kinds_are_refused_and_not_changed(tmp_path: Path) -> None:
    text, other = tmp_path / "crawl.txt", tmp_path / "other.db"
    text.write_text("https://example.com/\n" * 100)
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript("CREATE TABLE urls (url TEXT); INSERT INTO urls VALUES ('x');")
    before = {path: path.read_bytes() for path in (text, other)}
    assert "not a database" in await open_error(text)
    assert "another SQLite database" in await open_error(other)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "unable to open" in await open_error(tmp_path)
    assert "Not a directory" in await open_error(text / "below" / "crawl.db")


async def test_a_missing_folder_is_created(tmp_path: Path) -> None:
    frontier = SQLiteFrontier(tmp_path / "missing" / "too" / "crawl.db")
    await frontier.open()
    await frontier.aclose()
    assert (tmp_path / "missing" / "too" / "crawl.db").is_file()


async def test_a_frontier_of_another_version_is_refused(stored: SQLiteFrontier, tmp_path: Path) -> None:
    await stored.aclose()
    with closing(sqlite3.connect(tmp_path / "crawl.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "expected a frontier of version 1" in await open_error(tmp_path / "crawl.db")


async def test_a_frontier_that_is_open_is_refused_here(stored: SQLiteFrontier, tmp_path: Path) -> None:
    assert "in use" in await open_error(tmp_path / "crawl.db")


# The writer says what has returned; the test kills it at a moment when another call is in progress.
WRITER = """
import asyncio, sys
from asyncclient.crawl.entry import Entry, Outcome, State
from asyncclient.crawl.sqlite import SQLiteFrontier

async def write():
    frontier = SQLiteFrontier(sys.argv[1])
    await frontier.open()
    for start in range(0, 1_000_000, 10):
        urls = [f"http://h{number % 7}/{number}" for number in range(start, start + 10)]
        await frontier.add([Entry(url) for url in urls])
        print("added", *urls, flush=True)
        taken = await frontier.take({f"h{number}": 1 for number in range(7)})
        entries = [entry for each in taken.values() for entry in each.entries]
        done, failed, _ = entries[::3], entries[1::3], entries[2::3]  # the last are never finished
        await frontier.finish(
            [Outcome(entry, State.DONE) for entry in done] + [Outcome(entry, State.FAILED, "x") for entry in failed]
        )
        print("done", *(entry.url for entry in done), flush=True)
        print("failed", *(entry.url for entry in failed), flush=True)

asyncio.run(write())
"""


def kill_writer(path: Path, lines: int) -> dict[str, set[str]]:
    """Run the writer, kill it after some lines, and return the URLs that it has named in all of its lines."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        read += [line for line in process.stdout if line.endswith("\n")]
    found: dict[str, set[str]] = {"added": set(), "done": set(), "failed": set()}
    for kind, *urls in map(str.split, read):
        found[kind].update(urls)
    return found


@pytest.mark.parametrize("lines", [1, 2, 3, 100, 601])
async def test_a_killed_process_loses_nothing(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "crawl.db"
    named = await asyncio.to_thread(kill_writer, path, lines)
    frontier = SQLiteFrontier(path)
    counts = await frontier.open()
    assert await frontier.add([Entry(url) for url in named["added"]]) == {}
    failed = {entry.url async for entry, _ in frontier.failures()}
    taken = await frontier.take({f"h{number}": 1_000_000 for number in range(7)})
    waiting = {entry.url for each in taken.values() for entry in each.entries}
    await frontier.aclose()
    assert named["failed"] <= failed
    assert not waiting & (named["done"] | named["failed"])
    assert (len(waiting), len(failed)) == (counts.waiting, counts.failed)
    in_progress = counts.done - len(named["done"])  # finished by the call that was in progress
    assert 0 <= in_progress <= 3
    assert len(named["added"] - named["done"] - failed - waiting) <= in_progress


async def test_a_file_is_locked_while_another_process_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "crawl.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        text = await open_error(path)
        process.kill()
    assert "in use by another process" in text
    frontier = SQLiteFrontier(path)
    assert (await frontier.open()).waiting
    await frontier.aclose()
