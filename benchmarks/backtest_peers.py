"""Runs the programs of `benchmarks.peer_scripts`, each in an environment of its own.

An environment is made once and kept, in the folder of the benchmarks or in the cache.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import msgspec

from benchmarks import peer_scripts as scripts
from benchmarks.common import say

OURS = "watchkeeper"


class Peer(msgspec.Struct, frozen=True):
    """A program, and what pip must install for it; nothing where it is our own."""

    name: str
    script: str
    requires: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    """Interpreters to look for, where it does not install for this one."""
    share: float = 1.0
    """Of the candles: those that take longer than linear time get fewer."""
    compiles: bool = False
    """Whether its first run compiles: its pace is that of the second one then."""
    turns: int = 3
    """How often it is run: once, where nobody could doubt who is quicker."""


PEERS = (
    Peer("backtesting.py", scripts.BACKTESTING, ("backtesting==0.6.6",)),
    Peer("backtrader", scripts.BACKTRADER, ("backtrader==1.9.78.123",), share=0.25, turns=1),
    Peer("basana", scripts.BASANA, ("basana==1.11",)),
    Peer("vectorbt", scripts.VECTORBT, ("vectorbt==1.2.0",), compiles=True, turns=1),
    Peer(
        "nautilus_trader",
        scripts.NAUTILUS,
        ("nautilus_trader==1.231.0",),
        ("python3.13", "python3.12", "python3.14"),
        share=0.1,
        turns=1,
    ),
)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What one process took; seconds of processor time, but for the whole of it."""

    candles: int
    import_s: float
    run_s: float
    orders: int
    whole_s: float
    """By the wall, from its start to its end: import, reading, the run."""
    peak_mb: float

    @property
    def pace(self) -> float:
        """Candles a second, of the run alone."""
        return self.candles / self.run_s


class CannotRun(Exception):
    """One sentence: which peer, and what it or pip said last."""


def ours() -> Peer:
    """Give our own program."""
    return Peer(OURS, scripts.OURS)


def python_for(peer: Peer, folder: Path) -> Path:
    """Give the interpreter of a peer's environment, made first if it is not there yet.

    Raises:
        CannotRun: pip could not do it.
    """
    if not peer.requires:
        return Path(sys.executable)
    home = folder / f"peer-{peer.requires[0].replace('==', '-')}"
    python, done = home / "bin" / "python", home / "installed"
    if done.exists():
        return python
    say(f"   installing {peer.requires[0]} in {home}")
    problem = ""
    for base in (sys.executable, *filter(None, map(shutil.which, peer.pythons))):
        shutil.rmtree(home, ignore_errors=True)
        problem = _install(base, home, peer.requires)
        if not problem:
            done.touch()
            return python
    raise CannotRun(f"{peer.requires[0]} could not be installed: {problem}")


def _install(base: str, home: Path, requires: Sequence[str]) -> str:
    """Give the last word of what fails."""
    pip = (str(home / "bin" / "python"), "-m", "pip", "install", "-q", *requires)
    for command in ((base, "-m", "venv", str(home)), pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no word why"]
            return lines[-1]
    return ""


def measured(peer: Peer, python: Path, data: Path, candles: int, *more: str) -> Taken:
    """Run a peer's program once over a file of so many candles.

    Raises:
        CannotRun: it failed.
    """
    root = str(Path(__file__).parent.parent)
    command = [str(python), "-c", scripts.BEGIN + peer.script, str(data), root, *more]
    with TemporaryFile() as out, TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        process.wait()
        whole_s = time.perf_counter() - began
        if process.returncode:
            raise CannotRun(f"{peer.name} failed: {_last_line(err)}")
        told = json.loads(_last_line(out))
    return Taken(
        candles=candles,
        import_s=told["import_s"],
        run_s=told["run_s"],
        orders=told["orders"],
        whole_s=whole_s,
        peak_mb=told["peak_mb"],  # what wait4 says is not below what this process holds
    )


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
