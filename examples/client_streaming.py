"""Content read in pieces and by lines while it is received."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url) as client:
        async with client.stream("GET", "/chunked/1000000") as response:
            size = 0
            async for chunk in response.iter_chunks():
                size += len(chunk)
            print(size, response.trailers)

        async with client.stream("GET", "/lines/1000") as response:
            async for line in response.iter_lines():
                if line == "line 2":
                    break  # the connection is dropped if much of the response is unread
                print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
