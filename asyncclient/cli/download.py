"""asyncclient download: many files at once, continued after an interruption, and verified."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ..client.client import Client
from ..client.download.digests import find_algorithm, parse_checksum
from ..client.download.part_file import NOTE, PART
from ..client.error_context import shorten_url
from ..client.response import Response
from ..client.retries import Retry
from ..errors import ChecksumError, HTTPException
from ..limits import DEFAULT_POOL, PoolLimits
from ..message.url import parse_url
from ..runner import run
from .address import choose_proxy, complete_url
from .body import read_file
from .exits import CommandError, Exit, explain, find_failure
from .options import add_trust
from .progress import Bars, name_bar
from .saving import describe_interruption
from .sending import RETRIED, build_timeout, build_trust
from .spelling import Parser, positive, seconds
from .visible import make_visible

_CONTINUED: Final = "run the same command again to continue an interrupted download"
_NAMED: Final = "--directory DIR; one file with a name of yours: asyncclient URL --output FILE"
_FIELDS: Final = "asyncclient URL --remote-name --continue-at -, which takes fields and credentials"

SPELLINGS: Final = {
    "--continue": _CONTINUED,
    "--continue-at": _CONTINUED,
    "--directory-prefix": "--directory DIR",
    "--header": _FIELDS,
    "--location": "redirects are followed",
    "--no-clobber": "--skip-existing",
    "--no-verbose": "--silent",
    "--output": _NAMED,
    "--output-dir": "--directory DIR",
    "--output-document": _NAMED,
    "--parallel": "--connections N",
    "--remote-name": "files are named by the server or the URL",
    "--remote-name-all": "files are named by the server or the URL",
    "--resume": _CONTINUED,
    "--timestamping": "--skip-existing, or --force",
    "--user": _FIELDS,
    "-C": _CONTINUED,
    "-H": _FIELDS,
    "-N": "--skip-existing, or --force",
    "-L": "redirects are followed",
    "-O": "files are named by the server or the URL",
    "-P": "--directory DIR",
    "-T": "--max-time SECONDS",
    "-Z": "--connections N",
    "-c/--connections": f"it is the number of files at once; {_CONTINUED}",
    "-n": _FIELDS,
    "-nc": "--skip-existing",
    "-nd": "all files are in one folder, --directory DIR",
    "-nv": "--silent",
    "-o": _NAMED,
    "-r": "asyncclient crawl URL",
    "-t": "--retry N",
    "-u": _FIELDS,
}
"""Options of curl and wget, and the equivalent of this subcommand."""


class Job(NamedTuple):
    """A file to download."""

    url: str
    checksum: str | None = None


class Course:
    """The course of all downloads.

    Attributes:
        codes: exit codes of the failures.
        received: URLs of the unfinished downloads that have received content.
        finished: how many files are complete.
    """

    def __init__(self) -> None:
        self.codes: list[Exit] = []
        self.received: set[str] = set()
        self.finished = 0


def build_parser(prog: str = "asyncclient download") -> Parser:
    """Return the parser of the command line."""
    text = """Download files, several at once. A file is complete or not there; an interrupted download is continued the
    next time; digests that the server sends are verified."""
    parser = Parser(prog=prog, words="[URL ...]", description=text, spellings=SPELLINGS)
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
    add(
        "--checksum",
        action="append",
        default=[],
        metavar="ALGORITHM:HEX",
        help="checksum of the file; one for each URL, in order",
    )
    add("--force", action="store_true", help="replace files that exist")
    add(
        "--skip-existing",
        action="store_true",
        help="keep files that exist, which otherwise are an error; their checksums are verified",
    )
    add(
        "--retry", type=positive, default=3, metavar="N", help="how many times to continue after a failure (default: 3)"
    )
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
    except (HTTPException, ImportError, OSError, ValueError, CommandError) as error:
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
        if find_algorithm(url):
            raise ValueError(f"expected a URL before its checksum, got {line[:100]!r}")
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
    waiting, course = iter(jobs), Course()
    try:
        with Bars(silent=options.silent or options.json_output) as bars:
            async with open_client(options) as client, asyncio.TaskGroup() as group:
                for _ in range(count):
                    group.create_task(_work(client, waiting, bars, options, course))
    except asyncio.CancelledError:  # by Ctrl-C
        if not options.silent:
            _report_interruption(jobs, options, course)
        raise
    return next(iter(course.codes), Exit.DONE)


def _report_interruption(jobs: Sequence[Job], options: Any, course: Course) -> None:
    needs_option = course.finished and not (options.skip_existing or options.force)
    line = describe_interruption(
        [(options.directory, job.url) for job in jobs],
        is_received=bool(course.received),
        addition=" with --skip-existing" if needs_option else "",
    )
    print(f"asyncclient download: {line}", file=sys.stderr)


def open_client(options: Any) -> Client:
    """Return the client for the options."""
    at_once = options.connections
    return Client(
        ssl=build_trust(options),
        proxy=choose_proxy(options.proxy),
        timeout=build_timeout(options),
        retries=Retry(total=options.retry, statuses=RETRIED),
        pool=PoolLimits(connections=max(at_once, DEFAULT_POOL.connections), per_host=at_once),
    )


async def _work(client: Client, waiting: Iterator[Job], bars: Bars, options: Any, course: Course) -> None:
    for job in waiting:
        name = shorten_url(job.url)
        try:
            response, path = await download(client, job, bars, options, course)
        except (HTTPException, ImportError, OSError, ValueError, CommandError) as error:
            course.codes.append(_report_failure(job, error, options))
        else:
            course.finished += 1
            _report_success(job if response is None else response, name, path, options)
        course.received.discard(job.url)


async def download(client: Client, job: Job, bars: Bars, options: Any, course: Course) -> tuple[Response | None, str]:
    """Download one file; return the response, and the path of the file. A file that is kept has no response.

    Raises:
        ChecksumError: the file, downloaded or kept, has another digest.
        Others: the errors of Client.download().
    """
    try:
        response = await _receive(client, job, bars, options, course)
    except FileExistsError as error:
        path = os.fspath(error.filename)
        if not options.skip_existing or not _is_target(path):
            raise
        if job.checksum is not None:
            await asyncio.to_thread(verify_file, path, job.checksum)
        return None, path
    return response, os.path.join(options.directory, response.filename)


def _is_target(path: str) -> bool:
    """Return True if the path of an error is that of a file to keep, not of a part or of a device."""
    return not path.endswith((PART, NOTE)) and os.path.isfile(path)


async def _receive(client: Client, job: Job, bars: Bars, options: Any, course: Course) -> Response:
    with bars.showing(name_bar(job.url)) as move:

        def progress(size: int, total: int | None) -> None:
            course.received.add(job.url)
            move(size, total)

        return await client.download(
            job.url,
            options.directory,
            resume=True,
            overwrite=options.force,
            progress=progress,
            checksum=job.checksum,
        )


def verify_file(path: str, checksum: str) -> None:
    """Compare a file with a checksum.

    Raises:
        ChecksumError: its digest is another.
        OSError: it can't be read.
    """
    check = parse_checksum(checksum)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(check.algorithm, usedforsecurity=False)).digest()
    if found != check.expected:
        raise ChecksumError(check.field, check.algorithm, check.expected.hex(), found.hex())


def _report_failure(job: Job, error: Exception, options: Any) -> Exit:
    code, phase, _ = find_failure(error)
    url = shorten_url(job.url)
    if options.json_output:
        facts = {"code": int(code), "phase": phase, "kind": type(error).__name__, "message": str(error)}
        print(json.dumps({"url": job.url, "error": facts}), flush=True)
    else:
        print(f"asyncclient download: {explain(error, url)}", file=sys.stderr)
    return code


def _report_success(result: Response | Job, name: str, path: str, options: Any) -> None:
    """Print the line of a file: of a response, or of a job whose file is kept."""
    size = os.path.getsize(path)
    if options.json_output:
        facts: dict[str, Any] = {"url": result.url, "path": path, "size": size}
        if isinstance(result, Job):
            facts["kept"] = True
        else:
            facts |= {"status": result.status, "seconds": result.timings.done}
        print(json.dumps(facts), flush=True)
    elif not options.silent:
        mark = "  kept" if isinstance(result, Job) else ""
        print(f"{make_visible(path)}  {size:,} bytes  {name}{mark}", flush=True)
