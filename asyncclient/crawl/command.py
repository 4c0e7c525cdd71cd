"""asyncclient crawl: crawl sites politely from the command line."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from ..cli.address import choose_proxy, complete_url, name_credentials
from ..cli.exits import Exit
from ..cli.spelling import Parser
from ..errors import HTTPException
from ..politeness import Rules
from ..runner import run
from .crawler import Crawler
from .progress import Progress, count, describe
from .scope import Scope
from .sinks.files import Files
from .sinks.json_lines import JSONLines
from .sinks.sink import Sink
from .warc.archive import WARC, WARCError

_FOLLOWED: Final = "links are followed; --depth N limits them"
_LIMITED: Final = "a page has 300 s, and 30 s for each wait for content"
_KEPT: Final = "--files DIR, --jsonl FILE, or --warc PREFIX"

SPELLINGS: Final = {
    "--accept": "--scope PATTERN",
    "--continue": "--frontier FILE --resume",
    "--domains": "--scope PATTERN",
    "--delay": "--rate N, requests per second",
    "--level": "--depth N",
    "--max-depth": "--depth N",
    "--mirror": _FOLLOWED,
    "--max-time": _LIMITED,
    "--no-parent": "--scope 'https://example.com/folder/*'",
    "--output": _KEPT,
    "--recursive": _FOLLOWED,
    "--reject": "--exclude PATTERN",
    "--silent": "--quiet",
    "--timeout": _LIMITED,
    "--user-agent": "--agent NAME",
    "--wait": "--rate N, requests per second",
    "-A": "--scope PATTERN",
    "-D": "--scope PATTERN",
    "-T": _LIMITED,
    "-R": "--exclude PATTERN",
    "-l": "--depth N",
    "-m": _FOLLOWED,
    "-o": _KEPT,
    "-r/--rate": f"it is the number of requests per second; {_FOLLOWED}",
    "-s": "--quiet",
    "-w": "--rate N, requests per second",
}
"""Options of curl and wget, and the equivalent of this subcommand."""


def build_parser(prog: str = "asyncclient crawl") -> Parser:
    """Return the parser of the command line."""
    text = "Crawl sites politely: by robots.txt, at a limited rate, and so that it can be continued later."
    parser = Parser(prog=prog, words="[URL ...]", description=text, spellings=SPELLINGS)
    add = parser.add_argument
    add("urls", nargs="*", metavar="URL", help="the first pages; https:// may be left out, for localhost http://")
    add("-i", "--input", type=Path, metavar="FILE", help="read further URLs from a file, one in each line")
    add("--sitemaps", action="store_true", help="begin with the sitemaps of these sites as well")
    add("-r", "--rate", type=float, default=1.0, metavar="N", help="requests per second to each host (default: 1)")
    add("-c", "--connections", type=int, default=2, metavar="N", help="connections to each host (default: 2)")
    add("-n", "--at-once", type=int, default=100, metavar="N", help="fetches at once, of all hosts (default: 100)")
    add("-d", "--depth", type=int, metavar="N", help="links to follow from the first URLs on (default: no limit)")
    add("--max-pages", type=int, metavar="N", help="pages to fetch (default: no limit)")
    add("--max-pages-per-host", type=int, metavar="N", help="pages to fetch from each host (default: no limit)")
    add(
        "--scope", action="append", metavar="PATTERN", help="follow links that match, such as 'https://example.com/a/*'"
    )
    add("--exclude", action="append", metavar="PATTERN", help="follow no links that match, such as '*.pdf'")
    add("--subdomains", action="store_true", help="follow links to names below the first hosts as well")
    add("--robots", action=argparse.BooleanOptionalAction, default=True, help="obey robots.txt (default: yes)")
    add(
        "--agent", metavar="NAME", help="User-Agent, with a URL about the crawler: 'bot/1.0 (+https://example.com/bot)'"
    )
    add("-x", "--proxy", metavar="URL", help="the proxy; by default from the environment")
    add(
        "--frontier",
        type=Path,
        metavar="FILE",
        help="keep the URLs in a file, so that the crawl can be continued later",
    )
    add(
        "--resume",
        action="store_true",
        help="continue the crawl whose URLs are in the frontier; give the same options again",
    )
    add("--jsonl", type=Path, metavar="FILE", help="write a line of JSON for each page (.gz: compressed)")
    add("--files", type=Path, metavar="DIR", help="write the content of each page to a file")
    add("--warc", type=Path, metavar="PREFIX", help="write the exact bytes of all requests and responses to WARC files")
    add("-q", "--quiet", action="store_true", help="print errors only")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 after an error or without any response; 2 for wrong arguments; 4 if an extra is missing; 130 after Ctrl-C.
    """
    parser = build_parser()
    given = sys.argv[1:] if arguments is None else [*arguments]
    options = parser.parse_args(given)
    check_options(parser, options)
    try:
        return run(crawl(options, given))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return Exit.INTERRUPTED
    except (HTTPException, WARCError, OSError, ImportError, ValueError) as error:
        print(f"asyncclient crawl: {explain(error)}", file=sys.stderr)
        return Exit.MISSING_EXTRA if isinstance(error, ImportError) else Exit.OTHER


def explain(error: Exception) -> str:
    """Return the line for an error, which names the file of an error with a file."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def check_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the process with a message if the options do not fit together."""
    if options.resume and options.frontier is None:
        parser.error("--resume needs --frontier FILE")
    if options.resume and not options.frontier.exists():
        parser.error(f"there is no crawl to resume: {options.frontier} does not exist")
    if options.frontier is not None and options.frontier.exists() and not options.resume:
        parser.error(f"{options.frontier} exists: add --resume to continue its crawl")
    if not (options.urls or options.input or options.resume):
        parser.error("no URL is given")


async def crawl(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Crawl as the options say; the arguments are for the command that continues the crawl."""
    given = options.urls if options.input is None else [*options.urls, *options.input.read_text().split()]
    urls = [complete_url(url) for url in given]
    crawler = open_crawler(options)
    with stopping_on_signals(crawler, is_quiet=options.quiet) as signals:
        try:
            answered = await fetch_pages(crawler, urls, options)
        except asyncio.CancelledError:  # by the second signal, or by Ctrl-C where signals have no handlers
            report(crawler, options, arguments, is_stopped=True)
            raise
    report(crawler, options, arguments, is_stopped=bool(signals))
    if signals:
        return Exit.INTERRUPTED
    return Exit.OTHER if crawler.stats().pages and not answered else Exit.DONE


async def fetch_pages(crawler: Crawler, urls: Sequence[str], options: argparse.Namespace) -> int:
    """Crawl from URLs on; return how many pages have a response."""
    answered = 0
    async with crawler:
        await crawler.add(urls)
        if options.sitemaps:
            for url in urls:
                await crawler.add_sitemaps(url)
        async with nullcontext() if options.quiet else Progress(crawler):
            async for page in crawler:
                answered += page.response is not None
                if page.error is not None:
                    print(f"{page.url}: {page.reason}", file=sys.stderr)
                await crawler.add_links(page)
    return answered


def report(crawler: Crawler, options: argparse.Namespace, arguments: Sequence[str], *, is_stopped: bool) -> None:
    """Print the figures of a crawl that has ended, and the command that continues it."""
    if options.quiet:
        return
    stats = crawler.stats()
    print(describe(stats), file=sys.stderr)
    if stats.waiting and options.frontier is not None:
        print(describe_continuation(options, arguments, is_stopped=is_stopped), file=sys.stderr)


def describe_continuation(options: argparse.Namespace, arguments: Sequence[str], *, is_stopped: bool) -> str:
    """Return the line with the command that continues a crawl: with the same options, because no file keeps them."""
    limits = {"--max-pages": options.max_pages, "--max-pages-per-host": options.max_pages_per_host}
    reached = [] if is_stopped else [name for name, limit in limits.items() if limit is not None]
    change = f"raise {' or '.join(reached)}, and " if reached else ""
    shown = [hide_credentials(word, options) for word in arguments]
    words = ["asyncclient", "crawl", *([] if options.resume else ["--resume"]), *shown]
    return f"{change}continue with: {shlex.join(words)}"


def hide_credentials(word: str, options: argparse.Namespace) -> str:
    """Return a word of the command line without passwords, which would stay in logs and on screens."""
    proxy = options.proxy
    if proxy and "@" in proxy and word.endswith(proxy):  # also without a scheme, or with "/" in the password
        scheme, separator, _ = proxy.rpartition("@")[0].partition("://")
        start = f"{scheme}://" if separator else ""
        return f"{word.removesuffix(proxy)}{start}USER:PASSWORD@{proxy.rpartition('@')[2]}"
    return name_credentials(complete_url(word) if "@" in word and word in options.urls else word)


def open_crawler(options: argparse.Namespace) -> Crawler:
    """Return the crawler for the options."""
    agent = options.agent or "asyncclient-crawl"
    scope = Scope(include=options.scope or (), exclude=options.exclude or (), subdomains=options.subdomains)
    return Crawler(
        agent=agent,
        frontier=options.frontier,
        rules=Rules(rate=options.rate, connections=options.connections),
        robots=options.robots,
        scope=scope,
        max_depth=options.depth,
        max_pages=options.max_pages,
        max_pages_per_host=options.max_pages_per_host,
        connections=options.at_once,
        proxy=choose_proxy(options.proxy),
        sinks=list(open_sinks(options)),
        warc=None if options.warc is None else WARC(options.warc),
    )


def open_sinks(options: argparse.Namespace) -> Iterator[Sink]:
    """Yield the sinks that the options name."""
    if options.jsonl is not None:
        yield JSONLines(options.jsonl)
    if options.files is not None:
        yield Files(options.files)


def describe_stop(running: int) -> str:
    """Return the line for the first signal: what is waited for."""
    return f"asyncclient crawl: finishing {count(running, 'page', 'pages')}; Ctrl-C again ends at once"


@contextmanager
def stopping_on_signals(crawler: Crawler, *, is_quiet: bool) -> Iterator[list[int]]:
    """Stop a crawler at the first SIGINT or SIGTERM, and end at once at the second; yield the signals so far."""
    signals: list[int] = []
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def handle(number: int) -> None:
        signals.append(number)
        if len(signals) == 1:
            crawler.stop()
            if not is_quiet:
                print(describe_stop(crawler.stats().running), file=sys.stderr)
        elif task is not None:
            task.cancel()

    known = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in known:
            loop.add_signal_handler(number, handle, number)
    except (NotImplementedError, RuntimeError):  # Windows, or not the main thread: Ctrl-C cancels the task
        yield signals
        return
    try:
        yield signals
    finally:
        for number in known:
            loop.remove_signal_handler(number)
