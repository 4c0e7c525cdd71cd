"""A script for http.client; `python -m compat SCRIPT HOST:PORT` runs it on compat."""

import sys
import urllib.error
import urllib.request
from http.client import HTTPConnection


def main(host: str) -> None:
    connection = HTTPConnection(host, timeout=10)
    for path in ("/json", "/status/204", "/bytes/1000"):
        connection.request("GET", path)
        response = connection.getresponse()
        print(response.status, response.reason, len(response.read()))
    connection.close()

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://{host}/parrot.spam")
    except urllib.error.HTTPError as exc:
        with exc:
            print(exc, exc.read())


if __name__ == "__main__":
    main(sys.argv[1])
