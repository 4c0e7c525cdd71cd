"""The command without a subcommand: send a request and print or save the response."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from ..client.client import Client
from ..client.cookies.files import write_netscape
from ..client.error_context import shorten_url
from ..client.request import Request
from ..client.response import Response
from ..errors import HTTPException, StatusError
from ..runner import run
from ..timings import list_measured
from .exits import CommandError, Exit, explain, find_failure
from .habits import describe_missing_url, has_unread_input
from .items import parse_words
from .options import build_parser
from .output import Output
from .progress import Bars, name_bar
from .saving import describe_interruption, save
from .sending import Prepared, list_cookie_pairs, open_client, prepare
from .visible import make_visible

_UNREAD: Final = "the standard input is not read and the request has no content; --data @- sends it, --json @- as JSON"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = build_parser()
    options = parser.parse_intermixed_args(arguments)
    if not options.words:
        parser.error(describe_missing_url(options))
    url = ""
    try:
        prepared = prepare(options, parse_words(options.words))
        url = shorten_url(prepared.url)
        if not options.silent and _ignores_input(prepared):
            print(f"asyncclient: {_UNREAD}", file=sys.stderr)
        return run(perform(options, prepared))
    except (HTTPException, OSError, ImportError, ValueError, TypeError, CommandError) as error:
        if isinstance(error, BrokenPipeError) and not isinstance(error, HTTPException):
            raise
        return report(error, url, options)


def _ignores_input(prepared: Prepared) -> bool:
    """Return True if a request that usually has content has none, and the standard input has some."""
    has_content = prepared.options.keys() & {"body", "data", "files", "json"}
    return prepared.method in ("PATCH", "POST", "PUT") and not has_content and has_unread_input()


def report(error: BaseException, url: str, options: Any) -> int:
    """Print an error as a line, or as JSON; return its exit code."""
    code, phase, remedy = find_failure(error)
    if options.json_output:
        facts = {"code": int(code), "phase": phase, "kind": type(error).__name__, "message": str(error), "hint": remedy}
        print(json.dumps({"url": url, "error": facts}))
    elif options.show_error or not options.silent:
        print(f"asyncclient: {explain(error, url)}", file=sys.stderr)
    return code


async def perform(options: Any, prepared: Prepared) -> int:
    """Send the request and deal with its response as the options say."""
    is_reporting = options.verbose and not options.silent
    note = _print_note if is_reporting else None
    async with open_client(options, note) as client:
        try:
            if options.continue_at:
                return await _continue(client, options, prepared)
            return await _send(client, options, prepared)
        finally:
            if options.cookie_jar:
                _save_cookies(client, options.cookie_jar)


def _save_cookies(client: Client, path: str) -> None:
    """Write the cookies to a file, or for "-" to the standard output."""
    if path == "-":
        Output("never").write(write_netscape(client.cookies).encode("latin-1"))
    else:
        client.cookies.save(path)


def _print_note(line: str) -> None:
    print(make_visible(line), file=sys.stderr)


def _keywords(options: Any, prepared: Prepared) -> dict[str, Any]:
    """Return the options of the request; content for a file is requested as it is, as a download."""
    keywords = {**prepared.options, "cookies": list_cookie_pairs(options.cookie)}
    if options.no_decode or (_target(options) and not options.compressed):
        keywords["decode"] = False
        if not any(name.lower() == "accept-encoding" for name, _ in keywords["headers"]) and not options.compressed:
            keywords["headers"] = [*keywords["headers"], ("Accept-Encoding", "identity")]
    return keywords


def _target(options: Any) -> str:
    """Return the file or directory for the content; "" for the standard output."""
    if options.remote_name:
        return str(options.output_dir)
    return "" if options.output in (None, "-") else str(options.output)


async def _send(client: Client, options: Any, prepared: Prepared) -> int:
    output = Output(options.pretty)
    async with client.stream(prepared.method, prepared.url, **_keywords(options, prepared)) as response:
        is_failed = response.status >= 400 and (options.fail or options.fail_with_body)
        if not (is_failed and options.fail):
            await _deliver(options, response, output)
        if options.timings and not options.json_output:
            await response.aclose()
            _print_timings(response)
    if is_failed:
        raise StatusError(f"{response.status} {response.reason}", response)
    if response.status in (301, 302, 303, 307, 308) and sys.stderr.isatty() and not options.silent:
        print(f"asyncclient: redirect to {_shorten(response)}; --location follows it", file=sys.stderr)
    return Exit.DONE


def _print_timings(response: Response) -> None:
    from .timings import print_timings  # imported on use

    print_timings(response)


def _shorten(response: Response) -> str:
    return make_visible(response.headers.get("location", "no Location"))[:120]


async def _deliver(options: Any, response: Response, output: Output) -> None:
    target, path = _target(options), ""
    if target and not options.head:
        with Bars(silent=options.silent) as bars:
            progress = bars.add(_name_bar(options, response.url))
            path = await save(response, target, force=options.force, progress=progress)
    if options.json_output:
        output.write(await _build_json(response, path) + b"\n")
        return
    if path:
        return
    if options.head or (_shows_head(options, output) if options.include is None else options.include):
        output.print_head(response)
    if not options.head:
        await output.print_content(response)


def _shows_head(options: Any, output: Output) -> bool:
    """Return True on a terminal that does not show the head already, for --verbose."""
    return output.is_terminal and not (options.verbose and not options.silent and sys.stderr.isatty())


def _name_bar(options: Any, url: str) -> str:
    return name_bar(url) if options.remote_name else os.path.basename(options.output)


async def _build_json(response: Response, path: str) -> bytes:
    """Return the response as a JSON object, with its content unless that is in a file; in base64 if it is not UTF-8."""
    content = b"" if path else await response.read()
    timings = response.timings
    facts: dict[str, Any] = {
        "method": response.request.method,
        "url": response.url,
        "status": response.status,
        "reason": response.reason,
        "version": f"{response.version // 10}.{response.version % 10}",
        "headers": [*response.headers.items()],
        "trailers": [*(response.trailers or {}).items()],
        "redirects": [earlier.url for earlier in response.history],
        "size": await asyncio.to_thread(os.path.getsize, path) if path else len(content),
        "reused": timings.reused,
        "tls": None if response.tls is None else response.tls.version,
        "timings": list_measured(timings),
    }
    if path:
        facts["path"] = path
        return json.dumps(facts).encode()
    try:
        facts["content"] = content.decode()
    except UnicodeDecodeError:
        facts["content_base64"] = base64.b64encode(content).decode()
    return json.dumps(facts).encode()


async def _continue(client: Client, options: Any, prepared: Prepared) -> int:
    """Download with the part that an earlier call has left."""
    target = _target(options)
    if not target or prepared.method != "GET":
        raise ValueError("expected --output FILE or --remote-name, and GET, with --continue-at")
    keywords = {**prepared.options, "cookies": list_cookie_pairs(options.cookie)}
    sizes: list[int] = []
    try:
        with Bars(silent=options.silent) as bars:
            move = bars.add(_name_bar(options, prepared.url))

            def progress(size: int, total: int | None) -> None:
                sizes[:] = [size]
                move(size, total)

            response = await client.download(
                prepared.url, target, resume=True, overwrite=options.force, progress=progress, **keywords
            )
    except asyncio.CancelledError:  # by Ctrl-C
        url = Request("GET", prepared.url, params=keywords["params"]).url
        if options.show_error or not options.silent:
            line = describe_interruption([(target, url)], is_received=bool(sizes))
            print(f"asyncclient: {line}", file=sys.stderr)
        raise
    if options.json_output:
        path = os.path.join(target, response.filename) if options.remote_name else target
        Output().write(await _build_json(response, path) + b"\n")
    return Exit.DONE
