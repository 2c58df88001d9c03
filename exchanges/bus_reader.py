"""What a bot takes from the bus: each event once, in order, and nothing that makes no sense. Pure.

Nothing on the bus is believed for its place alone. Frames are held against those before them by
their own number and by their time; what is wrong is counted, told, and reaches nobody.
"""

from exchanges.bus_frames import NoFrame, frame_of, subject_of, subjects_of
from exchanges.bus_line import ALL, Line
from exchanges.bus_liveness import AHEAD_NS
from exchanges.feed_settings import Channel, FeedItem, FeedRequest
from exchanges.row_times import Leap
from exchanges.source import GapSpan, SourceStats
from messages.bus import BusFrame
from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle, FeedEnded, FeedGap, Tick, Trade


class BusReader:
    """Outlives connections.

    `since_ns` says where the last known candle of a symbol closed, `traded_ns` when its last known
    trade happened.
    """

    def __init__(
        self,
        stream: str,
        request: FeedRequest,
        stats: SourceStats,
        since_ns: "dict[Symbol, int] | None" = None,
        traded_ns: "dict[Symbol, int] | None" = None,
    ) -> None:
        self.stats = stats
        self.foreign = 0
        """Payloads that no publisher of ours has written."""
        self._stream, self._request = stream, request
        self._since_ns = dict(since_ns or {})
        self._next_open_ns: dict[Symbol, int] = dict(self._since_ns)
        self._lines: dict[str, Line] = {
            subject_of(stream, Channel.TRADES, symbol): Line(ts_ns=at_ns, taken=ALL)
            for symbol, at_ns in (traded_ns or {}).items()
        }
        self._leaps: dict[str, Leap] = {}
        channels = sorted(request.channels)
        self.subjects = subjects_of(stream, channels, request.symbols)
        self.tick_subjects = [
            subject_of(stream, Channel.TICKS, symbol)
            for symbol in request.symbols
            if Channel.TICKS in request.channels
        ]
        self._known = {*self.subjects, *self.tick_subjects}

    def known_since(self) -> list[int]:
        """Give for each symbol where its last candle closed, and for each subject how far it is.

        0 where nothing is known.
        """
        closed = [self._next_open_ns.get(symbol, 0) for symbol in self._request.symbols]
        return [*closed, *(line.ts_ns for line in self._lines.values())]

    def begin_anew(self) -> None:
        """Go on by times: the stream is another one under the same name, with other numbers."""
        for line in self._lines.values():
            line.cut()

    def go_on_by_time(self) -> None:
        """Something may be missing: where no number shows it, times do."""
        for line in self._lines.values():
            if not line.sequence:
                line.cut()

    def may_have_told(self, subject: str, payload: bytes) -> bool:
        """Whether this can be what was told last: of what nothing is known, anything can."""
        try:
            what = frame_of(self._stream, subject, payload).what
        except NoFrame:
            return True
        if isinstance(what, Candle):
            return self._since_ns.get(what.symbol, what.ts_event_ns) == what.ts_event_ns
        line = self._lines.get(subject)
        return line is None or not isinstance(what, Trade) or line.ts_ns == what.ts_event_ns

    def take(self, subject: str, payload: bytes, now_ns: int | None) -> list[FeedItem]:
        """Give what is to be told for one message. `now_ns` None: this market has its own clock."""
        try:
            frame = frame_of(self._stream, subject, payload)
            problem = self._wrong(subject, frame, now_ns)
        except NoFrame as error:
            self.foreign += 1
            problem = str(error)
        if problem:
            self.stats.note(f"{subject[:80]!r}: {problem}")
            self.stats.malformed += 1  # any thread may read it: what is counted is noted
            return []
        return self._in_order(subject, frame, is_real=now_ns is not None)

    def _wrong(self, subject: str, frame: BusFrame, now_ns: int | None) -> str:
        """Say what makes no sense in an event; empty when it can be used."""
        if subject not in self._known:
            return "nobody asked for this subject"
        what = frame.what
        if isinstance(what, FeedGap | FeedEnded):
            return ""
        problem = _wrong_numbers(what) or _wrong_length(what, self._request.timeframe_ns)
        return problem or self._wrong_time(subject, what.ts_event_ns, now_ns)

    def _wrong_time(self, subject: str, ts_ns: int, now_ns: int | None) -> str:
        if ts_ns <= 0:
            return "it is from before 1970"
        if now_ns is not None:
            ahead_s = (ts_ns - now_ns) / NS_PER_S
            return f"it is {ahead_s:.0f} s in the future" if ts_ns > now_ns + AHEAD_NS else ""
        last_ns = self._lines.get(subject, Line()).ts_ns or -1
        is_wild = self._leaps.setdefault(subject, Leap()).is_wild(last_ns, ts_ns)
        return "more than a year after the one before" if is_wild else ""

    # ------------------------------------------------------------ order

    def _in_order(self, subject: str, frame: BusFrame, *, is_real: bool) -> list[FeedItem]:
        line = self._lines.setdefault(subject, Line())
        what = frame.what
        if isinstance(what, Candle):
            return self._candle(line, frame, what)
        if self._had(line, frame, is_real=is_real):
            self._repeated(frame, line)
            return []
        told: list[FeedItem] = []
        missed = max(0, frame.sequence - line.sequence - 1) if line.sequence else 0
        # Of a real market nobody followed what happened between two publishers.
        is_new = is_real and bool(line.writer) and line.writer != frame.writer
        if isinstance(what, Trade):
            if missed or is_new or line.may_lack:
                told.append(self._gap(what.symbol, line.ts_ns, what.ts_event_ns, missed))
            self.stats.usable += 1
        if isinstance(what, Trade | Tick):
            line.take(frame, what.ts_event_ns)
        else:
            line.number(frame)
            line.may_lack |= bool(missed and line.ts_ns)
        if isinstance(what, FeedGap):
            what = self._gap(what.symbol, what.ts_from_ns, what.ts_to_ns, what.missing)
        return [*told, what]

    def _had(self, line: Line, frame: BusFrame, *, is_real: bool) -> bool:
        what, is_same = frame.what, line.writer == frame.writer
        if not line.is_cut or not isinstance(what, Trade | FeedGap):
            return frame.sequence <= line.sequence and (is_same or _is_of_before(what, line.ts_ns))
        is_before = line.had(what, is_real=is_real)
        if is_before:
            line.number(frame)
        return is_before

    def _candle(self, line: Line, frame: BusFrame, candle: Candle) -> list[FeedItem]:
        """A candle's own time decides; its number only says that something is amiss."""
        symbol = candle.symbol
        due_ns = self._next_open_ns.get(symbol)
        if candle.ts_event_ns <= self._since_ns.get(symbol, 0):
            line.take(frame, candle.ts_event_ns)
            return []
        if due_ns is not None and candle.ts_open_ns < due_ns:
            self._repeated(frame, line, is_newest=candle.ts_event_ns == due_ns)
            return []
        told: list[FeedItem] = []
        if due_ns is not None and candle.ts_open_ns > due_ns:
            missing = max(1, (candle.ts_open_ns - due_ns) // self._request.timeframe_ns)
            self.stats.note_gap(GapSpan(due_ns, candle.ts_open_ns, missing))
            told.append(self._feed_gap(symbol, due_ns, candle.ts_open_ns, missing))
        self._next_open_ns[symbol] = candle.ts_event_ns
        line.take(frame, candle.ts_event_ns)
        self.stats.usable += 1
        return [*told, candle]

    def _repeated(self, frame: BusFrame, line: Line, *, is_newest: bool = False) -> None:
        if is_newest or frame.sequence == line.sequence:
            self.stats.duplicate += 1
        else:
            self.stats.out_of_order += 1

    def _gap(self, symbol: Symbol, from_ns: int, to_ns: int, missing: int) -> FeedGap:
        self.stats.note_gap(GapSpan(from_ns, to_ns, missing))
        return self._feed_gap(symbol, from_ns, to_ns, missing)

    def _feed_gap(self, symbol: Symbol, from_ns: int, to_ns: int, missing: int) -> FeedGap:
        return FeedGap(
            feed=self._request.path,
            symbol=symbol,
            ts_from_ns=TimestampNs(from_ns),
            ts_to_ns=TimestampNs(to_ns),
            missing=missing,
        )


def _is_of_before(what: Candle | Trade | Tick | FeedGap | FeedEnded, last_ns: int) -> bool:
    """Whether a publisher before this one told it: where all is read again, it comes again.

    Its number alone does not say so: a next publisher goes on by what the stream still has.
    """
    match what:
        case Trade():
            return what.ts_event_ns <= last_ns
        case FeedGap():
            return what.ts_to_ns <= last_ns
        case _:
            return False


def _wrong_numbers(event: Candle | Trade | Tick) -> str:
    """Say which numbers can't be; a NaN can't even be compared."""
    match event:
        case Candle():
            ohlc = (event.open, event.high, event.low, event.close)
            if not all(number.is_finite() for number in (*ohlc, event.volume)):
                return "a number that is none"
            is_sound = 0 < event.low == min(ohlc) and event.high == max(ohlc) and event.volume >= 0
        case Trade():
            if not (event.price.is_finite() and event.quantity.is_finite()):
                return "a number that is none"
            is_sound = event.price > 0 and event.quantity > 0
        case Tick():
            if not (event.bid_price.is_finite() and event.ask_price.is_finite()):
                return "a number that is none"
            is_sound = 0 < event.bid_price < event.ask_price
    return "" if is_sound else "prices that contradict each other"


def _wrong_length(event: Candle | Trade | Tick, timeframe_ns: int) -> str:
    is_other = isinstance(event, Candle) and event.ts_event_ns - event.ts_open_ns != timeframe_ns
    return "a candle of another length" if is_other else ""
