"""What a run was made by: versions and the machine, for whoever reads it a year later."""

import os
import platform
import sqlite3
import sys


class Software:
    """`look` once, when nobody waits for a start; `summary` on any thread."""

    def __init__(self) -> None:
        self._found: dict[str, str | int | None] = {}

    def look(self) -> None:
        """Find out. An exchange's library is named only if this process has loaded it."""
        machine = os.uname()
        ccxt = sys.modules.get("ccxt")
        self._found = {
            "watchkeeper": installed(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "ccxt": None if ccxt is None else str(getattr(ccxt, "__version__", "unknown")),
            "host": machine.nodename,
            "system": f"{machine.sysname} {machine.release} {machine.machine}",
            "processors": os.cpu_count(),
        }

    def summary(self) -> dict[str, str | int | None]:
        """Give what was found; empty before."""
        return dict(self._found)


def installed() -> str | None:
    """Give the version of the distribution; None of a checkout that is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # takes a while to import

    try:
        return version("watchkeeper")
    except PackageNotFoundError:
        return None
