"""The guard of the costs: what it compares, when it fails, and that each step does its work."""

import asyncio
import json
import math
from pathlib import Path

import pytest

from benchmarks import check
from benchmarks.check import BYTES, CPU, INSTRUCTIONS, Verdict, judge, read_record, read_total, relate, write_record
from benchmarks.machine import serving
from benchmarks.profiled import profile, read_lines
from benchmarks.steps import BARE, STEPS, measure_idle, repeat


@pytest.mark.parametrize(
    ("unit", "cost", "is_bad"),
    [
        (INSTRUCTIONS, 1.0, False),
        (INSTRUCTIONS, 2.2, False),
        (INSTRUCTIONS, 2.21, True),
        (BYTES, 2.21, True),
        (CPU, 2.21, False),
        (CPU, 2.51, True),
        (CPU, math.nan, True),
    ],
)
def test_a_step_may_cost_a_tenth_more_than_recorded_and_a_quarter_more_cpu(
    unit: str, cost: float, is_bad: bool
) -> None:
    (verdict,) = judge({unit: {"new head": cost}}, {unit: {"new head": 2.0}})
    assert verdict.is_bad is is_bad
    assert ("MORE THAN" in str(verdict)) is is_bad


@pytest.mark.parametrize("recorded", [{}, {INSTRUCTIONS: {"client GET": 1.0}}, {CPU: {"new head": 1.0}}])
def test_a_step_without_a_record_fails(recorded: check.Costs) -> None:
    (verdict,) = judge({INSTRUCTIONS: {"new head": 1.0}}, recorded)
    assert verdict.is_bad
    assert str(verdict).endswith("NOT RECORDED")


def test_a_verdict_shows_cost_record_and_their_ratio() -> None:
    shown = str(Verdict(BYTES, "idle connection", 6000.0, 5000.0))
    assert shown.split() == [
        *("bytes", "idle", "connection", "6,000.00", "recorded", "5,000.00", "1.20", "times", "MORE", "THAN", "1.10")
    ]


def test_costs_are_multiples_of_the_bare_exchange() -> None:
    assert relate({BARE: 200.0, "client GET": 900.0, "new head": 100.0}) == {"client GET": 4.5, "new head": 0.5}


def test_the_total_of_a_section_is_read(tmp_path: Path) -> None:
    path = tmp_path / "out.2"
    path.write_text("version: 1\npart: 2\nevents: Ir\nsummary: 4300\n\nfn=(1) summary: 7\n1 2\n\ntotals: 4300\n")
    assert read_total(path) == 4300


def test_a_record_replaces_that_of_its_version_in_the_measured_units(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    before = {"3.11": {CPU: {"a": 1.0}, BYTES: {"b": 2}}, "3.12": {BYTES: {"b": 3}}}
    path.write_text(json.dumps(before))
    write_record(path, "3.11", {BYTES: {"b": 4}})
    assert read_record(path, "3.11") == {CPU: {"a": 1.0}, BYTES: {"b": 4}}
    assert read_record(path, "3.12") == before["3.12"]
    assert read_record(path, "3.13") == {}


def test_the_repository_records_each_step_for_each_supported_python() -> None:
    steps = {*STEPS} - {BARE}
    for version in ("3.11", "3.12", "3.13"):
        recorded = read_record(check.RECORD, version)
        assert {unit: {*costs} for unit, costs in recorded.items()} == {
            INSTRUCTIONS: steps,
            CPU: steps,
            BYTES: {check.IDLE},
        }


@pytest.mark.parametrize("name", STEPS)
def test_a_step_can_be_repeated(name: str) -> None:
    async def use(port: int) -> None:
        async with STEPS[name](port) as once:
            await repeat(once, 3)

    with serving() as port:
        asyncio.run(use(port))


def test_a_profile_names_the_functions_of_a_step() -> None:
    with serving() as port:
        lines = read_lines(asyncio.run(profile(STEPS["new head"], port)))
    assert sum(line.share for line in lines) == pytest.approx(1.0)
    assert lines == sorted(lines, reverse=True)
    assert {line.name: line.calls for line in lines}["asyncclient/message/head.py: parse_head"] == 1.0


def test_an_idle_connection_takes_kilobytes() -> None:
    with serving() as port:
        assert 1_000 < asyncio.run(measure_idle(port, 5, 40)) < 50_000
