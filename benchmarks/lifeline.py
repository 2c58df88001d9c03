"""`python -m benchmarks.lifeline COMMAND ...`: the real command, which outlives nobody.

Its standard input is a pipe that whoever measures holds, without ever writing. However that one
ends, by SIGKILL too, the pipe does, and this process with it.
"""

import os
import sys
import threading

import cli


def _end_with_the_other_end() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_other_end, daemon=True).start()
    sys.exit(cli.main())
