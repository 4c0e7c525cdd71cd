"""A dict that forgets the item set longest ago."""

from asyncclient.bounded import BoundedDict


def test_the_item_set_longest_ago_is_dropped() -> None:
    table: BoundedDict[str, int] = BoundedDict(3)
    for number, key in enumerate("abcd"):
        table[key] = number
    assert table == {"b": 1, "c": 2, "d": 3}


def test_a_key_that_is_set_again_is_the_youngest() -> None:
    table: BoundedDict[str, int] = BoundedDict(2)
    for number, key in enumerate("abac"):
        table[key] = number
    assert list(table.items()) == [("a", 2), ("c", 3)]


def test_looking_up_keeps_the_order() -> None:
    table: BoundedDict[str, int] = BoundedDict(2)
    table["a"], table["b"] = 1, 2
    assert (table["a"], table.get("a")) == (1, 1)
    table["c"] = 3
    assert list(table) == ["b", "c"]
