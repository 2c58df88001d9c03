"""From a live config to the lease of its account, held for as long as the run lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from decisions.lease import Wait
from messages.lease import Lease, Moment
from ops.config_schema import Config
from ops.lease_keeper import LeaseKeeper, OnLost
from ops.lease_machine import moment, this_machine
from ops.lease_place import Place, place_of
from ops.lease_taking import Taken, acquire
from ops.signals import ended_by_signals
from ops.waiting import say

Seen = Callable[[Wait, Moment], object]
Tell = Callable[[str], object]


def _unseen(_wait: Wait, _at: Moment) -> None:
    """Nobody wants to know."""


@contextmanager
def hold_lease(
    config: Config, *, standby: bool, on_lost: OnLost, seen: Seen = _unseen, tell: Tell = say
) -> Iterator["HeldAccount"]:
    """Hold the lease of a config's account; a `standby` waits for it as long as it takes.

    `seen` is told what each look at a lease that another one has has shown; `tell`, in a
    sentence, what a person is to know of the waiting.

    Raises:
        LeaseError: another process has it, or its place cannot be used.
        ConfigError: the directory cannot be used.
    """
    place = place_of(config)
    with hold_place(
        place, config.run_dir, standby=standby, on_lost=on_lost, seen=seen, tell=tell
    ) as held:
        yield held


@contextmanager
def hold_place(
    place: Place,
    run_dir: Path,
    *,
    standby: bool,
    on_lost: OnLost,
    seen: Seen = _unseen,
    tell: Tell = say,
) -> Iterator["HeldAccount"]:
    """Hold the lease that stands in a place; see `hold_lease`."""
    machine = this_machine()
    place.prepare()
    me = machine.me(run_dir)
    with ended_by_signals() as signals:
        got = acquire(
            partial(place.open, flushes=True),
            place,
            machine,
            me,
            patient=standby,
            tell=tell,
            seen=seen,
            pause=signals.pause,
        )
    keeper = LeaseKeeper(
        got.lease,
        got.at,
        place.timing,
        partial(place.open, flushes=False),
        moment,
        on_lost,
        is_in_place=got.is_in_place,
        rides_out=place.ledger is not None,
    )
    keeper.start()
    held = HeldAccount(keeper, got, place)
    try:
        yield held
    finally:
        keeper.close(give_back=held.is_quiet)


class HeldAccount:
    """The lease of this process, and whose place it took."""

    def __init__(self, keeper: LeaseKeeper, got: Taken, place: Place) -> None:
        self.keeper, self.got, self.place = keeper, got, place
        self.is_quiet = True
        """Whether nothing can be under way at the end, so that the lease is given back."""

    @property
    def claim(self) -> str:
        """What marks the run directory as this holder's."""
        return mark_of(self.got.lease)

    @property
    def former_claim(self) -> str:
        """What marks it as that of the holder whose lease has run out; empty: there is none."""
        before = self.got.before
        return "" if before is None or before.returned else mark_of(before)


def mark_of(lease: Lease) -> str:
    """Name one holding of an account."""
    return f"{lease.account} {lease.token}"
