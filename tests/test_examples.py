"""The examples do what they say, README and documentation show them as they are, and the command does its main job."""

import ast
import asyncio
import doctest
import hashlib
import importlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

import asyncclient
import compat
from asyncclient import testing
from asyncclient.testing import DemoServer, RawConnection, RawServer
from examples import (
    blocking_client,
    blocking_tunnel,
    client_cookies,
    client_download,
    client_errors,
    client_fingerprint,
    client_form,
    client_proxy,
    client_proxy_chain,
    client_unix_socket,
    connection_download,
    connection_errors,
    connection_tls,
    connection_tunnel,
    connection_unix_socket,
    connection_upgrade,
    connection_upload,
    server,
    websocket_messages,
)
from tests.durations import FOREVER
from tests.servers import HOST, ROOT, App, Certificates, ConnectProxy, ProxyPy

Capture = pytest.CaptureFixture[str]

README = (ROOT / "README.md").read_text()
PAGES = {page.name: page.read_text() for page in (ROOT / "docs").iterdir() if page.suffix in (".md", ".rst")}
EXAMPLES = {path.stem: path.read_text() for path in (ROOT / "examples").glob("*.py")}
NO_PROXIES = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
ENVIRONMENT = NO_PROXIES | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
TIMEOUT = FOREVER

GRANTED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n"
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
UNKNOWN_CODING = b"HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 2\r\n\r\nok"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Patterns of the output of each example against the demo server.
PRINTED = {
    "connection_interim_and_trailers": (
        r"103 Early Hints </style.css>; rel=preload; as=style\n"
        r"100000 Content-Digest: sha-256=:.*:\nTrue <Timings sent=.* first_byte=.* done=.*>\n"
    ),
    "connection_concurrency": r"4950 bytes\n",
    "connection_bodies": r"200 15\n200 262144\n413 .* b'413 .*'\nTrue\n",
    "connection_cancellation": r"<HTTPConnection .* closed, idle \(an exchange failed, .*\)>\n200 OK\n",
    "connection_debug": r"send: b'GET /status/204 .*'\nreply: 'HTTP/1.1 204 No Content\\r\\n'\n(header: .*: .*\n)+",
    "connection_expect_continue": r"\[100\] 200\n",
    "connection_get": (
        r"200 OK\nb'\{.*\}\\n'\n300 bytes\n300 bytes\n300 bytes\n100 bytes\n"
        r"404 Not Found\nb'not found\\n'\n"
    ),
    "connection_head": r"200 OK 1000\nTrue\n",
    "connection_limits": r"got more than 3 header fields\n",
    "connection_post": (
        r'200 OK\n\{\n "method": "POST",(?s:.*)"application/x-www-form-urlencoded"(?s:.*)"length": 44\n\}\n\n'
    ),
    "connection_put": r"200 OK\n",
    "connection_reading": (
        r"application/json none\napplication/json\nb'\{'\nb'\{\\n'\nb' \"server.*'\nb'\}\\n'\n"
        r"100000\nat least one byte: True\n"
    ),
    "connection_step_by_step": r'200 \{(?s:.*)"length": 12\n\}\n\n',
    "connection_timeouts": r"no response from 127\.0\.0\.1:\d+ in 0\.1 s\n",
}
# The same of those that use the client; they are given the server's URL.
PRINTED_CLIENT = {
    "cancellation": (
        r"200 True 0\nthe body is closed\nthe upload was cancelled; 0 in use\n200\nfiles: \[\]\n"
        r"<Client <Pool 0 active, 0 idle, 0 connecting, 0 waiting>>\n"
    ),
    "cache": r"True\nTrue\nCacheStats\(hits=1, confirmed=1, stale=0, misses=1, stored=1\)\n504\n",
    "client_authentication": r"\{'user': 'ada'\}\n401\n200\n64\n\{'user': 'ada'\}\n\{'user': 'ada'\}\n",
    "client_bodies": (
        r"200 5\n200 4\n200 15\n200 24\n"
        r"body was read already, and async_generator can be read only once: give a function that .* \(PUT .*\)\n"
        r"413 PUT\n"
    ),
    "client_decoding": r"gzip 59\n1032\n59\n(content is larger than 65536 bytes \(GET .*\)\n){2}",
    "client_cancellation": (
        r"0\.1 s\n<Client <Pool 1 active, 1 idle, 0 connecting, 0 waiting>>\n"
        r"True <Client <Pool 0 active, 1 idle, 0 connecting, 0 waiting>>\n200\n"
    ),
    "client_get": (r"200 OK application/json\n\d{3} /echo\?q=a%20b&page=1&page=2\nexample\n404 False not found\n"),
    "client_options": r"\{'server': 'asyncclient demo'\}\n",
    "client_json": r"31 bytes of JSON\n404 status 404\n",
    "client_concurrency": r"499500 bytes\n990 on a reused connection\n10 idle connections\n",
    "client_redirects": r"\[301, 302\] 200\n/json\nGET 0\nPOST 3\n302 /json\nmore than 5 redirects \(GET .*\) 5\n",
    "client_resolver": r"demo\.test\n",
    "client_retries": r"200 open\n",
    "client_streaming": r"1000000 Content-Digest: sha-256=:.*:\nline 0\nline 1\n",
    "client_timeouts": (
        r"no response from 127\.0\.0\.1:\d+ in 0\.3 s \(GET .*/delay/3\)\n"
        r"no complete response from 127\.0\.0\.1:\d+ in 0\.2 s \(GET .*/delay/3\)\n"
    ),
    "client_transport": r"hello, ada\nGET /echo 200\nTrue\n",
    "observability_metrics": r"GET 302 0\nGET 200 1\n1\n",
    "observability_waterfall": r"(GET http.* +\d+\.\d ms\n){5}· queued .*\nTrue\n",
    "observability_logging": (
        r"INFO GET .*/bytes/100 200 OK, 100 bytes in \d\.\d+ s, after 1 redirect\n"
        r"(DEBUG .*\n)+INFO GET .*\n(DEBUG .*\n)*"
    ),
    "client_tracing": (
        r"attempt 1 GET\nconnected: True\nagain: redirect after status 302\nattempt 2 GET\nended: 200, 100 bytes\n"
        r"attempt 1 GET\nagain: redirect after status 302\nattempt 2 GET\nfailed: TotalTimeout\n"
        r"no complete response from .* in 0\.3 s \(GET .*\)\n"
    ),
    "crawl_archive": (
        r"warcinfo None\nresponse 200 OK\nrequest /bytes/100 HTTP/1.1\n"
        r"response 302 Found\nrequest /redirect/302/gzip HTTP/1.1\nresponse 200 OK\nrequest /gzip HTTP/1.1\n"
        r"revisit 200 OK\nrequest /bytes/100 HTTP/1.1\n"
    ),
    "crawl": r"50 pages, 0 errors\n",
    "event_streams": r"(count \d: line \d\n){7}7\n1\n2\n",
    "first_request": r"200 application/json\nGET\n14 bytes\n",
    "middlewares_coalescing": r"100 \{'0\.1 s\\n'\}\n1 connection\n",
    "middlewares_correlation": r"a-[12]\na-[12]\n",
    "middlewares_signing": r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\nTrue\n",
    "middlewares_tokens": r"\{200\} \['expired', 'valid'\]\n",
    "polite": r"190 bytes\n",
    "uploads": r"(\d+ of 850000 bytes\n){3}850000 of 850000 bytes\ngzip True\n10\n99990\n",
    "typed_client": (
        r"1 True <Cookie 'a' for 'example.com' '/'>\n5 clients\n200 POST\n(?s:.*)\[200, 200(, 401){4}\]\n"
        r"201\n5 True\n0 2\n"
    ),
}
# The same of those that run as commands only.
PRINTED_COMMANDS = {
    "crawl_cluster": (
        r"(200 \d+ text/html .*/\n|200 100 application/octet-stream .*\n|404 .* 404 Not Found\n){3}3 pages\n"
    ),
}
# The same of those without asyncio; as commands only, for one of them replaces http.client.
PRINTED_BLOCKING = {
    "blocking_connection": r'200 OK\nb\'\{.*\}\\n\'\n200 OK\n\{\n "method": "POST",(?s:.*)"length": 44\n\}\n\n',
    "blocking_files": r"line 0\nline 1\nline 2\n\d+\n100000\n",
    "blocking_threads": r"4950 bytes\n10 bytes\n20 bytes\n1 thread\n",
    "blocking_upload": r"413 413 .*\nTrue\n200 hinted\n100000\nsha-256=:.*:\n",
    "blocking_install": r"True\n200 b'\{.*\}\\n'\n200 b'hinted\\n'\nFalse\n",
    "blocking_unchanged_script": (
        r"200 OK 34\n204 No Content 0\n200 OK 1000\nHTTP Error 404: Not Found b'not found\\n'\n"
    ),
}
# Examples that are tests themselves.
RUN_BY_PYTEST = sorted(name for name in EXAMPLES if name.startswith("testing_"))
NEED_MORE = (
    blocking_client,
    blocking_tunnel,
    client_cookies,
    client_download,
    client_errors,
    client_fingerprint,
    client_form,
    client_proxy,
    client_proxy_chain,
    client_unix_socket,
    connection_download,
    connection_errors,
    connection_tls,
    connection_tunnel,
    connection_unix_socket,
    connection_upgrade,
    connection_upload,
    server,
    websocket_messages,
)


@pytest.fixture
async def demo() -> AsyncIterator[tuple[str, int]]:
    """Host and port of a demo server."""
    async with DemoServer() as started:
        yield address(started.url)


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def run(*arguments: str | Path, stdin: str = "", timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, timeout=timeout
    )


# Examples


def test_every_example_is_run_here() -> None:
    needing_more = {module.__name__.removeprefix("examples.") for module in NEED_MORE}
    assert EXAMPLES.keys() == {
        *PRINTED,
        *PRINTED_CLIENT,
        *PRINTED_COMMANDS,
        *PRINTED_BLOCKING,
        *RUN_BY_PYTEST,
        *needing_more,
    }


@pytest.mark.parametrize("name", PRINTED)
async def test_example(name: str, demo: tuple[str, int], capsys: Capture) -> None:
    await importlib.import_module(f"examples.{name}").main(*demo)
    assert re.fullmatch(PRINTED[name], capsys.readouterr().out)


@pytest.mark.parametrize("name", PRINTED_CLIENT)
async def test_example_of_the_client(name: str, demo: tuple[str, int], capsys: Capture) -> None:
    await importlib.import_module(f"examples.{name}").main(f"http://{demo[0]}:{demo[1]}")
    assert re.fullmatch(PRINTED_CLIENT[name], capsys.readouterr().out)


# Runs a command for each line of its input, all in one process: starting Python takes longer than most examples.
RUN_COMMANDS = """
import gc, runpy, sys
for line in sys.stdin:
    name, *sys.argv[1:] = line.split()
    sys.argv[0] = f"examples/{name}.py"
    print("==", name, flush=True)
    print("==", name, file=sys.stderr, flush=True)
    runpy.run_path(sys.argv[0], run_name="__main__")
    gc.collect()
"""


def run_commands(*commands: tuple[str, ...]) -> dict[str, str]:
    """Run examples as commands; return what each of them has printed. They must print nothing on stderr."""
    lines = "".join(" ".join(command) + "\n" for command in commands)
    result = run("-c", RUN_COMMANDS, stdin=lines, timeout=5 * TIMEOUT)
    assert (result.returncode, result.stderr) == (0, "".join(f"== {name}\n" for name, *_ in commands))
    parts = [part.partition("\n") for part in ("\n" + result.stdout.removesuffix("\n")).split("\n== ")[1:]]
    return {name: printed + "\n" for name, _, printed in parts}


@pytest.mark.timeout(6 * TIMEOUT)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_examples_are_commands(demo: tuple[str, int]) -> None:
    commands = [(name, f"http://{demo[0]}:{demo[1]}") for name in PRINTED_CLIENT]
    commands += [(name, f"{demo[0]}:{demo[1]}") for name in PRINTED]
    printed = await asyncio.to_thread(run_commands, *commands)
    patterns = PRINTED_CLIENT | PRINTED
    assert [name for name in patterns if not re.fullmatch(patterns[name], printed[name])] == []


@pytest.mark.full
@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("name", PRINTED_CLIENT)
async def test_example_of_the_client_is_a_command(name: str, demo: tuple[str, int]) -> None:
    result = await asyncio.to_thread(run, f"examples/{name}.py", f"http://{demo[0]}:{demo[1]}")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(PRINTED_CLIENT[name], result.stdout)


@pytest.mark.full
@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("name", PRINTED)
async def test_example_is_a_command(name: str, demo: tuple[str, int]) -> None:
    result = await asyncio.to_thread(run, f"examples/{name}.py", f"{demo[0]}:{demo[1]}")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(PRINTED[name], result.stdout)


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_examples_with_a_file_are_commands(demo: tuple[str, int], tmp_path: Path) -> None:
    where, path = f"{demo[0]}:{demo[1]}", tmp_path / "downloaded"
    results = [
        await asyncio.to_thread(run, f"examples/{name}.py", where, path)
        for name in ("connection_download", "connection_upload")
    ]
    for name in ("client_cookies", "client_download", "client_form"):
        results.append(await asyncio.to_thread(run, f"examples/{name}.py", f"http://{where}", path))
    assert [result.stderr for result in results if result.returncode or result.stderr] == []


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_the_example_of_errors_is_a_command(demo: tuple[str, int]) -> None:
    result = await asyncio.to_thread(run, "examples/client_errors.py", f"http://{demo[0]}:{demo[1]}")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("name", PRINTED_BLOCKING)
async def test_blocking_example(name: str, demo: tuple[str, int]) -> None:
    result = await asyncio.to_thread(run, f"examples/{name}.py", f"{demo[0]}:{demo[1]}")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(PRINTED_BLOCKING[name], result.stdout)


async def test_crawl_over_two_processes(demo: tuple[str, int]) -> None:
    urls = [f"http://{demo[0]}:{demo[1]}/{target}" for target in ("", "bytes/100", "status/404")]
    result = await asyncio.to_thread(run, "examples/crawl_cluster.py", *urls)
    # dask logs a warning when a busy machine ends its processes slowly.
    errors = [line for line in result.stderr.splitlines() if " - distributed.nanny - WARNING" not in line]
    assert (result.returncode, errors) == (0, [])
    assert re.fullmatch(PRINTED_COMMANDS["crawl_cluster"], result.stdout)


def test_examples_that_are_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    paths = [f"examples/{name}.py" for name in RUN_BY_PYTEST]
    plugins = ("-p", "no:cacheprovider", "-p", "asyncclient.pytest_plugin")
    result = run("-m", "pytest", "-q", "-c", tmp_path / "pytest.ini", *plugins, *paths)
    assert result.returncode == 0, result.stdout


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_script_unchanged_on_compat(demo: tuple[str, int]) -> None:
    result = await asyncio.to_thread(
        run, "-m", "compat", "examples/blocking_unchanged_script.py", f"{demo[0]}:{demo[1]}"
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(PRINTED_BLOCKING["blocking_unchanged_script"], result.stdout)


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_blocking_tunnel(connect_proxy: Callable[..., ConnectProxy], tls: Certificates, tls_file: Path) -> None:
    proxy = connect_proxy(answer=b"HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n")
    async with DemoServer(tls.server_context()) as origin:
        target = f"localhost:{address(origin.url)[1]}"
        where = f"{proxy.host}:{proxy.port}"
        result = await asyncio.to_thread(run, "examples/blocking_tunnel.py", where, target, f"--cafile={tls_file}")
    assert (result.stdout, result.stderr) == ("200 OK\n[('Via', '1.1 proxy')]\n", "")
    assert [head.split(b"\r\n")[0] for head in proxy.requests] == [f"CONNECT {target} HTTP/1.1".encode()]


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_blocking_client(demo: tuple[str, int]) -> None:
    result = await asyncio.to_thread(run, "examples/blocking_client.py", f"http://{demo[0]}:{demo[1]}")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "200 gzip True\n['line 0', 'line 1', 'line 2']\n4950 bytes\n"


async def test_cookies_of_the_client(demo: tuple[str, int], tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "cookies.txt"
    await client_cookies.main(f"http://{demo[0]}:{demo[1]}", path)
    all_cookies = {"session": "s3cret", "everywhere": "yes", "once": "1"}
    sent, kept, sent_later = capsys.readouterr().out.splitlines()
    assert ast.literal_eval(sent) == all_cookies
    assert kept == "s3cret"
    assert ast.literal_eval(sent_later) == {"session": "s3cret"}
    assert path.read_text() == f"# Netscape HTTP Cookie File\n#HttpOnly_{HOST}\tFALSE\t/\tFALSE\t0\tsession\ts3cret\n"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_download_of_the_client(demo: tuple[str, int], tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "downloaded"
    await client_download.main(f"http://{demo[0]}:{demo[1]}", path)
    assert path.stat().st_size == 10_000_000
    assert [file.name for file in tmp_path.iterdir()] == ["downloaded"]
    assert capsys.readouterr().out == "200 application/octet-stream 10000000\nTrue\n"


async def test_download_of_the_client_goes_on(demo: tuple[str, int], tmp_path: Path, capsys: Capture) -> None:
    url, path = f"http://{demo[0]}:{demo[1]}", tmp_path / "downloaded"

    def interrupt(size: int, total: int | None) -> None:
        assert size < 1_000_000, "enough"

    async with asyncclient.Client(base_url=url) as client:
        with pytest.raises(AssertionError, match="enough"):
            await client.download("/bytes/10000000", path, resume=True, progress=interrupt)
    await client_download.main(url, path)
    assert path.read_bytes() == (bytes(range(256)) * 39063)[:10_000_000]
    assert capsys.readouterr().out == "206 application/octet-stream 10000000\nTrue\n"


async def test_form_of_the_client(demo: tuple[str, int], tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(bytes(100_000))
    await client_form.main(f"http://{demo[0]}:{demo[1]}", path)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "application/x-www-form-urlencoded 20"
    kind, _, length = second.rpartition(" ")
    assert kind == "multipart/form-data; boundary"
    assert 100_300 < int(length) < 100_600


async def test_websocket(app: App, capsys: Capture) -> None:
    await websocket_messages.main(f"{app.url}/any".replace("http", "ws"))
    assert capsys.readouterr().out == "hello b'\\x01\\x02'\nTrue\n4000 as you wish\n"


async def test_proxy_of_the_client(proxy_py: ProxyPy, demo: tuple[str, int], capsys: Capture) -> None:
    await client_proxy.main(f"http://{demo[0]}:{demo[1]}/json", proxy_py.url)
    assert capsys.readouterr().out == "200\n200\n"


async def test_chain_of_proxies_of_the_client(
    connect_proxy: Callable[..., ConnectProxy], tls: Certificates, capsys: Capture
) -> None:
    one, two = connect_proxy(), connect_proxy(tls=tls.server_context(), credentials=("user", "password"))
    chain = [one.url, f"https://user:password@localhost:{two.port}"]
    async with DemoServer(tls.server_context()) as origin:
        await client_proxy_chain.main(origin.url, chain, tls.client_context())
    where = f"{HOST}:{address(origin.url)[1]} via {one.url}, https://localhost:{two.port}"
    assert capsys.readouterr().out == f"200 {where}\n"


async def test_proxy_of_the_client_that_refuses(
    connect_proxy: Callable[..., ConnectProxy], tls: Certificates, capsys: Capture
) -> None:
    proxy = connect_proxy(credentials=("user", "password"))
    async with DemoServer(tls.server_context()) as origin:
        with_credentials = f"http://user:password@{proxy.host}:{proxy.port}"
        await client_proxy.main(origin.url, with_credentials, tls.client_context())
        with pytest.raises(asyncclient.ProxyError, match="407"):
            await client_proxy.main(origin.url, proxy.url, tls.client_context())
    assert capsys.readouterr().out == "200\n200\n"


async def test_pinned_certificate(tls: Certificates, capsys: Capture) -> None:
    async with DemoServer(tls.self_signed_context()) as started:
        certificate = ssl.PEM_cert_to_DER_cert(
            await asyncio.to_thread(ssl.get_server_certificate, address(started.url), timeout=TIMEOUT)
        )
        await client_fingerprint.main(started.url, hashlib.sha256(certificate).hexdigest())
    pinned, refused = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"200 TLSv1\.3 TLS_\w+", pinned)
    assert refused == f"certificate of {HOST}:{address(started.url)[1]} is not the pinned one:"


@pytest.mark.parametrize(
    ("response", "printed"),
    [
        (OK, "<Response 200 OK 'http.*'>\n"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404\n"),
        (CUT_SHORT, r"IncompleteRead: IncompleteRead\(4 bytes read, 5 more expected\) \(GET .*\)\n"),
        (b"SSH-2.0-X\r\n", "BadStatusLine: invalid status line: .*\n"),
        (UNKNOWN_CODING, r"DecodingError: expected content codings among gzip, .*, got 'compress'.* \(GET .*\)\n"),
    ],
)
async def test_failures_of_the_client(response: bytes, printed: str, capsys: Capture) -> None:
    with RawServer.replying(response, then=RawConnection.close) as raw:
        await client_errors.main(raw.url)
    assert re.fullmatch(printed, capsys.readouterr().out)


async def test_failures_of_the_client_without_a_server(capsys: Capture) -> None:
    with socket.socket() as deaf:
        deaf.bind((HOST, 0))
        await client_errors.main(f"http://{HOST}:{deaf.getsockname()[1]}")
    await client_errors.main("ftp://example.com")
    assert capsys.readouterr().out == (
        "not connected: 1 addresses tried\ncan't be sent: expected an http or https URL, got 'ftp://example.com'\n"
    )


async def test_download_and_upload(demo: tuple[str, int], tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "downloaded"
    await connection_download.main(*demo, path)
    assert path.stat().st_size == 10_000_000
    assert path.read_bytes()[:512] == bytes(range(256)) * 2
    await connection_upload.main(*demo, path)
    assert re.fullmatch(
        r'200 application/octet-stream\n200 \{(?s:.*)"length": 10000000\n\}\n\n', capsys.readouterr().out
    )


async def test_tunnel(connect_proxy: Callable[..., ConnectProxy], tls: Certificates, capsys: Capture) -> None:
    proxy = connect_proxy()
    async with DemoServer(tls.server_context()) as origin:
        target = f"localhost:{address(origin.url)[1]}"
        await connection_tunnel.main(proxy.host, proxy.port, target, tls.client_context())
    assert capsys.readouterr().out == "200 OK\n"
    assert [head.split(b"\r\n")[0] for head in proxy.requests] == [f"CONNECT {target} HTTP/1.1".encode()]


async def test_tls(tls_file: Path, tls: Certificates, capsys: Capture) -> None:
    async with DemoServer(tls.server_context()) as started:
        await connection_tls.main(*address(started.url), str(tls_file))
    assert re.fullmatch(r"200 TLSv1\.3 TLS_\w+\n", capsys.readouterr().out)


@pytest.fixture
def tls_file(tls: Certificates, tmp_path: Path) -> Path:
    """The authority of the fixture `tls` in a file."""
    path = tmp_path / "authority.pem"
    path.write_bytes(tls.ca.cert_pem.bytes())
    return path


async def test_client_unix_socket(tmp_path: Path, capsys: Capture) -> None:
    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /version HTTP/1.1\r\nHost: docker\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"Version": "1"}')
        await reader.read()
        writer.close()

    path = str(tmp_path / "socket")
    async with await asyncio.start_unix_server(answer, path):
        await client_unix_socket.main(path)
    assert capsys.readouterr().out == "200 {'Version': '1'}\n"


async def test_unix_socket(tmp_path: Path, capsys: Capture) -> None:
    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nHost: localhost\r\n" in head
        writer.write(OK)
        await reader.read()
        writer.close()

    path = str(tmp_path / "s")
    async with await asyncio.start_unix_server(answer, path):
        await connection_unix_socket.main(path)
    assert capsys.readouterr().out == "200 b'ok'\n"


async def test_upgrade(demo: tuple[str, int], capsys: Capture) -> None:
    def shout(connection: RawConnection) -> None:
        connection.read_head()
        connection.send(GRANTED)
        connection.send(connection.read().upper())

    with RawServer(shout) as raw:
        await connection_upgrade.main(raw.host, raw.port)
    await connection_upgrade.main(*demo)
    assert capsys.readouterr().out == "101 b'HELLO\\n'\nno upgrade: 200 OK\n"


@pytest.mark.parametrize(
    ("response", "printed"),
    [
        (OK, "b'ok'\n"),
        (CUT_SHORT, "cut short: b'half', 5 more expected\n"),
        (b"SSH-2.0-X\r\n", r"BadStatusLine: invalid status line: 'SSH-2.0-X\r\n'" + "\n"),
    ],
)
async def test_failures(response: bytes, printed: str, capsys: Capture) -> None:
    with RawServer.replying(response, then=RawConnection.close) as raw:
        await connection_errors.main(raw.host, raw.port)
    assert capsys.readouterr().out == printed


async def test_failure_to_connect(capsys: Capture) -> None:
    with socket.socket() as deaf:
        deaf.bind((HOST, 0))
        await connection_errors.main(*deaf.getsockname())
    assert capsys.readouterr().out == "not connected: 1 addresses tried\n"


def test_server_for_trying_the_examples() -> None:
    command = [sys.executable, server.__file__]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            result = run("examples/connection_put.py", url.removeprefix("http://"))
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()
    assert (result.stdout, result.stderr) == ("200 OK\n", "")


def test_the_server_explains_its_options() -> None:
    assert "--port PORT" in run("examples/server.py", "--help").stdout


# The command


def test_demo_without_urls_fetches_from_servers_of_its_own() -> None:
    result = run("-m", "asyncclient", "demo")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"/json +200 +34 +[\d.]+ ms +[\d.]+ ms  reused\n", result.stdout)
    assert re.search(r"/gzip +200 +1,032 .* reused  \(coding gzip\)\n", result.stdout)
    assert re.search(r"/redirect/302/json +200 +34 .* reused  \(redirect 302\)\n", result.stdout)
    assert re.search(r"/early-hints .* reused TLSv1\.3  \(interim 103\)\n", result.stdout)
    assert "\n2,000 URLs at once, 8 connections to each server\n" in result.stdout
    assert re.search(r"\n2,000 responses, 0 failed, .*; 1,98\d on a reused connection\n", result.stdout)
    assert "\n<Client <Pool 0 active, 16 idle, 0 connecting, 0 waiting>>\n" in result.stdout
    assert re.search(r"\nurlopen /early-hints +200 OK +7 bytes\n", result.stdout)
    assert re.search(r"\n500 requests on one HTTPSConnection: 224,750 bytes in ", result.stdout)


def test_demo_with_urls(tls: Certificates, tls_file: Path) -> None:
    with RawServer.replying(OK, OK) as plain, RawServer.replying(OK, tls=tls.server_context()) as secure:
        urls = [f"{plain.url}/a", f"{plain.url}/b?c=d", f"{secure.url}/"]
        result = run("-m", "asyncclient", "demo", "--connections=1", f"--cafile={tls_file}", *urls)
    assert (result.returncode, result.stderr) == (0, "")
    heading, *rows = result.stdout.splitlines()[1:]
    assert heading.split() == ["URL", "status", "bytes", "first", "byte", "done", "connection"]
    assert [row.split()[:3] for row in rows] == [[url, "200", "2"] for url in urls]
    assert [row.split("ms  ")[-1] for row in rows] == ["new", "reused", "new TLSv1.3"]
    assert [head.split(b" ")[1] for head in plain.requests] == [b"/a", b"/b?c=d"]


def test_demo_prints_the_errors() -> None:
    with socket.socket() as deaf, RawServer.replying(OK) as raw:
        deaf.bind((HOST, 0))
        result = run("-m", "asyncclient", "demo", f"http://{HOST}:{deaf.getsockname()[1]}/", raw.url)
    assert (result.returncode, result.stderr) == (1, "")
    failed, well = result.stdout.splitlines()[2:]
    assert "ConnectError" in failed
    assert "failed  (no connection to" in failed
    assert " 200 " in well


# README and documentation


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README + PAGES["architecture.md"], re.DOTALL))
def test_readme_shows_the_examples_as_they_are(block: str) -> None:
    forms = [textwrap.indent(block, " " * spaces) for spaces in (0, 4, 8, 12)]
    assert any(form in text for form in forms for text in EXAMPLES.values())


@pytest.mark.parametrize(("name", "text"), [("README.md", README), *PAGES.items()])
def test_links_of_a_page_exist(name: str, text: str) -> None:
    assert {example for example in re.findall(r"examples/(\w+)\.py", text) if example not in EXAMPLES} == set()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    folder = ROOT / "docs" if name in PAGES else ROOT
    assert [link for link in links if not folder.joinpath(link).exists()] == []


@pytest.mark.parametrize("text", [README, *PAGES.values(), *EXAMPLES.values()])
def test_pages_name_the_distribution_asyncclient_http(text: str) -> None:
    assert not re.search(r"(install|add)[ `]+asyncclient(?!-http)", text)


def test_readme_is_short() -> None:
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("target", re.findall(r"`?make ([a-z]+)", README))
def test_targets_of_the_readme_exist(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_public_name_is_documented() -> None:
    reference = "".join(text for name, text in PAGES.items() if name.startswith("api_"))
    documented = re.findall(r"^\.\. (?:auto|py:)\w+:: (\w+)", reference, re.MULTILINE)
    names = {*asyncclient.__all__, *testing.__all__, *compat.__all__, *vars(compat.client)["__all__"]} - {"__version__"}
    assert not names - {*documented}


def test_every_module_has_its_place_in_the_architecture() -> None:
    source = ROOT / "asyncclient"
    paths = [path.relative_to(source).with_suffix("") for path in source.rglob("*.py") if path.name != "__init__.py"]
    layers = PAGES["architecture.md"].partition("\n## Layers\n")[2].partition("\n## ")[0]
    named = [
        f"{heading[1:-1] if heading.startswith('`') else ''}{module}"
        for heading, table in re.findall(r"^### (.*)\n((?:(?!###).*\n)*)", layers, re.MULTILINE)
        for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for module in re.findall(r"`(.+?)`", cell)
    ]
    packages = {"compat"}  # a folder with one module
    assert sorted(named) == sorted({path.as_posix() for path in paths} | packages)


def test_every_module_of_compat_has_its_place_in_the_architecture() -> None:
    modules = {path.stem for path in (ROOT / "compat").glob("*.py")} - {"__init__"}
    section = PAGES["architecture.md"].partition("\n## compat\n")[2].partition("\n## ")[0]
    assert modules == {*re.findall(r"(?:^- |\. |^  )`(\w+)`:", section, re.MULTILINE)}


def test_calls_that_the_architecture_names_exist() -> None:
    sources = "\n".join(path.read_text() for top in ("asyncclient", "compat") for path in (ROOT / top).rglob("*.py"))
    calls = {*re.findall(r"`(?:(\w+)\.)?(\w+)\([^`]*\)`", PAGES["architecture.md"])}
    names = {name for _, name in calls} | {owner for owner, _ in calls if owner[:1].isupper()}
    assert len(names) > 50
    unknown = {name for name in names if not re.search(rf"\b(?:def|class) {name}\b|self\.{name} = ", sources)}
    assert unknown == set()


def test_the_tree_of_errors_is_the_real_one() -> None:
    documented: dict[str, set[str]] = {}
    above: list[str] = []
    for branch, name, also in re.findall(r"^   ([│├└─ ]*)(\w+)(?: +also (\w+))?$", PAGES["errors.rst"], re.MULTILINE):
        above[len(branch) // 4 :] = [name]
        documented[name] = {*above[-2:-1], *filter(None, [also])}
    del documented["HTTPException"]
    for name, bases in documented.items():
        real = {base.__name__ for base in getattr(asyncclient, name).__bases__}
        assert real == bases or real == {"ConnectionResetError", *bases}, name
    errors = {name for name in asyncclient.__all__ if _is_error(getattr(asyncclient, name))}
    assert errors - {"error", "HTTPException"} == documented.keys()


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, asyncclient.HTTPException)


def test_documented_limits_are_the_defaults() -> None:
    rows = re.findall(r"\* - ``(\w+)``\n +- (\d+|inf)( KiB)?\n", PAGES["limits.rst"])
    documented = {name: float(number) * (1024 if unit else 1) for name, number, unit in rows}
    assert documented == {**asdict(asyncclient.Limits()), **asdict(asyncclient.PoolLimits())}


@pytest.mark.parametrize("module", [asyncclient, testing])
def test_docstrings_of_the_packages_run(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
