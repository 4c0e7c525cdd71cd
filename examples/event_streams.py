"""Server-sent events: of a URL, with reconnects, and of one response."""

import argparse

import asyncclient


async def main(url: str) -> None:
    async with asyncclient.Client(base_url=url) as client:
        async with client.events("/events/7") as events:
            async for event in events:  # three in each response
                print(f"{event.type} {event.id}: {event.data}")
            print(events.last_event_id)

        async with client.stream("GET", "/events/2") as response:
            async for event in response.iter_events():
                print(event.id)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    asyncclient.run(main(parser.parse_args().url))
