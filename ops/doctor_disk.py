"""What the disk under a run directory is good for: room, durability, and the price of a flush."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_MS
from ops.doctor_finding import Finding, ok, problem, warning
from ops.moments import span
from persistence.database import open_ledger_database

_FLUSHES = 20
_SLOW_NS = 50 * NS_PER_MS
_LITTLE, _TOO_LITTLE = 2_000_000_000, 200_000_000
_MEMORY = {"tmpfs", "ramfs"}
NETWORK_DISKS = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"}
_MOVE = "put run_dir on a local disk"


def disk_findings(run_dir: Path) -> Iterator[Finding]:
    """Measure beside the run directory, in a directory that is taken away again."""
    place = _existing(run_dir)
    yield room_finding(place, shutil.disk_usage(place).free)
    yield kind_finding(place, file_system_of(place))
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as trial:
            yield flush_finding(_flush_ns(Path(trial) / "flush"))
            yield _durable(Path(trial) / "ledger.db")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield problem("disk", f"{place} cannot be written: {reason}", "correct its permissions")


def room_finding(place: Path, free: int) -> Finding:
    """Say whether there is room."""
    text = f"{free / 1e9:.1f} GB free at {place}"
    if free < _TOO_LITTLE:
        return problem("room", text, "make room: a full disk halts trading")
    if free < _LITTLE:
        return warning("room", text, "make room soon: a full disk halts trading")
    return ok("room", text)


def kind_finding(place: Path, kind: str) -> Finding:
    """Say whether what is written there can outlive a loss of power."""
    text = f"{place} is on {kind or 'an unknown file system'}"
    if kind in _MEMORY:
        return warning("disk", f"{text}: memory, gone with the power", _MOVE)
    if kind in NETWORK_DISKS:
        return problem("disk", f"{text}: a network, where the ledger's log is not safe", _MOVE)
    return ok("disk", text)


def flush_finding(flushes_ns: list[int]) -> Finding:
    """Say what one durable claim costs."""
    median, worst = int(statistics.median(flushes_ns)), max(flushes_ns)
    text = f"a flush takes {span(median)}, at worst {span(worst)} of {len(flushes_ns)}"
    if median > _SLOW_NS:
        return warning("flush", text, "every order waits for one: take a faster disk")
    return ok("flush", text)


def _durable(path: Path) -> Finding:
    try:
        open_ledger_database(path).close()
    except LedgerUnavailable as error:
        return problem("durability", str(error), _MOVE)
    return ok("durability", "SQLite gives WAL and synchronous=FULL here")


def _flush_ns(path: Path) -> list[int]:
    flush = getattr(os, "fdatasync", os.fsync)
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FLUSHES):
            file.write(bytes(4096))
            began_ns = time.perf_counter_ns()
            flush(file.fileno())
            times.append(time.perf_counter_ns() - began_ns)
    return times


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.is_dir())


def file_system_of(place: Path) -> str:
    """Give the type of the mount that holds a place; empty where the kernel does not list them."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found, kind = "", ""
    for fields in map(str.split, lines.splitlines()):
        where = fields[1].replace("\\040", " ")
        if place.is_relative_to(where) and len(where) >= len(found):
            found, kind = where, fields[2]
    return kind
