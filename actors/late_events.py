"""What of a live market came too late to decide on, said once and not for each event.

A market that is polled shows the trades of its last minute first; one whose line stood still
brings hundreds at once.
"""

from collections import Counter

from actors.log import logger
from messages.ids import NS_PER_S, ActorPath, Symbol
from messages.market import Candle, Trade


class LateEvents:
    """One incarnation's, on the feed's thread."""

    def __init__(self, path: ActorPath) -> None:
        self._log = logger.bind(actor=path)
        self._late: Counter[Symbol] = Counter()

    def late(self, event: Candle | Trade, late_ns: int) -> None:
        """Say of the first one in a row of a symbol how late it is."""
        self._late[event.symbol] += 1
        if self._late[event.symbol] == 1:
            kind = type(event).__name__.lower()
            text = "a {} of {} came {:.1f} s late: it decides nothing, and no other as late"
            self._log.warning(text, kind, event.symbol, late_ns / NS_PER_S)

    def in_time(self, symbol: Symbol) -> None:
        """Say how many there were before this one."""
        if (count := self._late.pop(symbol, 0)) > 1:
            self._log.info("{} comes in time again, after {} late events", symbol, count)
