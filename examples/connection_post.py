"""POST of a form."""

import argparse
from urllib.parse import urlencode

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port) as connection:
        form = urlencode({"@number": 12524, "@type": "issue", "@action": "show"})
        kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, "Accept": "text/plain"}
        await connection.request("POST", "/echo", form, headers)
        response = await connection.getresponse()
        print(response.status, response.reason)
        print((await response.read()).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
