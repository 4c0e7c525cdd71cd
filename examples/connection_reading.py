"""Ways of reading content: by lines, ahead, into a buffer, in pieces."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        await connection.request("GET", "/json")
        async with await connection.getresponse() as response:
            print(
                response.headers["content-type"],
                response.getheader("X-Missing", "none"),
            )
            print(response.msg.get_content_type())  # an email.message.Message
            print((await response.peek())[:1])  # not consumed
            async for line in response:
                print(line)

        buffer = bytearray(4096)
        size = 0
        await connection.request("GET", "/bytes/100000")
        async with await connection.getresponse() as response:
            while count := await response.readinto(buffer):
                size += count
        print(size)

        await connection.request("GET", "/chunked/100000")
        async with await connection.getresponse() as response:
            async for piece in response.iter_chunks():  # of any size, as received
                print("at least one byte:", len(piece) >= 1)
                break
        # The end of the block closes the response; if much of the content is unread,
        # the connection is dropped.


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
