"""pproxy, a real proxy, in a process of its own: when imported, it changes asyncio's streams. And SOCKS4a by hand."""

import asyncio
import gc
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from asyncclient.testing import RawConnection, RawServer
from tests.servers import HOST, TIMEOUT, running

SOCKS = "socks4+socks5"
SECRET = "open-sesame"


class PProxy:
    """Several protocols on one port. With credentials, "user:password", a SOCKS4 client's user id must be both.

    It grants every request, and closes if the target can't be reached; it does not know SOCKS4a. As an
    HTTP proxy it sends all requests of a connection to where the first one went.
    """

    def __init__(self, port: int) -> None:
        self.host, self.port = HOST, port

    @classmethod
    @contextmanager
    def started(cls, directory: Path, credentials: str = "", protocols: str = SOCKS) -> Iterator[Self]:
        command = [sys.executable, "-m", "tests.socks_server", protocols, credentials]
        with running(command, directory, []) as process:
            assert process.stdout is not None
            yield cls(int(process.stdout.readline()))


class Socks4a(RawServer):
    """A SOCKS4a proxy for which each name is this machine; .asked has (user id, host, port) of each client."""

    def __init__(self) -> None:
        super().__init__(self._grant)
        self.asked: list[tuple[str, str, int]] = []

    def _grant(self, connection: RawConnection) -> None:
        request = connection.read_body(8)
        user = read_text(connection)
        address = socket.inet_ntoa(request[4:8])
        host = read_text(connection) if address.startswith("0.0.0.") else address
        self.asked.append((user, host, int.from_bytes(request[2:4])))
        with socket.create_connection((HOST, self.asked[-1][2]), TIMEOUT) as target:
            connection.send(b"\0\x5a" + bytes(6))
            connection.relay(target)


def read_text(connection: RawConnection) -> str:
    """Return the bytes before the next NUL."""
    return b"".join(iter(lambda: connection.read_body(1), b"\0")).decode("ascii")


async def run(protocols: str, credentials: str) -> None:
    import pproxy

    gc.disable()  # pproxy keeps no reference to its tasks: collecting garbage ends connections in the middle
    uri = f"{protocols}://{HOST}:0" + (f"#{credentials}" if credentials else "")
    # It would take an address as authorized once it has given the password.
    server = await pproxy.Server(uri).start_server({"rserver": [], "authtime": -1})
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
