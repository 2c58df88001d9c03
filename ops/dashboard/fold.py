"""Counts metric lines into columns of time: latencies, throughput, mailboxes, what happened.

Takes schema 1 and 2. What does not parse, or means nothing, is counted and passed over.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable

import msgspec

from decisions.time_columns import Spread, TimeColumns
from messages.ids import NS_PER_S
from ops.dashboard.column import Column, merge, note_worst
from ops.dashboard.kinds import (
    AlertLine,
    CommonLine,
    FeedLine,
    Int64,
    IntervalLine,
    MessageLine,
    OrderLine,
    StageLine,
    SupervisionLine,
)

_MOST_COLUMNS = 800
_MOST_EVENTS = 2_000
_MOST_REASONS = 200
_MOST_NAMES = 400
_MOST_PRICES = 20_000
_EARLIEST_NS, _LATEST_NS = 10**17, 8 * 10**18
"""From 1973 to 2223: a moment outside would make every column a century wide."""
_LOUD = ("exited", "backoff", "restarted", "hung", "halted", "gave_up")
_FAILURES = ("crashed", "init_failed", "killed")
_SILENT_NS = 60 * NS_PER_S
_SILENT_INTERVALS = 3
"""So long nothing was written, though a process that is alive writes at each interval."""
_MOST_SILENCES = 1_000
_OTHER = "(others)"


class Happening(msgspec.Struct, frozen=True):
    """Something on the time line."""

    at_ns: int
    kind: str
    """``started``, ``exited``, ``restarted``, ..., ``alert``, ``recovered``, ``feed``."""
    who: str
    text: str


class RunFold:
    """Feed it lines in their order, any number of times."""

    def __init__(self) -> None:
        self.columns = TimeColumns(
            Column, merge, most=_MOST_COLUMNS, between=(_EARLIEST_NS, _LATEST_NS)
        )
        self.silences: deque[tuple[int, int]] = deque(maxlen=_MOST_SILENCES)
        """From one line to the next, where that is long: nobody could write."""
        self.happenings: deque[Happening] = deque(maxlen=_MOST_EVENTS)
        self.totals: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.delivered: dict[str, int] = {}
        """Market events by feed, of its newest process; the most of any is in `furthest`."""
        self.furthest: dict[str, int] = {}
        self.prices: dict[str, list[tuple[int, str]]] = {}
        """Last prices by symbol as intervals kept them: when, how much."""
        self.broken = 0
        self._handled: dict[str, int] = {}
        self._sampled: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._began_ns: int | None = None
        self._heard_ns = 0
        self._least_interval_ns: int | None = None
        self.silent_ns = _SILENT_NS
        """How long is long, by the intervals seen so far."""
        self._common: dict[str, Callable[[CommonLine], None]] = {
            "message": self._message,
            "stage": self._stage,
            "order": self._order,
        }
        self._takers: dict[str, Callable[[bytes], None]] = {
            "message": lambda line: self._message(_MESSAGE.decode(line)),
            "stage": lambda line: self._stage(_STAGE.decode(line)),
            "order": lambda line: self._order(_ORDER.decode(line)),
            "feed": lambda line: self._feed(_FEED.decode(line)),
            "supervision": lambda line: self._supervision(_SUPERVISION.decode(line)),
            "alert": lambda line: self._alert(_ALERT.decode(line)),
            "interval": lambda line: self._interval(_INTERVAL.decode(line)),
        }

    def take(self, lines: Iterable[bytes]) -> None:
        """Count some lines."""
        common, read, column_at, totals = self._common, _COMMON.decode, self.columns.at, self.totals
        for line in lines:
            try:
                one = read(line)
                taker = common[one.kind]
            except (*_UNREADABLE, KeyError):
                self._apart(line)
                continue
            at_ns = one.at_ns
            try:
                if one.every == 1 and one.outcome == "ok" and one.kind == "message":
                    # Most lines by far: what `_message` does, without the call.
                    column_at(one.ended_ns or at_ns).counts["messages"] += 1
                    totals["messages"] += 1
                else:
                    taker(one)
            except ValueError:
                self.broken += 1
                continue
            if at_ns - self._heard_ns > self.silent_ns:
                self._silence(at_ns)
            self._heard_ns = at_ns

    def _apart(self, line: bytes) -> None:
        """Read a line for its kind, and then as one of that kind."""
        try:
            head = _HEAD.decode(line)
            taker = self._takers.get(head.kind)
            if taker is not None:
                taker(line)
                if head.at_ns - self._heard_ns > self.silent_ns:
                    self._silence(head.at_ns)
                self._heard_ns = head.at_ns
            elif not _EARLIEST_NS < head.at_ns < _LATEST_NS:
                raise _Senseless
        except (*_UNREADABLE, ValueError):
            self.broken += 1

    def _silence(self, until_ns: int) -> None:
        if self._heard_ns:
            self.silences.append((self._heard_ns, until_ns))

    def latency(self, stage: str, at_ns: int, latency_ns: int) -> None:
        """Count one latency of one stage, from wherever it is known."""
        spreads = self.columns.at(at_ns).spreads
        spread = spreads.get(stage)
        if spread is None:
            if len(spreads) >= _MOST_NAMES:
                return
            spread = spreads[stage] = Spread()
        spread.add(latency_ns)

    def _message(self, one: CommonLine | MessageLine) -> None:
        at_ns, every = one.ended_ns or one.at_ns, one.every
        counts = self.columns.at(at_ns).counts
        if every <= 1:
            every = 1
            counts["messages"] += 1
        else:
            self._sample(one.actor, at_ns, every)
        self.totals["messages"] += every
        if one.outcome == "error":
            counts["errors"] += every

    def _sample(self, actor: str, at_ns: int, every: int) -> None:
        """Count a line that stands for many: they came since the actor's line before it."""
        since_ns = self._sampled.get(actor, self._began_ns or at_ns)
        self._spread("messages", since_ns, at_ns, every)
        if actor in self._sampled or len(self._sampled) < _MOST_NAMES:
            self._sampled[actor] = at_ns

    def _stage(self, one: CommonLine | StageLine) -> None:
        if one.stage is None:
            raise _Senseless
        if one.latency_ns is not None:
            self.latency(one.stage, one.at_ns, one.latency_ns)
        self.totals["stage_lines"] += 1

    def _order(self, outer: CommonLine | OrderLine) -> None:
        one = outer.message
        if one is None:
            raise _Senseless
        counts = self.columns.at(outer.at_ns).counts
        if one.type == "DuplicateFiltered":
            counts["duplicates"] += 1
            self.totals["duplicates"] += 1
            return
        if one.late_fills:
            return
        counts[one.state] += 1
        self.totals[f"order:{one.state}"] += 1
        if one.state in ("refused", "rejected"):
            _count(self.rejects, _slug(one.reason) or one.state)
        if one.claim_latency_ns is not None and not self.totals["stage_lines"]:
            self.latency("claim", outer.at_ns, one.claim_latency_ns)

    def _feed(self, outer: FeedLine) -> None:
        one = outer.message
        if one.delivered is not None:
            self._progress(one.feed, outer.at_ns, one.delivered)
        elif one.phase:
            self._happened(outer.at_ns, "feed", one.feed, _joined(one.phase, one.reason))
        elif one.missing:
            of = f" of {one.symbol}" if one.symbol else ""
            text = f"{one.missing} events missing{of}"
            self._happened(outer.at_ns, "gap", one.feed, text)

    def _progress(self, feed: str, at_ns: int, delivered: int) -> None:
        if feed not in self.delivered and len(self.delivered) >= _MOST_NAMES:
            return
        before = self.delivered.get(feed, 0)
        # A new process counts from 0 again.
        new = delivered - before if delivered >= before else delivered
        self.delivered[feed] = delivered
        self.furthest[feed] = max(self.furthest.get(feed, 0), delivered)
        self._spread("events", self._told.get(feed, self._began_ns or at_ns), at_ns, new)
        self._told[feed] = at_ns
        self.totals["events"] += new

    def _spread(self, name: str, from_ns: int, to_ns: int, amount: int) -> None:
        """Count evenly since the report before what is only told now and then."""
        width = self.columns.width_ns
        parts = min(max((to_ns - from_ns) // width, 1), _MOST_COLUMNS)
        for part in range(parts):
            share = amount * (part + 1) // parts - amount * part // parts
            self.columns.at(to_ns - (parts - 1 - part) * width).counts[name] += share

    def _supervision(self, outer: SupervisionLine) -> None:
        one = outer.message
        if one.event == "started" and one.child == "metrics" and one.epoch == 1:
            self.totals["starts"] += 1
            self.delivered.clear()
            self._handled.clear()
            self._told.clear()
            self._sampled.clear()
            self._began_ns = outer.at_ns
            self.columns.at(outer.at_ns)  # time begins here, also for what is spread back to it
            self._happened(outer.at_ns, "start", "process", "a process began")
        if one.event not in _LOUD or (one.event == "exited" and one.reason in _QUIET):
            return
        if one.event == "restarted":
            _count(self.restarts, one.child)
        if one.event == "exited" and _slug(one.reason) in _FAILURES:
            _count(self.errors, _slug(one.reason))
        self._happened(outer.at_ns, one.event, one.child, one.reason)

    def _alert(self, one: AlertLine) -> None:
        kind = "recovered" if one.state == "recovered" else "alert"
        text = one.sentence or one.rule
        if not one.delivered:
            text += f" (not delivered: {one.problem or 'no reason given'})"
        self._happened(one.at_ns, kind, _joined(one.rule, one.key), text)

    def _interval(self, one: IntervalLine) -> None:
        column = self.columns.at(one.at_ns)
        handled = 0
        for path, actor in list(one.actors.items())[:_MOST_NAMES]:
            if actor.mailbox is not None:
                column.depths[path] = max(column.depths.get(path, 0), actor.mailbox)
            handled += self._handled_since(path, actor.processed)
        for stage, spread in list(one.since.stages.items())[:_MOST_NAMES]:
            if spread.count:
                given = (spread.p50, spread.p95, spread.p99, spread.max)
                note_worst(column.given, stage, given)
        for symbol, place in one.positions.items():
            if place.mark_price and (symbol in self.prices or len(self.prices) < _MOST_NAMES):
                _append_thinly(self.prices.setdefault(symbol, []), (one.at_ns, place.mark_price))
        if not self.totals["messages"]:
            self._spread(
                "messages", self._told.get("", self._began_ns or one.at_ns), one.at_ns, handled
            )
        self._note_interval(one.at_ns)
        self.totals["intervals"] += 1

    def _note_interval(self, at_ns: int) -> None:
        step_ns = at_ns - self._told.get("", at_ns)
        self._told[""] = at_ns
        if step_ns > 0 and step_ns < (self._least_interval_ns or at_ns):
            self._least_interval_ns = step_ns
            self.silent_ns = max(_SILENT_NS, _SILENT_INTERVALS * step_ns)

    def _handled_since(self, path: str, processed: int) -> int:
        before = self._handled.get(path, 0)
        self._handled[path] = processed
        return processed - before if processed >= before else processed

    def _happened(self, at_ns: int, kind: str, who: str, text: str) -> None:
        if not _EARLIEST_NS < at_ns < _LATEST_NS:
            raise _Senseless
        self.totals[f"happened:{kind}"] += 1
        self.happenings.append(Happening(at_ns, kind, who[:200], text[:1_000]))


class _Senseless(ValueError):
    """It parses and cannot be."""


_QUIET = ("normal", "shutdown")


def _append_thinly(prices: list[tuple[int, str]], price: tuple[int, str]) -> None:
    if len(prices) >= _MOST_PRICES:
        del prices[1::2]
    prices.append(price)


def _count(counts: Counter[str], name: str) -> None:
    counts[name if name in counts or len(counts) < _MOST_REASONS else _OTHER] += 1


def _slug(reason: str) -> str:
    return reason.partition(":")[0].strip()[:100]


def _joined(first: str, second: str) -> str:
    return f"{first}: {second}" if first and second else first or second


class _Head(msgspec.Struct):
    at_ns: Int64
    kind: str = ""


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_HEAD = msgspec.json.Decoder(_Head)
_COMMON = msgspec.json.Decoder(CommonLine)
_MESSAGE = msgspec.json.Decoder(MessageLine)
_STAGE = msgspec.json.Decoder(StageLine)
_ORDER = msgspec.json.Decoder(OrderLine)
_FEED = msgspec.json.Decoder(FeedLine)
_SUPERVISION = msgspec.json.Decoder(SupervisionLine)
_ALERT = msgspec.json.Decoder(AlertLine)
_INTERVAL = msgspec.json.Decoder(IntervalLine)
