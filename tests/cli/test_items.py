"""Words of the command line as values: methods, URLs and items."""

import pytest

from asyncclient.cli.address import complete_url, is_loopback
from asyncclient.cli.items import Item, Kind, parse_item, parse_words


@pytest.mark.parametrize(
    ("word", "item"),
    [
        ("Name:value", Item(Kind.HEADER, "Name", "value")),
        ("Name:", Item(Kind.HEADER, "Name", "")),
        ("Accept:a=b", Item(Kind.HEADER, "Accept", "a=b")),
        ("name=a:=b", Item(Kind.FIELD, "name", "a:=b")),
        ("name:=[1]", Item(Kind.JSON, "name", "[1]")),
        ("name==a", Item(Kind.PARAM, "name", "a")),
        ("name@a.txt", Item(Kind.FILE, "name", "a.txt")),
        ("name=@a.txt", Item(Kind.FIELD_OF_FILE, "name", "a.txt")),
        ("name:=@a.json", Item(Kind.JSON_OF_FILE, "name", "a.json")),
        (r"a\:b\=c=d", Item(Kind.FIELD, "a:b=c", "d")),
        ("name=a\nb", Item(Kind.FIELD, "name", "a\nb")),
    ],
)
def test_an_item_is_parsed(word: str, item: Item) -> None:
    assert parse_item(word) == item


@pytest.mark.parametrize("word", ["name", "=value", "http://a.test/", "a.test"])
def test_another_word_is_explained(word: str) -> None:
    with pytest.raises(ValueError, match="expected name:value, name=value"):
        parse_item(word)


@pytest.mark.parametrize(
    ("words", "method", "url"),
    [
        (["a.test"], "", "a.test"),
        (["get", "a.test"], "GET", "a.test"),
        (["PURGE", "a.test"], "PURGE", "a.test"),
        (["GET"], "", "GET"),
        (["localhost", "a=b"], "", "localhost"),
    ],
)
def test_the_first_word_may_be_a_method(words: list[str], method: str, url: str) -> None:
    assert parse_words(words)[:2] == (method, url)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("a.test/b?c", "https://a.test/b?c"),
        ("a.test:8443", "https://a.test:8443"),
        ("localhost:8000/a", "http://localhost:8000/a"),
        ("127.1.2.3", "http://127.1.2.3"),
        ("[::1]:80/", "http://[::1]:80/"),
        ("user:secret@localhost/", "http://user:secret@localhost/"),
        (":8000/a", "http://localhost:8000/a"),
        ("/a", "http://localhost/a"),
        ("//a.test/", "https://a.test/"),
        ("ftp://a.test/", "ftp://a.test/"),
    ],
)
def test_a_scheme_is_assumed(text: str, url: str) -> None:
    assert complete_url(text) == url


def test_names_and_addresses_of_this_machine_are_known() -> None:
    assert all(map(is_loopback, ("localhost", "a.localhost.", "127.0.0.1", "::1")))
    assert not any(map(is_loopback, ("localhost.test", "10.0.0.1", "", "128.0.0.1")))
