"""asyncclient bench: closed and open loops, and servers elsewhere."""

import json

import pytest

from asyncclient.cli.bench import Tally
from asyncclient.cli.exits import Exit
from asyncclient.testing import RawConnection, RawServer
from tests.cli.running import Command, reply


def answer(connection: RawConnection) -> None:
    while connection.read_head():
        connection.send(reply(b"ok"))


@pytest.mark.parametrize(
    ("arguments", "loop"),
    [(["-c", "3", "-n", "50"], "closed"), (["-r", "2000", "-n", "50"], "open"), (["-r", "500", "-z", ".1"], "open")],
)
def test_requests_are_counted(command: Command, arguments: list[str], loop: str) -> None:
    with RawServer(answer) as server:
        code, output, errors = command("bench", server.url, *arguments, "--json-output")
        facts = json.loads(output)
        assert (code, errors, facts["loop"]) == (0, "", loop)
        assert (facts["responses"], facts["statuses"], facts["bytes"]) == (50, {"200": 50}, 100)
        assert 0 < facts["latency"]["p50"] <= facts["latency"]["p99"] <= facts["latency"]["p100"]
        if loop == "closed":
            assert server.accepted <= 3


def test_a_time_limit_ends_the_measurement(command: Command) -> None:
    with RawServer(answer) as server:
        result = command("bench", server.url, "-c", 2, "-z", "0.05")
    assert result.code == 0
    assert "responses in " in result.output.decode()
    assert "latency p99" in result.output.decode()


def test_failures_are_counted(command: Command) -> None:
    def leave(connection: RawConnection) -> None:
        connection.read_head()
        connection.close()

    with RawServer(leave) as server:
        code, output, _ = command("bench", server.url, "-c", 1, "-n", 2)
    assert code == Exit.OTHER
    assert "failed RemoteDisconnected: 2" in output.decode()


@pytest.mark.parametrize("url", ["example.com", "http://10.0.0.1/", "https://localhost.test/"])
def test_a_server_elsewhere_needs_a_permission(command: Command, url: str) -> None:
    code, output, errors = command("bench", url)
    assert (code, output) == (Exit.USAGE, b"")
    assert "--i-may" in errors


def test_percentiles_are_of_all_latencies() -> None:
    tally = Tally()
    assert tally.percentiles() == {}
    tally.latencies = [number / 1000 for number in range(1000, 0, -1)]
    assert tally.percentiles() == {50: 0.5, 75: 0.75, 90: 0.9, 99: 0.99, 99.9: 0.999, 100: 1.0}


def test_the_text_fits_a_narrow_terminal(command: Command) -> None:
    with RawServer(answer) as server:
        output = command("bench", server.url, "-n", 5).output.decode()
    assert max(map(len, output.splitlines())) <= 60
