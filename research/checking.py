"""What may be wrong with recorded candles, found in one pass in flat memory. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from exchanges.row_tally import Tally
from exchanges.row_times import Sequencer
from exchanges.source import GapSpan, SourceStats
from exchanges.times import time_ns
from messages.ids import NS_PER_MS, DurationNs
from research.candle_row import Numbers, candle_of, is_on_grid
from research.series import MONTH_NAME, moment_text, month_end_ms, month_of

SPIKE = 0.1
"""How far a wick may reach beyond both candles beside it, as a fraction of the price."""
_OHLC = ("high ", "open or close")


class Kind(StrEnum):
    """What is wrong; the text says it for people."""

    UNREADABLE = "unreadable"
    WRONG_COLUMNS = "wrong_columns"
    MALFORMED = "malformed"
    """Something that is no number, no time, or of no possible size."""
    OHLC = "ohlc"
    """High, low, open and close contradict each other."""
    DUPLICATE = "duplicate"
    DISORDER = "disorder"
    OFF_GRID = "off_grid"
    """It opens where no candle of its length does: another zone, or another length."""
    MISPLACED = "misplaced"
    """It is in the file of another month."""
    GAP = "gap"
    OUTLIER = "outlier"
    TIME_ZONE = "time_zone"
    """Its times name no zone, or one that is not UTC."""

    @property
    def is_warning(self) -> bool:
        """Whether the row is used all the same."""
        return self in (Kind.GAP, Kind.OUTLIER, Kind.TIME_ZONE)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, and where. `row` counts from 1, a header's line with it."""

    file: str
    row: int | None
    ts_ms: int | None
    kind: Kind
    text: str
    missing: int | None = None
    """Of a gap: how many candles are not there before this row."""

    def event(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            "event": "finding",
            "level": "warning" if self.kind.is_warning else "error",
            "kind": self.kind.value,
            "file": self.file,
            "row": self.row,
            "ts": None if self.ts_ms is None else moment_text(self.ts_ms),
            "text": self.text,
            **({} if self.missing is None else {"missing": self.missing}),
        }


class _Ear(Tally):
    """Turns what the feed's own sequencer complains of into findings: they judge alike."""

    def __init__(self, checker: "Checker") -> None:
        super().__init__(SourceStats(), "")
        self._checker = checker

    def malformed(self, row: int, why: str) -> None:
        self._checker.note(row, Kind.MALFORMED, why)

    def duplicate(self, row: int, why: str) -> None:
        same = "and no other values" if self._checker.is_repeated else "and other values"
        self._checker.note(row, Kind.DUPLICATE, f"{why}, {same}")

    def out_of_order(self, row: int, why: str) -> None:
        self._checker.note(row, Kind.DISORDER, why)

    def gap(self, row: int, span: GapSpan) -> None:
        since, until = (moment_text(ns // NS_PER_MS) for ns in (span.ts_from_ns, span.ts_to_ns))
        text = f"{span.missing} candles are missing, from {since} to {until}"
        self._checker.note(row, Kind.GAP, text, missing=span.missing)


class _Wick(msgspec.Struct, frozen=True, gc=False):
    high: float
    low: float
    file: str
    row: int
    ts_ms: int


class Checker:
    """Follows the candles of one series over its files."""

    def __init__(self, timeframe_ms: int, *, spike: float = SPIKE, wild_first: int = 0) -> None:
        self.rows = 0
        self._length_ms, self._spike = timeframe_ms, spike
        timeframe_ns = DurationNs(timeframe_ms * NS_PER_MS)
        self._sequencer = Sequencer(timeframe_ns, _Ear(self), wild_first)
        self._found: list[Finding] = []
        self._file, self._month = "", ""
        self._month_ms = (0, 0)
        self._is_zone_told = False
        self._now_ms: int | None = None
        self._candle: Numbers | None = None
        self._last: Numbers | None = None
        self._before: _Wick | None = None
        self._middle: _Wick | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether the present row is the one before it once more."""
        return self._candle == self._last

    def begin(self, file: str, stem: str = "") -> None:
        """Go on with the next file; with the stem of a month's file rows must be of that month."""
        self._file, self._is_zone_told, self._now_ms = file, False, None
        self._month = stem if MONTH_NAME.fullmatch(stem) else ""
        if self._month:
            first_ms = time_ns(f"{stem}-01") // NS_PER_MS
            self._month_ms = (first_ms, month_end_ms(first_ms))

    def malformed(self, row: int, why: str) -> None:
        """Note what the reader of the file could not read."""
        self._now_ms = None
        self.note(row, Kind.UNREADABLE, why)

    def cut_off(self, row: int, why: str) -> None:
        """Note that the rest of the file cannot be read."""
        self.malformed(row, why)

    def broken(self, kind: Kind, why: str) -> None:
        """Note that a file cannot be used at all."""
        self._now_ms = None
        self.note(None, kind, why)

    def note(self, row: int | None, kind: Kind, text: str, missing: int | None = None) -> None:
        """Keep a finding at the present row."""
        self._found.append(
            Finding(
                file=self._file, row=row, ts_ms=self._now_ms, kind=kind, text=text, missing=missing
            )
        )

    def taken(self) -> Iterator[Finding]:
        """Give what was found since this was asked last."""
        found, self._found = self._found, []
        yield from found

    def feed(self, row: int, fields: Sequence[str]) -> None:
        """Look at the next row."""
        self.rows += 1
        if fields and not self._is_zone_told:
            self._check_zone(row, fields)
        try:
            self._candle = candle_of(fields)
        except ValueError as error:
            self._now_ms = _time_ms(fields)
            why = str(error)
            self.note(row, Kind.OHLC if why.startswith(_OHLC) else Kind.MALFORMED, why)
            return
        self._check_time(row, self._candle)

    def _check_time(self, row: int, candle: Numbers) -> None:
        open_ns = candle[0]
        self._now_ms = open_ns // NS_PER_MS
        if not is_on_grid(open_ns, self._length_ms):
            text = "does not open where a candle of this length does, in UTC"
            self.note(row, Kind.OFF_GRID, text)
            return
        if self._month and not self._month_ms[0] <= self._now_ms < self._month_ms[1]:
            self.note(row, Kind.MISPLACED, f"is of {month_of(self._now_ms)}")
        sequencer = self._sequencer
        follows = sequencer.last_ns + self._length_ms * NS_PER_MS == open_ns
        if not follows:
            if not sequencer.admits(row, open_ns):
                return
            self._before = self._middle = None
        sequencer.last_ns, self._last = open_ns, candle
        self._check_spike(_Wick(float(candle[2]), float(candle[3]), self._file, row, self._now_ms))

    def _check_spike(self, after: "_Wick") -> None:
        """Look at the candle before this one: it has two beside it now."""
        before, middle = self._before, self._middle
        self._before, self._middle = middle, after
        if before is None or middle is None:
            return
        highest, lowest = max(before.high, after.high), min(before.low, after.low)
        beyond = max(middle.high / highest - 1, 1 - middle.low / lowest)
        if beyond > self._spike:
            wick = f"({middle.low:g} to {middle.high:g})"
            self._found.append(
                Finding(
                    file=middle.file,
                    row=middle.row,
                    ts_ms=middle.ts_ms,
                    kind=Kind.OUTLIER,
                    text=f"reaches {beyond:.0%} beyond both candles beside it {wick}",
                )
            )

    def _check_zone(self, row: int, fields: Sequence[str]) -> None:
        zone = "" if fields[0].isdigit() else _zone_of(fields[0])
        if zone:
            self._is_zone_told, self._now_ms = True, _time_ms(fields)
            self.note(row, Kind.TIME_ZONE, zone)


def _time_ms(fields: Sequence[str]) -> int | None:
    try:
        return time_ns(fields[0]) // NS_PER_MS
    except (ValueError, IndexError):
        return None


def _zone_of(text: str) -> str:
    """Say what is wrong with the zone of a written time; nothing for numbers and for UTC."""
    if text.strip().replace(".", "", 1).isdigit():
        return ""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return ""
    if moment.tzinfo is None:
        return "times name no zone: they are taken for UTC"
    return "" if not moment.utcoffset() else f"times are written in another zone than UTC: {text}"
