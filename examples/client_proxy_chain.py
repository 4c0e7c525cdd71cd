"""A chain of proxies: each opens a tunnel to the next, the last one to the server."""

import argparse
import ssl

import asyncclient


async def main(
    url: str, proxies: list[str], context: ssl.SSLContext | None = None
) -> None:
    async with asyncclient.Client(proxy=proxies, ssl=context) as client:
        response = await client.get(url)
        print(response.status, *client.stats().hosts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="what to fetch")
    parser.add_argument(
        "proxies",
        nargs="+",
        help="http://user:password@host:port, https:// or socks5h:// …",
    )
    parser.add_argument(
        "--cafile", help="trust these authorities instead of the system's"
    )
    options = parser.parse_args()
    trust = (
        ssl.create_default_context(cafile=options.cafile) if options.cafile else None
    )
    asyncclient.run(main(options.url, options.proxies, trust))
