"""asyncclient serve: the demo server, or the files of a folder, on this machine."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from ..runner import run
from ..testing.demo import DemoServer
from ..testing.routes import answer
from .exits import Exit
from .folder import Folder
from .spelling import Parser


def build_parser(prog: str = "asyncclient serve") -> Parser:
    """Return the parser of the command line."""
    text = "Serve the routes for trying a client, or the files of a folder with ranges, on 127.0.0.1 until Ctrl-C."
    parser = Parser(prog=prog, words="[DIR]", description=text)
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="the folder; without one, the routes of the demo server"
    )
    parser.add_argument("-p", "--port", type=_port, default=8000, help="the port; 0 is a free one (default: 8000)")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port of 0 to 65535, got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command until Ctrl-C; return its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        return run(serve(options))
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else f"port {options.port}: {error}"
        print(f"asyncclient serve: {reason}: choose another folder or --port", file=sys.stderr)
        return Exit.OTHER


async def serve(options: Any) -> int:
    """Serve, and print the URL as soon as the server accepts connections."""
    reply = answer if options.folder is None else Folder(options.folder)
    async with DemoServer(port=options.port, answer=reply) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()
    return Exit.DONE
