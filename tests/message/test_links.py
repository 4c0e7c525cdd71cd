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
        (["</2>"], [("http://h/2", {})]),
        (['</2>; rel="next"'], [("http://h/2", {"rel": "next"})]),
        (["</2>;rel=next"], [("http://h/2", {"rel": "next"})]),
        (['</2>; rel="next", </9>; rel="last"'], [("http://h/2", {"rel": "next"}), ("http://h/9", {"rel": "last"})]),
        (["</2>;rel=next,</9>;rel=last"], [("http://h/2", {"rel": "next"}), ("http://h/9", {"rel": "last"})]),
        (["</2>; rel=next", "</9>; rel=last"], [("http://h/2", {"rel": "next"}), ("http://h/9", {"rel": "last"})]),
        (["</a,b;c>; rel=next"], [("http://h/a,b;c", {"rel": "next"})]),
        (["< /2 >"], [("http://h/2", {})]),
        (['</2>; title="a, <b>; rel=x"; rel=next'], [("http://h/2", {"title": "a, <b>; rel=x", "rel": "next"})]),
        ([r'</2>; title="a\"b\\c"'], [("http://h/2", {"title": 'a"b\\c'})]),
        (["</2>; REL=next; Rel=last"], [("http://h/2", {"rel": "next"})]),
        (["</2>; crossorigin; rel=preload"], [("http://h/2", {"crossorigin": "", "rel": "preload"})]),
        ([",,</2>;;rel=next,,"], [("http://h/2", {"rel": "next"})]),
        (["junk, </2>"], [("http://h/2", {})]),
        (["<a<b>"], [("http://h/a/b", {})]),
        (['</2>; rel="next, </9>; rel=last'], [("http://h/2", {"rel": "next, </9>; rel=last"})]),
        (["</2>; title*=UTF-8'de'n%c3%a4chstes%20Kapitel"], [("http://h/2", {"title": "nächstes Kapitel"})]),
        (["</2>; title=plain; title*=utf-8''%E2%82%AC"], [("http://h/2", {"title": "€"})]),
        (["</2>; title*=utf-8''%FF"], [("http://h/2", {"title": "\ufffd"})]),
        (["</2>; title=plain; title*=iso-8859-1''%A3"], [("http://h/2", {"title": "£"})]),
        (["</2>; title=plain; title*=iso-8859-2''%A3"], [("http://h/2", {"title": "plain"})]),
        (["</2>; title=plain; title*=utf-8''%A"], [("http://h/2", {"title": "plain"})]),
        (["</2>; title*=junk"], [("http://h/2", {})]),
    ],
)
def test_links(values: list[str], links: list[tuple[str, dict[str, str]]]) -> None:
    assert [(url, params) for url, _, params in parse_links(values, "http://h/a/b?c#d")] == links


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
    assert [link.rel for link in parse_links([value], "http://h/")] == [rel]


def test_index_has_each_relation_type_and_the_first_link_of_it() -> None:
    links = parse_links(['</1>; rel="prev start", </2>; rel=next, </3>; rel=NEXT, </4>'], "http://h/")
    assert {relation: link.url for relation, link in index_links(links).items()} == {
        "prev": "http://h/1",
        "start": "http://h/1",
        "next": "http://h/2",
    }


def test_index_leaves_out_links_from_somewhere_else() -> None:
    links = parse_links(['</1>; rel=next; anchor="/other", </2>; rel=next'], "http://h/")
    assert index_links(links) == {"next": Link("http://h/2", "next", {"rel": "next"})}


def test_number_of_links_is_bounded() -> None:
    links = parse_links(["<a>," * 900, "<b>," * 900], "http://h/")
    assert [link.url for link in links] == ["http://h/a"] * 900 + ["http://h/b"] * 100


def test_size_of_links_is_bounded() -> None:
    links = parse_links(["<./a>," * 900], "http://h" + "/a" * 32 * 1024)
    assert len(links) == 16


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("?page=2", "http://h/a/b?page=2"),
        ("c", "http://h/a/c"),
        ("../c", "http://h/c"),
        ("//g/c", "http://g/c"),
        ("https://g/a/../c", "https://g/c"),
        ("", "http://h/a/b?c"),
        ("#f", "http://h/a/b?c#f"),
        ("mailto:a@b", "mailto:a@b"),
        ("/\xc3\xa9", "http://h/%C3%A9"),
        ("http://b\xc3\xbccher/\xe9", "http://bücher/%E9"),
        ("http://\xff/", "http://\xff/"),
    ],
)
def test_urls_of_links_are_absolute(reference: str, url: str) -> None:
    assert [link.url for link in parse_links([f"<{reference}>"], "http://h/a/b?c#d")] == [url]


@given(st.lists(st.text(st.sampled_from("<>;,=\"\\ \t'*%relxuUtitle-8") | st.characters()), max_size=3))
def test_any_text_gives_no_more_links_than_it_has(values: list[str]) -> None:
    links = parse_links(values, "http://h/")
    assert len(links) <= sum(value.count("<") for value in values)


PIECES = ["<", ">", "<a", "<a>,", "<>;", ";", "; ", ",", '"', "\\", '<a>;a="', '<a>;a="\\', "<a>;rel=a", ";a=b", " "]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("start", ["", "<a>;", '<a>;x="', "<a>;title*=utf-8''"])
def test_hostile_value_of_1_mb_takes_linear_time(start: str, piece: str) -> None:
    value = start + piece * (1_000_000 // len(piece))
    began = time.process_time()
    parse_links([value], "http://h/")
    assert time.process_time() - began < 3  # 0.4 s at most when measured alone; quadratic would be minutes
