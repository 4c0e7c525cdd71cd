"""The log: its lines, its levels, and what it never shows."""

import logging

import pytest

from asyncclient import (
    Client,
    ConnectionTrace,
    Digest,
    LocalResponse,
    LogTracer,
    PoolLimits,
    RemoteDisconnected,
    Resend,
    Retry,
    Trace,
)
from asyncclient.testing import MockTransport
from tests.client.answering import Answering
from tests.connection.conversations import OK

URL = "http://example.com/"
LOGGER = "asyncclient"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_one_line_for_each_request_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    transport = MockTransport({f"GET {URL}": LocalResponse(content="twelve bytes")})
    async with Client(transport=transport) as client:
        await client.get(URL)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    start, _, end = record.getMessage().partition(" in ")
    assert start == f"GET {URL} 200 OK, 12 bytes"
    assert end.endswith(" s")
    assert isinstance(record.trace, Trace)  # type: ignore[attr-defined]


async def test_the_lines_of_a_retried_request_have_its_retries(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    transport = MockTransport({f"GET {URL}": [503, 503, 200]})
    async with Client(transport=transport, retries=Retry(backoff=0)) as client:
        await client.get(URL)
    assert [line.partition(" s, ")[2] for line in lines(caplog)] == ["after 2 retries"]


async def test_a_line_names_redirects_challenges_and_retries(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    challenge = LocalResponse(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    transport = MockTransport(
        {
            f"GET {URL}": LocalResponse(302, headers={"Location": "/a"}),
            f"GET {URL}a": LocalResponse(302, headers={"Location": "/b"}),
            f"GET {URL}b": [challenge, 503, 200],
        }
    )
    async with Client(transport=transport, retries=Retry(backoff=0), auth=Digest("user", "password")) as client:
        await client.get(URL)
    told = [line.partition(": ")[2] or line for line in lines(caplog)]
    *resent, last = [line for line in told if line.startswith(("GET", "redirect", "challenge", "retry"))]
    assert resent == [
        f"GET {URL}",
        "redirect after status 302",
        f"GET {URL}a, redirect 1",
        "redirect after status 302",
        f"GET {URL}b, redirect 2",
        "challenge after status 401",
        f"GET {URL}b, challenge 1",
        "retry after status 503",
        f"GET {URL}b, retry 1",
    ]
    assert last.partition(" s, ")[2] == "after 2 redirects, 1 challenge, 1 retry"


async def test_the_log_names_each_reason_of_a_resend(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    tracer, trace = LogTracer(), Trace(lambda *_: None, "PUT", URL)
    for resend in (
        Resend("stale", 0.0, None, RemoteDisconnected("closed")),
        Resend("expectation", 0.0, 417, None),
        Resend("retry", 0.25, 503, None),
        Resend("retry", 0.5, None, RemoteDisconnected("closed")),
    ):
        trace.request_resent(*resend)
        tracer.request_resent(trace, resend)
        tracer.attempt_started(trace)
    tracer.request_ended(trace, RemoteDisconnected("closed"))
    assert [line.partition(": ")[2] for line in lines(caplog)[:-1]] == [
        "stale connection after RemoteDisconnected: closed",
        f"PUT {URL}, stale connection 1",
        "refused expectation after status 417",
        f"PUT {URL}, refused expectation 1",
        "retry after status 503, pause of 0.250 s",
        f"PUT {URL}, retry 1",
        "retry after RemoteDisconnected: closed, pause of 0.500 s",
        f"PUT {URL}, retry 2",
    ]
    end = " s, after 1 stale connection, 1 refused expectation, 2 retries: RemoteDisconnected: closed"
    assert lines(caplog)[-1].endswith(end)


async def test_the_line_of_a_failure_has_the_error_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    transport = MockTransport({f"GET {URL}": LocalResponse(content=b"x" * 100)})
    async with Client(transport=transport, max_body_size=10) as client:
        with pytest.raises(Exception, match="larger"):
            await client.get(URL)
    (line,) = lines(caplog)
    assert line.startswith(f"GET {URL} 200 OK failed after 0 bytes in ")
    assert line.endswith("ContentTooLarge: content is larger than 10 bytes")
    assert line.count(URL) == 1


async def test_each_step_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    with Answering(default=OK) as server:
        async with Client(trust_env=False, pool=PoolLimits(idle=0)) as client:
            await client.post(server.url, body=b"body")
    told = "\n".join(lines(caplog))
    for step in (
        *(": POST http", f"opening to 127.0.0.1:{server.port}, for request", "resolved in", "connected to"),
        *("new", "head sent", "body sent, 4 bytes", "waits for the response", "response 200", "2 bytes, 2 in all"),
        *("content complete, 2 bytes", "closed, requests: 1, reason: it was closed by this side", "200 OK, 2 bytes in"),
    ):
        assert step in told
    kinds = {type(record.trace) for record in caplog.records}  # type: ignore[attr-defined]
    assert {kind.__mro__[-2] for kind in kinds} == {Trace, ConnectionTrace}


async def test_a_connection_that_was_opened_while_the_log_was_off_is_logged_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Answering(default=OK) as server:
        async with Client(trust_env=False) as client:
            await client.get(server.url)
            caplog.set_level(logging.DEBUG, LOGGER)
            await client.get(server.url)
    told = lines(caplog)
    assert any("reused, request 2 on it" in line for line in told)
    assert any("closed, requests: 2" in line for line in told)


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    answer = LocalResponse(content="hidden", headers={"Set-Cookie": "a=hidden"})
    transport = MockTransport({f"POST {URL}a?token=hidden&hidden": answer})
    async with Client(transport=transport, headers={"X-Key": "hidden"}) as client:
        await client.post("http://hidden:hidden@example.com/a?token=hidden&hidden", body=b"hidden")
    told = "\n".join(lines(caplog))
    assert "POST http://example.com/a?token=***&***" in told
    assert "hidden" not in told


async def test_a_log_tracer_takes_the_place_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    transport = MockTransport({f"GET {URL}?q=1": 200})
    tracer = LogTracer(logging.getLogger("shop.http"), show_url=lambda url: url)
    async with Client(transport=transport, tracers=[tracer]) as client:
        await client.get(f"{URL}?q=1")
    (record,) = caplog.records
    assert record.name == "shop.http"
    assert f"GET {URL}?q=1 200" in record.getMessage()


async def test_nothing_is_logged_below_the_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, LOGGER)
    async with Client(transport=MockTransport({f"GET {URL}": 200})) as client:
        await client.get(URL)
    assert caplog.records == []
