"""A blocking client for programs without asyncio; threads share its connections."""

import argparse
from concurrent.futures import ThreadPoolExecutor

import compat


def main(url: str) -> None:
    with compat.Client(base_url=url) as client:
        response = client.get("/redirect/302/gzip")
        coding = response.headers["Content-Encoding"]
        print(response.status, coding, response.json()["gzipped"])

        with client.stream("GET", "/lines/3") as response:
            print(list(response.iter_lines()))

        with ThreadPoolExecutor(4) as threads:
            urls = [f"/bytes/{number}" for number in range(100)]
            responses = threads.map(client.get, urls)
            print(sum(len(response.content) for response in responses), "bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    main(parser.parse_args().url)
