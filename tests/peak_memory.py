"""The most memory that a command held, in a process of its own.

Not by `ru_maxrss`, which Linux hands down to whatever is started: of a small command that a large
pytest has started it says what pytest held, and growth below that is not seen.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

STATUS = Path("/proc/self/status")
MEASURED = f"""
import sys
import cli
code = cli.main(sys.argv[1:])
sys.stdout.flush()
for line in open({str(STATUS)!r}):
    if line.startswith("VmHWM:"):
        print(f"\\n{{line.split()[1]}}")
sys.exit(code)
"""


class Measured(NamedTuple):
    """What a command said on stdout, and the most that it held."""

    said: str
    peak_kb: int


def measured(*words: str, **how: Any) -> Measured:
    """Run a command to its good end; `how` goes to `subprocess.run`. Skips where none can tell."""
    if not STATUS.exists():
        pytest.skip("this system does not tell how large a process was")
    command = [sys.executable, "-P", "-c", MEASURED, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **how)
    said, _, peak = done.stdout.rstrip().rpartition("\n")
    return Measured(said.rstrip("\n") + "\n", int(peak))
