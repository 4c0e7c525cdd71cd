"""A WebSocket: messages in both directions, a ping, and the end."""

import argparse

from asyncclient import Client, WebSocketClosed, run


async def main(url: str) -> None:
    async with Client() as client, client.websocket(url) as websocket:
        await websocket.send("hello")
        await websocket.send(b"\x01\x02")
        print(await websocket.receive(), await websocket.receive())
        print(await websocket.ping() < 60)

        await websocket.send("bye")
        try:
            async for message in websocket:  # until the server closes in order
                print(message)
        except WebSocketClosed as error:
            print(error.code, error.reason)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a server that echoes: ws://host:port/path")
    run(main(parser.parse_args().url))
