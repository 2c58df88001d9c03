"""Whether another process trades a config's account, and whether its lease can be kept here."""

import os
from collections.abc import Iterator
from pathlib import Path

from decisions.lease import Sight, left_of, named
from messages.errors import WatchkeeperError
from messages.lease import Lease
from ops.config_schema import Config, VenueType
from ops.doctor_finding import Finding, ok, problem, warning
from ops.lease_machine import boot_ns, this_machine
from ops.lease_place import Place, place_of

_TODO = "a start would be refused: correct it"


def lease_findings(config: Config) -> Iterator[Finding]:
    """Look at the lease of the account; it is neither taken nor renewed."""
    venue = config.venue
    if venue.type is not VenueType.CCXT:
        return
    if not os.environ.get(venue.api_key_env or ""):
        yield ok("lease", "not looked at: the key that names the account is not set")
        return
    try:
        place = place_of(config)
        if place.ledger is None and place.path.parent.exists():
            place.prepare()
        lease = _read(place)
    except WatchkeeperError as error:
        yield problem("lease", str(error), _TODO)
        return
    yield _finding(place, lease, config.run_dir)


def _read(place: Place) -> Lease | None:
    if place.ledger is None and not place.path.exists():
        return None
    store = place.open(flushes=False)
    try:
        return store.read()
    finally:
        store.close()


def _finding(place: Place, lease: Lease | None, run_dir: Path) -> Finding:
    name, machine = place.account, this_machine()
    if lease is None or lease.returned:
        return ok("lease", f"nobody trades {name}; its leases stand in {place.where}")
    is_ours = lease.holder.run_dir == machine.me(run_dir).run_dir
    who = f"{named(lease.holder)}, token {lease.token}"
    if machine.is_alive(lease.holder) is False:
        return _dead(place, who, lease, is_ours=is_ours)
    now_ns = boot_ns()
    if left_of(Sight(lease, now_ns), machine.clock, now_ns) <= 0:
        todo = "see what it does: watchkeeper health, ps; a start takes the account over"
        return warning("lease", f"{name} is held by {who}, which does not renew it", todo)
    if is_ours:
        return ok("lease", f"{name} is traded by {who}")
    return problem("lease", f"{name} is traded by {who}", "stop that one, or a start is refused")


def _dead(place: Place, who: str, lease: Lease, *, is_ours: bool) -> Finding:
    text = f"{place.account} was traded by {who}, which is gone and did not give it back"
    if is_ours or not place.is_elsewhere(lease.holder):
        return ok("lease", f"{text}; the next start takes it over")
    return warning("lease", text, f"start {lease.holder.run_dir} once, so that it is settled")
