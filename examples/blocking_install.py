"""compat in place of http.client, for code that imports it: here urllib.request."""

import argparse
import urllib.request

import compat


def main(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with compat.install():
        print(compat.is_installed())
        with opener.open(f"{url}/json") as response:
            print(response.status, response.read())
        with opener.open(f"{url}/early-hints") as response:
            print(response.status, response.read())
    print(compat.is_installed())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    main(f"http://{parser.parse_args().host}")
