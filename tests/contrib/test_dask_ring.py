"""The ring of consistent hashing."""

from hypothesis import given
from hypothesis import strategies as st

from asyncclient.contrib.dask.ring import Ring

HOSTS = [f"host{number}.example.com" for number in range(2000)]
NAME = st.text("abc:/.0123456789", min_size=1, max_size=12)
NAMES = st.sets(NAME, max_size=6)


def assign(ring: Ring) -> dict[str, str | None]:
    return {host: ring.find(host) for host in HOSTS[:200]}


@given(names=NAMES, joining=NAME)
def test_a_member_that_joins_takes_keys_and_moves_no_other(names: set[str], joining: str) -> None:
    ring = Ring(names)
    before = assign(ring)
    ring.add(joining)
    after = assign(ring)
    assert {host for host in after if after[host] != before[host]} <= {host for host in after if after[host] == joining}
    ring.remove(joining)
    assert assign(ring) == (before if joining not in names else assign(Ring(names - {joining})))


@given(names=st.sets(NAME, min_size=1, max_size=6), data=st.data())
def test_only_the_keys_of_a_removed_member_move(names: set[str], data: st.DataObject) -> None:
    leaving = data.draw(st.sampled_from(sorted(names)))
    ring = Ring(names)
    before = assign(ring)
    ring.remove(leaving)
    after = assign(ring)
    assert {host for host in after if after[host] != before[host]} == {
        host for host in after if before[host] == leaving
    }
    assert leaving not in after.values()


@given(names=st.permutations([f"tcp://10.0.0.{number}:4000" for number in range(5)]), again=st.integers(0, 4))
def test_the_order_of_joining_makes_no_difference(names: list[str], again: int) -> None:
    ring = Ring(names)
    ring.add(names[again])
    assert assign(ring) == assign(Ring(sorted(names)))
    assert len(ring) == 5
    assert names[again] in ring


def test_keys_are_shared_out_evenly() -> None:
    members = [f"tcp://10.0.0.{number}:4000" for number in range(8)]
    ring = Ring(members)
    shares = [sum(ring.find(host) == member for host in HOSTS) for member in members]
    assert sum(shares) == len(HOSTS)
    assert min(shares) > 0.7 * len(HOSTS) / 8
    assert max(shares) < 1.3 * len(HOSTS) / 8


def test_a_ring_without_members_has_no_owner() -> None:
    ring = Ring(["a"])
    ring.remove("a")
    ring.remove("a")
    assert ring.find("key") is None
    assert "a" not in ring


def test_every_process_assigns_keys_alike() -> None:
    assert [Ring("abc").find(key) for key in ("x", "y", "z", "example.com")] == ["b", "b", "c", "c"]
