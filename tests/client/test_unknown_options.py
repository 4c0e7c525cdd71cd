"""Errors for unknown options and wrong types, and the package as type checkers see it."""

import copy
import io
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import asyncclient
import compat
from asyncclient import Client, Limits, PoolLimits, PoolTransport, Proxy, Request, Retry, Timeout
from asyncclient.cache import CacheTransport, MemoryStore, SQLiteStore
from asyncclient.client import request, unknown_options
from asyncclient.crawl import WARC, Crawler, JSONLines, Scope
from asyncclient.politeness import Polite, Robots, Rules
from asyncclient.testing import ASGITransport, Recorder, Replay
from tests.servers import ROOT

WORDS = [
    ("content", "use body="),
    ("verify", r"use Client\(ssl=\.\.\.\), an SSLContext; ssl=False verifies nothing; for a .*create_tls_context"),
    ("ca_certs", r"use Client\(ssl=asyncclient\.create_tls_context\(cafile=\.\.\.\)\)"),
    ("verify_ssl", r"use Client\(ssl="),
    ("ssl_context", r"use Client\(ssl="),
    ("cert", r"use Client\(ssl=context\), after context.load_cert_chain"),
    ("stream", r"use client\.stream\(method, url\) in an async with block, with compat in a with block"),
    ("allow_redirects", "use follow_redirects="),
    ("event_hooks", r"use Client\(tracers="),
    ("hooks", r"use Client\(tracers="),
    ("max_connections", r"use Client\(pool=PoolLimits\(connections="),
    ("limit_per_host", r"use Client\(pool=PoolLimits\(connections="),
    ("http2", "use nothing: a Client always uses HTTP/1.1"),
    ("proxies", r"use Client\(proxy="),
    ("session", "use the Client itself"),
    ("max_retries", r"use Client\(retries="),
    ("connect_timeout", r"use timeout=Timeout\(connect="),
    ("query", "use params="),
    ("expect100", "use expect_continue="),
    ("uds", r"use Client\(socket_path="),
    ("redirect", "use follow_redirects="),
    ("preload_content", r"use client\.stream\(method, url\) in an async with block, with compat in a with block"),
    ("cert_reqs", r"use Client\(ssl="),
    ("assert_fingerprint", r"use Client\(ssl='sha256:"),
    ("num_pools", r"use Client\(pool=PoolLimits\("),
    ("status_forcelist", r"use Client\(retries=Retry\("),
    ("default_headers", "use headers="),
    ("auto_decompress", "use decode="),
    ("chunked", "use body= with a generator, whose length is not known"),
    ("skip_auto_headers", r"use headers=\{name: None\}"),
    ("timout", "use timeout="),
    ("Headers", "use headers="),
    ("param", "use params="),
]


@pytest.mark.parametrize(("word", "advice"), WORDS)
async def test_errors_for_options_of_other_clients_name_ours(word: str, advice: str) -> None:
    makers: list[Any] = [Client, compat.Client]
    option = advice.removeprefix("use ").removesuffix("=")
    is_of_requests = option in request.REQUEST_OPTIONS - request.CLIENT_OPTIONS
    for make in makers:
        given = rf"use client\.get\(url, {option}=\.\.\.\)$" if is_of_requests else advice
        with pytest.raises(TypeError, match=f"Client got an unexpected keyword argument '{word}': {given}"):
            make(**{word: 1})
    text = f"a request got an unexpected keyword argument '{word}': {advice}"
    with pytest.raises(TypeError, match=text):
        Request("GET", "http://h/", **{word: 1})  # type: ignore[arg-type]
    async with Client() as client:
        for call in (client.get, client.post):
            with pytest.raises(TypeError, match=text):
                await call("http://h/", timeout=1, **{word: 1})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=text):
            client.stream("GET", "http://h/", **{word: 1})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=text.replace("a request got", r"download\(\) got", 1)):
            await client.download("http://h/", "nowhere", **{word: 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sha256", r"use checksum='sha256:\.\.\.'$"),
        ("chunk_size", "use nothing: each chunk is written as it is received$"),
        ("filename", "use the path, a file or a directory$"),
        ("resumed", "use resume=$"),
        ("ssl", r"it is for Client\(ssl=\.\.\.\)$"),
        ("xyzzy", "there are auth, body, checksum, .*overwrite, params, progress, .*resume, .*trailers$"),
    ],
)
async def test_an_unknown_option_of_a_download_is_answered_with_its_own(name: str, advice: str) -> None:
    async with Client() as client:
        download: Any = client.download
        with pytest.raises(TypeError, match=rf"^download\(\) got an unexpected keyword argument '{name}': {advice}"):
            await download("http://h/", "nowhere", **{name: 1})
    with compat.Client() as blocking:
        download = blocking.download
        with pytest.raises(TypeError, match=advice):
            download("http://h/", "nowhere", **{name: 1})


async def test_the_progress_of_a_download_is_a_function() -> None:
    async with Client() as client:
        with pytest.raises(TypeError, match="expected a function as progress, got bool"):
            await client.download("http://h/", "nowhere", progress=True)  # type: ignore[arg-type]


def test_a_key_of_httpx_for_proxies_is_answered_with_ours() -> None:
    for key in ("https://", "ALL://"):
        with pytest.raises(ValueError, match=f"expected '{key[:-3].lower()}' as key of proxies for all hosts, got"):
            Client(proxy={key: "http://h:1"})


def test_an_option_without_a_body_is_named() -> None:
    with pytest.raises(ValueError, match=r"^expected a body with compress, got none$"):
        Request("GET", "http://h/", compress="gzip")
    with pytest.raises(ValueError, match=r"got none; download\(\) has a progress of its own$"):
        Request("GET", "http://h/", progress=print)


def test_the_error_for_a_misplaced_option_names_its_call() -> None:
    with pytest.raises(TypeError, match=r"Client got .* it is for each request, client.get\(url, json=\.\.\.\)"):
        Client(json={})  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"a request got .* 'ssl': it is for Client\(ssl=\.\.\.\)"):
        Request("GET", "http://h/", ssl=False)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"'allow_redirects': use follow_redirects="):
        Request("GET", "http://h/", follow_redirects=True, allow_redirects=True)  # type: ignore[call-arg]


def test_an_unknown_option_is_an_error_that_lists_all_options() -> None:
    with pytest.raises(TypeError, match=r"'xyzzy': there are auth, base_url, cookies, .*trust_env$"):
        Client(timeout=3, xyzzy=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"'xyzzy': there are auth, body, compress, cookies, .*trailers$"):
        Request("GET", "http://h/", timeout=3, xyzzy=1)  # type: ignore[call-arg]


OLD_NAMES: list[tuple[Callable[..., object], str, str]] = [
    (Limits, "connections", r"Limits got .* use PoolLimits\(connections=\.\.\.\), given as Client\(pool=\.\.\.\)"),
    (Limits, "connections_per_host", r"Limits got .* use PoolLimits\(per_host=\.\.\.\), given as Client"),
    (Limits, "idle", r"use PoolLimits\(idle=\.\.\.\), given as Client\(pool"),
    (Limits, "max_age", r"use PoolLimits\(max_age=\.\.\.\), given as Client\(pool"),
    (Limits, "max_connections", r"use PoolLimits\(connections="),
    (Limits, "keepalive_expiry", r"use PoolLimits\(keep_alive="),
    (Limits, "field", "Limits got .* use fields=$"),
    (PoolLimits, "connections_per_host", "PoolLimits got .* use per_host=$"),
    (PoolLimits, "max_keepalive_connections", "PoolLimits got .* use idle=$"),
    (PoolLimits, "fields", r"use Limits\(fields=\.\.\.\), given as Client\(limits=\.\.\.\)"),
    (PoolLimits, "xyzzy", "there are connections, idle, .* per_host$"),
    (Timeout, "sock_read", "Timeout got .* use read=$"),
    (Timeout, "conect", "Timeout got .* use connect=$"),
    (Retry, "attempts", "Retry got .* use total=, which does not count the first sending$"),
    (Retry, "max_retries", "use total=$"),
    (Retry, "backoff_factor", "use backoff=$"),
    (Retry, "status_forcelist", "use statuses=$"),
    (Retry, "allowed_methods", "use methods=$"),
    (Retry, "connect", "use total=, for all kinds of failures$"),
    (Retry, "statusses", "use statuses=$"),
    (Retry, "xyzzy", "there are backoff, budget, .* total$"),
    (Proxy, "url", "Proxy got .* use the URL as first argument$"),
    (Proxy, "pasword", "use password=$"),
    (Rules, "requests_per_second", "Rules got .* use rate=$"),
    (Rules, "max_connections", "use connections=$"),
    (Robots, "user_agent", "Robots got .* use agent=$"),
    (Scope, "allowed_domains", "Scope got .* use hosts=$"),
    (Scope, "xyzzy", "there are accept, exclude, .* subdomains$"),
    (Crawler, "user_agent", "Crawler got .* use agent=$"),
    (Crawler, "start_urls", r"use await crawler\.add\(urls\)$"),
    (Crawler, "download_delay", r"use rules=Rules\(delay=\.\.\.\)$"),
    (Crawler, "frontiers", "use frontier=$"),
    (PoolTransport, "max_connections", r"PoolTransport got .* use pool=PoolLimits\(connections="),
    (PoolTransport, "resolvers", "use resolver=$"),
    (asyncclient.CachingResolver, "ttl_dns_cache", "CachingResolver got .* use ttl=$"),
    (asyncclient.CookieJar, "max_cookie", "CookieJar got .* use max_cookies=$"),
    (CacheTransport, "share", "CacheTransport got .* use shared=$"),
    (MemoryStore, "maxsize", "MemoryStore got .* use max_size=$"),
    (SQLiteStore, "maxsize", "SQLiteStore got .* use max_size=$"),
    (Polite, "robot", "Polite got .* use robots=$"),
    (JSONLines, "contents", "JSONLines got .* use content=$"),
    (WARC, "maxsize", "WARC got .* use max_size=$"),
    (ASGITransport, "raise_exceptions", "ASGITransport got .* use raise_app_exceptions=$"),
    (Recorder, "secret_header", "Recorder got .* use secret_headers=$"),
    (Replay, "matches", "Replay got .* use match=$"),
]


@pytest.mark.parametrize(("make", "name", "advice"), OLD_NAMES)
def test_an_unknown_limit_is_answered_with_the_known_one(make: Callable[..., object], name: str, advice: str) -> None:
    with pytest.raises(TypeError, match=f"got an unexpected keyword argument '{name}': ") as raised:
        make(**{name: 1})
    assert re.search(advice, str(raised.value))


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (Limits, r"Limits\(line=\.\.\., .* connections are limited by PoolLimits\(connections=\.\.\.\)$"),
        (PoolLimits, r"PoolLimits\(connections=\.\.\., per_host=\.\.\.\)$"),
        (Timeout, r"Timeout\(total=\.\.\.\) for everything together, Timeout\(connect=\.\.\., read=\.\.\.\)"),
    ],
)
def test_a_positional_limit_is_answered_with_keywords(make: Callable[..., object], advice: str) -> None:
    with pytest.raises(TypeError, match=f"^{make.__name__} takes keyword arguments only: use {advice}"):
        make(5)
    with pytest.raises(TypeError, match="takes keyword arguments only"):
        make(5, connect=5)


@pytest.mark.parametrize("kind", [Limits, PoolLimits, Timeout])
def test_limits_are_values(kind: Callable[[], Any]) -> None:
    value = kind()
    name = value.__slots__[0]
    changed = replace(value, **{name: 7})
    for twin in (copy.copy(changed), copy.deepcopy(changed), pickle.loads(pickle.dumps(changed))):
        assert (twin, hash(twin), repr(twin)) == (changed, hash(changed), repr(changed)) != (value, hash(value), "")
    assert f"{name}=7" in repr(changed)
    with pytest.raises(AttributeError):
        setattr(value, name, 7)
    with pytest.raises(ValueError, match=name):
        replace(value, **{name: -1})


def test_limits_as_pool_limits_are_refused() -> None:
    with pytest.raises(TypeError, match="expected Limits as limits, got PoolLimits"):
        Client(limits=PoolLimits())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected Limits as limits, got PoolLimits"):
        asyncclient.HTTPConnection("h", limits=PoolLimits())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected PoolLimits as pool, got Limits"):
        compat.Client(pool=Limits())  # type: ignore[arg-type]


def test_known_arguments_are_passed_on() -> None:
    assert Retry(1, (500,), budget=None) == Retry(total=1, statuses=[500], budget=None)
    assert pickle.loads(pickle.dumps(Retry(1))) == copy.copy(Retry(1)) == Retry(2)._replace(total=1)
    assert Proxy("socks5://h") == Proxy("socks5", "h", port=1080)
    with pytest.raises(TypeError, match="positional argument"):
        Retry(*range(10))


# Wrong types


class Odd:
    """A value that no argument accepts."""


WRONG_TYPES: list[tuple[Callable[..., object], str, list[object]]] = [
    (asyncclient.Retry, "statuses", [503, "503", ["503"], None]),
    (asyncclient.Retry, "methods", ["POST", b"POST", 5, [5]]),
    (asyncclient.Retry, "total", ["3", None]),
    (asyncclient.Limits, "line", ["5", None, [5]]),
    (asyncclient.PoolLimits, "keep_alive", ["5", None]),
    (asyncclient.Timeout, "connect", ["5", [5]]),
    (asyncclient.CookieJar, "max_cookies", ["5", None]),
    (asyncclient.CachingResolver, "ttl", ["5", None]),
    (asyncclient.CachingResolver, "most", ["5", None]),
    (asyncclient.StaticResolver, "addresses", ["a", None, 5]),
    (Client, "timeout", ["5", (3, 5), [5], Odd(), {"connect": 3}]),
    (Client, "secret_headers", ["X-Key", 5, [5], None]),
    (Client, "socket_options", [5, None, [5]]),
    (Client, "socket_path", [5, Odd()]),
    (Client, "resolver", [Odd(), "8.8.8.8"]),
    (Client, "tracers", [Odd(), print, [print]]),
    (Client, "encode_json", [Odd(), "json"]),
    (Client, "local_address", [5, Odd()]),
    (Client, "interface", [5, Odd(), b"lo"]),
    (Client, "trust_env", ["no", None]),
    (Client, "follow_redirects", ["no", None]),
    (Client, "limits", [5, None]),
    (Client, "pool", [5, None]),
    (Client, "retries", ["5", True]),
    (Client, "auth", [["user", "password"], "user:password"]),
    (partial(Request, "GET", "http://h/"), "timeout", ["5", (3, 5), [5], Odd()]),
    (partial(Request, "GET", "http://h/"), "follow_redirects", ["no", Odd()]),
    (partial(Request, "GET", "http://h/"), "decode", ["no", None]),
    (partial(Request, "GET", "http://h/"), "max_body_size", ["5", [5]]),
    (partial(Request, "GET", "http://h/"), "headers", [5, "A: b", ["A"]]),
    (partial(Request, "POST", "http://h/", body=b"x"), "trailers", [5, "A: b", ["A"]]),
    (partial(Request, url="http://h/"), "method", [None, b"GET", 5]),
]


@pytest.mark.parametrize(
    ("make", "name", "value"), [(make, name, value) for make, name, values in WRONG_TYPES for value in values]
)
def test_a_wrong_type_is_an_error_that_names_the_argument(
    make: Callable[..., object], name: str, value: object
) -> None:
    with pytest.raises(TypeError, match=rf"^expected .*\b{name}\b"):
        make(**{name: value})


def test_an_unknown_option_is_reported_before_the_body_that_it_may_be() -> None:
    with pytest.raises(TypeError, match="'content': use body="):
        Request("PUT", "http://h/", content=b"x", progress=print)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="expected a body with progress"):
        Request("PUT", "http://h/", progress=print)


def test_the_error_for_a_file_as_data_names_body() -> None:
    with pytest.raises(TypeError, match=r"as data, got BytesIO; for a file: body=$"):
        Request("POST", "http://h/", data=io.BytesIO(b"a"))


@pytest.mark.parametrize("make", [Client, compat.Client])
def test_the_error_for_a_file_of_authorities_names_the_function(make: Callable[..., object]) -> None:
    for name, kind in (("ssl", ValueError), ("verify", TypeError)):
        with pytest.raises(
            kind, match=r"for a file of authorities give asyncclient\.create_tls_context\(cafile=\.\.\.\)"
        ):
            make(**{name: "ca.pem"})


def test_the_error_for_a_pair_as_timeout_shows_the_right_form() -> None:
    with pytest.raises(TypeError, match=r"got \(3\.05, 27\): use Timeout\(connect=\.\.\., read=\.\.\.\)"):
        Client(timeout=(3.05, 27))  # type: ignore[arg-type]


def test_the_error_for_a_small_number_names_the_argument() -> None:
    bounds: list[Any] = [(asyncclient.Limits, "line"), (asyncclient.CookieJar, "max_size"), (Client, "timeout")]
    for make, name in bounds:
        with pytest.raises(ValueError, match=f"expected {name} of at least [01], got -1"):
            make(**{name: -1})
    with pytest.raises(ValueError, match="expected timeout of at least 0, got nan"):
        Request("GET", "http://h/", timeout=float("nan"))


# Type checkers

RIGHT = """
from http import HTTPStatus
import asyncclient
from typing import Unpack, assert_type
import compat
from asyncclient import NOT_FOUND, OK, AuthLike, Client, Headers, Link, Options, Params, Response, responses

def check(options: Options, headers: Headers, params: Params, auth: AuthLike, link: Link) -> str:
    Client(headers={"A": None, "B": 1}, auth=auth, params=params)
    status: HTTPStatus = asyncclient.OK if link.url else NOT_FOUND
    return responses[OK] + status.phrase

async def fetch(client: Client, **options: Unpack[Options]) -> Response:
    assert_type(await client.get("/", params={"a": 1}, timeout=5), Response)
    return await client.post("/", **options)

def block(client: compat.Client, **options: Unpack[Options]) -> compat.Response:
    assert_type(client.get("/", params={"a": 1}, timeout=5), compat.Response)
    return client.post("/", **options)
"""
WRONG = [
    ("from asyncclient import Clinet", 'has no attribute "Clinet"; maybe "Client"'),
    ("import asyncclient\nasyncclient.OKAY", 'has no attribute "OKAY"'),
    ("import asyncclient\nnumber: str = asyncclient.OK", "Incompatible types in assignment"),
    ("from asyncclient import Client\nClient(verify=False)", 'Unexpected keyword argument "verify"'),
    ("from asyncclient import Client\nresponse = Client().get('http://h/', content=b'')", 'keyword argument "content"'),
    (
        "from asyncclient import Client\nresponse = Client().put('http://h/', timeout='5')",
        'Argument "timeout" to "put"',
    ),
    ("import compat\ncompat.Client().get('http://h/', content=b'')", 'keyword argument "content"'),
    ("import compat\ncompat.Client().put('http://h/', timeout='5')", 'Argument "timeout" to "put"'),
    (
        "from asyncclient import Response\ndef f(r: Response) -> int:\n    return r.status_code",
        'attribute "status_code"',
    ),
    ("import compat\ndef f(r: compat.Response) -> object:\n    return r.data", 'no attribute "data"'),
    ("import compat\nnumber: int = compat.Client().get('http://h/')", "Incompatible types in assignment"),
]


def run_mypy(folder: Path, *programs: str) -> str:
    for number, program in enumerate(programs):
        (folder / f"program{number}.py").write_text(program + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    names = [str(folder / f"program{number}.py") for number in range(len(programs))]
    command += ["--config-file", "", "--cache-dir", str(folder / "cache"), *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110).stdout


@pytest.mark.timeout(120)
def test_mypy_knows_the_names_and_no_others(tmp_path: Path) -> None:
    lines = run_mypy(tmp_path, RIGHT, *(program for program, _ in WRONG)).splitlines()
    errors = {line.split(":")[0].rpartition("program")[2]: line for line in lines if ": error: " in line}
    assert errors.keys() == {f"{number}.py" for number in range(1, len(WRONG) + 1)}, lines
    for number, (_, text) in enumerate(WRONG, 1):
        assert text in errors[f"{number}.py"]


def test_names_of_the_package_are_imported_on_first_use() -> None:
    assert all(hasattr(asyncclient, name) for name in asyncclient.__all__)
    assert set(asyncclient.__all__) <= set(dir(asyncclient))
    assert asyncclient.OK == 200
    for name in ("Clinet", "OKAY", "NAMES", "_private"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(asyncclient, name)


def test_status_codes_are_written_out_as_this_python_has_them() -> None:
    from http import HTTPStatus

    from asyncclient import status

    assert {name: getattr(status, name) for name in HTTPStatus.__members__} == dict(HTTPStatus.__members__)
    assert set(status.__all__) - {"responses"} <= set(HTTPStatus.__members__)
    assert sys.version_info >= (3, 12) or set(status.__all__) == {*HTTPStatus.__members__, "responses"}


def test_no_equivalent_is_given_for_an_option_of_ours() -> None:
    assert unknown_options._INSTEAD.keys() & request.REQUEST_OPTIONS == set()
    assert unknown_options._INSTEAD.keys() & request.CLIENT_OPTIONS == set()
