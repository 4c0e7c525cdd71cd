"""Proxies: one for all requests, or by scheme and host; the error of a refusal."""

import argparse
import ssl

import asyncclient


async def main(url: str, proxy: str, context: ssl.SSLContext | None = None) -> None:
    async with asyncclient.Client(proxy=proxy, ssl=context) as client:
        print((await client.get(url)).status)

    rules = {"https": proxy, "all": None}  # http uses no proxy
    async with asyncclient.Client(proxy=rules, ssl=context) as client:
        try:
            print((await client.get(url)).status)
        except asyncclient.ProxyError as exc:
            print(exc.status, exc.reason)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="what to fetch")
    parser.add_argument(
        "proxy", help="http://user:password@host:port, https:// or socks5h:// …"
    )
    parser.add_argument(
        "--cafile", help="trust these authorities instead of the system's"
    )
    options = parser.parse_args()
    trust = (
        ssl.create_default_context(cafile=options.cafile) if options.cafile else None
    )
    asyncclient.run(main(options.url, options.proxy, trust))
