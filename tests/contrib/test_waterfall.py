"""Waterfalls: phases from timings, and their text and SVG."""

import asyncio
import xml.etree.ElementTree as ElementTree

import pytest

from asyncclient import Client, ConnectError, PoolLimits, PoolTransport, Retry, Timings
from asyncclient.contrib.waterfall import PHASES, Bar, Waterfall, as_svg, as_text, list_bars, list_phases
from asyncclient.politeness import Polite, Rules
from asyncclient.testing import MockTransport
from tests.client.answering import Answering, redirect
from tests.connection.conversations import OK

URL = "http://example.com/"
BARS = [
    Bar("GET http://b/", 11.0, (("queued", 1.0), ("wait", 1.0), ("receive", 2.0)), "200"),
    Bar("GET http://a/<&", 10.0, (("connect", 1.0), ("send", 1.0)), "ReadTimeout"),
]


def test_phases_of_a_new_connection_add_up() -> None:
    timings = Timings(5.0)
    timings.queued, timings.resolve, timings.connect, timings.tunnel, timings.tls = 4.0, 1.0, 2.0, 5.0, 3.0
    timings.sent, timings.first_byte, timings.done = 12.0, 14.0, 15.0
    phases = dict(list_phases(timings))
    assert phases == {
        "queued": 4,
        "resolve": 1,
        "connect": 2,
        "tunnel": 5,
        "tls": 3,
        "send": 1,
        "wait": 2,
        "receive": 1,
    }
    assert sum(phases.values()) == timings.queued + timings.done


def test_phases_of_a_response_that_broke_off() -> None:
    timings = Timings(5.0)
    timings.sent, timings.first_byte = 1.0, 3.0
    assert list_phases(timings) == (("send", 1.0), ("wait", 2.0))


def test_a_line_for_each_bar_by_its_start() -> None:
    first, second, signs = as_text(BARS, width=80).split("\n")
    assert [line[:12] for line in (first, second)] == ["GET http://a", "GET http://b"]
    assert signs == "· queued  d resolve  c connect  = tunnel  t tls  s send  - wait  █ receive"
    first, second = first[16:], second[16:]
    assert first.lstrip()[0] == "c"
    assert second.index("·") < second.index("-") < second.index("█")
    assert first.index("s") == second.index("·")  # the second begins one second after the first
    assert "2000.0 ms" in first


@pytest.mark.parametrize("width", [60, 61, 100, 200])
def test_no_line_is_wider_than_given(width: int) -> None:
    bars = [*BARS, Bar(f"GET http://example.com/{'a' * 200}/end", 10.0, (("wait", 4.0),), "200")]
    text = as_text(bars, width)
    assert max(map(len, text.split("\n"))) <= width
    assert all(f"{phase.sign} {phase.name}" in text for phase in PHASES)


def test_the_middle_of_a_long_label_is_left_out() -> None:
    bars = [Bar(f"GET http://example.com/{'a' * 90}/{end}", 1.0, (("wait", 1.0),), "200") for end in ("one", "two")]
    one, two, _ = as_text(bars, 100).split("\n")
    assert one[:40] == "GET http://ex…aaaaaaaaaaaaaaaaaaaaaa/one"
    assert two[:40] == "GET http://ex…aaaaaaaaaaaaaaaaaaaaaa/two"


def test_no_responses_give_an_empty_chart() -> None:
    assert as_text([]) == ""
    assert ElementTree.fromstring(as_svg([])).tag.endswith("svg")


def test_the_image_is_well_formed_and_has_a_rectangle_for_each_phase() -> None:
    root = ElementTree.fromstring(as_svg(BARS))
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["connect 1000.0 ms", "send 1000.0 ms", "queued 1000.0 ms", "wait 1000.0 ms", "receive 2000.0 ms"]
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    assert "GET http://a/<&" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


async def test_bars_of_responses_include_their_redirects() -> None:
    with Answering({"/": redirect("/there?token=secret"), "/there?token=secret": OK}) as server:
        async with Client(trust_env=False) as client:
            bars = list_bars([await client.get(server.url)])
    assert [(bar.label, bar.result) for bar in bars] == [
        (f"GET {server.url}", "302"),
        (f"GET {server.url}/there?token=***", "200"),
    ]
    assert bars[0].seconds > 0


async def test_the_tracer_collects_failures_too() -> None:
    waterfall = Waterfall()
    transport = MockTransport({f"GET {URL}": [503, ConnectError("refused")]})
    async with Client(transport=transport, tracers=[waterfall], retries=Retry(total=1, backoff=0)) as client:
        with pytest.raises(ConnectError):
            await client.get(URL)
    assert [bar.result for bar in waterfall.bars] == ["503", "ConnectError"]
    assert waterfall.bars[1].seconds > 0


async def test_the_wait_of_polite_is_at_the_beginning_of_a_bar() -> None:
    waterfall, rules = Waterfall(), Rules(delay=0.1, connections=3)
    with Answering({"/": OK}) as server:
        transport = Polite(PoolTransport(pool=PoolLimits(connections=1)), rules)
        async with Client(transport=transport, tracers=[waterfall]) as client:
            await asyncio.gather(*(client.get(server.url) for _ in range(3)))
    first, *others = waterfall.bars
    for number, bar in enumerate(others, 1):
        names = [name for name, _ in bar.phases]
        assert names[0] == "queued"
        assert names.count("queued") == 1
        assert bar.phases[0][1] >= 0.09 * number
        assert bar.started < first.started + first.seconds  # when it was asked for, not when it was sent
