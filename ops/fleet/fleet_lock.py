"""The lock of a fleet: one orchestrator at a time, which the kernel gives back when it ends."""

import fcntl
import os
import stat
from pathlib import Path

from messages.errors import WatchkeeperError

FLEET_LOCK = "fleet.lock"


class FleetBusy(WatchkeeperError):
    """Another orchestrator runs this fleet; the text names it."""


class FleetGone(WatchkeeperError):
    """Its directory was deleted under the orchestrator: another one may run the fleet by now."""


class FleetLock:
    """Held from the making to `close`.

    Raises:
        FleetBusy: another orchestrator holds it, or nobody can.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / FLEET_LOCK
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise FleetBusy(f"{self._path} is no file, and can keep nobody out: remove it")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(self._fd, 20, 0).decode(errors="replace").strip()
            os.close(self._fd)
            raise FleetBusy(f"{run_dir} is run by orchestrator {pid or '(unknown)'}") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def look(self) -> None:
        """See that it still keeps others out.

        Raises:
            FleetGone: the file that we hold is not the one that they would find.
        """
        ours = os.fstat(self._fd)
        try:
            there = self._path.stat()
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise FleetGone(f"{self._path} was taken away under this orchestrator: bots go on")

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)
