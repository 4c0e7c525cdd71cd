"""The subcommands, and the module of each."""

from typing import Final

COMMANDS: Final = {
    "bench": "asyncclient.cli.bench",
    "crawl": "asyncclient.crawl.command",
    "demo": "asyncclient.cli.demo",
    "download": "asyncclient.cli.download",
    "serve": "asyncclient.cli.serve",
}
"""The module of each subcommand, imported on use: start takes a good part of a short command's time."""

SUMMARIES: Final = {
    "bench": "measure requests per second and latencies",
    "crawl": "crawl sites politely",
    "demo": "show what the client does, or times of URLs",
    "download": "download files, several at once",
    "serve": "serve a folder, or routes for trials",
}
"""One line about each subcommand, for help and completion."""
