"""Files are opened in worker threads, and are closed whenever the task is cancelled."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncclient.stream.files import offload, open_file, open_regular, open_regular_or_null
from asyncclient.testing import RawServer
from tests.connection.conversations import connection_to, echo_target, fetch


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A named pipe: opening it for reading blocks until it is opened for writing."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def descriptors_of(path: Path) -> list[int]:
    """The descriptors that this process has for a path."""
    found = os.stat(path)
    return [number for number in range(256) if is_same(number, found)]


def is_same(number: int, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(number), found)
    except OSError:
        return False


async def test_a_blocking_function_is_called_with_its_arguments_in_a_worker_thread() -> None:
    assert await offload(divmod, 7, 2) == (3, 1)
    assert await offload(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 7, 0)


async def let_open(path: Path) -> None:
    """Open the other end: the blocked thread continues."""
    await asyncio.to_thread(lambda: os.close(os.open(path, os.O_WRONLY)))


async def is_let_go(path: Path) -> None:
    """Wait until the file is closed, in the loop and in its threads."""
    for _ in range(1000):
        if not descriptors_of(path):
            return
        await asyncio.to_thread(int)
    raise AssertionError(f"{path} is still open")


async def test_file_is_opened_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with await open_file(path) as file:
        assert file.read() == b"content"
    with await open_file(str(path)) as file:
        assert file.name == str(path)


async def test_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await open_file(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        await open_file(tmp_path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_WRONLY, os.O_WRONLY | os.O_CREAT])
@pytest.mark.parametrize("opener", [open_regular, open_regular_or_null])
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (os.mkfifo, FileExistsError),
        (make_socket, FileExistsError),
        (lambda path: path.symlink_to("/dev/zero"), FileExistsError),
        (Path.mkdir, IsADirectoryError),
    ],
)
def test_only_a_regular_file_is_opened_and_nothing_blocks(
    tmp_path: Path, opener: Callable[[Path, int], int], make: Callable[[Path], object], error: type[OSError], flags: int
) -> None:
    path = tmp_path / "path"
    make(path)
    with pytest.raises(error) as caught:
        opener(path, flags)
    assert caught.value.filename == str(path)
    assert descriptors_of(path) == []


def test_the_null_device_is_an_empty_file_where_it_may_be() -> None:
    with open(os.devnull, encoding="ascii", opener=open_regular_or_null) as file:
        assert file.read() == ""
    with pytest.raises(FileExistsError):
        open_regular(os.devnull)


async def test_loop_goes_on_while_a_file_is_being_opened(fifo: Path) -> None:
    task = asyncio.create_task(open_file(fifo))
    descriptor = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)
    os.write(descriptor, b"late")
    os.close(descriptor)
    with await task as file:
        assert file.read() == b"late"


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_cancelled_opening_leaves_no_descriptor(turns: int, fifo: Path) -> None:
    task = asyncio.create_task(open_file(fifo))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task  # at once, though the thread still hangs
    if turns:
        await let_open(fifo)
    await is_let_go(fifo)


async def test_opening_that_fails_after_it_was_cancelled(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    monkeypatch.setattr("asyncclient.stream.files.open", open_and_fail, raising=False)
    task = asyncio.create_task(open_file(fifo))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await let_open(fifo)
    await is_let_go(fifo)
    assert complaints == []


def open_and_fail(path: Path, mode: str) -> None:
    open(path, mode).close()
    raise PermissionError(path)


@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_request_cancelled_while_its_file_is_being_opened(how: str, fifo: Path) -> None:
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            task = asyncio.create_task(connection.request("POST", "/fifo", fifo))
            await asyncio.sleep(0)
            if how == "close":
                connection.close()
            else:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await fetch(connection, url="/next") == (200, b"/next")
            await let_open(fifo)
            await is_let_go(fifo)
            assert (await asyncio.gather(task, return_exceptions=True))[0] is not None
            assert await fetch(connection, url="/next") == (200, b"/next")
    assert [head.split()[1] for head in server.requests] == [b"/next", b"/next"]


async def test_body_from_a_path_leaves_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"body")
    with RawServer(echo_target) as server:
        async with connection_to(server) as connection:
            for turns in range(30):
                task = asyncio.create_task(fetch(connection, "POST", "/path", body=path))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait((task,))
                await is_let_go(path)
