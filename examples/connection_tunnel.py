"""HTTPS through a proxy: CONNECT opens a tunnel, TLS goes through it to the server."""

import argparse
import ssl

import asyncclient


async def main(
    host: str, port: int | None, target: str, context: ssl.SSLContext | None = None
) -> None:
    async with asyncclient.HTTPSConnection(host, port, context=context) as connection:
        # to the proxy
        connection.set_tunnel(target)
        await connection.request("HEAD", "/")
        response = await connection.getresponse()
        print(response.status, response.reason)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="the proxy: host:port")
    parser.add_argument("target", help="the server: host or host:port")
    parser.add_argument(
        "--cafile", help="trust these authorities instead of the system's"
    )
    options = parser.parse_args()
    trust = (
        ssl.create_default_context(cafile=options.cafile) if options.cafile else None
    )
    asyncclient.run(main(options.host, None, options.target, trust))
