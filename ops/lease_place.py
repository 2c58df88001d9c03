"""Where the lease of an account stands, and how long it lasts."""

import stat
from os import environ, getuid
from pathlib import Path

import msgspec

from decisions.lease import Timing, least_term_ms, timing_of
from exchanges.capabilities import capability_of
from exchanges.ccxt_client import DEFAULT_RECV_WINDOW_MS, DEFAULT_TIMEOUT_MS
from messages.errors import ConfigError
from ops.config_schema import Config, VenueConfig
from ops.doctor_disk import NETWORK_DISKS, file_system_of
from ops.lease_identity import account_name, default_lease_dir
from persistence.lease import LeaseStore, SqliteLeases


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
