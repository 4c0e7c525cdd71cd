"""The first request: JSON, a timeout, and an error status as an exception."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url, timeout=10) as client:
        response = await client.get("/echo", params={"q": "tea"})
        response.raise_for_status()
        print(response.status, response.headers["Content-Type"])
        print(response.json()["method"])

        response = await client.post("/echo", json={"name": "Ada"})
        print(response.json()["length"], "bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
