"""Running another Python program in this process, as the interpreter would run it.

The program is a script, a folder or an archive, `-m module`, `-c code`, or standard input for `-` and no argument; `-i`
continues interactively after it. It has its own `sys.argv` and `sys.path`, and its tracebacks begin with its own code.
"""

from __future__ import annotations

import builtins
import io
import linecache
import os
import pkgutil
import platform
import runpy
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final, NoReturn


def run_program(arguments: list[str], usage: str, prepare: Callable[[], None]) -> None:
    """Run the program that the arguments name.

    Args:
        arguments: as those of the interpreter; of its options, -c, -h, -i, -m and -V are known.
        usage: the text for -h and for invalid arguments.
        prepare: called before the program begins, with its `sys.path` in place.

    Raises:
        SystemExit: the program ended so, or the arguments name no program to run.
        BaseException: whatever the program raised.
    """
    rest = [*arguments]
    is_interactive = False
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "-c", "-m"):
        _read_option(rest.pop(0), usage)
        is_interactive = True
    if rest and rest[0] in ("-c", "-m") and len(rest) < 2:
        _refuse(f"Argument expected for the {rest[0]} option", usage)
    program = _choose(rest)
    prepare()
    if is_interactive:
        _run_interactively(program)
    else:
        _run(program)


def _read_option(option: str, usage: str) -> None:
    """Accept -i; every other option ends the process."""
    if option in ("-h", "-?", "--help"):
        print(usage)
        sys.exit(0)
    if option in ("-V", "--version", "-VV"):
        print(f"Python {sys.version if option == '-VV' else platform.python_version()}")
        sys.exit(0)
    if option != "-i":
        _refuse(f"unknown option {option}", usage)


def _refuse(reason: str, usage: str) -> NoReturn:
    print(reason, usage, sep="\n", file=sys.stderr)
    sys.exit(2)


# The program, and its sys.argv and sys.path


def _choose(rest: list[str]) -> Callable[[], None]:
    """Return what runs the program, with its `sys.argv` and `sys.path` set."""
    first = rest[0] if rest else ""
    if first == "-c":
        sys.argv = ["-c", *rest[2:]]
        _set_path("")
        return lambda: _execute(_compile_code(rest[1]), _make_main())
    if first == "-m":
        sys.argv = ["-m", *rest[2:]]
        _set_path(os.getcwd())
        return lambda: _execute_module(rest[1], sets_argument=True)
    sys.argv = rest or [""]
    if first in ("", "-"):
        _set_path("")
        return _run_input
    return _choose_file(first)


def _choose_file(name: str) -> Callable[[], None]:
    if pkgutil.get_importer(name) is not None:  # a folder or an archive
        sys.path[0 : not sys.flags.safe_path] = [os.path.abspath(name)]
        return lambda: _execute_module("__main__", sets_argument=False)
    _set_path(os.path.dirname(os.path.realpath(name)))
    path = os.path.abspath(name)
    return lambda: _execute(
        _read_script(path), _make_main(__file__=path, __loader__=SourceFileLoader("__main__", path))
    )


def _set_path(first: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = first


def _read_script(path: str) -> CodeType:
    """Return the code of a file, source or bytecode; a file that can't be opened ends the process."""
    try:
        with io.open_code(path) as file:
            code: CodeType | None = pkgutil.read_code(file)
            if code is None:
                file.seek(0)
                code = _compile(file.read(), path)
            return code
    except OSError as exc:
        print(f"{sys.orig_argv[0]}: can't open file {path!r}: [Errno {exc.errno}] {exc.strerror}", file=sys.stderr)
        sys.exit(2)


def _run_input() -> None:
    if sys.stdin is not None and sys.stdin.isatty():
        _interact(vars(_make_main()), None)
    elif sys.stdin is not None:
        _execute(_compile(sys.stdin.buffer.read(), "<stdin>"), _make_main())


def _compile(source: str | bytes, name: str) -> CodeType:
    return compile(source, name, "exec", dont_inherit=True)  # the __future__ imports of this module are not its own


def _compile_code(source: str) -> CodeType:
    """Return the code after -c; tracebacks show its lines where this Python does so."""
    if sys.version_info >= (3, 13):
        linecache.cache["<string>"] = (len(source), None, source.splitlines(keepends=True), "<string>")
    return _compile(source, "<string>")


def _make_main(**names: Any) -> ModuleType:
    """Return a new module `__main__`, as the interpreter makes it."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    vars(module).update(__builtins__=builtins, **names)
    return module


# Running it


def _execute(code: CodeType, module: ModuleType) -> None:
    exec(code, vars(module))


def _execute_module(name: str, *, sets_argument: bool) -> None:
    _make_main()
    runpy._run_module_as_main(name, sets_argument)  # type: ignore[attr-defined]  # as the interpreter does for -m


_OURS: Final = frozenset((_execute.__code__, _execute_module.__code__, _compile.__code__))
"""The calls above which the frames of a traceback are the program's."""


def _run(program: Callable[[], None]) -> None:
    try:
        program()
    except SystemExit:
        raise
    except BaseException:
        sys.excepthook = _skip_own_frames(sys.excepthook)
        raise


def _skip_own_frames(hook: Callable[..., object]) -> Callable[..., None]:
    """Return a hook that passes an error on to another, without the frames that led to the program."""

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        sys.excepthook = hook
        own = _cut(traceback)
        hook(kind, error.with_traceback(own), own)

    return show


def _cut(traceback: TracebackType | None) -> TracebackType | None:
    step = traceback
    while step is not None and step.tb_frame.f_code not in _OURS:
        step = step.tb_next
    return traceback if step is None else step.tb_next


def _run_interactively(program: Callable[[], None]) -> None:
    try:
        program()
    except BaseException as error:
        own = _cut(error.__traceback__)
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, own
        sys.excepthook(type(error), error.with_traceback(own), own)
    _interact(vars(sys.modules["__main__"]), "")


def _interact(names: dict[str, Any], banner: str | None) -> None:
    """Run the lines of standard input; a banner of None is the usual one."""
    import code  # imported on use: most programs do not continue interactively

    class Console(code.InteractiveConsole):
        def raw_input(self, prompt: str = "") -> str:
            """Return a line of standard input. Raises EOFError at its end."""
            if sys.stdin.isatty():
                return input(prompt)
            sys.stderr.write(prompt)
            sys.stderr.flush()
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.removesuffix("\n")

    make_ready = getattr(sys, "__interactivehook__", None)
    if make_ready is not None and sys.stdin.isatty():
        make_ready()
    Console(names).interact(banner, "")
