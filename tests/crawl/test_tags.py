"""Start tags of HTML, by the tokenization of the standard: compared with lexbor, which builds the whole tree."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from asyncclient.crawl.tags import decode_references, find_tags, parse_attributes
from tests.fuzz.growth import assert_grows_less

NAMES = {"a", "area", "base", "iframe", "link", "meta"}
PIECES = st.sampled_from(
    [
        *("<a href=x", "<a ", "<A HREF='1'", "<area href=3>", "<base href=b>", "<link href=q>", "<meta content=1>"),
        *("<iframe src=1>", "</iframe>", "<p ", "<div", "<b>", "<ab>", "</a", "</p", "<!--", "-->", "--!>", "->", "<!"),
        *(
            "<?",
            "</",
            "</ ",
            "<",
            ">",
            "/>",
            "/",
            " ",
            "\n",
            "=",
            "==",
            '"',
            "'",
            "x",
            "y=1",
            'z="',
            "t='",
            "href=",
            "-",
        ),
        *("&amp;", "&copy=", "&copy;", "&notit;", "&#65;", "&#x41", "é", "\u212a", "!", "?", "<!-->", "<!--->"),
        *("<script>", "</script>", "<script ", "</script", "</SCRIPT/>", "<script/", "<title>", "</title>", "<style>"),
        *("</style >", "<textarea>", "</textarea\n>", "<noframes>", "</noframes>", "<plaintext>", "</plaintext>"),
    ]
)
SCRIPTS = st.sampled_from(
    ["<script>", "</script>", "<!--", "-->", "<script ", "</script ", *"-<>x", "<a>", "</SCRIPT/>", "<!"]
)
Found = list[tuple[str, tuple[tuple[str, str], ...]]]


def found(html: str) -> Found:
    """The tags of NAMES, each once: a tree has copies of an `a` that is not closed."""
    tags = ((name, tuple(attributes.items())) for name, attributes in find_tags(html) if name in NAMES)
    return list(dict.fromkeys(tags))


def found_by_lexbor(html: str) -> Found:
    nodes = LexborHTMLParser(html).root.traverse(include_text=False)  # type: ignore[union-attr]
    tags = ((node.tag or "", node.attributes) for node in nodes)
    return list(
        dict.fromkeys(
            (name, tuple((key, value or "") for key, value in attributes.items()))
            for name, attributes in tags
            if name in NAMES
        )
    )


@given(st.lists(PIECES | SCRIPTS, max_size=12).map("".join))
@example("<script><!--<script></script><a></script><a>")
@example("<a x==\"><a y='=\"'>")
@example("<!--><a><!---><a><!--a--!><a>")
def test_the_tags_are_those_of_the_tree_that_a_browser_builds(text: str) -> None:
    html = f"<!doctype html><body>{text}"
    assert found(html) == found_by_lexbor(html)


@pytest.mark.parametrize(
    ("html", "names"),
    [
        ("", []),
        ("a < b <", []),
        ("<A><LiNk/><Meta\n>", ["a", "link", "meta"]),
        ("<a", []),
        ("<a href='x", []),
        ("<ax><linker><a-b><a:b>", []),
        ("<!--<a>--><a>", ["a"]),
        ("<!-- <a>", []),
        ("<![CDATA[<a>]]><link>", ["link"]),
        ("<p title='<a>'><b x=\"<a>\"></p title='<a>'>", []),
        ("<script>'<a>'</scripts></script><a>", ["a"]),
        ("<title><a></TITLE ><a>", ["a"]),
        ("<textarea><a>", []),
        ("<noscript><a></noscript><template><a></template>", ["a", "a"]),
        ("<iframe src=x><a></iframe><a>", ["iframe", "a"]),
        ("<frameset><frame src=x></frameset>", ["frame"]),
    ],
)
def test_tags_of_the_document_are_found_and_no_others(html: str, names: list[str]) -> None:
    assert [name for name, _ in find_tags(html)] == names


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("", {}),
        (" href=x", {"href": "x"}),
        (" HREF = 'a b' rel=\"n f\"x=1/y", {"href": "a b", "rel": "n f", "x": "1/y"}),
        (" href=1 href=2", {"href": "1"}),
        (" href", {"href": ""}),
        (" a=\"\" b='' c=", {"a": "", "b": "", "c": ""}),
        ("/href=x/", {"href": "x/"}),
        (" =a=b", {"=a": "b"}),
        (' a==" b', {"a": '="', "b": ""}),
    ],
)
def test_attributes(text: str, attributes: dict[str, str]) -> None:
    assert parse_attributes(text) == attributes


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("?a=1&amp;b=2&amp;copy=3", "?a=1&b=2&copy=3"),
        ("?a=1&b=2&copy=3&copyx&amp", "?a=1&b=2&copy=3&copyx&"),
        ("&copy;&copy &eacute;&#233;&#xe9;&#XE9", "©© éééé"),
        ("&notit;&not;&nothing;&;&#;&#x;", "&notit;¬&nothing;&;&#;&#x;"),
        ("&#0;&#xD800;&#x110000;&#128;", "\ufffd\ufffd\ufffd€"),
        ("&amp;lt;&amp;#65;", "&lt;&#65;"),
    ],
)
def test_character_references_in_attributes(value: str, decoded: str) -> None:
    assert decode_references(value) == decoded


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "<div>" * n,
        lambda n: "<b><i>" * n + "x</b>" * n,
        lambda n: "".join(f"<b {i}>" for i in range(n)) + "</b>" * n,
        lambda n: "<a " + " ".join(f"a{i}" for i in range(n)),
        lambda n: "<a x='" * n,
        lambda n: "<p x=\"'" * n,
        lambda n: "<!--" * n,
        lambda n: "<!-" * n,
        lambda n: "<script>" * n,
        lambda n: "<script><!--" * n,
        lambda n: "<script><!--<script " + "</script" * n,
        lambda n: "<title></titl" * n,
        lambda n: "<" * n,
        lambda n: "</" * n,
        lambda n: "<a/" * n,
        lambda n: "<a>" + "&" * n,
        lambda n: "<a x='" + "&a" * n + "'>",
        lambda n: "<a x='" + "&#1" * n + "'>",
        lambda n: " " * n + "<a" + " " * n,
        lambda n: "<a =" + "=" * n,
    ],
)
def test_hostile_pages_take_linear_time(make: Callable[[int], str]) -> None:
    def prepare(n: int) -> Callable[[], object]:
        html = make(n)
        return lambda: list(find_tags(html))

    assert_grows_less(prepare, 1000, 32, 160)
