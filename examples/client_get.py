"""GET with parameters and headers, and the parts of a response."""

import argparse

import asyncclient


async def main(url: str) -> None:
    fields = {"X-Client": "example"}
    async with asyncclient.Client(base_url=url, headers=fields) as client:
        query = {"q": "a b", "page": [1, 2]}
        response = await client.get("/echo", params=query, headers={"Accept": "text/*"})
        print(response.status, response.reason, response.headers["content-type"])
        print(len(response.content), response.url.removeprefix(url))
        print(dict(response.json()["fields"])["X-Client"])

        response = await client.get("/parrot.spam")
        print(response.status, response.ok, response.text.strip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
