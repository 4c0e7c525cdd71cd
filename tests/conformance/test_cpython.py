"""The interpreter's own tests, as they are installed: what passes on http.client passes with compat in its place."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.replacement import COMPAT, STANDARD
from tests.conformance.runs import run_on_both, worse_tests

PATIENCE = 150.0  # seconds for one module, which takes one to four
COMMAND = [sys.executable, "-P", str(Path(__file__).with_name("cpython_run.py"))]

MODULES = {
    name: [f"test.{name}"]
    for name in (
        "test_httplib",
        "test_urllib",
        "test_urllib2",
        "test_urllib2_localnet",
        "test_xmlrpc",
        "test_docxmlrpc",
        "test_httpservers",
        "test_robotparser",
        "test_http_cookiejar",
        "test_wsgiref",
    )
}
# Of two long modules only the tests that use http.client.
MODULES["test_logging"] = ["test.test_logging.HTTPHandlerTest"]
MODULES["test_ssl"] = ["test.test_ssl.ThreadedTests.test_socketserver", "test.test_ssl.TestPreHandshakeClose"]

WITHOUT_CLIENT = {"test_http_cookiejar"}  # it imports http.client for one constant


@pytest.mark.timeout(2 * PATIENCE + 30)
@pytest.mark.parametrize("module", MODULES)
def test_cpythons_tests_pass_on_compat_if_they_pass_on_http_client(
    module: str, tmp_path: Path, report_line: Callable[[str], None]
) -> None:
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(f"test.{module}") is None:
        pytest.skip(f"this Python comes without test.{module}; some distributions put it into a package of its own")
    standard, compat = run_on_both(COMMAND, MODULES[module], tmp_path, PATIENCE)
    connections, responses = compat.objects(COMPAT)
    report_line(f"{module:22}{standard}  | {compat} {connections:5} connections {responses:4} responses")

    assert standard.passed(), f"nothing passed on http.client: {standard.last_words}"
    assert not standard.last_words
    worse = [compat.describe(test) for test in worse_tests(standard, compat)]
    assert not worse, "\n".join([f"{len(worse)} tests pass on http.client only:", *worse, compat.last_words])
    assert not compat.last_words

    assert compat.objects(STANDARD) == [0, 0], "objects of the classes that were to be replaced"
    assert all(compat.objects(COMPAT)) == all(standard.objects(STANDARD)) == (module not in WITHOUT_CLIENT)
