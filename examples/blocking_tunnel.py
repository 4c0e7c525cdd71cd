"""HTTPS through a proxy without asyncio, and the response of the proxy."""

import argparse
import ssl

from compat import client


def main(
    host: str, port: int | None, target: str, context: ssl.SSLContext | None = None
) -> None:
    # to the proxy
    connection = client.HTTPSConnection(host, port, timeout=10, context=context)
    connection.set_tunnel(target)
    connection.request("HEAD", "/")
    response = connection.getresponse()
    print(response.status, response.reason)
    # http.client has it since Python 3.12, compat on all
    granted = connection.get_proxy_response_headers()
    if granted is not None:
        print(granted.items())
    connection.close()


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
    main(options.host, None, options.target, trust)
