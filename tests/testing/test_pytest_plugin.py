"""The plugin for pytest, run on tests of its own: fixtures, the network that is shut off, and the check for leaks."""

import re
import subprocess
import sys
from importlib import import_module

import pytest

import asyncclient
import compat
from tests.servers import ROOT

PLUGIN = "asyncclient.pytest_plugin"


@pytest.fixture(params=["auto", "strict"])
def mode(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


def run(
    pytester: pytest.Pytester, source: str, *options: str, mode: str = "auto", in_process: bool = True
) -> pytest.RunResult:
    """Run tests of a module; in strict mode its coroutines are marked. Tests that leave something get a process."""
    head = "import asyncclient, asyncio, os, socket, pytest\nfrom asyncclient import Client\n"
    mark = "pytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = ignore\n")
    pytester.makepyfile(head + mark + source)
    pytester.makeconftest("from asyncclient.testing import leaks\nleaks.PATIENCE = 0.1" if not in_process else "")
    start = pytester.runpytest_inprocess if in_process else pytester.runpytest_subprocess
    return start("-p", PLUGIN, f"--asyncio-mode={mode}", "-p", "no:cacheprovider", *options)


@pytest.fixture(autouse=True)
def package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the client first: pytester unloads what its tests load, and would load parts of a package twice."""
    import_module("asyncclient.client.client")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


# Fixtures


def test_requests_of_all_clients_are_answered_by_the_mock(pytester: pytest.Pytester, mode: str) -> None:
    source = """
async def test_a_client_of_its_own(asyncclient_mock):
    asyncclient_mock.get("https://api.example.com/").respond(json=[1])
    async with Client() as client:
        assert (await client.get("https://api.example.com/")).json() == [1]

async def test_the_client_of_the_plugin(asyncclient_mock, asyncclient_client):
    asyncclient_mock.get("https://api.example.com/").respond(text="a")
    assert (await asyncclient_client.get("https://api.example.com/")).text == "a"

async def test_a_route_that_is_not_called(asyncclient_mock):
    asyncclient_mock.get("https://api.example.com/")

@pytest.mark.asyncclient_mock(assert_all_called=False)
async def test_a_route_that_need_not_be_called(asyncclient_mock):
    asyncclient_mock.get("https://api.example.com/")

async def test_a_request_that_is_hidden(asyncclient_mock, asyncclient_client):
    try:
        await asyncclient_client.get("https://api.example.com/hidden")
    except Exception:
        pass
    except AssertionError:
        pass
"""
    result = run(pytester, source, mode=mode)
    result.assert_outcomes(passed=5, errors=2)
    result.stdout.fnmatch_lines(["*GET 'https://api.example.com/' was called 0 times*", "*matched no route*"])


def test_a_failure_is_not_hidden_by_routes_that_were_not_called(pytester: pytest.Pytester) -> None:
    source = """
def test_fails(asyncclient_mock):
    asyncclient_mock.get("https://api.example.com/")
    assert False
"""
    run(pytester, source).assert_outcomes(failed=1)


def test_the_server_sends_responses_or_runs_a_handler(pytester: pytest.Pytester, mode: str) -> None:
    source = """
from asyncclient.testing import RawConnection, build_response

async def test_responses(asyncclient_server, asyncclient_client):
    server = asyncclient_server(build_response(text="a"), b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    assert (await asyncclient_client.get(server.url)).text == "a"
    assert (await asyncclient_client.get(server.url)).status == 204

async def test_handler(asyncclient_server, asyncclient_client):
    server = asyncclient_server(RawConnection.reset)
    with pytest.raises(ConnectionError):
        await asyncclient_client.get(server.url)
"""
    run(pytester, source, "--check-leaks", mode=mode).assert_outcomes(passed=2)


# Network


def test_the_network_is_disabled_by_the_option_and_by_the_marker(pytester: pytest.Pytester, mode: str) -> None:
    source = """
from asyncclient.testing import NetworkDisabled

async def test_client(asyncclient_client, asyncclient_server):
    for host in ("192.0.2.1", "host.example"):
        with pytest.raises(Exception, match=f"connection to '{host}' refused: .* disabled in this test; use a mock"):
            await asyncclient_client.get(f"http://{host}/")
    server = asyncclient_server(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    assert (await asyncclient_client.get(server.url)).status == 204

def test_client_on_uvloop():
    async def main():
        async with Client() as client:
            for host in ("192.0.2.1", "host.example"):
                with pytest.raises(Exception, match=f"connection to '{host}' refused: the network is disabled"):
                    await client.get(f"http://{host}/")
    asyncclient.run(main())

async def test_other_libraries():
    import urllib.request
    with pytest.raises(NetworkDisabled):
        urllib.request.urlopen("http://192.0.2.1/")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(NetworkDisabled):
        sock.sendto(b"", ("192.0.2.1", 53))
    assert socket.getaddrinfo("localhost", 80)

@pytest.mark.enable_network
async def test_enabled():
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex(("192.0.2.1", 80))
"""
    run(pytester, source, "--disable-network", mode=mode).assert_outcomes(passed=4)
    marked = re.sub(r"^(?=(async )?def test)", "@pytest.mark.disable_network\n", source, flags=re.MULTILINE)
    marked = marked.replace("@pytest.mark.enable_network\n@pytest.mark.disable_network\n", "")
    run(pytester, marked, mode=mode).assert_outcomes(passed=4)


# Leaks


def test_leaks_of_a_test_are_found(pytester: pytest.Pytester, mode: str) -> None:
    source = """
left = []

async def test_task():
    left.append(asyncio.create_task(asyncio.sleep(60)))

@pytest.fixture(scope="module")
def server():
    from asyncclient.testing import RawServer
    with RawServer.replying(b"HTTP/1.1 204 No Content\\r\\n\\r\\n") as server:
        yield server

async def test_connection(server):
    client = Client()
    left.append(client)
    await client.get(server.url)

async def test_file(tmp_path):
    left.append(open(tmp_path / "left.txt", "w"))

async def test_clean(asyncclient_client, asyncclient_server):
    await asyncclient_client.get(asyncclient_server(b"HTTP/1.1 204 No Content\\r\\n\\r\\n").url)

async def test_failed():
    left.append(asyncio.create_task(asyncio.sleep(60)))
    assert False
"""
    result = run(pytester, source, "--check-leaks", mode=mode, in_process=False)
    result.assert_outcomes(passed=4, failed=1, errors=3)
    result.stdout.fnmatch_lines(
        ["*left by the test: <Task pending*sleep*", "*connection to ('127.0.0.1', *", "*file */left.txt*"]
    )


def test_blocking_tests_are_checked_and_the_marker_checks_one_test(pytester: pytest.Pytester) -> None:
    source = """
left = []

@pytest.mark.check_leaks
def test_socket():
    left.append(socket.socket())

def test_unchecked():
    left.append(socket.socket())
"""
    result = run(pytester, source, in_process=False)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*left by the test: socket*"])


# Imports


def test_pytest_does_not_warn_if_the_packages_are_imported_before_it() -> None:
    assert all("PYTEST_DONT_REWRITE" in (package.__doc__ or "") for package in (asyncclient, compat))


def test_the_plugin_imports_nothing_of_the_client_when_it_is_not_used() -> None:
    code = f"""
import sys, pytest, pytest_asyncio
import {PLUGIN}
print(*sorted(name for name in sys.modules if name.startswith("asyncclient.")))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = result.stdout.split()
    assert PLUGIN in loaded
    assert not [
        name for name in loaded if name.startswith(("asyncclient.client", "asyncclient.testing", "asyncclient.pool"))
    ]
