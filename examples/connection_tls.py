"""HTTPS with your own certificate authorities, and the negotiated TLS parameters."""

import argparse
import ssl

import asyncclient


async def main(host: str, port: int | None = None, cafile: str | None = None) -> None:
    # None: the authorities of the system
    context = ssl.create_default_context(cafile=cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    async with asyncclient.HTTPSConnection(host, port, context=context) as connection:
        await connection.request("GET", "/")
        async with await connection.getresponse() as response:
            if response.tls:
                print(response.status, response.tls.version, response.tls.cipher)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    parser.add_argument(
        "--cafile", help="trust these authorities instead of the system's"
    )
    options = parser.parse_args()
    asyncclient.run(main(options.host, None, options.cafile))
