"""Link fields: those of RFC 8288, those that servers write, and hostile ones."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.message.links import Link, index_links, parse_links


@pytest.mark.parametrize(
    ("values", "links"),
    [
        ([], []),
        ([""], []),
        (["no link"], []),
        (["<a"], []),
        (["</2>"], [("/2", {})]),
        (['</2>; rel="next"'], [("/2", {"rel": "next"})]),
        (["</2>;rel=next"], [("/2", {"rel": "next"})]),
        (['</2>; rel="next", </9>; rel="last"'], [("/2", {"rel": "next"}), ("/9", {"rel": "last"})]),
        (["</2>;rel=next,</9>;rel=last"], [("/2", {"rel": "next"}), ("/9", {"rel": "last"})]),
        (["</2>; rel=next", "</9>; rel=last"], [("/2", {"rel": "next"}), ("/9", {"rel": "last"})]),
        (["</a,b;c>; rel=next"], [("/a,b;c", {"rel": "next"})]),
        (["< /2 >"], [("/2", {})]),
        (['</2>; title="a, <b>; rel=x"; rel=next'], [("/2", {"title": "a, <b>; rel=x", "rel": "next"})]),
        ([r'</2>; title="a\"b\\c"'], [("/2", {"title": 'a"b\\c'})]),
        (["</2>; REL=next; Rel=last"], [("/2", {"rel": "next"})]),
        (["</2>; crossorigin; rel=preload"], [("/2", {"crossorigin": "", "rel": "preload"})]),
        ([",,</2>;;rel=next,,"], [("/2", {"rel": "next"})]),
        (["junk, </2>"], [("/2", {})]),
        (["<a<b>"], [("b", {})]),
        (['</2>; rel="next, </9>; rel=last'], [("/2", {"rel": "next, </9>; rel=last"})]),
        (["</2>; title*=UTF-8'de'n%c3%a4chstes%20Kapitel"], [("/2", {"title": "nächstes Kapitel"})]),
        (["</2>; title=plain; title*=utf-8''%E2%82%AC"], [("/2", {"title": "€"})]),
        (["</2>; title*=utf-8''%FF"], [("/2", {"title": "\ufffd"})]),
        (["</2>; title=plain; title*=iso-8859-1''%A3"], [("/2", {"title": "£"})]),
        (["</2>; title=plain; title*=iso-8859-2''%A3"], [("/2", {"title": "plain"})]),
        (["</2>; title=plain; title*=utf-8''%A"], [("/2", {"title": "plain"})]),
        (["</2>; title*=junk"], [("/2", {})]),
    ],
)
def test_links(values: list[str], links: list[tuple[str, dict[str, str]]]) -> None:
    assert [(url, params) for url, _, params in parse_links(values)] == links


@pytest.mark.parametrize(
    ("value", "rel"),
    [
        ("</>", ""),
        ("</>; rel", ""),
        ("</>; rel=Next", "next"),
        ('</>; rel=" prev   Start "', "prev start"),
        ('</>; rel="https://example.com/Rel"', "https://example.com/rel"),
    ],
)
def test_relation_types_are_in_lower_case(value: str, rel: str) -> None:
    assert [link.rel for link in parse_links([value])] == [rel]


def test_index_has_each_relation_type_and_the_first_link_of_it() -> None:
    links = parse_links(['</1>; rel="prev start", </2>; rel=next, </3>; rel=NEXT, </4>'])
    assert {relation: link.url for relation, link in index_links(links).items()} == {
        "prev": "/1",
        "start": "/1",
        "next": "/2",
    }


def test_index_leaves_out_links_from_somewhere_else() -> None:
    links = parse_links(['</1>; rel=next; anchor="/other", </2>; rel=next'])
    assert index_links(links) == {"next": Link("/2", "next", {"rel": "next"})}


def test_number_of_links_is_bounded() -> None:
    links = parse_links(["<a>," * 900, "<b>," * 900])
    assert [link.url for link in links] == ["a"] * 900 + ["b"] * 100


@given(st.lists(st.text(st.sampled_from("<>;,=\"\\ \t'*%relxuUtitle-8") | st.characters()), max_size=3))
def test_any_text_gives_links_of_its_own_characters(values: list[str]) -> None:
    links = parse_links(values)
    assert all(any(link.url in value for value in values) for link in links)
    assert len(links) <= sum(value.count("<") for value in values)


PIECES = ["<", ">", "<a", "<a>,", "<>;", ";", "; ", ",", '"', "\\", '<a>;a="', '<a>;a="\\', "<a>;rel=a", ";a=b", " "]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("start", ["", "<a>;", '<a>;x="', "<a>;title*=utf-8''"])
def test_hostile_value_of_1_mb_takes_linear_time(start: str, piece: str) -> None:
    value = start + piece * (1_000_000 // len(piece))
    began = time.process_time()
    parse_links([value])
    assert time.process_time() - began < 3  # 0.4 s at most when measured alone; quadratic would be minutes
