"""From a live config to the lease of its account: taken, waited for, or refused with a sentence."""

import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import environ, getuid
from pathlib import Path

import msgspec

from decisions.lease import Sight, Timing, Wait, judge, least_term_ms, look, taken, timing_of
from exchanges.capabilities import capability_of
from exchanges.ccxt_client import DEFAULT_RECV_WINDOW_MS, DEFAULT_TIMEOUT_MS
from messages.errors import ConfigError, LeaseHeld, LeaseUnavailable
from messages.ids import NS_PER_S
from messages.lease import Holder, Lease, Moment
from ops.config_schema import Config, VenueConfig
from ops.doctor_disk import NETWORK_DISKS, file_system_of
from ops.lease_identity import account_name, default_lease_dir
from ops.lease_keeper import LeaseKeeper, OnLost
from ops.lease_machine import Machine, moment, this_machine
from ops.run_files import LEDGER
from persistence.lease import LeaseStore, SqliteLeases

_POLL_S = 0.25
_PATIENCE_S = 5.0
"""So long may the place of a lease be unusable before a start is refused for it."""


class Place(msgspec.Struct, frozen=True):
    """Where the lease of an account stands, and its times."""

    account: str
    path: Path
    timing: Timing

    def open(self, *, flushes: bool) -> LeaseStore:
        """Open it; the connection is the calling thread's.

        Raises:
            LeaseUnavailable: it cannot be used.
        """
        return SqliteLeases(self.path, self.account, flushes=flushes)


class Taken(msgspec.Struct, frozen=True):
    """A lease that was taken just now, and the one it took the place of."""

    lease: Lease
    before: Lease | None
    at: Moment
    why: str


def place_of(config: Config) -> Place:
    """Say where the lease of a config's account stands. Nothing is opened.

    Raises:
        ConfigError: the lease is too short for the exchange.
        VenueRefused: nobody knows how late a request may reach the exchange.
    """
    venue = config.venue
    window_ms = window_of(venue)
    least_ms = least_term_ms(window_ms)
    if venue.lease_ms is not None and venue.lease_ms < least_ms:
        raise ConfigError(
            [f"venue.lease_ms: got {venue.lease_ms}, expected {least_ms} or more for"
             f" {venue.exchange}: a request may be on its way for {window_ms} ms"]
        )  # fmt: skip
    key = environ.get(venue.api_key_env or "", "")
    account = account_name(venue.exchange, key, venue.ccxt)
    folder = venue.lease_dir or default_lease_dir(environ)
    return Place(account, folder / f"{account}.db", timing_of(window_ms, venue.lease_ms))


def window_of(venue: VenueConfig) -> int:
    """Give how late, in ms, the exchange takes a request.

    Where it has no receive window nothing bounds that for a process that was stopped; then it
    is as long as a running one would try.
    """
    has_window = capability_of(venue.exchange).recv_window_parameter is not None
    return DEFAULT_RECV_WINDOW_MS if has_window else DEFAULT_TIMEOUT_MS


@contextmanager
def hold_lease(config: Config, *, standby: bool, on_lost: OnLost) -> Iterator["HeldAccount"]:
    """Hold the lease of a config's account; a `standby` waits for it as long as it takes.

    Raises:
        LeaseError: another process has it, or its place cannot be used.
        ConfigError: the directory cannot be used.
    """
    place, machine = place_of(config), this_machine()
    prepare(place.path.parent)
    me = machine.me(config.run_dir)
    with _ended_by_sigterm():
        got = acquire(
            partial(place.open, flushes=True), place, machine, me, patient=standby, tell=_say
        )
    keeper = LeaseKeeper(
        got.lease, got.at, place.timing, partial(place.open, flushes=False), moment, on_lost
    )
    keeper.start()
    held = HeldAccount(keeper, got)
    try:
        yield held
    finally:
        keeper.close(give_back=held.is_quiet)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End in order while nothing is held yet; the first process of a container would not end."""

    def leave(*_: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class HeldAccount:
    """The lease of this process, and whose place it took."""

    def __init__(self, keeper: LeaseKeeper, got: Taken) -> None:
        self.keeper, self.got = keeper, got
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


def prepare(folder: Path) -> None:
    """Make the directory of the leases, or pass one that only this user can write in.

    Raises:
        ConfigError: it cannot be made, others could put files there, or it is on a network disk,
            where two machines do not see each other's locks.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([f"venue.lease_dir: {folder} cannot be used: {reason}"]) from error
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid != getuid():
        raise ConfigError(
            [f"venue.lease_dir: others can write in {folder}: chmod 700 it, or take another"]
        )
    _refuse_network(folder)


def _refuse_network(folder: Path) -> None:
    kind = file_system_of(folder.resolve())
    if kind in NETWORK_DISKS:
        raise ConfigError(
            [f"venue.lease_dir: {folder} is on a network disk ({kind}): take a local one"]
        )


def acquire(
    open_store: Callable[[], LeaseStore],
    place: Place,
    machine: Machine,
    me: Holder,
    *,
    patient: bool,
    tell: Callable[[str], object],
    now: Callable[[], Moment] = moment,
    pause: Callable[[float], object] = time.sleep,
) -> Taken:
    """Take the lease once nobody else can act on it.

    The impatient give up at once where the holder is seen to live, by its process or by a
    renewal, and otherwise wait the term out.

    Raises:
        LeaseHeld: another process has it.
        LeaseUnavailable: its place could not be used for some seconds; the patient wait on.
    """
    watch = _Watch(place, machine, me, patient, tell)
    broken_since_ns: int | None = None
    while True:
        try:
            with _opened(open_store) as store:
                while True:
                    got = watch.step(store, now())
                    if got is not None:
                        return got
                    broken_since_ns = None
                    pause(_POLL_S)
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
    ) -> None:
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
            has_orders=lease is not None and (Path(lease.holder.run_dir) / LEDGER).exists(),
        )
        if isinstance(verdict, Wait):
            self._wait(verdict, renewed=not first and self._sight is not before)
            return None
        new = taken(
            lease, self._place.account, self._me, self._machine.clock, at.boot_ns,
            self._place.timing.term_ns,
        )  # fmt: skip
        return Taken(new, lease, at, verdict.why) if store.take(new, lease) else None

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


def _say(text: str) -> None:
    sys.stderr.write(f"watchkeeper: {text}\n")
    sys.stderr.flush()
