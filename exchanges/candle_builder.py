"""Closed candles of one symbol, each once and in order. Pure: no clock, no network.

The stream says *when* a bar is over, REST says *what* it was. A stream alone can't: its last word
on a bar may be lost, late or out of order, and some of ccxt's stream parsers go through binary
floats. Only where REST can't be asked for long is a bar given as the stream told it (`release`).
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from exchanges.source import GapSpan, SourceStats
from messages.ids import Symbol, TimestampNs
from messages.market import Candle

_ROUNDING = 1 + Decimal("1e-12")
"""What a volume may lose on its way through a binary float."""


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar, over or not. Prices in quote currency, volume in base."""

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def problem(self) -> str:
        """Say what makes no sense in it; empty when it can be used."""
        low, high = min(self.open, self.close), max(self.open, self.close)
        if not (0 < self.low <= low and high <= self.high and self.volume >= 0):
            return "prices that contradict each other"
        return ""


class CandleBuilder:
    """`next_open_ns` is the open of the next bar to be given; None until history is known.

    `grace_ns` is how long after its end a bar counts as over without a later one.
    """

    def __init__(
        self,
        symbol: Symbol,
        timeframe_ns: int,
        grace_ns: int,
        next_open_ns: int | None = None,
        stats: SourceStats | None = None,
    ) -> None:
        self.symbol = symbol
        self.next_open_ns = next_open_ns
        self.stats = stats or SourceStats()
        self.gaps: list[GapSpan] = []
        """Those found since somebody last took them away."""
        self._compares = True
        self._told = (-1, Decimal(0))
        """The newest bar of the stream alone, and its volume."""
        self._timeframe_ns = timeframe_ns
        self._grace_ns = grace_ns
        self._forming: dict[int, Bar] = {}
        """What the stream has told of bars that were not given yet."""
        self._shown_ns: int | None = None
        """The moment of the market, or the open of a bar, that the stream has told of last."""
        self.newest_ns = -1
        """The newest moment of the market, or open of a bar, that anybody has told of."""
        self.holds_back = False
        """Whether a bar that is over was not given when REST was last heard."""

    # ------------------------------------------------------------ the stream

    def stream(self, bar: Bar) -> None:
        """Take an update of a bar. Volume only grows, so the largest is the latest word."""
        self._shown_ns = bar.open_ns
        self.newest_ns = max(self.newest_ns, bar.open_ns)
        self.assume_told(bar)
        known = self._forming.get(bar.open_ns)
        if self._is_new(bar.open_ns) and (known is None or bar.volume >= known.volume):
            self._forming[bar.open_ns] = bar

    def begun(self, ts_ns: int) -> None:
        """Learn that the market has come to a moment: bars that end before it are over."""
        self._shown_ns = ts_ns
        self.newest_ns = max(self.newest_ns, ts_ns)

    def interrupted(self) -> None:
        """Forget what is forming: after a break of the stream nobody knows what was missed."""
        self._forming.clear()
        self._shown_ns = None

    # ------------------------------------------------------------ what is over

    def is_due(self, venue_now_ns: int) -> bool:
        """Whether a bar is over that was not given yet; on the exchange's clock."""
        return self.next_open_ns is None or self._is_over(self.next_open_ns, venue_now_ns)

    @property
    def has_gone_back(self) -> bool:
        """Whether the stream is more than a whole bar before the last that was given.

        A late word on that one, or on the one before it, is none of this.
        """
        if self.next_open_ns is None or self._shown_ns is None:
            return False
        return self._shown_ns < self.next_open_ns - 2 * self._timeframe_ns

    def is_behind(self, bar: Bar) -> bool:
        """Whether a bar from REST is news to the stream: newer than all it told, or fuller.

        One in which nothing was traded is none: some streams tell no such bar, whose REST does.
        """
        open_ns, volume = self._told
        if bar.open_ns > open_ns:
            return bar.volume > 0
        return bar.open_ns == open_ns and bar.volume > volume * _ROUNDING

    def assume_told(self, bar: Bar) -> None:
        """Take for told what the market was when the stream began."""
        self._told = max(self._told, (bar.open_ns, bar.volume))

    def settle(
        self,
        rows: Iterable[Bar],
        asked_ns: int,
        *,
        begun_ns: int | None = None,
        patient: bool = True,
    ) -> list[Candle]:
        """Take what REST gave from the next bar on, and give the bars that are over.

        An answer is as old as its question: the last bar of it may have gone on since. So
        `asked_ns` is the exchange's time, and `begun_ns` was `newest_ns` (None: as it is now),
        when REST was asked.

        REST may be behind the stream: while `patient`, a bar waits until the answer holds a later
        one too, and no less volume than the stream has told. When patience ends REST is right
        unless its answer ends before the stream does, and volumes are not compared again: there
        are exchanges where they differ. A bar that an answer leaves out between two others had no
        trades, or is lost: a gap.
        """
        begun_ns = self.newest_ns if begun_ns is None else begun_ns
        bars = self._sorted(rows)
        last_ns = bars[-1].open_ns if bars else -1
        self.newest_ns = max(self.newest_ns, last_ns)
        given: list[Candle] = []
        for bar in bars:
            has_next = bar.open_ns < last_ns
            is_over = has_next or self._is_past(bar.open_ns, asked_ns)
            if not patient:
                is_over = is_over or self._has_later(bar.open_ns, begun_ns)
            if not is_over or (self._knows_more(bar) and (patient or not has_next)):
                break
            self._compares = self._compares and not self._knows_more(bar)
            given.append(self._give(bar))
        self.holds_back = any(
            self._is_new(one) and self._is_over(one, asked_ns)
            for one in (*self._forming, *(bar.open_ns for bar in bars))
        )
        return given

    def release(self, venue_now_ns: int) -> list[Candle]:
        """Give the next bars as the stream told them: for when REST can't be asked."""
        given: list[Candle] = []
        while self.next_open_ns in self._forming and self.is_due(venue_now_ns):
            bar = self._forming[self.next_open_ns]
            if bar.problem:
                break
            given.append(self._give(bar))
        return given

    def _knows_more(self, bar: Bar) -> bool:
        """Whether the stream has told of trades that are not in a bar from REST."""
        told = self._forming.get(bar.open_ns)
        return self._compares and told is not None and told.volume > bar.volume * _ROUNDING

    def _is_new(self, open_ns: int) -> bool:
        return self.next_open_ns is None or open_ns >= self.next_open_ns

    def _is_over(self, open_ns: int, venue_now_ns: int) -> bool:
        return self._has_later(open_ns, self.newest_ns) or self._is_past(open_ns, venue_now_ns)

    def _has_later(self, open_ns: int, newest_ns: int) -> bool:
        return newest_ns >= open_ns + self._timeframe_ns

    def _is_past(self, open_ns: int, venue_now_ns: int) -> bool:
        return venue_now_ns >= open_ns + self._timeframe_ns + self._grace_ns

    def _sorted(self, rows: Iterable[Bar]) -> list[Bar]:
        """Give usable rows that are new, by time, each time once."""
        found: dict[int, Bar] = {}
        for bar in rows:
            if not self._is_new(bar.open_ns):
                continue
            if bar.problem:
                self.stats.malformed += 1
                self.stats.note(f"{self.symbol} {bar.open_ns}: {bar.problem}")
                continue
            known = found.get(bar.open_ns)
            if known is not None:
                self.stats.duplicate += 1
            if known is None or bar.volume >= known.volume:
                found[bar.open_ns] = bar
        return [found[open_ns] for open_ns in sorted(found)]

    def _give(self, bar: Bar) -> Candle:
        expected_ns, end_ns = self.next_open_ns, bar.open_ns + self._timeframe_ns
        if expected_ns is not None and bar.open_ns > expected_ns:
            missing = (bar.open_ns - expected_ns) // self._timeframe_ns
            span = GapSpan(expected_ns, bar.open_ns, max(1, missing))
            self.gaps.append(span)
            self.stats.note_gap(span)
        self.next_open_ns = end_ns
        self.stats.usable += 1
        self._forming = {o: known for o, known in self._forming.items() if o >= end_ns}
        return Candle(
            symbol=self.symbol,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            ts_open_ns=TimestampNs(bar.open_ns),
            ts_event_ns=TimestampNs(end_ns),
        )
