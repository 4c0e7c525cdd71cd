"""response.filename: a name for the content, from Content-Disposition or the URL."""

import pytest

from asyncclient import Client
from asyncclient.blocking.client import Client as BlockingClient
from tests.client.answering import Answering, redirect
from tests.connection.conversations import reply


@pytest.mark.parametrize(
    ("target", "fields", "name"),
    [
        ("/x", [b"Content-Disposition: attachment; filename=\"r.txt\"; filename*=UTF-8''%e2%82%ac%20r.txt"], "€ r.txt"),
        ("/x", ['Content-Disposition: attachment; filename="€ r.txt"'.encode()], "€ r.txt"),
        ("/x", [b"Content-Disposition: inline; filename=a", b"content-disposition: inline; filename=b"], "a"),
        ("/x", [b'Content-Disposition: attachment; filename="../../.profile"'], "profile"),
        ("/dir/of%20url.txt?name=/other", [], "of url.txt"),
        ("/dir/of-url.txt", [b"Content-Disposition: attachment"], "of-url.txt"),
        ("/?x", [], "download"),
    ],
)
async def test_the_name_of_a_response(target: str, fields: list[bytes], name: str) -> None:
    with Answering(default=reply(b"data", *fields)) as server:
        async with Client() as client:
            response = await client.get(server.url + target)
            async with client.stream("GET", server.url + target) as streamed:
                assert (response.filename, streamed.filename) == (name, name)


async def test_the_name_is_of_the_url_that_answered() -> None:
    with Answering({"/from": redirect("/to/there.txt"), "/to/there.txt": reply(b"data")}) as server:
        async with Client() as client:
            response = await client.get(f"{server.url}/from")
    assert response.filename == "there.txt"
    assert response.history[0].filename == "from"


def test_the_name_of_a_blocking_response() -> None:
    answer = reply(b"data", b"Content-Disposition: attachment; filename=a.txt")
    with Answering(default=answer) as server, BlockingClient() as client:
        assert client.get(server.url).filename == "a.txt"
