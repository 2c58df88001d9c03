"""Where the lease of an account stands, and how long it lasts.

In a file that all processes of this user on this machine open; or, where the ledger is in
PostgreSQL, in the ledger itself, which every host with its address opens.
"""

import stat
from os import environ, getuid
from pathlib import Path

import msgspec

from decisions.lease import Timing, least_term_ms, timing_of
from exchanges.capabilities import capability_of
from exchanges.ccxt_settings import DEFAULT_RECV_WINDOW_MS, DEFAULT_TIMEOUT_MS
from messages.errors import ConfigError
from messages.lease import Holder
from ops.config_schema import Config, IdempotencyBackend, VenueConfig
from ops.doctor_disk import NETWORK_DISKS, file_system_of
from ops.lease_identity import account_name, default_lease_dir
from ops.lease_machine import boot_ns, this_machine
from ops.run_files import LEDGER
from persistence.lease import LeaseStore, SqliteLeases
from persistence.ledger_place import LedgerPlace, place_in


class Place(msgspec.Struct, frozen=True):
    """Where the lease of an account stands, and its times."""

    account: str
    path: Path
    """Of the file; where there is none, of no meaning."""
    timing: Timing
    ledger: LedgerPlace | None = None
    """The ledger that the lease stands in; None: it stands in the file."""
    makes: bool = False
    """Whether that ledger may be a new one: nothing says yet that there was one."""

    def open(self, *, flushes: bool) -> LeaseStore:
        """Open it; the connection is the calling thread's.

        Raises:
            LeaseUnavailable: it cannot be used.
        """
        if self.ledger is not None:
            from persistence.postgres.lease import PostgresLeases  # a driver that few need

            makes = self.makes if flushes else None
            return PostgresLeases(self.ledger, boot_ns, this_machine().clock, makes=makes)
        return SqliteLeases(self.path, self.account, flushes=flushes)

    def prepare(self) -> None:
        """Make the directory of its file; or pass a ledger whose address is at hand.

        Raises:
            ConfigError: see `prepare`.
            LedgerUnavailable: the variable with the address is not set, or holds none.
        """
        if self.ledger is None:
            prepare(self.path.parent)
        else:
            from persistence.postgres.address import parameters_of  # a driver that few need

            parameters_of(self.ledger)

    def is_elsewhere(self, holder: Holder) -> bool:
        """Whether a holder's orders are in a ledger of its run directory's own."""
        return self.ledger is None and (Path(holder.run_dir) / LEDGER).exists()

    @property
    def where(self) -> str:
        """Say where it stands."""
        return str(self.path.parent) if self.ledger is None else str(self.ledger)


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
    timing = timing_of(window_ms, venue.lease_ms)
    if config.idempotency.backend is IdempotencyBackend.POSTGRES:
        ledger = LedgerPlace(
            schema=f"wk_{account}", url_env=config.idempotency.database_url_env or ""
        )
        makes = place_in(config.run_dir / LEDGER) is None
        return Place(account, Path(), timing, ledger, makes)
    folder = venue.lease_dir or default_lease_dir(environ)
    return Place(account, folder / f"{account}.db", timing)


def paper_place(ledger: LedgerPlace, *, makes: bool = False) -> Place:
    """Say where the lease of a paper run stands, whose ledger others could open too."""
    name = ledger.schema.removeprefix("wk_")
    return Place(name, Path(), timing_of(0, None), ledger, makes)


def window_of(venue: VenueConfig) -> int:
    """Give how late, in ms, the exchange takes a request.

    Where it has no receive window nothing bounds that for a process that was stopped; then it
    is as long as a running one would try.
    """
    has_window = capability_of(venue.exchange).recv_window_parameter is not None
    return DEFAULT_RECV_WINDOW_MS if has_window else DEFAULT_TIMEOUT_MS


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
