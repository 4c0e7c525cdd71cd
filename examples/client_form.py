"""Forms: fields alone, and with files, which are read while they are sent."""

import argparse
from pathlib import Path

import asyncclient


async def main(url: str, path: Path) -> None:
    async with asyncclient.Client(base_url=url) as client:
        response = await client.post("/echo", data={"name": "Ada", "tag": ["a", "b"]})
        echoed = response.json()
        print(dict(echoed["fields"])["Content-Type"], echoed["length"])

        files = {
            "report": path,  # file name and type are taken from the path
            "note": ("note.txt", b"three words here", "text/plain"),
        }
        response = await client.post("/echo", data={"name": "Ada"}, files=files)
        echoed = response.json()
        media_type, _, _ = dict(echoed["fields"])["Content-Type"].partition("=")
        print(media_type, echoed["length"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server: http://host:port")
    parser.add_argument("path", type=Path, help="a file to send")
    options = parser.parse_args()
    asyncclient.run(main(options.url, options.path))
