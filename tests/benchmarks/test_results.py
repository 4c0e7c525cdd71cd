"""The figures of the benchmarks: medians, ratios, files, tables and picture."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import picture, table
from benchmarks.figures import Run, Spread, Turn, order_of, spread
from benchmarks.rows import ROWS, SUITES, suite_of
from benchmarks.run import describe_row

ABOUT = {"date": "2026-11-29", "command": "make bench", "rounds": "3", "machine": "two cores", "server": "nginx 1.22"}


def turns(*cpus: float) -> list[Turn]:
    return [Turn(cpu, 1e6 / cpu, 30.0) for cpu in cpus]


def make_run() -> Run:
    """Return a run of three rounds, in which the machine was half as fast in the second."""
    hundred = {"asyncclient": turns(20, 42, 30), "aiohttp": turns(100, 200, 100), "bare": turns(10, 20, 10)}
    kept = {"http.client": turns(100, 200, 100), "compat": turns(60, 100, 50), "urllib3": turns(300, 600, 300)}
    scale = {"asyncclient, 10 connections": dict.fromkeys(("in flight", "idle", "factor", "opening", "closing"), 4.25)}
    return Run(ABOUT, {"Python": "3.11.7", "aiohttp": "3.14"}, {"hundred": hundred, "kept": kept}, scale)


def test_a_spread_is_median_and_extremes() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([4.0, 1.0]) == Spread(2.5, 1.0, 4.0)


def test_a_ratio_is_that_of_the_turns_of_a_round() -> None:
    run = make_run()
    assert run.ratios("hundred", "asyncclient", "cpu") == pytest.approx(Spread(0.21, 0.2, 0.3))
    assert run.ratios("hundred", "asyncclient", "rate") == pytest.approx(Spread(1 / 0.21, 1 / 0.3, 5.0))
    assert run.ratios("kept", "urllib3", "cpu") == pytest.approx(Spread(3.0, 3.0, 3.0))
    assert run.ratios("kept", "http.client", "cpu") == Spread(1.0, 1.0, 1.0)


def test_a_contender_that_took_no_part_has_no_figures() -> None:
    run = make_run()
    assert run.ratios("hundred", "httpx", "cpu") is None
    assert run.values("hundred", "httpx", "cpu") is None
    assert Run({}, {}, {"hundred": {"asyncclient": turns(1)}}, {}).ratios("hundred", "asyncclient", "cpu") is None


def test_each_round_begins_with_another_contender() -> None:
    names = ["a", "b", "c"]
    assert [order_of(number, names) for number in range(4)] == [
        *(["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"])
    ]


def test_a_run_is_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    make_run().save(path)
    loaded = Run.load(path)
    assert loaded.about == ABOUT
    assert loaded.scale == make_run().scale
    for name, saved in make_run().turns["kept"].items():
        assert [*map(list, loaded.turns["kept"][name])] == [pytest.approx(list(turn), rel=1e-3) for turn in saved]
    assert Run.load(tmp_path / "missing.json") == Run({}, {}, {}, {})


def test_a_new_run_replaces_the_rows_that_it_measured() -> None:
    newer = Run({**ABOUT, "date": "2027-01-01"}, {"aiohttp": "4"}, {"kept": {"compat": turns(1)}}, {})
    both = make_run().updated(newer)
    assert both.about["date"] == "2027-01-01"
    assert both.versions == {"Python": "3.11.7", "aiohttp": "4"}
    assert both.turns == {"hundred": make_run().turns["hundred"], "kept": {"compat": turns(1)}}
    assert both.scale == make_run().scale


def test_figures_of_many_connections_are_replaced_as_a_whole() -> None:
    newer = Run(ABOUT, {}, {}, {"asyncclient, 10 connections": {"connections": 10}})
    assert make_run().scale
    assert make_run().updated(newer).scale == newer.scale


@pytest.mark.parametrize(
    ("value", "shown"), [(0.333, ".33"), (1.0, "1.00"), (9.99, "9.99"), (0.0, ".00"), (71.4, "71")]
)
def test_a_ratio_is_shown_with_two_digits(value: float, shown: str) -> None:
    assert table.ratio(value) == shown


def test_the_table_has_goals_medians_and_extremes() -> None:
    lines = table.build_ratios(make_run(), suite_of("hundred"), "cpu").splitlines()
    assert lines[0] == "|  | goal | bare streams | asyncclient | pyreqwest | httpx |"
    assert lines[2:] == ["| small GET, 100 at once | .30 | .10 (.10 to .10) | .21 (.20 to .30) |  |  |"]


def test_missed_goals_are_named() -> None:
    run = make_run()
    assert table.build_goals(run, suite_of("hundred")) == "asyncclient reaches each goal."
    run.turns["hundred"]["asyncclient"] = turns(30.4, 60.8, 30.4)  # .30, as it is shown
    assert table.build_goals(run, suite_of("hundred")) == "asyncclient reaches each goal."
    run.turns["hundred"]["asyncclient"] = turns(40, 80, 40)
    assert table.build_goals(run, suite_of("hundred")) == (
        "Goals that asyncclient misses: small GET, 100 at once: .40 instead of .30."
    )


def test_the_page_has_all_tables_and_the_circumstances() -> None:
    page = table.build_page(make_run())
    assert "Measured on 2026-11-29 with `make bench` (rounds: 3; two cores; server nginx 1.22): Python 3.11.7" in page
    assert page.count("| small GET, 100 at once |") == page.count("| small GET on one connection |") == 3
    assert "| asyncclient, 10 connections | 4.2 | 4.2 | 4.2 | 4.2 | 4.2 |" in page


def test_the_summary_has_a_line_for_each_of_the_chosen_contenders() -> None:
    lines = table.build_summary(make_run()).splitlines()
    assert lines[2:6] == [
        "| asyncclient / aiohttp | .21 |  |  |  |  |  |",
        "| pyreqwest / aiohttp |  |  |  |  |  |  |",
        "| compat / http.client | .50 |  |  |  |  |  |",
        "| urllib3 / http.client | 3.00 |  |  |  |  |  |",
    ]


def test_a_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- make bench: begin -->\nold\n<!-- make bench: end -->\nafter\n")
    for _ in range(2):
        table.insert(page, "new")
    assert page.read_text() == "before\n<!-- make bench: begin -->\nnew\n<!-- make bench: end -->\nafter\n"


@pytest.mark.parametrize("text", ["", "<!-- make bench: begin -->\n", "<!-- make bench: end -->\n"])
def test_a_page_without_markers_is_refused(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="no markers"):
        table.insert(page, "new")
    assert page.read_text() == text


def test_the_picture_has_a_bar_for_each_contender_as_long_as_its_ratio() -> None:
    root = ElementTree.fromstring(picture.draw(make_run()))
    bars = [each for each in root.findall(".//{*}rect") if each.get("height") == str(picture.BAR - 1)]
    first, second = picture.SCALES["aiohttp"], picture.SCALES["http.client"]
    expected = [0.1 * first, 0.21 * first, first, 0.5 * second, second, picture.LONGEST]
    assert [float(bar.get("width", "")) for bar in bars] == pytest.approx(expected, abs=0.06)
    words = [each.text for each in root.findall(".//{*}text")]
    assert {"small GET, 100 at once", ".21", "3.00", "asyncclient", "compat"} <= {*words}
    assert float(root.get("height", "")) > max(float(bar.get("y", "")) for bar in bars)


def test_the_picture_has_colours_for_dark_pages() -> None:
    assert "prefers-color-scheme: dark" in picture.draw(make_run())


def test_a_row_is_printed_with_a_line_for_each_contender() -> None:
    lines = [*describe_row("kept", make_run().turns["kept"])]
    assert [line.split()[0] for line in lines] == ["http.client", "compat", "urllib3"]
    assert "CPU .50 (.50 to .60)" in lines[1]


def test_names_in_tables_exist() -> None:
    assert {*table.CHOSEN} <= {*ROWS}
    assert {row for choice in table.COLUMNS.values() for row in choice} <= {*ROWS, ""}
    for suite, names in zip(SUITES, table.LINES, strict=True):
        assert {*names, *suite.ours, suite.base, *picture.SHOWN[suite.base]} <= {*suite.contenders}
