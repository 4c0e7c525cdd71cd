"""The architecture of docs/architecture.md, held by reading the sources: layers, cycles, sizes, names."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A module imports from its own layer and from lower ones. The longest name that fits decides.
LAYERS = {
    0: (
        *(
            "arguments",
            "bounded",
            "caller",
            "errors",
            "limits",
            "missing",
            "other_modules",
            "program",
            "status",
            "timeouts",
            "timings",
        ),
        "version",
    ),
    1: ("message", "tracing"),
    2: ("exchange",),
    3: ("stream",),
    4: (
        "connection",
        "debug",
        "https",
        "local_response",
        "recording",
        "response",
        "routes",
        "transport",
        "wire",
        "wrapped_response",
    ),
    5: ("pool",),
    6: ("cache", "client", "politeness"),
    7: ("__init__", "__main__", "blocking", "cli", "compat", "contrib", "crawl", "pytest_plugin", "runner", "testing"),
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names}
HIGHEST_FOR_COMPAT = 4
HIGHEST_WITHOUT_LOOP = 2
LOOPS = {"asyncio", "uvloop", "winloop", "aiofiles", "aiohappyeyeballs"}

VAGUE_NAMES = {"utils", "helpers", "common", "types"}
FILE_LINES = 600
FUNCTION_LINES = 60
MANY_FILE_LINES = 500
# The files that may have more lines than that: divide a file by meaning before it gets so long.
FILES_WITH_MANY_LINES: set[str] = set()
MOST_ATTRIBUTES = {
    ("asyncclient.stream.aio", "AioStream"): 16,
    ("asyncclient.wire", "Wire"): 8,
    ("asyncclient.client.transfer", "Transfer"): 9,
}

SLOW_TO_IMPORT = {"http.client", "email", "aiofiles", "aiohappyeyeballs", "idna", "uvloop", "urllib.request"}

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in ("asyncclient", "compat")
    for path in sorted((ROOT / package).rglob("*.py"))
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def imported_names(module: str) -> Iterator[str]:
    """Each dotted name that the module imports, wherever it does so; relative ones made absolute."""
    for node in ast.walk(tree_of(FILES[module])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            yield from (".".join([*package, *filter(None, [node.module]), alias.name]) for alias in node.names)


def module_named(name: str) -> str | None:
    """The module of the project that holds an imported name, if one does; a package is its __init__."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        prefix = ".".join(parts[:end])
        for module in (prefix, f"{prefix}.__init__"):
            if module in FILES:
                return module
    return None


def classes_of(module: str) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree_of(FILES[module])) if isinstance(node, ast.ClassDef)]


@cache
def imported_modules(module: str) -> frozenset[str]:
    return frozenset(filter(None, map(module_named, imported_names(module))))


def layer_of(module: str) -> int | None:
    parts = module.split(".")[1:]
    prefixes = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((LAYER_OF[prefix] for prefix in prefixes if prefix in LAYER_OF), None)


def may_import(importer: str, imported: str) -> bool:
    if is_compat(importer):
        # compat.Client is another name of the blocking client, imported on first use.
        is_door = importer == "compat.__init__" and imported.startswith("asyncclient.blocking.")
        return is_door or is_compat(imported) or (layer_of(imported) or 0) <= HIGHEST_FOR_COMPAT
    if is_compat(imported):
        return layer_of(importer) == max(LAYERS)
    return (layer_of(imported) or 0) <= (layer_of(importer) or 0)


def is_compat(module: str) -> bool:
    return module.startswith("compat.")


def modules_up_to(layer: int) -> list[str]:
    return [module for module in FILES if not is_compat(module) and (layer_of(module) or 0) <= layer]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without those of the docstring."""
    first = function.body[0]
    docstring = 0 if ast.get_docstring(function) is None else (first.end_lineno or 0) - first.lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module, path in FILES.items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


def attributes_of(module: str, name: str) -> set[str]:
    """Attributes of instances: slots, annotated names, all that methods assign to self; also of our base classes."""
    (found,) = (node for node in classes_of(module) if node.name == name)
    bases = {base.id for base in found.bases if isinstance(base, ast.Name)}
    names = {
        attribute
        for home in {module, *imported_modules(module)}
        for base in bases & {node.name for node in classes_of(home)}
        for attribute in attributes_of(home, base)
    }
    names |= {
        node.target.id for node in found.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for node in ast.walk(found):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            names.add(node.attr)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            names.update(ast.literal_eval(node.value))
    return names


def texts() -> Iterator[Path]:
    """Files that git tracks or would track; all of them in an unpacked sdist."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        paths = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [str(path) for path in paths if not any(part.startswith((".", "_")) for part in path.parts)]
    return (ROOT / name for name in names if (ROOT / name).is_file())


def test_every_module_is_in_a_layer() -> None:
    homeless = [module for module in FILES if not is_compat(module) and layer_of(module) is None]
    assert not homeless, f"in no layer: {homeless}; add them to LAYERS here and to docs/architecture.md"


def test_modules_import_from_their_own_layer_and_lower_ones() -> None:
    upwards = [
        f"{importer} (layer {layer_of(importer)}) imports {imported} (layer {layer_of(imported)})"
        for importer in FILES
        for imported in sorted(imported_modules(importer))
        if not may_import(importer, imported)
    ]
    assert not upwards, "\n".join(upwards)


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {module: imported_modules(module) - {module} for module in FILES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"imports in a circle: {' <- '.join(error.args[1])}")


def test_no_loop_below_the_asyncio_streams() -> None:
    guilty = {
        module: found
        for module in modules_up_to(HIGHEST_WITHOUT_LOOP)
        if (found := LOOPS & {name.split(".")[0] for name in imported_names(module)})
    }
    assert not guilty


def test_messages_are_pure() -> None:
    guilty = [
        f"{module}:{function.lineno} {function.name}"
        for module, function in functions()
        if module.startswith("asyncclient.message.") and isinstance(function, ast.AsyncFunctionDef)
    ]
    assert not guilty, f"coroutines in message/: {guilty}"


def test_exchange_needs_nothing_of_stream() -> None:
    found = {module: imported_modules(module) for module in FILES if module.startswith("asyncclient.exchange.")}
    assert found
    assert not {
        module: imported
        for module, modules in found.items()
        for imported in modules
        if imported.startswith("asyncclient.stream.")
    }


def test_compat_imports_nothing_of_the_client_but_for_one_door() -> None:
    of_client = ("asyncclient.client.", "asyncclient.blocking.")
    doors = {
        (module, imported)
        for module in filter(is_compat, FILES)
        for imported in imported_modules(module)
        if imported.startswith(of_client)
    }
    assert {module for module, _ in doors} == {"compat.__init__"}
    assert not [imported for _, imported in doors if imported.startswith("asyncclient.client.")]


def test_files_are_short() -> None:
    counts = {module: len(path.read_bytes().splitlines()) for module, path in FILES.items()}
    assert not {module: lines for module, lines in counts.items() if lines > FILE_LINES}
    assert {module for module, lines in counts.items() if lines > MANY_FILE_LINES} <= FILES_WITH_MANY_LINES


@pytest.mark.parametrize(("module", "name"), MOST_ATTRIBUTES)
def test_central_objects_have_few_attributes(module: str, name: str) -> None:
    attributes = attributes_of(module, name)
    assert 4 < len(attributes) <= MOST_ATTRIBUTES[module, name], sorted(attributes)


def test_functions_are_short() -> None:
    lengths = {f"{module}:{function.lineno} {function.name}": length(function) for module, function in functions()}
    assert not {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES}


def test_modules_have_no_vague_names() -> None:
    paths = [path for folder in ("asyncclient", "compat", "tests") for path in (ROOT / folder).rglob("*.py")]
    vague = [
        path for path in paths if VAGUE_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]
    assert not vague


def test_no_text_contains_a_path_of_a_developers_machine() -> None:
    machine_path = re.compile(rb"(?<![\w.-])/(?:root|work)/")
    guilty = [path.relative_to(ROOT) for path in texts() if machine_path.search(path.read_bytes())]
    assert not guilty


def test_decisions_have_ascending_numbers_and_exist_where_the_code_refers_to_them() -> None:
    page = (ROOT / "docs" / "decisions.md").read_text()
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. .+ \(\d{4}-\d\d\)$", page, re.MULTILINE)]
    assert len(numbers) == page.count("\n## ")
    assert numbers == sorted(set(numbers))
    sources = [*(ROOT / "asyncclient").rglob("*.py"), *(ROOT / "compat").rglob("*.py"), *(ROOT / "docs").glob("*.*")]
    for path in sources:
        named = {int(number) for number in re.findall(r"\(decisions? (\d+)\)", path.read_text())}
        assert named <= {*numbers, 12} if path.name == "decisions.md" else named <= set(numbers), path


def test_importing_asyncclient_imports_nothing_slow() -> None:
    code = "import sys; before = set(sys.modules); import asyncclient; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not SLOW_TO_IMPORT & set(result.stdout.split())


def test_the_transfer_knows_nothing_below_the_seam() -> None:
    above = ("asyncclient.client.", "asyncclient.message.", "asyncclient.tracing.")
    below = [
        module
        for module in imported_modules("asyncclient.client.transfer")
        if not module.startswith(above) and layer_of(module) != 0 and module != "asyncclient.transport"
    ]
    assert not below, f"transfer imports {below}; it may know a Transport, and no connection"
