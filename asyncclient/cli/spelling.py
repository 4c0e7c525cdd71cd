"""The parser of arguments, which knows how curl, wget and HTTPie spell their options and names the option here."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Final, NoReturn

from .exits import Exit

_ALWAYS_HTTP_1_1: Final = "it is always HTTP/1.1"
_NO_HTTP_2: Final = "this client speaks HTTP/1.1 only"
_FAMILY: Final = "--resolve HOST:PORT:ADDRESS, or --interface NAME, for a family of addresses"
_ORDER: Final = "fields and keys of JSON are printed in the order in which they are received"
_PROTECTED: Final = "credentials are never sent to another origin"

SPELLINGS: Final = {
    "--all-proxy": "--proxy URL",
    "--auth": "--user NAME:PASSWORD",
    "--body": "--no-include",
    "--ca-certificate": "--cacert FILE",
    "--check-status": "--fail",
    "--checksum": "asyncclient download --checksum ALGORITHM:HEX URL",
    "--config": "write the options into a script",
    "--connections": "asyncclient download --connections N, or bench",
    "--continue": "--continue-at -",
    "--create-dirs": "make the directory first",
    "--download": "--remote-name, or asyncclient download URL",
    "--dump-header": "--include, or --head",
    "--follow": "--location",
    "--form-string": "--form NAME=TEXT",
    "--globoff": "braces are never expanded",
    "--headers": "--head, or --include",
    "--http1.0": _ALWAYS_HTTP_1_1,
    "--http1.1": _ALWAYS_HTTP_1_1,
    "--http2": _NO_HTTP_2,
    "--http3": _NO_HTTP_2,
    "--ignore-stdin": "the standard input is read only for @- and --upload-file -",
    "--input-file": "asyncclient download --input FILE",
    "--ipv4": _FAMILY,
    "--ipv6": _FAMILY,
    "--keepalive-time": "TCP keep-alive is on",
    "--limit-rate": "content is received as fast as it is written",
    "--location-trusted": _PROTECTED,
    "--mirror": "asyncclient crawl URL",
    "--no-buffer": "content is printed as received",
    "--no-check-certificate": "--insecure",
    "--no-clobber": "asyncclient download --skip-existing",
    "--noproxy": "set the variable no_proxy",
    "--oauth2-bearer": "--bearer TOKEN",
    "--offline": "every request is sent; --verbose prints it",
    "--output-document": "--output FILE",
    "--parallel": "asyncclient download URL URL --connections N",
    "--post-data": "--data DATA",
    "--print": "--include, --no-include, or --verbose",
    "--progress-bar": "a terminal has a progress bar",
    "--proxy-user": "--proxy http://NAME:PASSWORD@HOST:PORT",
    "--quiet": "--silent",
    "--recursive": "asyncclient crawl URL",
    "--remote-header-name": "--remote-name, which uses Content-Disposition",
    "--remote-name-all": "asyncclient download URL URL",
    "--retry-all-errors": "--retry N; a request that may have arrived is sent again if it is idempotent",
    "--retry-delay": "--retry N; the pauses grow, and Retry-After is obeyed",
    "--raw": "--data DATA, or --no-decode",
    "--session": "--cookie FILE --cookie-jar FILE",
    "--sorted": _ORDER,
    "--spider": "--head",
    "--stream": "content is printed as received unless it is JSON",
    "--timeout": "--max-time SECONDS",
    "--trace": "--verbose",
    "--trace-ascii": "--verbose",
    "--tries": "--retry N",
    "--unsorted": _ORDER,
    "--url": "the URL is an argument without an option",
    "--verify": "--cacert FILE, or --insecure",
    "--write-out": "--json-output, or --timings",
    "-#": "a terminal has a progress bar",
    "-0": _ALWAYS_HTTP_1_1,
    "-4": _FAMILY,
    "-6": _FAMILY,
    "-D": "--include, or --head",
    "-J": "--remote-name, which uses Content-Disposition",
    "-K": "write the options into a script",
    "-N": "content is printed as received",
    "-U": "--proxy http://NAME:PASSWORD@HOST:PORT",
    "-Z": "asyncclient download URL URL --connections N",
    "-a": "--user NAME:PASSWORD",
    "-g": "braces are never expanded",
    "-j": "name=value items are JSON without an option",
    "-p": "--include, --no-include, or --verbose",
    "-q": "--silent",
    "-w": "--json-output, or --timings",
}
"""Options of other commands, and the equivalent here."""


_REFUSED: Final = re.compile(r"argument (-\S/\S+):")
"""The letter and the name of a known option whose value is refused, as in `-c/--connections`."""

WIDE: Final = 80
"""Columns of a terminal from which on an option and its explanation have a line together."""


class HelpLines(argparse.HelpFormatter):
    """Help with `-o, --output FILE` for an option, the same on each Python, and with the lines of a text kept."""

    def __init__(self, prog: str) -> None:
        columns = shutil.get_terminal_size().columns
        super().__init__(prog, max_help_position=32 if columns >= WIDE else 24)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines()
        return "\n".join(textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent) for line in lines)

    if sys.version_info < (3, 13):

        def _format_action_invocation(self, action: argparse.Action) -> str:
            if not action.option_strings or action.nargs == 0:
                return super()._format_action_invocation(action)
            value = self._format_args(action, self._get_default_metavar_for_optional(action))
            return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the option that other commands' options mean.

    Args:
        prog: the words of the command.
        words: the arguments that are not options, for the first line of the help; further lines are further usages.
        description: the text below it.
        spellings: options of other commands that have another equivalent here than in SPELLINGS.
    """

    def __init__(self, *, prog: str, words: str, description: str, spellings: Mapping[str, str] | None = None) -> None:
        super().__init__(
            prog=prog,
            usage=f"%(prog)s [OPTION ...] {words}",
            description=" ".join(description.split()),
            formatter_class=HelpLines,
            allow_abbrev=False,
        )
        self._spellings = {**SPELLINGS, **(spellings or {})}
        self._has_negative_number_optionals.append(True)  # otherwise argparse takes -4 for an argument

    def error(self, message: str) -> NoReturn:
        """End the process with exit code 2."""
        refused = _REFUSED.match(message)
        unknown = [refused[1]] if refused else message.partition("unrecognized arguments: ")[2].split()
        hints = {word: hint for word in unknown if (hint := self._find_hint(word))}
        if len(hints) > 1:
            hint = "; ".join(f"{word}: {hint}" for word, hint in hints.items())
        else:
            hint = next(iter(hints.values()), f"{self.prog} --help lists the options")
        print(f"{self.prog}: {message}: {hint}", file=sys.stderr)
        sys.exit(Exit.USAGE)

    def _find_hint(self, word: str) -> str:
        option = word.partition("=")[0] if word.startswith("--") else word
        if option not in self._spellings and not option.startswith("--") and "/" not in option:
            option = option[:2]  # a letter with its value
        if option in self._spellings:
            return self._describe(self._spellings[option])
        near = difflib.get_close_matches(option, self._option_string_actions, 1, 0.75)
        return f"did you mean {near[0]}?" if near and option.startswith("--") else ""

    def _describe(self, equivalent: str) -> str:
        if equivalent.startswith("asyncclient "):
            return f"use {equivalent}"
        if not equivalent.startswith("-"):
            return equivalent
        is_known = equivalent.split()[0].rstrip(",") in self._option_string_actions
        return f"use {equivalent}" if is_known else f"use asyncclient URL {equivalent}"


def positive(text: str) -> int:
    """Return a whole number of at least 1, for an option."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Return a number above 0, for an option."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def existing_file(text: str) -> str:
    """Return the path of a file that can be read, for an option."""
    if not os.path.isfile(text) or not os.access(text, os.R_OK):
        raise argparse.ArgumentTypeError(f"expected a file that can be read, got {text!r}")
    return text
