"""Real money asks for two deliberate acts.

``mode = "live"`` in the file, and the flag ``--i-understand-live`` once for each run directory.
The word is looked for before a start does anything, and again once it holds the directory, which
another one may have had since. It is written down when the venue's gate has passed: one that was
given for a run that never could trade would bind its directory to an exchange for nothing.
"""

import os
import re
import threading
import time
from pathlib import Path

from messages.errors import ConfigError
from ops.config_schema import VenueConfig
from ops.run_dir import RunDir, atomic_write, sync_folder
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
    """Pass a live run that a person has agreed to, now or at an earlier start; no file is changed.

    Raises:
        ConfigError: nobody has, or it was for another exchange, or for play money; or nobody
            knows, for the file cannot be read.
    """
    check_same_money(run_dir, venue)
    if not given and not (run_dir / LIVE_CONSENT).exists():
        raise ConfigError(
            [
                'mode: "live" sends real orders with real money: start once with'
                f" --i-understand-live for the run directory {run_dir}"
            ]
        )


def note_consent(run_dir: RunDir, venue: VenueConfig) -> None:
    """Write down a word that was given, by who holds the directory and has passed the gate.

    It is on the disk, as a whole, when this returns.

    Raises:
        ConfigError: a word for another exchange stands there.
        OSError: it cannot be written down; an earlier one stands.
    """
    check_same_money(run_dir.path, venue)
    run_dir.atomic_write(LIVE_CONSENT, _word(venue))
    sync_folder(run_dir.path)


def note_consent_of_standby(run_dir: Path, venue: VenueConfig) -> None:
    """Write down a word that was given to one who waits, unless there is one.

    He holds nothing yet, and may wait for months, over starts without the flag. That another
    process trades this very account is what the gate is to the others. Who has the directory may
    write its own word meanwhile: that one is never replaced.

    Raises:
        ConfigError: a word for another exchange stands there.
        OSError: it cannot be written down.
    """
    path = run_dir / LIVE_CONSENT
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new.tmp")
    try:
        atomic_write(new, _word(venue))
        os.link(new, path)
        sync_folder(run_dir)
    except FileExistsError:
        check_same_money(run_dir, venue)
    finally:
        new.unlink(missing_ok=True)


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


def _word(venue: VenueConfig) -> bytes:
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    return f"agreed at {now} UTC\n{_ON}{_where(venue)}\n".encode()


def _where(venue: VenueConfig) -> str:
    return f"{venue.exchange}'s sandbox" if venue.ccxt.get("sandbox") else venue.exchange
