"""The invariant of a pool between any two awaits."""

from asyncclient import Client
from asyncclient.pool.group import Group
from asyncclient.pool.pool import Pool


def check(owner: Client | Pool) -> None:
    """Fail unless each connection is counted once, no limit is exceeded, and no request waits needlessly."""
    pool = owner if isinstance(owner, Pool) else owner._pool
    groups = list(pool._groups.values())
    for group in groups:
        check_group(group, pool)
    assert pool.counted == sum(group.size for group in groups), f"{pool.counted} counted in {pool!r}"
    assert pool.counted <= pool.sizes.connections, f"{pool.counted} are open"
    assert len(pool.slots.idle) <= pool.sizes.idle
    assert {lease for group in groups for lease in group.idle} == set(pool.slots.idle)
    assert len(pool._dialer.dials) == sum(group.connecting for group in groups)


def check_group(group: Group, pool: Pool) -> None:
    sizes = pool.sizes
    assert len(group.leased) + len(group.idle) + group.connecting == group.size <= sizes.per_host
    assert len(group.idle) <= sizes.idle_per_host
    assert all(lease.group is group for lease in (*group.leased, *group.idle))
    assert not group.leased & group.idle.keys()
    assert all(lease.wire.close_reason is None for lease in group.idle), "a closed connection is kept"
    assert all(lease.wire.exchange is None for lease in group.idle), "an exchange is under way on an idle connection"
    assert all(waiter.dial is None for waiter in group.queued)
    assert group.queued.keys() <= group.waiters.keys()
    waiting = [waiter for waiter in group.waiters if not waiter.future.done()]
    may_open = (pool.counted < sizes.connections or pool.slots.idle) and group.size < sizes.per_host
    if not pool.is_closed:
        is_paced = (
            pool._dialer._next_turn is not None and group in pool.slots.starved
        )  # more dials begin in the next turn
        is_served = len(waiting) <= group.connecting or is_paced
        assert is_served or not may_open, f"{len(waiting)} wait in {pool!r}, and there is place"
        assert not (waiting and group.idle and not group.connecting), "somebody waits beside an idle connection"


def check_quiet(owner: Client | Pool) -> None:
    """Fail unless nothing is under way either."""
    check(owner)
    active, _, connecting, waiting, _ = owner.stats()
    assert (active, connecting, waiting) == (0, 0, 0), repr(owner)
