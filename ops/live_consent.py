"""Real money asks for two deliberate acts.

``mode = "live"`` in the file, and the flag ``--i-understand-live`` once for each run directory.
"""

import time
from pathlib import Path

from messages.errors import ConfigError

CONSENT = "live.consent"
"""The file in a run directory that remembers the flag."""


def check_consent(run_dir: Path, *, given: bool) -> None:
    """Pass a live run that a person has agreed to, now or at an earlier start.

    Raises:
        ConfigError: nobody has.
    """
    path = run_dir / CONSENT
    if given:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(f"agreed at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC\n")
    elif not path.exists():
        raise ConfigError(
            [
                'mode: "live" sends real orders with real money: start once with'
                f" --i-understand-live for the run directory {run_dir}"
            ]
        )
