"""How a start comes by a lease: it looks, waits where that helps, and takes it or is refused."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from decisions.lease import Sight, Wait, judge, look, taken
from messages.errors import LeaseHeld, LeaseUnavailable
from messages.ids import NS_PER_S
from messages.lease import Holder, Lease, Moment
from ops.lease_machine import Machine, moment
from ops.lease_place import Place
from persistence.lease import LeaseStore

_POLL_S = 0.25
_LEAST_POLL_S = 0.002
_PATIENCE_S = 5.0
"""So long may the place of a lease be unusable before a start is refused for it."""


class Taken(msgspec.Struct, frozen=True):
    """A lease that was taken just now, and the one it took the place of."""

    lease: Lease
    before: Lease | None
    at: Moment
    why: str
    is_in_place: Callable[[], bool]
    """Whether others still look for it where it was taken; see `LeaseStore.is_in_place`."""


def acquire(
    open_store: Callable[[], LeaseStore],
    place: Place,
    machine: Machine,
    me: Holder,
    *,
    patient: bool,
    tell: Callable[[str], object],
    seen: Callable[[Wait, Moment], object] = lambda _wait, _at: None,
    now: Callable[[], Moment] = moment,
    pause: Callable[[float], object] = time.sleep,
) -> Taken:
    """Take the lease once nobody else can act on it.

    The impatient give up at once where the holder is seen to live, by its process or by a
    renewal, and otherwise wait the term out. `seen` is told what each look has shown.

    Raises:
        LeaseHeld: another process has it.
        LeaseUnavailable: its place could not be used for some seconds; the patient wait on.
    """
    watch = _Watch(place, machine, me, patient, tell, seen)
    broken_since_ns: int | None = None
    while True:
        try:
            with _opened(open_store) as store:
                while True:
                    got = watch.step(store, now())
                    if got is not None:
                        return got
                    broken_since_ns = None
                    pause(watch.pause_s)
        except LeaseUnavailable as error:
            at_ns = now().boot_ns
            broken_since_ns = at_ns if broken_since_ns is None else broken_since_ns
            if not patient and at_ns - broken_since_ns > _PATIENCE_S * NS_PER_S:
                raise
            watch.say(f"{error}; waiting")
            pause(_POLL_S)


class _Watch:
    """One process's look at a lease that it wants."""

    def __init__(
        self,
        place: Place,
        machine: Machine,
        me: Holder,
        patient: bool,
        tell: Callable[[str], object],
        seen: Callable[[Wait, Moment], object],
    ) -> None:
        self.pause_s = _POLL_S
        """Until the next look: not beyond the moment when the lease is over, unless renewed."""
        self._seen = seen
        self._place, self._machine, self._me = place, machine, me
        self._patient, self._tell = patient, tell
        self._sight: Sight | None = None
        self._said = ""

    def step(self, store: LeaseStore, at: Moment) -> Taken | None:
        """Look once, and take it if that may be."""
        first, lease = self._sight is None, store.read()
        before = self._sight
        self._sight = look(before, lease, at.boot_ns)
        is_alive = None if lease is None else self._machine.is_alive(lease.holder)
        verdict = judge(
            self._sight,
            self._machine.clock,
            at.boot_ns,
            self._me.run_dir,
            is_alive=is_alive,
            has_orders=lease is not None and self._place.is_elsewhere(lease.holder),
        )
        if isinstance(verdict, Wait):
            self.pause_s = _pause_s(verdict)
            self._seen(verdict, at)
            self._wait(verdict, renewed=not first and self._sight is not before)
            return None
        new = taken(
            lease, self._place.account, self._me, self._machine.clock, at.boot_ns,
            self._place.timing.term_ns,
        )  # fmt: skip
        if not store.take(new, lease):
            return None
        return Taken(new, lease, at, verdict.why, store.is_in_place)

    def _wait(self, wait: Wait, *, renewed: bool) -> None:
        name = self._place.account
        if wait.elsewhere:
            raise LeaseHeld(_elsewhere(name, wait))
        if not self._patient and (wait.is_alive or renewed):
            raise LeaseHeld(
                f"{name} is traded by {wait.holder}: stop that one, or start with --standby to"
                " take over when it is gone"
            )
        self.say(f"{name} is traded by {wait.holder}; waiting until its lease is over")

    def say(self, text: str) -> None:
        """Tell a person, once for each thing there is to tell."""
        if text != self._said:
            self._said = text
            self._tell(text)


def _pause_s(wait: Wait) -> float:
    left_s = wait.left_ns / NS_PER_S
    return min(_POLL_S, max(left_s, _LEAST_POLL_S)) if left_s else _POLL_S


def _elsewhere(name: str, wait: Wait) -> str:
    if wait.left_ns:
        return (
            f"{name} is traded by {wait.holder}: stop that one; only a start with its run"
            " directory can stand by for it, for the orders are in its ledger"
        )
    return (
        f"{name} was traded last by {wait.holder}, which did not end in order: start that run"
        f" directory once, so that its orders are settled, or move it away"
    )


@contextmanager
def _opened(open_store: Callable[[], LeaseStore]) -> Iterator[LeaseStore]:
    store = open_store()
    try:
        yield store
    finally:
        store.close()
