"""The names of a run directory's files, and which run is the newest. Standard library only."""

from pathlib import Path

LEDGER = "ledger.db"
PAPER_BOOK = "paper.db"
JOURNAL = "journal"
METRICS = "metrics.ndjson"
METRICS_SUMMARY = "metrics_summary.json"
STATUS = "status.json"
CONTROL_SOCKET = "control.sock"
STANDBY_SOCKET = "standby.sock"
"""Of a process that waits for the account that this run trades."""
LOG = "watchkeeper.log"
EFFECTIVE_CONFIG = "config.effective.toml"
LIVE_CONSENT = "live.consent"
"""Remembers that a person agreed to trade real money, and on which exchange."""
DASHBOARD = "dashboard.html"
LOCK = "run.lock"
_SIGNS = frozenset({
    LOCK, STATUS, LEDGER, METRICS, METRICS_SUMMARY, JOURNAL, EFFECTIVE_CONFIG, PAPER_BOOK,
    CONTROL_SOCKET, STANDBY_SOCKET,
})  # fmt: skip


def is_run(folder: Path) -> bool:
    """Whether a run ever was in this directory; of one that may not be looked into, it may be."""
    try:
        return not _SIGNS.isdisjoint(one.name for one in folder.iterdir())
    except PermissionError:
        return True
    except OSError:
        return False


def no_run(place: str | Path) -> str:
    """Say that no run ever was there, wherever one was to be looked at."""
    return f"there is no run in {place}: name the directory of one, as `watchkeeper start` makes it"


def find_latest(root: str | Path = "runs") -> Path | None:
    """Give the run directory that gave a sign of life last; None where there is none."""
    try:
        runs = [run for run in Path(root).iterdir() if run.is_dir()]
    except OSError:
        return None
    signs = [(max(_moments(run), default=0), run) for run in runs]
    newest = max(signs, default=(0, None), key=lambda sign: sign[0])
    return newest[1] if newest[0] else None


def _moments(run: Path) -> list[int]:
    moments = []
    for name in (STATUS, CONTROL_SOCKET, STANDBY_SOCKET):
        try:
            moments.append((run / name).stat().st_mtime_ns)
        except OSError:
            continue
    return moments


def typed(path: Path | str) -> str:
    """Give it as it stands in a command that is to be typed: quoted, if it has a space in it."""
    from shlex import quote  # which a probe of `health` can do without

    return quote(str(path))
