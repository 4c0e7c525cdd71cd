"""Compat returns an early response, early hints and trailers; http.client does not."""

import argparse

from compat import client


def main(host: str, port: int | None = None) -> None:
    connection = client.HTTPConnection(host, port, timeout=10)
    # 100 MB; the server accepts 16 MiB
    connection.request("POST", "/echo", (bytes(100_000) for _ in range(1000)))
    response = connection.getresponse()
    print(response.status, response.read().decode(), end="")
    print(connection.sock is None)  # the rest was not sent: the next request reconnects

    connection.request("GET", "/early-hints")
    response = connection.getresponse()
    # the interim response 103 is skipped
    print(response.status, response.read().decode(), end="")

    connection.request("GET", "/chunked/100000")
    response = connection.getresponse()
    print(len(response.read()))
    if response.trailers is not None:
        print(response.trailers["Content-Digest"])
    connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    main(parser.parse_args().host)
