"""The links of pages: which elements and fields have them, how they are resolved, and how many."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.crawl import Entry, Page, find_links, normalize_url
from asyncclient.errors import InvalidURL
from tests.crawl.pages import fetch_page

BASE = "https://a.example/dir/page?q"


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("<a href=x>", ["https://a.example/dir/x"]),
        ("<area href='/y'>", ["https://a.example/y"]),
        ("<iframe src=//b.example/>", ["https://b.example/"]),
        ("<frameset><frame src='?p'>", ["https://a.example/dir/page?p"]),
        ("<link rel=Canonical href=c>", ["https://a.example/dir/c"]),
        ("<link rel='x next' href=n><link rel=prev href=p>", ["https://a.example/dir/n", "https://a.example/dir/p"]),
        ("<link rel=stylesheet href=s><link href=t>", []),
        ("<img src=i><script src=s></script><form action=f><a name=x><a>", []),
        ("<a href=HTTP://B.Example:80/%7Ex#f>", ["http://b.example/~x"]),
        ("<a href='../a/./b'>", ["https://a.example/a/b"]),
        ("<a href='x?a=1&amp;b=2&copy=3'>", ["https://a.example/dir/x?a=1&b=2&copy=3"]),
        ("<a href=' \n/a\n\tb\r '>", ["https://a.example/ab"]),
        (r"<a href='\a\b?c\d#e'><a href='x#\'>", ["https://a.example/a/b?c%5Cd", "https://a.example/dir/x"]),
        ("<a href='é b'>", ["https://a.example/dir/%C3%A9%20b"]),
        ("<a href=x><A HREF='x#y'><a href=/dir/x>", ["https://a.example/dir/x"]),
        ("<a href=''><a href='#x'><a href=' '>", []),
        ("<a href=mailto:a@b><a href=javascript:x()><a href='data:,x'><a href=tel:1><a href=ftp://h/>", []),
        ("<a href=http://user:pw@h/><a href=http:x><a href=http://><a href='http://a b/'><a href=//h:x/>", []),
        ("<meta http-equiv=Refresh content='5; URL=/r'>", ["https://a.example/r"]),
        ("<meta http-equiv=refresh content=\"0,url='r s'x\">", ["https://a.example/dir/r%20s"]),
        ("<meta http-equiv=refresh content='.5 r'>", ["https://a.example/dir/r"]),
        ("<meta http-equiv=refresh content=5><meta http-equiv=x content='0;url=/r'>", []),
    ],
)
def test_links_of_html(html: str, links: list[str]) -> None:
    assert find_links(html, BASE) == links
    assert find_links(html.encode(), BASE) == links


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("<base href=/other/><a href=x>", ["https://a.example/other/x"]),
        ("<a href=x><base href=http://b.example/y/z><base href=/w/>", ["http://b.example/y/x"]),
        ("<base><base target=x href='sub/'><a href=x>", ["https://a.example/dir/sub/x"]),
        ("<base href=data:x><a href=x>", ["https://a.example/dir/x"]),
        ("<base href='http://a b/'><a href=x>", ["https://a.example/dir/x"]),
    ],
)
def test_the_base_of_the_document_is_obeyed_if_it_is_valid(html: str, links: list[str]) -> None:
    assert find_links(html, BASE) == links


def test_nofollow_is_obeyed_by_choice() -> None:
    html = "<a rel='ugc NoFollow' href=x><area rel=nofollow href=y><a rel=nofollower href=z>"
    x, y, z = (f"https://a.example/dir/{name}" for name in "xyz")
    assert find_links(html, BASE) == [z]
    assert find_links(html, BASE, obey_nofollow=False) == [x, y, z]


@pytest.mark.parametrize("content", ["nofollow", "NOINDEX, NoFollow", "none", "noindex,none"])
def test_a_page_that_says_nofollow_has_no_links(content: str) -> None:
    html = f"<a href=y><meta name=Robots content='{content}'><a href=x>"
    assert find_links(html, BASE) == []
    assert find_links(html, BASE, obey_nofollow=False) == ["https://a.example/dir/y", "https://a.example/dir/x"]


@pytest.mark.parametrize("meta", ["name=robots content=noindex", "name=examplebot content=nofollow", "content=none"])
def test_other_meta_elements_do_not_matter(meta: str) -> None:
    assert find_links(f"<meta {meta}><a href=x>", BASE) == ["https://a.example/dir/x"]


@pytest.mark.parametrize(
    ("field", "may_follow"),
    [
        ("nofollow", False),
        ("noindex, none", False),
        ("unavailable_after: 25 Jun 2030 15:00:00 GMT, nofollow", False),
        ("examplebot: nofollow", True),
        ("noindex", True),
        ("max-snippet: 5", True),
    ],
)
async def test_nofollow_in_a_field(field: str, may_follow: bool) -> None:
    page = await fetch_page("<a href=x>", headers={"Content-Type": "text/html", "X-Robots-Tag": field})
    assert find_links(page) == (["https://a.example/dir/x"] if may_follow else [])
    assert find_links(page, obey_nofollow=False) == ["https://a.example/dir/x"]


async def test_link_fields_follow_the_links_of_the_document() -> None:
    fields = '<n>; rel=next, </x>; rel="preload", <c>; rel=canonical, <../p>; rel=prev'
    page = await fetch_page("<a href=x>", headers={"Content-Type": "text/html", "Link": fields})
    assert find_links(page) == [f"https://a.example/{name}" for name in ("dir/x", "dir/n", "dir/c", "p")]


async def test_the_base_of_a_page_is_the_url_of_its_response() -> None:
    page = await fetch_page("<a href=x>", url="https://b.example/moved/")
    page.entry.url = "https://a.example/"
    assert find_links(page) == ["https://b.example/moved/x"]
    assert page.response is not None
    assert find_links(page.response) == find_links(page)
    assert find_links(page, "https://c.example/") == ["https://c.example/x"]


@pytest.mark.parametrize(
    ("content_type", "is_html"),
    [
        ("text/html", True),
        ("Text/HTML; charset=utf-8", True),
        ("application/xhtml+xml", True),
        ("text/plain", False),
        ("application/json", False),
        ("application/pdf", False),
        ("", False),
    ],
)
async def test_content_that_is_not_html_has_no_links(content_type: str, is_html: bool) -> None:
    page = await fetch_page("<a href=x>", headers={"Content-Type": content_type})
    assert bool(find_links(page)) is is_html


@pytest.mark.parametrize(
    ("content", "is_html"),
    [("<a href=x>", True), ("\ufeff\n <!DOCTYPE html><a href=x>", True), ("x <a href=x>", False), ("", False)],
)
async def test_content_without_a_type_is_html_if_it_begins_so(content: str, is_html: bool) -> None:
    page = await fetch_page(content, headers={})
    assert bool(find_links(page)) is is_html


async def test_the_charset_is_that_of_the_response() -> None:
    page = await fetch_page("<a href=é>".encode("latin-1"), headers={"Content-Type": "text/html; charset=latin-1"})
    assert find_links(page) == ["https://a.example/dir/%C3%A9"]
    html = "<meta charset=windows-1251><a href=я>".encode("cp1251")
    assert find_links(await fetch_page(html)) == find_links(html, BASE) == ["https://a.example/dir/%D1%8F"]


def test_a_page_with_an_error_has_no_links() -> None:
    assert find_links(Page(Entry("http://h/"), None, OSError("x"))) == []


def test_the_number_and_the_length_of_links_are_limited() -> None:
    html = "".join(f"<a href={i}>" for i in range(20_000))
    assert len(find_links(html, BASE)) == 10_000
    assert find_links(html, BASE, limit=2) == ["https://a.example/dir/0", "https://a.example/dir/1"]
    assert find_links(f"<a href={'x' * 8000}><a href={'y' * 8001}>", BASE) == [f"https://a.example/dir/{'x' * 8000}"]
    base = f"<base href={'x' * 7000}/>"
    assert 1000 < len(find_links(base + html, BASE)) < 1300


def test_a_base_with_a_user_gives_links_without_it() -> None:
    assert find_links("<a href=x><a href=/y>", "http://user:secret@h/a/#f") == ["http://h/a/x", "http://h/y"]


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "text"),
    [
        (("<a>",), {}, TypeError, "expected the URL of the page as base"),
        ((1, BASE), {}, TypeError, "expected a Page, a Response, str or bytes as source, got int"),
        (("<a>", "/x"), {}, InvalidURL, "expected an http or https URL"),
        (("<a>", BASE), {"limit": 0}, ValueError, "expected limit of at least 1"),
        (("<a>", BASE), {"limit": None}, TypeError, "expected a whole number as limit"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: Any, options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        find_links(*arguments, **options)


@given(st.binary(max_size=80), st.text(max_size=20))
def test_any_bytes_give_normal_urls(data: bytes, reference: str) -> None:
    html = b"<a href='" + reference.replace("'", "").encode(errors="replace") + b"'><base href=" + data + b"><a href=x>"
    for link in find_links(html, BASE):
        assert normalize_url(link) == link
