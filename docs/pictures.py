"""Pictures of real runs for the documentation: `make pictures`.

Screens of the command beside `asyncclient serve`, and the waterfall of three requests. A picture is left as it is if a
new run has other numbers alone.
"""

import asyncio
import io
import re
import ssl
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import trustme
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text

import asyncclient
from asyncclient.contrib.waterfall import as_svg, list_bars
from asyncclient.testing import DemoServer, RawConnection, RawServer
from asyncclient.testing.routes import Reply, Request
from tests.cli.terminal import Screen, serving

FOLDER = Path(__file__).resolve().parent / "screens"
COLUMNS = 88
ROWS = 60
LETTER = 12.2  # width of a character in a picture of rich

# Without fonts of another server, and without the address of the generator.
FORMAT = re.sub(r"\s*(@font-face \{\{.*?\}\}|<!--.*?-->)", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
TEXT = "{http://www.w3.org/2000/svg}text"
NUMBERS = re.compile(r"[\d.,:#]+|[━╸╺]+|[·dc=ts█-]{2,}")

FILES = {"cities.csv": 5_000_000, "photos.zip": 20_000_000, "planet.osm.pbf": 60_000_000, "talk.mp4": 40_000_000}
"""The files of the picture of a download, and their sizes."""


class Picture(NamedTuple):
    """A screen: its commands, and the pattern of the moment of the last one; "" is its end."""

    commands: tuple[str, ...]
    moment: str = ""


PICTURES = {
    "request": Picture(
        ("asyncclient localhost:8000/json", "asyncclient -v localhost:8000/cookies X-Team:blue Cookie:a=1")
    ),
    "timings": Picture(("asyncclient -L --timings --no-include localhost:8000/redirect/302/delay/0.02",)),
    "download": Picture(
        ("asyncclient download -d files " + " ".join(f"localhost:8000/{name}" for name in FILES),),
        r"^planet.* 3\d\.\d/60",
    ),
    "crawl": Picture(
        ("asyncclient crawl localhost:8000/site/500/0 127.0.0.1:8000/site/90/0 --rate 20",), r"^1\d\d pages in"
    ),
    "bench": Picture(("asyncclient bench localhost:8000/json -c 8 -n 1000",)),
    "errors": Picture(
        (
            "asyncclient localhost:8000/delay/9 --max-time 0.2",
            "asyncclient localhost:8000/echo name",
            "asyncclient localhost:8000/status/404 --fail",
            "asyncclient --follow localhost:8000",
        )
    ),
    "help": Picture(("asyncclient download --help",)),
}


def main() -> None:
    """Make all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as stack:
        port, slow = stack.enter_context(serving()), stack.enter_context(serving_files())
        for name, picture in PICTURES.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            screen = take(picture, folder, slow if name == "download" else port)
            write(FOLDER / f"{name}.svg", draw(name, screen))
    write(FOLDER / "waterfall.svg", asyncio.run(draw_waterfall()))


@contextmanager
def serving_files() -> Iterator[int]:
    """Yield the port of a server whose files take some seconds, so that there is a moment in the middle."""

    def answer(connection: RawConnection) -> None:
        while head := connection.read_head():
            size = FILES[head.split()[1].decode().strip("/")]
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // 500_000):
                connection.send(bytes(500_000))
                time.sleep(0.05)

    with RawServer(answer) as server:
        yield server.port


def take(picture: Picture, folder: Path, port: int) -> Screen:
    """Run the commands, and return the screen."""
    screen = Screen(COLUMNS, ROWS, folder, port)
    for command in picture.commands:
        screen.feed(f"\x1b[1m$ {command}\x1b[0m\r\n".encode())
        screen.run(command, picture.moment)
    return screen


def draw(name: str, screen: Screen) -> str:
    """Return a screen as SVG."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(read_screen(screen), soft_wrap=True)
    return console.export_svg(title="asyncclient", code_format=FORMAT, unique_id=f"screen-{name}")


def read_screen(screen: Screen) -> Text:
    """Return the lines of a screen with their colours."""
    lines = []
    for number, line in enumerate(screen.text.splitlines()):
        cells = [screen.screen.buffer[number][column] for column in range(len(line))]
        # The blanks before a word are a run of their own: some programs leave them out at the begin of a text.
        runs = groupby(cells, lambda cell: (find_style(cell), cell.data == " "))
        lines.append(Text.assemble(*(("".join(cell.data for cell in run), style) for (style, _), run in runs)))
    return Text("\n").join(lines)


def find_style(cell: Any) -> Style:
    """Return the style of a character on a screen of pyte, which has names of its own for colours."""
    colour = cell.fg.replace("brown", "yellow").replace("bright", "bright_")
    colour = f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else colour
    return Style(color=colour, bold=cell.bold, italic=cell.italics)


async def draw_waterfall() -> str:
    """Return the waterfall of a request that is redirected to another host, and of one more to that host."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("shop.example", "www.shop.example").configure_cert(server)
    authority.configure_trust(client)
    async with DemoServer(server, answer=answer_shop) as demo:
        resolver = SlowResolver(int(demo.url.rpartition(":")[2]))
        async with asyncclient.Client(ssl=client, resolver=resolver, trust_env=False) as http:
            responses = [await http.get("https://shop.example/")]
            responses.append(await http.get("https://www.shop.example/prices.json"))
    return as_svg(list_bars(responses), width=760)


def answer_shop(request: Request) -> Reply:
    """Redirect to the host with `www`, and send larger content from there, each after a moment of work."""
    if request.values("host") == ["shop.example"]:
        return Reply(302, fields=(("Location", "https://www.shop.example/"),), delay=0.006)
    size = 3_000_000 if request.path == "/" else 6_000_000
    return Reply(200, [bytes(50_000)] * (size // 50_000), size, delay=0.015)


class SlowResolver:
    """A resolver that takes 8 milliseconds, as a name server in the same city does."""

    def __init__(self, port: int) -> None:
        hosts = ("shop.example", "www.shop.example")
        self._resolver = asyncclient.StaticResolver(dict.fromkeys(hosts, ("127.0.0.1", port)))

    async def resolve(self, host: str, port: int) -> Sequence[Any]:
        await asyncio.sleep(0.008)
        return await self._resolver.resolve(host, port)


def read_text(svg: str) -> str:
    """Return the text of a screen, line by line; runs of blanks are not in it, but the places of the others."""
    lines: dict[str, str] = {}
    for element in ElementTree.fromstring(svg).iter(TEXT):
        if not element.get("class", "").endswith("-title"):
            line = lines.get(element.attrib["y"], "")
            column = round(float(element.attrib["x"]) / LETTER)
            lines[element.attrib["y"]] = line.ljust(column) + (element.text or "")
    return "\n".join(line.replace("\xa0", " ").rstrip() for line in lines.values())


def write(path: Path, svg: str) -> None:
    """Write a picture, unless the one that is there has other numbers alone."""
    if not path.exists() or summarize(path.read_text()) != summarize(svg):
        path.write_text(svg)
        print(f"written: {path.name}")


def summarize(svg: str) -> tuple[list[str], str]:
    """Return the commands of a picture, and all of it without numbers."""
    return re.findall(r"^\$ .*", read_text(svg), re.MULTILINE), NUMBERS.sub(" ", svg)


if __name__ == "__main__":
    main()
