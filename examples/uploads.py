"""The progress of an upload, a compressed body, and content as a file."""

import argparse
import io

import asyncclient


async def main(url: str) -> None:
    file = io.BytesIO(b"one line of many\n" * 50_000)

    def report(sent: int, total: int | None) -> None:
        print(f"{sent} of {total} bytes")

    async with asyncclient.Client(base_url=url) as client:
        response = await client.put(
            "/echo", body=file, compress="gzip", progress=report
        )
        received = response.json()
        print(dict(received["fields"])["Content-Encoding"], received["length"] < 10_000)

        async with client.stream("GET", "/bytes/100000") as response:
            content = response.as_file()
            print(len(await content.read(10)))
            copied = await client.put("/echo", body=content)
        print(copied.json()["length"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
