"""Redirects: followed, inspected, or returned to the caller."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url, max_redirects=5) as client:
        response = await client.get("/redirect/301/redirect/302/json")
        print([earlier.status for earlier in response.history], response.status)
        print(response.url.removeprefix(url))

        # 303: a GET without the form
        response = await client.post("/redirect/303/echo", data={"q": "a"})
        print(response.json()["method"], response.json()["length"])
        # 307: the same request again
        response = await client.post("/redirect/307/echo", data={"q": "a"})
        print(response.json()["method"], response.json()["length"])

        response = await client.get("/redirect/302/json", follow_redirects=False)
        print(response.status, response.headers["Location"])
        try:
            await client.get("/redirect/302" * 6 + "/json")
        except asyncclient.TooManyRedirects as exc:
            print(exc, len(exc.response.history))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
