"""A strategy in whose process a supervisor fails at its next round, once the first candle is there.

``FAILS`` says which, and how: ``root crashes``, ``root hangs``, ``execution hangs``. It fails once.
"""

import os
import threading
from decimal import Decimal

from actors.supervisor import Supervisor
from messages.market import Candle
from strategies.protocol import Decision
from strategies.sma_cross import SmaCross

_look_after = Supervisor._look_after
_due = threading.Event()


def _fails_once(supervisor: Supervisor) -> None:
    who, how = os.environ["FAILS"].split()
    if supervisor.ctx.path == who and _due.is_set():
        _due.clear()
        if how == "crashes":
            raise MemoryError("no more")
        threading.Event().wait()
    _look_after(supervisor)


class UnderAFailingSupervisor(SmaCross):
    """Trades as ever."""

    has_begun = False

    def on_candle(self, candle: Candle, position: Decimal) -> "tuple[Decision, ...]":
        if not UnderAFailingSupervisor.has_begun:
            UnderAFailingSupervisor.has_begun = True
            Supervisor._look_after = _fails_once  # type: ignore[assignment,method-assign]
            _due.set()
        return tuple(super().on_candle(candle, position))
