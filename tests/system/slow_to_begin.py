"""A strategy that takes its time before it trades, where ``WAITS_AS_IT_IS`` says so.

``loaded`` is as its file is read, ``made`` as its object is. Each waits once, and says so before.
"""

import os
import sys
import threading

from strategies.sma_cross import SmaCross

_WAITS = os.environ.get("WAITS_AS_IT_IS", "").split(",")


def _as_it_is(what: str) -> None:
    if what in _WAITS:
        sys.stderr.write(f"it is being {what}\n")
        sys.stderr.flush()
        threading.Event().wait(60)


_as_it_is("loaded")


class SlowToBegin(SmaCross):
    """Trades as ever, afterwards."""

    def __init__(self, *values: object, **named: object) -> None:
        if "threaded" in _WAITS:  # a poller, that is no daemon and does not end
            threading.Thread(target=threading.Event().wait, name="poller").start()
        _as_it_is("made")
        super().__init__(*values, **named)  # type: ignore[arg-type]
