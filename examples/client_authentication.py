"""Authentication: Basic, Bearer, Digest, and a function."""

import argparse
import hmac

import asyncclient


# a coroutine function works, too
def sign(request: asyncclient.AuthRequest) -> dict[str, str]:
    return {"X-Signature": hmac.digest(b"key", request.target.encode(), "sha256").hex()}


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url, auth=("ada", "lovelace")) as client:
        print((await client.get("/basic/ada/lovelace")).json())
        # no credentials
        print((await client.get("/basic/ada/lovelace", auth=None)).status)
        bearer = asyncclient.Bearer("t0ken")
        print((await client.get("/bearer/t0ken", auth=bearer)).status)
        response = await client.get("/echo", auth=sign)
        print(len(dict(response.json()["fields"])["X-Signature"]))

    digest = asyncclient.Digest("ada", "lovelace")
    async with asyncclient.Client(base_url=url, auth=digest) as client:
        for _ in range(2):
            # the first request gets a challenge, the second uses its nonce
            print((await client.get("/digest/ada/lovelace")).json())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
