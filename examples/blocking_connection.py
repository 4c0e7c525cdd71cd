"""GET and POST without asyncio: compat.client has the interface of http.client."""

import argparse
from urllib.parse import urlencode

from compat import client


def main(host: str, port: int | None = None) -> None:
    connection = client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/json")
    response = connection.getresponse()
    print(response.status, response.reason)
    print(response.read())

    form = urlencode({"@number": 12524, "@type": "issue", "@action": "show"})
    kind = "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, "Accept": "text/plain"}
    connection.request("POST", "/echo", form, headers)
    response = connection.getresponse()
    print(response.status, response.reason)
    print(response.read().decode())
    connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    main(parser.parse_args().host)
