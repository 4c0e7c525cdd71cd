"""How a transcript is printed: one form for values, errors and states, the same in each run.

Sections print. Parts that differ from run to run (ports, addresses in memory) are replaced when a section has ended, so
the debug output of connections, which goes to stdout as well, is compared letter for letter.
"""

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

Section = Callable[[], None]

BROKE_OFF = "the section broke off"

SECTIONS: dict[str, Section] = {}
"""Run one after the other in one process."""

DIFFERING: dict[str, Section] = {}
"""Where compat differs on purpose; the tests say why, and what it tells."""

ALONE: dict[str, Section] = {}
"""Run in a process of their own each: they fork, or they are about its end."""

_PORTS: set[str] = set()


def section(function: Section) -> Section:
    SECTIONS[function.__name__] = function
    return function


def differing(function: Section) -> Section:
    DIFFERING[function.__name__] = function
    return function


def alone(function: Section) -> Section:
    ALONE[function.__name__] = function
    return function


def note_port(port: int) -> int:
    """Have a port told as PORT from now on."""
    _PORTS.add(str(port))
    return port


def normalised(text: str) -> str:
    text = re.sub(r"\b0x[0-9a-f]{6,}", "0x…", text)  # before the ports: an address may have the digits of one in it
    text = re.sub(r"(?<![0-9])[0-9]{4,5}(?![0-9])", lambda found: "PORT" if found[0] in _PORTS else found[0], text)
    return re.sub(r"_ssl\.c:[0-9]+: (?=The handshake)", "", text)  # a line of CPython's own source


def tell(function: Section) -> None:
    """Run a section and print what it tells; an error that it does not expect is told, too."""
    output = io.StringIO()
    try:
        with redirect_stdout(output):
            function()
    except Exception as error:
        output.write(f"{BROKE_OFF}: {described(error)}\n")
    finally:
        print(normalised(output.getvalue()), end="", flush=True)


def described(error: BaseException) -> str:
    """Tell an error: class, arguments, number, text, and the attributes it was given."""
    kind = type(error)
    parts = [f"{kind.__module__}.{kind.__qualname__}", f"args={error.args!r}", f"str={str(error)!r}"]
    if isinstance(error, OSError):
        parts.append(f"errno={error.errno!r}")
    parts += [f"{name}={value!r}" for name, value in sorted(vars(error).items())]
    return " ".join(parts)


def attempt(what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Make a call and print its outcome; return its result, None after an error."""
    try:
        result = call(*arguments, **options)
    except (Exception, KeyboardInterrupt) as error:
        print(f"{what}: {described(error)}")
        return None
    print(f"{what}: {result!r}")
    return result


def briefly(what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Print the outcome of a call; of an error the class and the text."""
    try:
        print(f"{what}: {call(*arguments, **options)!r}")
    except Exception as error:
        print(f"{what}: {type(error).__qualname__} {str(error)!r}")


def attempt_kind(what: str, call: Callable[..., Any], *arguments: Any) -> None:
    """Tell only the class of an error: for arguments of wrong types, whose texts are those of the calls within."""
    try:
        print(f"{what}: {call(*arguments)!r}")
    except Exception as error:
        print(f"{what}: {type(error).__qualname__}")


def tell_response(response: Any, *, without: tuple[str, ...] = ()) -> None:
    """Tell a response's attributes, but for those left out."""
    names = ("status", "code", "reason", "version", "length", "chunked", "chunk_left", "will_close", "debuglevel")
    parts = [f"{name}={getattr(response, name)!r}" for name in names if name not in without]
    parts.append(f"closed={response.closed!r}")
    if "isclosed" not in without:
        parts.append(f"isclosed={response.isclosed()!r} fp={'none' if response.fp is None else 'open'}")
    print("  response:", *parts)


def tell_fields(response: Any) -> None:
    print("  fields:", response.headers.items(), type(response.msg).__qualname__, response.msg is response.headers)


def tell_connection(connection: Any) -> None:
    """Tell a connection's attributes and its state."""
    names = ("host", "port", "timeout", "source_address", "debuglevel", "auto_open", "blocksize", "default_port")
    parts = [f"{name}={getattr(connection, name)!r}" for name in names]
    state = connection._HTTPConnection__state
    print("  connection:", *parts, f"sock={'none' if connection.sock is None else 'open'} state={state}")
