"""JSON in request and response; an error status raises only if you ask for it."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url) as client:
        response = await client.post("/echo", json={"name": "Ada", "tags": ["a", "b"]})
        print(response.raise_for_status().json()["length"], "bytes of JSON")

        try:
            (await client.get("/status/404")).raise_for_status()
        except asyncclient.StatusError as exc:
            print(exc.response.status, exc.response.text.strip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
