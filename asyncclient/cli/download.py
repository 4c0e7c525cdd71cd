"""asyncclient download: many files at once, continued after an interruption, and verified."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..client.client import Client
from ..client.download.digests import parse_checksum
from ..client.error_context import shorten_url
from ..client.response import Response
from ..client.retries import Retry
from ..errors import HTTPException
from ..limits import DEFAULT_POOL, PoolLimits
from ..message.url import parse_url
from ..runner import run
from .address import complete_url
from .body import read_file
from .exits import CommandError, Exit, explain, find_failure
from .options import add_trust
from .progress import Bars, name_bar
from .sending import RETRIED, build_timeout, build_trust
from .spelling import Parser, positive, seconds
from .visible import make_visible


class Job(NamedTuple):
    """A file to download."""

    url: str
    checksum: str | None = None


def build_parser(prog: str = "asyncclient download") -> Parser:
    """Return the parser of the command line."""
    text = """Download files, several at once. A file is complete or not there; an interrupted download is continued the
    next time; digests that the server sends are verified."""
    parser = Parser(prog=prog, words="[URL ...]", description=text)
    add = parser.add_argument
    add("urls", nargs="*", metavar="URL", help="https:// may be left out")
    add(
        "-i", "--input", metavar="FILE", help="read further URLs, one in each line, perhaps with a checksum; - is stdin"
    )
    add("-c", "--connections", type=positive, default=4, metavar="N", help="files at once (default: 4)")
    add(
        "-d",
        "--directory",
        default=".",
        metavar="DIR",
        help="the folder for the files, made if it is missing (default: the current one)",
    )
    add("--checksum", action="append", default=[], metavar="ALGORITHM:HEX", help="the digest of the URL at this place")
    add("--force", action="store_true", help="replace files that exist")
    add("--skip-existing", action="store_true", help="keep files that exist, which otherwise are an error")
    add("--retry", type=positive, default=3, metavar="N", help="continue so often after a failure (default: 3)")
    add("-m", "--max-time", type=seconds, metavar="SECONDS", help="limit of each file")
    add("--connect-timeout", type=seconds, metavar="SECONDS", help="limit of resolving, connecting and TLS")
    add("-x", "--proxy", metavar="URL", help="the proxy; by default from the environment")
    add("-s", "--silent", "-q", "--quiet", action="store_true", help="print errors only")
    add("--json-output", action="store_true", help="print a JSON object for each file")
    add_trust(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or the exit code of the first failure."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        jobs = [*list_jobs(options)]
        if not jobs:
            parser.error("expected a URL")
        return run(download_all(jobs, options))
    except (HTTPException, OSError, ValueError, CommandError) as error:
        if isinstance(error, BrokenPipeError) and not isinstance(error, HTTPException):
            raise
        print(f"asyncclient download: {explain(error)}", file=sys.stderr)
        return find_failure(error).code


def list_jobs(options: Any) -> Iterator[Job]:
    """Yield the files of the arguments and of the list, each URL once.

    Raises:
        ValueError: a URL or a checksum is invalid, or there are more checksums than URLs.
    """
    if len(options.checksum) > len(options.urls):
        raise ValueError("expected a URL for each --checksum")
    checksums = [*options.checksum, *[""] * len(options.urls)]
    lines = [f"{url} {checksum}" for url, checksum in zip(options.urls, checksums, strict=False)]
    if options.input is not None:
        text = sys.stdin.read() if options.input == "-" else read_file(options.input).decode()
        lines += text.splitlines()
    seen = set()
    for line in lines:
        url, *rest = line.split() or [""]
        if not url or url.startswith("#") or (url := complete_url(url)) in seen:
            continue
        seen.add(url)
        parse_url(url)
        if rest:
            parse_checksum(rest[0])
        yield Job(url, rest[0] if rest else None)


async def download_all(jobs: Sequence[Job], options: Any) -> int:
    """Download the files, so many at once as the options say; return the first exit code that is not 0."""
    os.makedirs(options.directory, exist_ok=True)
    count = min(options.connections, len(jobs))
    waiting, codes = iter(jobs), [Exit.DONE]
    with Bars(silent=options.silent or options.json_output) as bars:
        async with open_client(options) as client, asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(_work(client, waiting, bars, options, codes))
    return next((code for code in codes if code), Exit.DONE)


def open_client(options: Any) -> Client:
    """Return the client for the options."""
    at_once = options.connections
    return Client(
        ssl=build_trust(options),
        proxy=options.proxy,
        timeout=build_timeout(options),
        retries=Retry(total=options.retry, statuses=RETRIED),
        pool=PoolLimits(connections=max(at_once, DEFAULT_POOL.connections), per_host=at_once),
    )


async def _work(client: Client, waiting: Iterator[Job], bars: Bars, options: Any, codes: list[Exit]) -> None:
    for job in waiting:
        name = shorten_url(job.url)
        try:
            response, path = await download(client, job, bars, options)
        except (HTTPException, OSError, ValueError, CommandError) as error:
            if options.skip_existing and isinstance(error, FileExistsError):
                continue
            codes.append(_report_failure(job, error, options))
        else:
            _report_success(response, name, path, options)


async def download(client: Client, job: Job, bars: Bars, options: Any) -> tuple[Response, str]:
    """Download one file; return the response, and the path of the file. Raises the errors of Client.download()."""
    with bars.showing(name_bar(job.url)) as progress:
        response = await client.download(
            job.url,
            options.directory,
            resume=True,
            overwrite=options.force,
            progress=progress,
            checksum=job.checksum,
        )
    return response, os.path.join(options.directory, response.filename)


def _report_failure(job: Job, error: Exception, options: Any) -> Exit:
    code, phase, _ = find_failure(error)
    url = shorten_url(job.url)
    if options.json_output:
        facts = {"code": int(code), "phase": phase, "kind": type(error).__name__, "message": str(error)}
        print(json.dumps({"url": job.url, "error": facts}), flush=True)
    else:
        print(f"asyncclient download: {explain(error, url)}", file=sys.stderr)
    return code


def _report_success(response: Response, name: str, path: str, options: Any) -> None:
    size = os.path.getsize(path)
    if options.json_output:
        facts = {"url": response.url, "path": path, "size": size, "status": response.status}
        print(json.dumps({**facts, "seconds": response.timings.done}), flush=True)
    elif not options.silent:
        print(f"{make_visible(path)}  {size:,} bytes  {name}", flush=True)
