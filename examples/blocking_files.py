"""Content as a file of the blocking client, for programs that read files."""

import argparse
import gzip
import io
import shutil

import compat


def main(where: str) -> None:
    with compat.Client(base_url=f"http://{where}") as client:
        with client.stream("GET", "/lines/3") as response:
            for line in io.TextIOWrapper(response.as_file(), encoding="utf-8"):
                print(line, end="")

        with client.stream("GET", "/gzip", decode=False) as response:
            print(len(gzip.GzipFile(fileobj=response.as_file()).read()))

        copy = io.BytesIO()
        with client.stream("GET", "/bytes/100000") as response:
            shutil.copyfileobj(response.as_file(), copy)
        print(copy.tell())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", help="the server as host:port")
    main(parser.parse_args().where)
