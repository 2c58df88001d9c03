"""Real money asks for two deliberate acts.

``mode = "live"`` in the file, and the flag ``--i-understand-live`` once for each run directory.
"""

import time
from contextlib import suppress
from pathlib import Path

from messages.errors import ConfigError
from ops.config_schema import VenueConfig

CONSENT = "live.consent"
"""The file in a run directory that remembers the flag, and on which exchange it was given."""
_ON = "on "


def check_consent(run_dir: Path, venue: VenueConfig, *, given: bool) -> None:
    """Pass a live run that a person has agreed to, now or at an earlier start.

    Raises:
        ConfigError: nobody has, or it was for another exchange, or for play money.
    """
    path = run_dir / CONSENT
    check_same_money(run_dir, venue)
    if given:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        path.write_text(f"agreed at {now} UTC\n{_ON}{_where(venue)}\n")
    elif not path.exists():
        raise ConfigError(
            [
                'mode: "live" sends real orders with real money: start once with'
                f" --i-understand-live for the run directory {run_dir}"
            ]
        )


def check_same_money(run_dir: Path, venue: VenueConfig) -> None:
    """Pass a run directory that is of no exchange yet, or of this one, its sandbox told apart.

    The ledger knows the exchange by its name alone. What was bought with the sandbox's play money
    would be sold of real coins, and an order that is open there be found absent here.

    Raises:
        ConfigError: it is of another one.
    """
    agreed = ""
    with suppress(OSError):
        agreed = (run_dir / CONSENT).read_text().partition(f"\n{_ON}")[2].strip()
    if agreed not in ("", _where(venue)):
        raise ConfigError(
            [
                f"run_dir: {run_dir} is of {agreed}, and this run would trade {_where(venue)}: give"
                " it a run_dir of its own"
            ]
        )


def _where(venue: VenueConfig) -> str:
    return f"{venue.exchange}'s sandbox" if venue.ccxt.get("sandbox") else venue.exchange
