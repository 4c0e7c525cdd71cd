"""Sitemaps: XML and text, compressed or not, whole and broken, and hostile ones."""

import gc
import gzip
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.crawl import SitemapError, SitemapURL, normalize_url, parse_sitemap
from asyncclient.crawl.sitemaps import MAX_SIZE, MAX_URLS

START = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
A, B = "https://a.example/a", "https://a.example/b"
WHOLE = f"{START}<url><loc>{A}</loc></url>\n<url><loc>{B}</loc></url>\n</urlset>\n".encode()


def urls_of(content: bytes) -> list[str]:
    found = parse_sitemap(content)
    assert found.error is None
    return [entry.url for entry in found.urls]


def test_a_sitemap_has_urls_with_times_and_priorities() -> None:
    text = f"""{START}
        <url>
            <loc>\n https://A.example:443/x?a=1&amp;b=2#f </loc>
            <lastmod>2024-05-01T10:00:00+02:00</lastmod> <changefreq>daily</changefreq> <priority> 0.8 </priority>
        </url>
        <url><priority>1</priority><loc><![CDATA[{B}?x&y]]></loc></url>
        </urlset>"""
    found = parse_sitemap(text.encode())
    changed = datetime(2024, 5, 1, 10, tzinfo=timezone(timedelta(hours=2)))
    assert found.urls == [
        SitemapURL("https://a.example/x?a=1&b=2", changed, "daily", 0.8),
        SitemapURL(f"{B}?x&y", None, "", 1.0),
    ]
    assert not found.is_index
    assert found.error is None


def test_an_index_has_other_sitemaps() -> None:
    text = f"<sitemapindex><sitemap><loc>{A}</loc><lastmod>2024-05-01</lastmod></sitemap></sitemapindex>"
    found = parse_sitemap(text.encode())
    assert found.urls == [SitemapURL(A, datetime(2024, 5, 1, tzinfo=UTC))]
    assert found.is_index


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-02", datetime(2024, 5, 2, tzinfo=UTC)),
        ("2024-05-02T10:30Z", datetime(2024, 5, 2, 10, 30, tzinfo=UTC)),
        ("2024-05-02T10:30:01.5", datetime(2024, 5, 2, 10, 30, 1, 500000, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("0000", None),
    ],
)
def test_times_of_change(text: str, expected: datetime | None) -> None:
    found = parse_sitemap(f"<urlset><url><loc>{A}</loc><lastmod>{text}</lastmod></url></urlset>".encode())
    assert found.urls[0].lastmod == expected
    assert expected is None or found.urls[0].lastmod.tzinfo is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "high", "nan", "-1", "1.1", "inf"])
def test_an_invalid_priority_is_the_default(text: str) -> None:
    found = parse_sitemap(f"<urlset><url><loc>{A}</loc><priority>{text}</priority></url></urlset>".encode())
    assert found.urls == [SitemapURL(A)]
    assert found.urls[0].priority == 0.5


@pytest.mark.parametrize(
    "text",
    [
        f'<s:urlset xmlns:s="x"><s:url><s:loc>{A}</s:loc></s:url></s:urlset>',
        f"<urlset><url><loc>{A}</loc><image:image><image:loc>{B}</image:loc></image:image></url></urlset>",
        f"<urlset><url><image:loc>{B}</image:loc><x><loc>{B}</loc></x><loc>{A}</loc><loc>{B}</loc></url></urlset>",
        f'<urlset><url><x:link href="{B}"/><loc>{A}<b>{B}</b></loc></url><url:x><loc>{B}</loc></url:x></urlset>',
        f"<urlset><url><loc>{A}</loc></url><sitemap><loc>{B}</loc></sitemap><loc>{B}</loc></urlset>",
        f'<?xml version="1.0" encoding="utf-16"?><urlset><url><loc>{A}</loc></url></urlset>',
        f"\ufeff\n<urlset><!-- <url> --><url><loc>{A}</loc></url></urlset>",
    ],
)
def test_namespaces_extensions_and_encodings(text: str) -> None:
    encoding = "utf-16" if "utf-16" in text else "utf-8"
    assert urls_of(text.encode(encoding)) == [A]


@pytest.mark.parametrize("text", [f"{A}\n{B}", f"\ufeff{A}\r\n\r\n  {B} \r\n", f"\n{A}\n{B}\n"])
def test_a_text_has_a_url_in_each_line(text: str) -> None:
    assert urls_of(text.encode()) == [A, B]


def test_a_sitemap_may_be_compressed() -> None:
    assert urls_of(gzip.compress(WHOLE)) == [A, B]
    assert urls_of(gzip.compress(f"{A}\n{B}\n".encode())) == [A, B]
    middle = len(WHOLE) // 2
    assert urls_of(gzip.compress(WHOLE[:middle]) + gzip.compress(WHOLE[middle:])) == [A, B]


@pytest.mark.parametrize(
    ("content", "urls", "error"),
    [
        (WHOLE[: WHOLE.index(b"</loc>", 150) + 2], [A], r"well-formed XML: unclosed token in line 4, column 30"),
        (WHOLE.replace(b"</url>\n</urlset>", b"</urlset>"), [A], "well-formed XML: mismatched tag in line 4"),
        (WHOLE + b"x", [A, B], "well-formed XML: junk after document element in line 6, column 1"),
        (WHOLE.replace(B.encode(), b"&nbsp;"), [A], "well-formed XML: undefined entity in line 4, column 11"),
        (WHOLE.replace(A.encode(), b"/a"), [B], r"expected an http or https URL, got '/a' in line 3\Z"),
        (WHOLE.replace(A.encode(), b"http://user:pw@h/"), [B], "without user and password"),
        (WHOLE.replace(A.encode(), b"http://h/" + b"x" * 8000), [B], "of at most 8000 characters"),
        (b"<urlset><url></url></urlset>", [], "got '' in line 1"),
        (b"<urlset/>", [], ""),
        (
            b"<?xml version='1.0' encoding='x'?><urlset/>",
            [],
            "expected a known encoding: 'unknown encoding: x' in line 1",
        ),
        (b"<?xml version='1.0' encoding='gbk'?><urlset/>", [], "expected a known encoding: .*multi-byte.* in line 1"),
        (b"<!DOCTYPE html>\n<title>Not found</title>", [], "without a DOCTYPE in line 1"),
        (b"<html><a></html>", [], "expected urlset or sitemapindex as the root, got 'html' in line 1, column 1"),
        (b"<?xml version='1.0' encoding='\0'?><urlset/>", [], "in line 1"),
        (f"{A}\nfoo\n{B}".encode(), [A, B], "expected an http or https URL, got 'foo' in line 2"),
        (b"\0\1\2", [], "got .* in line 1"),
        (b"", [], "expected a URL in each line, got an empty text"),
        (gzip.compress(WHOLE, mtime=0)[:-1], [A, B], "gzip content cut short"),
        (gzip.compress(f"{A}\n{B}\n{A}x".encode(), mtime=0)[:-9], [A, B], "gzip content cut short"),
        (b"\x1f\x8bx" * 10, [], "invalid gzip content"),
    ],
)
def test_an_error_names_the_place_and_keeps_the_other_urls(content: bytes, urls: list[str], error: str) -> None:
    found = parse_sitemap(content)
    assert [entry.url for entry in found.urls] == urls
    if error:
        with pytest.raises(SitemapError, match=error):
            raise found.error or AssertionError("no error")
    else:
        assert found.error is None


def test_entities_are_refused_before_they_are_used() -> None:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    content = f"<?xml version='1.0'?><!DOCTYPE urlset [{lol}]><urlset><url><loc>&l9;</loc></url></urlset>".encode()
    found = parse_sitemap(content)
    assert found.urls == []
    assert "without a DOCTYPE" in str(found.error)
    external = f"<!DOCTYPE urlset SYSTEM 'file:///etc/passwd'><urlset><url><loc>{A}</loc></url></urlset>".encode()
    assert "without a DOCTYPE" in str(parse_sitemap(external).error)


def test_at_most_50000_urls_are_read() -> None:
    text = "".join(f"http://h/{n}\n" for n in range(MAX_URLS + 2))
    found = parse_sitemap(text.encode())
    assert len(found.urls) == MAX_URLS
    assert str(found.error) == "expected at most 50000 URLs in line 50001"
    found = parse_sitemap(b"<urlset>" + b"<url/>" * (MAX_URLS + 2))
    assert found.urls == []
    assert "got ''" in str(found.error)


def test_at_most_50_mebibytes_are_read() -> None:
    content = f"{A}\n".encode() + b" " * (MAX_SIZE - len(A)) + f"{B}\n".encode()
    found = parse_sitemap(content)
    assert [entry.url for entry in found.urls] == [A]
    assert str(found.error) == "expected at most 52428800 bytes"
    found = parse_sitemap(gzip.compress(content, 1))
    assert [entry.url for entry in found.urls] == [A]
    assert found.error is not None


@pytest.mark.parametrize(
    "content",
    [
        b"<urlset>" + b"<a>" * 100_000,
        b"<urlset>" + b"".join(b"<a%d/>" % n for n in range(100_000)),
        b"<urlset " + b" ".join(b"a%d=''" % n for n in range(2000)) + b"><url>",
    ],
)
def test_documents_that_would_take_much_memory_are_refused(content: bytes) -> None:
    assert "expected at most 32 nested elements, and 1000 names" in str(parse_sitemap(content).error)


@given(st.binary(max_size=50), st.integers(0, len(WHOLE)), st.integers(0, 20))
def test_any_bytes_give_a_result(data: bytes, at: int, cut: int) -> None:
    for content in (data, WHOLE[:at] + data + WHOLE[at + cut :], gzip.compress(WHOLE)[: at + cut] + data):
        found = parse_sitemap(content)
        assert all(normalize_url(entry.url) == entry.url for entry in found.urls)
        assert found.error is None or str(found.error)


def test_the_result_makes_no_reference_cycle_and_can_be_pickled() -> None:
    broken = b"<urlset><url><loc>" + A.encode() + b"</loc></url><!DOCTYPE x>"
    for content in (WHOLE, broken, b"<html>", b"x"):
        gc.collect()
        gc.disable()
        try:
            found = parse_sitemap(content)
            assert gc.collect() == 0
        finally:
            gc.enable()
        copied = pickle.loads(pickle.dumps(found))
        assert copied.urls == found.urls
        assert str(copied.error) == str(found.error)


@pytest.mark.parametrize("content", ["<urlset/>", None])
def test_content_of_another_type_is_refused(content: Any) -> None:
    with pytest.raises(TypeError, match="expected bytes as content"):
        parse_sitemap(content)
