"""Threads: one connection serves several in turn, several serve them in parallel."""

import argparse
import threading
from concurrent.futures import ThreadPoolExecutor

from compat import client


def fetch(connection: client.HTTPConnection, number: int) -> int:
    connection.request("GET", f"/bytes/{number}")
    return len(connection.getresponse().read())


def work(host: str, port: int | None, numbers: range) -> int:
    connection = client.HTTPConnection(host, port, timeout=10)
    try:
        return sum(fetch(connection, number) for number in numbers)
    finally:
        connection.close()


def main(host: str, port: int | None = None) -> None:
    with ThreadPoolExecutor(4) as pool:
        shares = [range(first, 100, 4) for first in range(4)]
        print(sum(pool.map(lambda numbers: work(host, port, numbers), shares)), "bytes")

    connection = client.HTTPConnection(host, port, timeout=10)
    for number in (10, 20):  # opened by one thread, reused by another
        with ThreadPoolExecutor(1) as pool:
            print(pool.submit(fetch, connection, number).result(), "bytes")
    connection.close()
    print(threading.active_count(), "thread")  # compat starts no thread


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    main(parser.parse_args().host)
