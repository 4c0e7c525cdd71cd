"""TLS with a pinned certificate: only that with this fingerprint is accepted."""

import argparse

import asyncclient


async def main(url: str, fingerprint: str) -> None:
    async with asyncclient.Client(ssl=fingerprint) as client:
        response = await client.get(url)
        if response.tls:
            print(response.status, response.tls.version, response.tls.cipher)

    async with asyncclient.Client(ssl="sha256:" + ":".join(["00"] * 32)) as client:
        try:
            await client.get(url)
        except asyncclient.TLSError as exc:
            print(str(exc).partition(" got ")[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="https://host:port")
    parser.add_argument("fingerprint", help="SHA-256 of its certificate, 64 hex digits")
    options = parser.parse_args()
    asyncclient.run(main(options.url, options.fingerprint))
