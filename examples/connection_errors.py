"""Errors of a connection, from the most specific to the base class."""

import argparse

import asyncclient


async def main(host: str, port: int | None = None) -> None:
    async with asyncclient.HTTPConnection(host, port, timeout=5) as connection:
        try:
            await connection.request("GET", "/")
            response = await connection.getresponse()
            print(await response.read())
        except asyncclient.ConnectError as exc:  # nothing was sent
            print(f"not connected: {len(exc.attempts)} addresses tried")
        except asyncclient.IncompleteRead as exc:
            print(f"cut short: {exc.partial!r}, {exc.expected} more expected")
        except TimeoutError as exc:
            print(f"too slow: {exc}")
        except asyncclient.HTTPException as exc:
            print(f"{type(exc).__name__}: {exc}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="host or host:port")
    asyncclient.run(main(parser.parse_args().host))
