"""Running a program with compat in the place of http.client: `python -m asyncclient.compat script.py args…`.

It is run as the interpreter itself runs one: a script, a folder or an archive, `-m module`, `-c code`, `-` or nothing
for standard input, `-i` to go on by hand. Its traceback begins with its own first line, `sys.path` and `sys.argv` are
its own, and a module `compat` of its own is what `import compat` gives.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
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

from .install import install

_USAGE = """\
usage: python -m asyncclient.compat [-i] [-c code | -m module | script | -] [args…]
Runs a program with compat in the place of http.client. Options of the interpreter go before the first -m."""


def main(arguments: list[str] | None = None) -> None:
    """Install compat, then run what the arguments name, those of this process if none are given."""
    rest = [*(sys.argv[1:] if arguments is None else arguments)]
    is_interactive = False
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "-c", "-m"):
        is_interactive = _read_option(rest.pop(0)) or is_interactive
    program = _choose(rest)
    _leave_the_name()
    install()
    if is_interactive:
        _run_and_go_on(program)
    else:
        _run(program)


def _read_option(option: str) -> bool:
    """Return whether to go on by hand after the program; end where the option asks for something else."""
    if option in ("-h", "-?", "--help"):
        print(_USAGE)
        sys.exit(0)
    if option in ("-V", "--version", "-VV"):
        print(f"Python {sys.version if option == '-VV' else platform.python_version()}")
        sys.exit(0)
    if option != "-i":
        _refuse(f"unknown option {option}")
    return True


def _refuse(reason: str) -> NoReturn:
    print(reason, _USAGE, sep="\n", file=sys.stderr)
    sys.exit(2)


# The program, and its sys.argv and sys.path


def _choose(rest: list[str]) -> Callable[[], None]:
    """Return what runs the program, once `sys.argv` and `sys.path` are as it would have them."""
    first = rest[0] if rest else ""
    if first in ("-c", "-m") and len(rest) < 2:
        _refuse(f"Argument expected for the {first} option")
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
    return compile(source, name, "exec", dont_inherit=True)  # what is imported of __future__ here is not the program's


def _compile_code(source: str) -> CodeType:
    """Return the code after -c; its lines are shown in tracebacks where this Python does so."""
    if sys.version_info >= (3, 13):
        linecache.cache["<string>"] = (len(source), None, source.splitlines(keepends=True), "<string>")
    return _compile(source, "<string>")


def _make_main(**names: Any) -> ModuleType:
    """Return a new module `__main__`, as the interpreter makes it."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    vars(module).update(__builtins__=builtins, **names)
    return module


def _leave_the_name() -> None:
    """Have `import compat` give the program's own module, if it has one; this package is asyncclient.compat too."""
    compat = importlib.import_module("asyncclient.compat")
    found = importlib.machinery.PathFinder.find_spec("compat", sys.path)
    if found is None or found.origin == compat.__file__:
        return
    for name in [*sys.modules]:
        if name == "compat" or name.startswith("compat."):
            del sys.modules[name]


# Running it


def _execute(code: CodeType, module: ModuleType) -> None:
    exec(code, vars(module))


def _execute_module(name: str, *, sets_argument: bool) -> None:
    _make_main()
    runpy._run_module_as_main(name, sets_argument)  # type: ignore[attr-defined]  # as the interpreter does for -m


_OURS: Final = frozenset((_execute.__code__, _execute_module.__code__, _compile.__code__))
"""The steps behind which a traceback is the program's."""


def _run(program: Callable[[], None]) -> None:
    try:
        program()
    except SystemExit:
        raise
    except BaseException:
        sys.excepthook = _begin_with_the_program(sys.excepthook)
        raise


def _begin_with_the_program(hook: Callable[..., object]) -> Callable[..., None]:
    """Return what tells an error by a hook, without the steps that led to the program."""

    def tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        sys.excepthook = hook
        own = _cut(traceback)
        hook(kind, error.with_traceback(own), own)

    return tell


def _cut(traceback: TracebackType | None) -> TracebackType | None:
    step = traceback
    while step is not None and step.tb_frame.f_code not in _OURS:
        step = step.tb_next
    return traceback if step is None else step.tb_next


def _run_and_go_on(program: Callable[[], None]) -> None:
    try:
        program()
    except BaseException as error:
        own = _cut(error.__traceback__)
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, own
        sys.excepthook(type(error), error.with_traceback(own), own)
    _interact(vars(sys.modules["__main__"]), "")


def _interact(names: dict[str, Any], banner: str | None) -> None:
    """Take lines from standard input; a banner of None is the usual one."""
    import code  # only here: it is for programs that go on by hand

    class Console(code.InteractiveConsole):
        def raw_input(self, prompt: str = "") -> str:
            """Return a line of standard input; EOFError at its end."""
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
