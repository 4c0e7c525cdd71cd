"""Downloads into a directory, where the file gets the name that the server or the URL has for it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncclient import Client, IncompleteRead, StatusError
from asyncclient.blocking.client import Client as BlockingClient
from asyncclient.client.download.part_file import PartFile, check_own
from asyncclient.testing import RawConnection, RawServer
from tests.client.answering import Answering, Gate, is_clean, redirect
from tests.client.downloads import AT_ONCE, CONTENT, CUT, SIZE, Interrupted, Store, list_names, stop_at_size
from tests.connection.conversations import reply, wait_for_event

NAMED = b"Content-Disposition: attachment; filename=\"r.txt\"; filename*=UTF-8''%e2%82%ac%20r.txt"


@pytest.mark.parametrize(
    ("target", "fields", "name"),
    [
        ("/x", [NAMED], "€ r.txt"),
        ("/of%20url.txt?x=1", [], "of url.txt"),
        ("/", [], "download"),
        ("/x", [b'Content-Disposition: attachment; filename="/etc/../.profile"'], "profile"),
        ("/x", [rb'Content-Disposition: attachment; filename="..\\..\\evil.exe"'], "evil.exe"),
        ("/..%2f..%2fevil", [], "evil"),
        ("/x", [b"Content-Disposition: attachment; filename=good.exe.part.note"], "good.exe.part.note_"),
        ("/x", [b"Content-Disposition: attachment; filename=" + b"n" * 500 + b".txt"], "n" * 236 + ".txt"),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
async def test_the_file_gets_its_name(
    tmp_path: Path, target: str, fields: list[bytes], name: str, kind: Callable[[Path], str | Path]
) -> None:
    with Answering(default=reply(CONTENT, *fields)) as server:
        async with Client() as client:
            response = await client.download(server.url + target, kind(tmp_path))
    assert response.filename == name
    assert list_names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == CONTENT


async def test_the_name_is_of_the_url_that_answered(tmp_path: Path) -> None:
    with Answering({"/from": redirect("/to/there.txt"), "/to/there.txt": reply(CONTENT)}) as server:
        async with Client() as client:
            await client.download(f"{server.url}/from", f"{tmp_path}/")
    assert list_names(tmp_path) == ["there.txt"]


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with Store() as server:
        async with Client() as client:
            with pytest.raises(FileNotFoundError, match="expected a directory"):
                await client.download(server.url, f"{tmp_path}/new/")
    assert (server.asked, list_names(tmp_path)) == ([], [])


async def test_a_link_to_a_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Store() as server:
        async with Client() as client:
            await client.download(f"{server.url}/file", tmp_path / "link")
    assert list_names(tmp_path / "real") == ["file"]


# Files that are there already


@pytest.mark.parametrize("resume", [False, True])
async def test_an_existing_file_is_not_replaced(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with Store() as server:
        async with Client(retries=AT_ONCE) as client:
            with pytest.raises(FileExistsError, match="overwrite=True") as caught:
                await client.download(f"{server.url}/file", tmp_path, resume=resume)
            assert await is_clean(client)
    assert caught.value.filename == str(tmp_path / "file")
    assert (list_names(tmp_path), (tmp_path / "file").read_bytes(), len(server.asked)) == (["file"], b"old", 1)


async def test_an_existing_file_is_replaced_by_choice(tmp_path: Path) -> None:
    path, modes = tmp_path / "file", set[int]()
    path.write_bytes(b"old")
    path.chmod(0o600)

    def note_modes(*_: object) -> None:
        modes.update(file.stat().st_mode & 0o777 for file in tmp_path.iterdir())

    with Store() as server:
        async with Client() as client:
            await client.download(f"{server.url}/file", tmp_path, overwrite=True, progress=note_modes)
    assert (list_names(tmp_path), path.read_bytes(), path.stat().st_mode & 0o777) == (["file"], CONTENT, 0o600)
    assert modes == {0o600}


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (Path.mkdir, IsADirectoryError),
        (os.mkfifo, FileExistsError),
        (lambda path: path.symlink_to("victim"), FileExistsError),
        (lambda path: path.symlink_to("nothing"), FileExistsError),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
async def test_only_a_regular_file_is_replaced(
    tmp_path: Path, make: Callable[[Path], object], error: type[OSError], overwrite: bool
) -> None:
    (tmp_path / "victim").write_bytes(b"old")
    make(tmp_path / "file")
    with Store() as server:
        async with Client() as client:
            with pytest.raises(error):
                await client.download(f"{server.url}/file", tmp_path, overwrite=overwrite)
    assert (list_names(tmp_path), (tmp_path / "victim").read_bytes()) == (["file", "victim"], b"old")


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("comes", [False, True])
async def test_a_file_that_was_created_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool, comes: bool
) -> None:
    path = tmp_path / "file"

    def refuse(*_: object) -> None:
        raise PermissionError("no links on this file system")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with Store() as server:
        async with Client() as client:
            download = client.download(
                f"{server.url}/file", tmp_path, progress=lambda *_: path.write_bytes(b"new") if comes else None
            )
            if comes:
                with pytest.raises(FileExistsError):
                    await download
            else:
                await download
    assert (list_names(tmp_path), path.read_bytes()) == (["file"], b"new" if comes else CONTENT)
    assert path.stat().st_nlink == 1


async def test_two_files_of_one_name(tmp_path: Path) -> None:
    with Store(CONTENT, NAMED) as server:
        async with Client() as client:
            downloads = [client.download(f"{server.url}/{number}", tmp_path) for number in range(2)]
            results = await asyncio.gather(*downloads, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["FileExistsError", "Response"]
    assert list_names(tmp_path) == ["€ r.txt"]


async def test_two_downloads_of_one_url(tmp_path: Path) -> None:
    gate = Gate()

    def hold(connection: RawConnection) -> None:
        connection.read_head()
        gate.wait()
        connection.send(reply(CONTENT))

    with RawServer(hold) as server:
        async with Client() as client:
            first = asyncio.create_task(client.download(f"{server.url}/file", tmp_path))
            await wait_for_event(gate.reached)
            with pytest.raises(BlockingIOError, match="another download"):
                await client.download(f"{server.url}/file", tmp_path)
            gate.open()
            await first
    assert list_names(tmp_path) == ["file"]


# Resuming


async def test_resuming_in_a_directory(tmp_path: Path) -> None:
    with Store(CONTENT, b'ETag: "v1"', NAMED, cuts=(CUT,)) as server:
        async with Client() as client:
            with pytest.raises(IncompleteRead):
                await client.download(f"{server.url}/x", tmp_path, resume=True)
            part, note = list_names(tmp_path)
            server.fields = (b'ETag: "v1"',)  # a 206 to If-Range should not name the file again
            response = await client.download(f"{server.url}/x", tmp_path, resume=True)
    assert part.endswith(".part")
    assert note == f"{part}.note"
    assert server.ranges == [None, f"bytes={CUT - 1}-"]
    assert response.filename == "€ r.txt"
    assert (list_names(tmp_path), (tmp_path / "€ r.txt").read_bytes()) == (["€ r.txt"], CONTENT)


async def test_resuming_within_a_call_keeps_the_name(tmp_path: Path) -> None:
    named = reply(CONTENT, b'ETag: "v1"', NAMED)
    with Store(answers=(named,), cuts=(CUT,)) as server:
        async with Client(retries=AT_ONCE) as client:
            response = await client.download(f"{server.url}/x", tmp_path)
    assert (response.status, response.filename, list_names(tmp_path)) == (206, "€ r.txt", ["€ r.txt"])


async def test_parts_of_several_urls_are_apart(tmp_path: Path) -> None:
    with Store() as server:
        async with Client() as client:
            for number in range(2):
                with pytest.raises(Interrupted):
                    await client.download(f"{server.url}/{number}", tmp_path, resume=True, progress=stop_at_size(CUT))
            assert len(list_names(tmp_path)) == 4
            for number in range(2):
                await client.download(f"{server.url}/{number}", tmp_path, resume=True)
    assert list_names(tmp_path) == ["0", "1"]


async def test_a_note_does_not_lead_out_of_the_directory(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with Store() as server:
        async with Client() as client:
            with pytest.raises(Interrupted):
                await client.download(f"{server.url}/file", folder, resume=True, progress=stop_at_size(CUT))
            note = next(folder.glob("*.note"))
            note.write_bytes(note.read_bytes().replace(b"\nfile\n", b"\n../file\n"))
            await client.download(f"{server.url}/file", folder, resume=True)
    assert server.ranges == [None, None]
    assert (list_names(tmp_path), list_names(folder)) == (["folder"], ["file"])


# Nothing is left


async def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with Answering({"/gone": reply(b"", status=b"404 Not Found"), "/same": b"HTTP/1.1 304 Same\r\n\r\n"}) as server:
        async with Client() as client:
            with pytest.raises(StatusError):
                await client.download(f"{server.url}/gone", tmp_path)
            response = await client.download(f"{server.url}/same", tmp_path, headers={"If-None-Match": '"v1"'})
    assert (response.status, list_names(tmp_path)) == (304, [])


def test_a_blocking_download_into_a_directory(tmp_path: Path) -> None:
    with Store(CONTENT, NAMED) as server, BlockingClient() as client:
        response = client.download(server.url, tmp_path)
        with pytest.raises(FileExistsError):
            client.download(server.url, tmp_path)
        client.download(server.url, tmp_path, overwrite=True)
    assert (response.filename, list_names(tmp_path)) == ("€ r.txt", ["€ r.txt"])
    assert (tmp_path / "€ r.txt").stat().st_size == SIZE


# Parts that others have prepared


def pretend(path: Path, **changes: int) -> os.stat_result:
    """The result of stat() for a file of another user."""
    found = os.stat(path)
    names_of_fields = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")
    return os.stat_result([changes.get(name, getattr(found, name)) for name in names_of_fields] + [0, 0, 0])


def test_a_part_belongs_to_this_user_or_to_the_owner_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.part"
    path.touch()
    check_own(pretend(path), str(path))
    with pytest.raises(PermissionError, match="expected a file of this user"):
        check_own(pretend(path, st_uid=os.geteuid() + 1), str(path))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # of the directory this user is not the owner then
    check_own(pretend(path), str(path))
    with pytest.raises(FileExistsError, match="second hard link"):
        check_own(pretend(path, st_nlink=2), str(path))


def test_a_note_that_is_refused_leaves_the_part_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    Path(f"{path}.part").write_bytes(b"content")
    os.mkfifo(f"{path}.part.note")
    with pytest.raises(FileExistsError, match="expected a regular file"):
        PartFile(path).open("")
    assert Path(f"{path}.part").read_bytes() == b"content"
