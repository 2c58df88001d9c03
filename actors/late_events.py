"""What of a live market came too late to decide on, said once and not for each event.

A market that is polled shows the trades of its last minute first; one whose line stood still
brings hundreds at once.
"""

from collections import Counter

from actors.log import logger
from messages.ids import NS_PER_S, ActorPath, Symbol
from messages.market import Candle, Trade

ALWAYS_LATE = 3
"""So many candles of a symbol in a row, and it is not chance."""


class LateEvents:
    """One incarnation's, on the feed's thread."""

    def __init__(self, path: ActorPath) -> None:
        self._log = logger.bind(actor=path)
        self._late: Counter[Symbol] = Counter()
        self._candles: dict[Symbol, list[int]] = {}
        """How late the last ones in a row were that a live market told."""

    @property
    def problem(self) -> str:
        """Say of which symbols nothing is decided, for each candle comes too late; or nothing."""
        always = {s: late for s, late in self._candles.items() if len(late) >= ALWAYS_LATE}
        if not always:
            return ""
        seconds = max(max(late) for late in always.values()) / NS_PER_S
        return (
            f"each candle of {', '.join(sorted(always))} comes too late to decide on, up to"
            f" {seconds:.1f} s: follow fewer symbols, or raise risk.max_decision_age_ms"
        )

    def late(self, event: Candle | Trade, late_ns: int, *, is_live: bool = False) -> None:
        """Say of the first one in a row of a symbol how late it is.

        `is_live`: the market is, so that this is no candle of an interruption.
        """
        if is_live and isinstance(event, Candle):
            known = self._candles.get(event.symbol, [])
            self._candles[event.symbol] = [*known[1 - ALWAYS_LATE :], late_ns]
        self._late[event.symbol] += 1
        if self._late[event.symbol] == 1:
            kind = type(event).__name__.lower()
            text = "a {} of {} came {:.1f} s late: it decides nothing, and no other as late"
            self._log.warning(text, kind, event.symbol, late_ns / NS_PER_S)

    def in_time(self, event: Candle | Trade) -> None:
        """Say how many there were before this one."""
        symbol = event.symbol
        if isinstance(event, Candle):
            self._candles.pop(symbol, None)
        if (count := self._late.pop(symbol, 0)) > 1:
            self._log.info("{} comes in time again, after {} late events", symbol, count)
