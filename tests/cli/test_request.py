"""The command without a subcommand: requests, output and files."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from asyncclient.cli.exits import Exit
from asyncclient.testing import RawConnection, RawServer, parse_fields
from tests.cli.running import Command, reply, run_process
from tests.servers import HOST, ROOT, TIMEOUT, Certificates

JSON = reply(b'{"a":[1]}', "Content-Type: application/json")


class Recorder:
    """A handler that answers one request of each connection, and keeps its head and body."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies or (reply(b"ok"),))
        self.head, self.body = b"", b""

    def __call__(self, connection: RawConnection) -> None:
        self.head, self.body = connection.read_request()
        connection.send(self.replies.pop(0))
        connection.wait_closed()

    @property
    def line(self) -> str:
        return self.head.partition(b"\r\n")[0].decode()

    @property
    def fields(self) -> dict[str, str]:
        return {name.lower(): value for name, value in parse_fields(self.head)}


# Requests


@pytest.mark.parametrize(
    ("arguments", "line", "body"),
    [
        ([], "GET / HTTP/1.1", b""),
        (["-X", "PURGE"], "PURGE / HTTP/1.1", b""),
        (["-I"], "HEAD / HTTP/1.1", b""),
        (["a==b c", "d==e"], "GET /?a=b%20c&d=e HTTP/1.1", b""),
        (["a=b", "n:=[1, null]"], "POST / HTTP/1.1", b'{"a":"b","n":[1,null]}'),
        (["a=b", "c=d", "--urlencoded"], "POST / HTTP/1.1", b"a=b&c=d"),
        (["-d", "a=b", "-d", "c"], "POST / HTTP/1.1", b"a=b&c"),
        (["-d", "a=b", "-G"], "GET /?a=b HTTP/1.1", b""),
        (["--data-urlencode", "a=b&c"], "POST / HTTP/1.1", b"a=b%26c"),
        (["--data-raw", "@a"], "POST / HTTP/1.1", b"@a"),
        (["--json", '{"a": 1}', "-X", "PUT"], "PUT / HTTP/1.1", b'{"a": 1}'),
    ],
)
def test_method_target_and_content(command: Command, arguments: list[str], line: str, body: bytes) -> None:
    with RawServer(recorder := Recorder(reply())) as server:
        assert command(server.url, *arguments).code == 0
    assert (recorder.line.replace("+", "%20"), recorder.body) == (line, body)


def test_content_of_files(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x\r\ny\n")
    for arguments, body in (
        (["-d", f"@{path}"], b"xy"),
        (["--data-binary", f"@{path}"], b"x\r\ny\n"),
        (["-T", path], b"x\r\ny\n"),
        ([f"a=@{path}"], b'{"a":"x\\r\\ny\\n"}'),
    ):
        with RawServer(recorder := Recorder(reply())) as server:
            assert command(server.url, *arguments).code == 0
        assert recorder.body == body
    assert recorder.fields["content-type"] == "application/json"


@pytest.mark.parametrize("arguments", [["-F", "n=v", "-F", "f=@{path};type=text/x"], ["n=v", "f@{path}"]])
def test_multipart_forms(command: Command, tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(b"content")
    with RawServer(recorder := Recorder(reply())) as server:
        assert command(server.url, *(each.format(path=path) for each in arguments)).code == 0
    assert recorder.fields["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="n"\r\n\r\nv\r\n' in recorder.body
    assert b'name="f"; filename="a.html"\r\n' in recorder.body
    assert b"\r\n\r\ncontent\r\n" in recorder.body


def test_fields_credentials_and_cookies(command: Command) -> None:
    options = ["-H", "A: b", "-H", "User-Agent:", "C:d", "-e", "http://r/", "-u", "me:secret", "-b", "x=y; z=w"]
    with RawServer(recorder := Recorder()) as server:
        assert command(server.url, *options).output == b"ok"
    fields = recorder.fields
    assert (fields["a"], fields["c"], fields["referer"], fields["cookie"]) == ("b", "d", "http://r/", "x=y; z=w")
    assert fields["authorization"] == "Basic bWU6c2VjcmV0"
    assert "user-agent" not in fields


def test_cookies_are_kept_in_a_file(command: Command, tmp_path: Path) -> None:
    jar = tmp_path / "jar.txt"
    with RawServer(recorder := Recorder(reply(b"", "Set-Cookie: a=b; Max-Age=1000"))) as server:
        assert command(server.url, "-c", jar).code == 0
        recorder.replies.append(reply())
        assert command(server.url, "-b", jar).code == 0
    assert recorder.fields["cookie"] == "a=b"
    assert jar.stat().st_mode & 0o77 == 0


def test_cookies_are_written_to_the_output(command: Command) -> None:
    with RawServer.replying(reply(b"ok\n", "Set-Cookie: a=b")) as server:
        code, output, _ = command(server.url, "-c", "-")
    assert code == 0
    assert output.startswith(b"ok\n# Netscape HTTP Cookie File\n")
    assert output.endswith(b"\ta\tb\n")
    assert not Path("-").exists()


@pytest.mark.parametrize(
    "words", [[], ["download", "--directory"], ["crawl", "--rate", "100", "--no-robots", "--files"]]
)
def test_an_empty_proxy_is_not_replaced_by_that_of_the_environment(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    folder = [tmp_path / "new"] if words else []
    with RawServer.replying(reply(b"ok")) as server:
        assert command(*words, *folder, "-x", "", f"{server.url}/a").code == 0


def test_redirects_are_followed_if_asked(command: Command) -> None:
    moved = reply(b"moved", "Location: /b", status="302 Found")
    with RawServer.replying(moved, reply(b"ok")) as server:
        assert command(server.url).output == b"moved"
        assert command(server.url, "-L").output == b"ok"


def test_a_failure_is_retried_if_asked(command: Command) -> None:
    busy = reply(b"busy", "Retry-After: 0", status="503 Service Unavailable")
    with RawServer.replying(busy, reply(b"ok")) as server:
        assert command(server.url, "--retry", 1).output == b"ok"
    with RawServer.replying(busy) as server:
        assert command(server.url).output == b"busy"


def test_files_of_certificates_are_checked(command: Command) -> None:
    assert command("localhost", "--cacert", __file__).code == Exit.CA_FILE
    assert command("localhost", "--cert", __file__).code == Exit.CLIENT_CERTIFICATE


def test_addresses_sockets_and_proxies_are_chosen(command: Command) -> None:
    with RawServer(recorder := Recorder()) as server:
        result = command("http://a.test", "--resolve", f"a.test:80:{server.url[7:]}")
        assert result.code == Exit.USAGE
        assert command(f"http://a.test:{server.port}", "--resolve", f"a.test:{server.port}:{HOST}").output == b"ok"
        recorder.replies.append(reply(b"by proxy"))
        assert command("http://b.test/c", "-x", server.url).output == b"by proxy"
    assert recorder.line == "GET http://b.test/c HTTP/1.1"


def test_certificates(command: Command, tls: Certificates, tls_file: Path) -> None:
    with RawServer.replying(reply(b"ok"), tls=tls.server_context()) as server:
        refused = command(server.url)
        assert refused.code == Exit.CERTIFICATE
        assert "--cacert FILE" in refused.errors
        assert command(server.url, "-k").output == b"ok"
        assert command(server.url, "--cacert", tls_file).output == b"ok"


# Output


def test_content_in_a_pipe_is_unchanged(command: Command) -> None:
    with RawServer.replying(JSON) as server:
        assert command(server.url) == (0, b'{"a":[1]}', "")


def test_json_is_formatted_if_asked(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with RawServer.replying(JSON) as server:
        assert command(server.url, "--pretty", "always").output == b'{\n  "a": [\n    1\n  ]\n}\n'
    monkeypatch.delenv("NO_COLOR")
    with RawServer.replying(JSON) as server:
        assert b"\x1b[" in command(server.url, "--pretty", "always").output


def test_control_characters_reach_no_terminal(command: Command) -> None:
    content = reply(b"a\x1b]0;title\x07\nb", "Content-Type: text/plain")
    with RawServer.replying(content) as server:
        assert command(server.url, "--pretty", "always").output == b"a\\x1b]0;title\\x07\nb\n"
    with RawServer.replying(content) as server:
        assert command(server.url).output == b"a\x1b]0;title\x07\nb"


def test_the_head_is_printed_if_asked(command: Command) -> None:
    with RawServer.replying(reply(b"ok", "X: y")) as server:
        assert command(server.url, "-i").output == b"HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nok"
    with RawServer.replying(b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n") as server:
        assert command(server.url, "-I").output == b"HTTP/1.1 204 No Content\nX: y\n\n"


def test_verbose_shows_heads_without_secrets(command: Command) -> None:
    with RawServer.replying(reply(b"ok", "Set-Cookie: a=secret")) as server:
        errors = command(server.url, "-v", "-u", "me:secret", "-H", "X: y", "-H", "X-Api-Key: secret").errors
    assert "> GET / HTTP/1.1\n" in errors
    assert "> X: y\n" in errors
    assert "< HTTP/1.1 200 OK\n" in errors
    assert "> Authorization: ***\n" in errors
    assert "secret" not in errors


def test_timings_and_json_for_programs(command: Command) -> None:
    with RawServer.replying(reply(b"ok"), reply(b"\xff")) as server:
        result = command(server.url, "--timings")
        assert result.errors.startswith(f"GET {server.url} ")
        assert [line.split()[0] for line in result.errors.splitlines()][-2:] == ["wait", "receive"]
    with RawServer.replying(JSON, reply(b"\xff")) as server:
        facts = json.loads(command(server.url, "--json-output").output)
    assert (facts["status"], facts["method"], facts["size"]) == (200, "GET", 9)
    assert json.loads(facts["content"]) == {"a": [1]}
    assert facts["timings"]["done"] > 0
    with RawServer.replying(reply(b"\xff")) as server:
        assert json.loads(command(server.url, "--json-output").output)["content_base64"] == "/w=="


def test_exchanges_are_archived_without_secrets(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    with RawServer.replying(reply(b"", "Location: /b", status="302 Found"), reply(b"ok")) as server:
        assert command(f"{server.url}/?token=secret", "-L", "-u", "me:secret", "--har", path).output == b"ok"
    assert [entry["response"]["status"] for entry in json.loads(path.read_text())["log"]["entries"]] == [302, 200]
    assert "secret" not in path.read_text()


# Files


def test_a_saved_response_is_described_for_programs(command: Command, tmp_path: Path) -> None:
    for options in ([], ["-C", "-"]):
        with RawServer.replying(reply(b"ok")) as server:
            facts = json.loads(command(server.url, "-o", tmp_path / "a", "--json-output", *options).output)
        assert (facts["status"], facts["size"], facts["path"]) == (200, 2, f"{tmp_path}/a")
        assert "content" not in facts
    assert (tmp_path / "a").read_bytes() == b"ok"


def test_content_is_saved(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with RawServer.replying(reply(b"ok")) as server:
        assert command(server.url, "-o", path) == (0, b"", "")
    assert path.read_bytes() == b"ok"
    assert [*tmp_path.iterdir()] == [path]


def test_the_name_of_a_file_is_safe_and_new(command: Command, tmp_path: Path) -> None:
    response = reply(b"ok", 'Content-Disposition: attachment; filename="../../a.txt"')
    with RawServer.replying(response) as server:
        assert command(server.url, "-O", "--output-dir", tmp_path).code == 0
    assert (tmp_path / "a.txt").read_bytes() == b"ok"
    with RawServer.replying(reply(b"new", *[response.split(b"\r\n")[2].decode()])) as server:
        result = command(server.url, "-O", "--output-dir", tmp_path)
    assert result.code == Exit.WRITE
    assert "--force replaces a file" in result.errors
    assert (tmp_path / "a.txt").read_bytes() == b"ok"
    with RawServer.replying(reply(b"new", *[response.split(b"\r\n")[2].decode()])) as server:
        assert command(server.url, "-O", "--output-dir", tmp_path, "--force").code == 0
    assert (tmp_path / "a.txt").read_bytes() == b"new"


def test_an_interrupted_response_leaves_no_file(command: Command, tmp_path: Path) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with RawServer.replying(half, then=RawConnection.close) as server:
        result = command(server.url, "-o", tmp_path / "a")
    assert result.code == Exit.INCOMPLETE
    assert "content: IncompleteRead(" in result.errors
    assert [*tmp_path.iterdir()] == []


def test_a_download_is_continued(command: Command, tmp_path: Path) -> None:
    half = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 9\r\n\r\nfirst'
    rest = reply(b"trest", 'ETag: "a"', "Content-Range: bytes 4-8/9", status="206 Partial Content")

    def answer(connection: RawConnection) -> None:
        is_range = b"\r\nRange: bytes=4-\r\n" in connection.read_head()
        connection.send(rest if is_range else half)
        connection.close()

    with RawServer(answer) as server:
        assert command(server.url, "-o", tmp_path / "a", "-C", "-").code == Exit.INCOMPLETE
        assert command(server.url, "-o", tmp_path / "a", "-C", "-").code == 0
    assert (tmp_path / "a").read_bytes() == b"firstrest"
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]


# Errors


def test_errors_have_curls_codes_and_one_line(command: Command) -> None:
    with socket.socket() as deaf:
        deaf.bind((HOST, 0))
        refused = command(f"http://{HOST}:{deaf.getsockname()[1]}/a?secret=1")
    assert refused.code == Exit.CONNECT
    assert refused.errors.startswith("asyncclient: connect: no connection to ")
    assert "/a?..." in refused.errors
    assert "secret" not in refused.errors
    assert refused.errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "response", "code"),
    [
        (["--fail"], reply(b"no", status="404 Not Found"), Exit.STATUS),
        ([], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Exit.INCOMPLETE),
        ([], b"SSH-2.0\r\n\r\n", Exit.PROTOCOL),
        ([], b"", Exit.EMPTY),
        ([], reply(b"x", "Content-Encoding: gzip"), Exit.DECODING),
        (["--max-filesize", "1"], reply(b"ab"), Exit.TOO_LARGE),
        (["-L", "--max-redirs", "1"], reply(b"", "Location: /", status="302 Found"), Exit.REDIRECTS),
    ],
)
def test_each_failure_has_its_code(command: Command, arguments: list[str], response: bytes, code: Exit) -> None:
    def answer(connection: RawConnection) -> None:
        while connection.read_head():
            connection.send(response)
            if code in (Exit.INCOMPLETE, Exit.EMPTY):
                connection.close()
                return

    with RawServer(answer) as server:
        result = command(server.url, *arguments)
    assert result.code == code
    assert result.errors.startswith("asyncclient: ")
    assert server.url in result.errors
    assert result.errors.count("\n") == 1


def test_time_limits_have_a_code_of_their_own(command: Command) -> None:
    with RawServer(RawConnection.hold) as server:
        assert command(server.url, "--max-time", "0.05").code == Exit.TIMEOUT


def test_control_characters_of_a_server_are_in_no_error(command: Command) -> None:
    with RawServer.replying(b"HTTP/1.1 404 a\x9b2Jb\r\nContent-Length: 0\r\n\r\n") as server:
        assert "404 a\\x9b2Jb" in command(server.url, "--fail").errors


def test_fail_with_body_prints_the_content(command: Command) -> None:
    with RawServer.replying(reply(b"no", status="404 Not Found")) as server:
        assert command(server.url, "--fail-with-body")[:2] == (Exit.STATUS, b"no")


def test_silent_prints_errors_only_if_asked(command: Command) -> None:
    assert command("http://a.test:x", "-s") == (Exit.URL, b"", "")
    assert "url: expected an http or https URL" in command("http://a.test:x", "-sS").errors


def test_errors_for_programs_are_json(command: Command) -> None:
    result = command("http://a.test:x/", "--json-output")
    assert json.loads(result.output)["error"]["code"] == Exit.URL
    assert result.errors == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--follow", "a.test"], ": use --location"),
        (["-Z", "a.test"], "asyncclient download"),
        (["--http2", "a.test"], "HTTP/1.1 only"),
        (["--http1.1", "a.test"], "--http1.1: it is always HTTP/1.1"),
        (["-0", "a.test"], "-0: it is always HTTP/1.1"),
        (["-4", "a.test"], ": use --resolve"),
        (["-6", "a.test"], ": use --resolve"),
        (["--checksum", "md5:0", "a.test"], ": use asyncclient download --checksum"),
        (["--quiet", "a.test"], ": use --silent"),
        (["-q", "a.test"], ": use --silent"),
        (["--headers", "a.test"], ": use --head, or --include"),
        (["--dump-header", "-", "a.test"], ": use --include"),
        (["-D", "-", "a.test"], ": use --include"),
        (["-a", "b:c", "a.test"], ": use --user"),
        (["-j", "a.test"], "items are JSON"),
        (["-p", "h", "a.test"], ": use --include"),
        (["--body", "a.test"], ": use --no-include"),
        (["--offline", "a.test"], "--verbose prints it"),
        (["--ignore-stdin", "a.test"], "is read only for @-"),
        (["--trace-ascii", "-", "a.test"], ": use --verbose"),
        (["--url", "a.test"], "an argument without an option"),
        (["--proxy-user", "a:b", "a.test"], ": use --proxy http://"),
        (["--form", "POST", "a.test", "a=b"], "--urlencoded"),
        (["--json", "POST", "a.test", "a=b"], "items are JSON without it"),
        (["--json", ":8000/echo", "a=b"], "items are JSON without it"),
        (["--json", "127.0.0.1:8000/echo", "a=b"], "items are JSON without it"),
        (["--json", "a.test"], "'a.test' is the value of --json; items are JSON"),
        (["-d", ":8000/echo"], "':8000/echo' is the value of --data; a file is saved by --remote-name"),
        (["-b", "a.test/echo"], "'a.test/echo' is the value of --cookie; the body alone is printed by --no-include"),
        (["-d", "a=b"], "expected a URL: "),
        (["--raw", "a.test"], ": use --data DATA, or --no-decode"),
        (["--unsorted", "a.test"], "in the order in which they are received"),
        (["a.test:8000/a", "b.test:8000/b"], "asyncclient download URL URL"),
        (["a.test:8000/a", "localhost:8000"], "asyncclient download URL URL"),
        ([":8000/a", ":8000/b"], "a command has one URL: asyncclient download URL URL"),
        (["--xyz", "a.test"], "--help lists the options"),
        (["--outputt", "f", "a.test"], "did you mean --output?"),
        ([], "expected a URL"),
        (["a.test", "b.test"], "asyncclient download URL URL"),
        (["a.test", "-d", "a", "b=c"], "expected one kind of content, got data and items"),
        (["a.test", "a:=x"], "expected JSON after a:="),
        (["a.test", "-H", "x"], "expected 'Name: value'"),
        (["a.test", "-m", "0"], "expected a number above 0"),
        (["a.test", "--limit-rate", "3"], "content is received as fast as it is written"),
    ],
)
def test_wrong_arguments_are_explained(command: Command, arguments: list[str], text: str) -> None:
    code, output, errors = command(*arguments)
    assert (code, output) == (Exit.USAGE, b"")
    assert text in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "is_noted"),
    [
        (["POST"], True),
        (["-X", "PUT"], True),
        (["POST", "-s"], False),
        (["GET"], False),
        (["POST", "-d", "@-"], False),
        (["POST", "-d", "a"], False),
    ],
)
@pytest.mark.parametrize("is_file", [True, False])
def test_a_note_tells_that_the_input_is_not_read(
    tmp_path: Path, arguments: list[str], is_noted: bool, is_file: bool
) -> None:
    (tmp_path / "input").write_bytes(b'{"a": 1}')
    with RawServer.replying(reply(b"ok")) as server, (tmp_path / "input").open("rb") as file:
        given = {"stdin": file} if is_file else {"input": b'{"a": 1}'}
        method, rest = arguments[:1] if arguments[0].isalpha() else [], arguments[not arguments[0].startswith("-") :]
        result = run_process(*method, server.url, *rest, **given)
    note = b"asyncclient: the standard input is not read and the request has no content; --data @- sends it"
    assert (result.returncode, result.stderr.startswith(note)) == (0, is_noted)


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-", "<empty"])
def test_an_input_without_content_has_no_note(tmp_path: Path, redirection: str) -> None:
    (tmp_path / "empty").touch()
    with RawServer.replying(reply(b"ok")) as server:
        command = shlex.join([sys.executable, "-m", "asyncclient", "POST", server.url])
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        line = ["sh", "-c", f"exec {command} {redirection}"]
        result = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, timeout=TIMEOUT, check=False)
    assert (result.stdout, result.stderr) == (b"ok", b"")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-d", "@missing"], Exit.READ),
        (["-T", "missing"], Exit.READ),
        (["-F", "a=@missing"], Exit.READ),
        (["a@missing"], Exit.READ),
        (["--cacert", "missing"], Exit.CA_FILE),
        (["--cert", "missing"], Exit.CLIENT_CERTIFICATE),
        (["--cert", __file__, "--key", "missing"], Exit.CLIENT_CERTIFICATE),
    ],
)
def test_a_file_that_is_missing_has_curls_exit_code(command: Command, arguments: list[str], code: Exit) -> None:
    result = command("https://127.0.0.1:1", *arguments)
    assert (result.code, result.output) == (code, b"")
    assert result.errors.count("\n") == 1
    assert arguments[0] in result.errors or "missing" in result.errors


def test_a_folder_that_is_missing_is_named(command: Command, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "file"
    with RawServer.replying(reply(b"a")) as server:
        result = command(server.url, "-o", target)
    assert result.code == Exit.WRITE
    assert f"output: {target}: No such file or directory (" in result.errors
    assert result.errors.endswith("): make the directory first\n")


@pytest.mark.parametrize(("arguments", "usage"), [(["help"], "asyncclient"), (["help", "crawl"], "asyncclient crawl")])
def test_help_is_a_word_too(command: Command, arguments: list[str], usage: str) -> None:
    code, output, errors = command(*arguments)
    assert (code, errors) == (0, "")
    assert output.startswith(f"usage: {usage} [OPTION ...] ".encode())


# Processes


def test_the_standard_input_is_uploaded() -> None:
    with RawServer(recorder := Recorder()) as server:
        assert run_process(server.url, "-T", "-", input=b"12345").stdout == b"ok"
    assert (recorder.line, recorder.body) == ("PUT / HTTP/1.1", b"12345")


def test_ctrl_c_ends_a_request_without_traceback_and_file(tmp_path: Path) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with RawServer.replying(half) as server:
        command = [sys.executable, "-m", "asyncclient", server.url, "-o", str(tmp_path / "a")]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while not [*tmp_path.iterdir()]:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, output, errors) == (Exit.INTERRUPTED, b"", b"")
    assert [*tmp_path.iterdir()] == []


def test_a_closed_pipe_is_silent() -> None:
    with RawServer.replying(reply(bytes(10_000_000))) as server:
        command = [sys.executable, "-m", "asyncclient", server.url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(1)
            process.stdout.close()
            assert process.stderr.read() == b""
    assert process.returncode == Exit.WRITE


def test_closed_standard_streams_do_no_harm() -> None:
    with RawServer.replying(reply(b"ok")) as server:
        line = f'exec "{sys.executable}" -m asyncclient {server.url} >&- 2>&- <&-'
        done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_version_is_printed() -> None:
    assert run_process("--version").stdout.startswith(b"asyncclient ")


def test_plain_text_is_printed_without_rich(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with RawServer.replying(JSON) as server:
        assert command(server.url, "--pretty", "always").output == b'{\n  "a": [\n    1\n  ]\n}\n'


def test_content_for_a_pipe_needs_neither_rich_nor_subcommands() -> None:
    code = """import sys; from asyncclient.cli import main; status = main([sys.argv[1]])
names = {name.split(".")[0] for name in sys.modules} | {name for name in sys.modules if "asyncclient.cli" in name}
print(status, *sorted(names & {"rich", "shtab", "asyncclient.cli.bench", "asyncclient.cli.serve"}))"""
    with RawServer.replying(reply(b"ok ")) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, server.url], cwd=ROOT, capture_output=True, timeout=TIMEOUT, check=True
        )
    assert done.stdout.split()[:2] == [b"ok", b"0"]
    assert b"rich" not in done.stdout
    assert b"bench" not in done.stdout
