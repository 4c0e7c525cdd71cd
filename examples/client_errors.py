"""Errors of a client, from the most specific to the base class."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(timeout=5) as client:
        try:
            print((await client.get(url)).raise_for_status())
        except asyncclient.StatusError as exc:
            print(f"status {exc.response.status}")
        except asyncclient.ConnectError as exc:  # nothing was sent
            print(f"not connected: {len(exc.attempts)} addresses tried")
        except asyncclient.ContentTooLarge as exc:
            print(f"more than {exc.limit} bytes")
        except TimeoutError as exc:
            print(f"too slow: {exc}")
        except ValueError as exc:
            # an invalid URL, for example; InvalidURL is an HTTPException, too
            print(f"can't be sent: {exc}")
        except asyncclient.HTTPException as exc:
            print(f"{type(exc).__name__}: {exc}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
