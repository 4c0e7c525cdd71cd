"""The agendas of all workers, one each, as one agenda: each host belongs to one worker at a time. Pure state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ...crawl.agenda import Agenda, HostAgenda
from ...crawl.entry import Entry, Outcome
from ...crawl.frontier import Taken
from .ring import Ring


class Spread:
    """Spreads hosts over the workers of a cluster.

    A ring says which worker a host belongs to. If that changes, nothing more of the host is given to its worker, and it
    moves when its fetches there have ended. If a worker is lost, its hosts move at once.

    Args:
        make: returns a new agenda for a worker.
        find_key: returns the key of a host on the ring: hosts with the same key have the same worker.
    """

    def __init__(self, make: Callable[[str], Agenda], find_key: Callable[[str], str] = str) -> None:
        self._make = make
        self._find_key = find_key
        self._ring = Ring()
        self._agendas: dict[str, Agenda] = {}
        self._moving: dict[str, Agenda] = {}  # hosts, and the agendas that they leave
        self._given_back: list[Entry] = []
        self._returned: set[str] = set()  # hosts whose entries are to be given back
        self._free: set[str] = set()  # hosts whose entries are in the frontier again
        self._loading: dict[str, Agenda] = {}
        self._taken: dict[int, Agenda] = {}  # numbers of entries, and the agendas that count them
        self._delayed = make("")  # without hosts
        self._has_unknown_hosts = False

    # Workers

    def add_worker(self, worker: str) -> dict[str, list[str]]:
        """Add a worker, to which its share of the hosts moves; return the hosts in progress elsewhere, by worker."""
        self._ring.add(worker)
        self._agendas[worker] = self._make(worker)
        leaving: dict[str, list[str]] = {}
        for name, agenda in self._agendas.items():
            for host in agenda.list_known():
                if host not in self._moving and self._ring.find(self._find_key(host)) != name:
                    agenda.empty(host)
                    if host in agenda:
                        self._moving[host] = agenda
                        leaving.setdefault(name, []).append(host)
                    else:
                        self._returned.add(host)
        return leaving

    def remove_worker(self, worker: str) -> None:
        """Remove a worker, whose hosts move to the others. Its fetches still have to end; see end()."""
        self._ring.remove(worker)
        agenda = self._agendas.pop(worker)
        for host in agenda.list_known():
            agenda.empty(host)
            self._returned.add(host)
        self._given_back += agenda.give_back()
        self._has_unknown_hosts |= agenda.has_unknown_hosts
        self._moving = {host: leaving for host, leaving in self._moving.items() if leaving is not agenda}

    def _find(self, host: str) -> Agenda | None:
        """Return the agenda of a host that does not move."""
        worker = self._ring.find(self._find_key(host))
        return None if worker is None else self._agendas[worker]

    # Hosts

    def note_added(self, hosts: Iterable[str]) -> None:
        """Note that the frontier has new entries of these hosts."""
        for host in hosts:
            if host in self._moving or host in self._returned:
                continue  # it is admitted later
            agenda = self._find(host)
            if agenda is None:
                self._has_unknown_hosts = True
            else:
                agenda.note_added((host,))

    @property
    def has_unknown_hosts(self) -> bool:
        """True if the frontier may have hosts that are not known here."""
        return self._has_unknown_hosts or any(agenda.has_unknown_hosts for agenda in self._agendas.values())

    @has_unknown_hosts.setter
    def has_unknown_hosts(self, value: bool) -> None:
        self._has_unknown_hosts = value
        for agenda in self._agendas.values():
            agenda.has_unknown_hosts = False

    def prefer(self, entry: Entry) -> None:
        """Make room for a new entry that comes before those at hand."""
        agenda = None if entry.host in self._moving else self._find(entry.host)
        if agenda is not None:
            agenda.prefer(entry)

    def count_places(self) -> int:
        """Return how many further hosts may be admitted."""
        return sum(agenda.count_places() for agenda in self._agendas.values())

    def count_hosts(self) -> int:
        """Return how many hosts have entries at hand or fetches in progress, or rest."""
        return sum(agenda.count_hosts() for agenda in self._agendas.values())

    def list_known(self) -> list[str]:
        """Return the hosts that need not be looked for in the frontier."""
        known = chain.from_iterable(agenda.list_known() for agenda in self._agendas.values())
        return [*known, *self._moving, *self._returned, *self._free]

    def hosts(self) -> Iterator[HostAgenda]:
        """Yield the hosts that have entries at hand or fetches in progress."""
        for agenda in self._agendas.values():
            yield from agenda.hosts()

    # Stock

    @property
    def wants(self) -> bool:
        """True if entries should be taken from the frontier, or hosts be looked for in it."""
        agendas = self._agendas.values()
        if self._returned or self._free or any(agenda.is_hungry for agenda in agendas):
            return bool(agendas)
        return self.has_unknown_hosts and bool(agendas) and all(agenda.has_places for agenda in agendas)

    def want(self) -> dict[str, int]:
        """Return how many entries to take from the frontier for which hosts; put() ends each of them."""
        free, self._free = self._free, set()
        self.note_added(free)
        wanted = {}
        for agenda in self._agendas.values():
            found = agenda.want()
            self._loading.update(dict.fromkeys(found, agenda))
            wanted.update(found)
        return wanted

    def put(self, taken: dict[str, Taken]) -> None:
        """Put the entries at hand that were taken for the hosts of want()."""
        for host, found in taken.items():
            agenda = self._loading.pop(host)
            if self._find(host) is agenda and host not in self._moving:
                agenda.put({host: found})
            else:
                self._given_back += found.entries
                agenda.put({host: Taken([], True, found.pages)})
                self._note_moved()

    def give_back(self) -> list[Entry]:
        """Return entries at hand that must go back to the frontier; they are written before want() is called."""
        self._free |= self._returned
        self._returned.clear()
        entries, self._given_back = self._given_back, []
        for agenda in self._agendas.values():
            entries += agenda.give_back()
        return entries

    # Choosing

    def choose(self, worker: str, now: float) -> Entry | None:
        """Return the next entry that a worker may fetch, whose fetch is then in progress; None if there is none."""
        agenda = self._agendas[worker]
        entry = agenda.choose(now)
        if entry is not None:
            self._taken[entry.id] = agenda
        return entry

    def end(self, entry: Entry, *, is_page: bool, is_error: bool) -> None:
        """Note the end of a fetch, whose outcome is written later; also one that ended with its worker."""
        self._taken[entry.id].end(entry, is_page=is_page, is_error=is_error)

    def leave(self, entry: Entry) -> None:
        """Wait no longer for the outcome of an ended fetch."""
        self._taken[entry.id].leave(entry)
        self._note_moved()

    def note_written(self, entries: Iterable[Entry]) -> None:
        """Note that the frontier knows the outcomes of these entries, whose fetches have ended."""
        for entry in entries:
            self._taken.pop(entry.id).note_written((entry,))
        self._note_moved()

    def _note_moved(self) -> None:
        """Pass the hosts on whose fetches have ended at the worker that they leave."""
        moved = [host for host, agenda in self._moving.items() if host not in agenda]
        for host in moved:
            del self._moving[host]
        self._returned.update(moved)

    # Time

    def delay(self, outcome: Outcome, until: float) -> None:
        """Keep the outcome of a fetch that has ended until a time; see take_due()."""
        self._delayed.delay(outcome, until)

    def take_due(self, now: float) -> Iterator[Outcome]:
        """Yield the delayed outcomes whose time has come."""
        return self._delayed.take_due(now)

    @property
    def wakes_at(self) -> float:
        """When a host may be asked that rests now, or a delayed outcome is due; infinite without any."""
        return min(agenda.wakes_at for agenda in (self._delayed, *self._agendas.values()))

    @property
    def is_over(self) -> bool:
        """True if nothing is at hand, in progress, or waiting in the frontier, but for hosts without budget."""
        if self.has_unknown_hosts or self._returned or self._free or self._moving or self._given_back or self._taken:
            return False
        return all(agenda.is_over for agenda in self._agendas.values())
