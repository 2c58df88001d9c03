"""Real money asks for two deliberate acts.

``mode = "live"`` in the file, and the flag ``--i-understand-live`` once for each run directory.
"""

import re
import time
from pathlib import Path

from messages.errors import ConfigError
from ops.config_schema import VenueConfig
from ops.run_dir import atomic_write, sync_folder
from ops.run_files import LIVE_CONSENT
from ops.run_state import read_regular

_ON = "on "
_MOST_BYTES = 4_096
_WORD = re.compile(
    r"agreed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n"
    rf"(?:{_ON}(?P<where>\S[^\n]*)\n)?"  # which those of the first versions lack
)


class UnreadableConsent(ConfigError):
    """What stands where the consent should be says neither that it was given nor where."""


def check_consent(run_dir: Path, venue: VenueConfig, *, given: bool) -> None:
    """Pass a live run that a person has agreed to, now or at an earlier start.

    A new word is on the disk, as a whole, when this returns.

    Raises:
        ConfigError: nobody has, or it was for another exchange, or for play money; or nobody
            knows, for the file cannot be read.
        OSError: the word cannot be written down; an earlier one stands.
    """
    path = run_dir / LIVE_CONSENT
    check_same_money(run_dir, venue)
    if given:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        atomic_write(path, f"agreed at {now} UTC\n{_ON}{_where(venue)}\n".encode())
        sync_folder(run_dir)
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
        UnreadableConsent: nobody can say of which it is.
        ConfigError: it is of another one.
    """
    agreed = _agreed(run_dir / LIVE_CONSENT, _where(venue))
    if agreed not in ("", _where(venue)):
        raise ConfigError(
            [
                f"run_dir: {run_dir} is of {agreed}, and this run would trade {_where(venue)}: give"
                " it a run_dir of its own"
            ]
        )


def _agreed(path: Path, here: str) -> str:
    """Give the exchange that the word was for; empty where there is none, or it names none."""
    try:
        word = _WORD.fullmatch(read_regular(path, _MOST_BYTES).decode())
        problem = "" if word else "it is empty, or cut off, or another file's"
    except FileNotFoundError:
        return ""
    except OSError as error:
        word, problem = None, (error.strerror or str(error)).lower()
    except ValueError:
        word, problem = None, "it is no text"
    if word is None:
        raise UnreadableConsent(
            [
                f"{path} does not say what was agreed to ({problem}): if all that this run"
                f" directory ever traded is {here}, delete it and start once with"
                " --i-understand-live, else name another run_dir"
            ]
        )
    return word["where"] or ""


def _where(venue: VenueConfig) -> str:
    return f"{venue.exchange}'s sandbox" if venue.ccxt.get("sandbox") else venue.exchange
