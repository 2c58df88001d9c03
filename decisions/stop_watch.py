"""The stops of an account before the market: which act, and when an exit of one is due. Pure.

What one event makes of one stop is `decisions.stops`, what there is to leave
`decisions.stop_cover`.
"""

from collections.abc import Iterator, Sequence

import msgspec

from decisions.order_keys import exit_key
from decisions.stop_cover import StopCover
from decisions.stop_exits import exit_of
from decisions.stop_rows import StopRows
from decisions.stops import TOLD_GAP_NS, seen
from messages.exact import NOTHING
from messages.ids import NS_PER_S, OrderKey, TimestampNs
from messages.market import MarketEvent
from messages.orders import Fill, OrderIntent
from messages.stops import Stop, StopState

RETRY_NS = 60 * NS_PER_S
"""How long, on the market's clock, no exit is tried after one that failed; doubled with each that
fails after it."""
_MOST_DOUBLINGS = 6

AHEAD_NS = 3_600 * NS_PER_S
"""An event that is more than this ahead of our clock has a wrong time; its price counts."""


class StopWatch:
    """One account's; `rows` are its stops."""

    def __init__(self, rows: StopRows, cover: StopCover) -> None:
        self._rows, self._cover = rows, cover
        self._first_fill: dict[OrderKey, int] = {}
        self._loaded: set[OrderKey] = set()
        """Those of before that nothing was shown yet."""
        self._retry_at: dict[OrderKey, int] = {}

    def begin_with(self, key: OrderKey, fills: Sequence[Fill] | None) -> None:
        """Begin with a stop of before; None where nothing of its entry is filled."""
        self._loaded.add(key)
        if fills is not None:
            self.filled(key, fills)

    def filled(self, key: OrderKey, fills: Sequence[Fill]) -> None:
        """Learn when something of an entry was filled first; 0 where nobody knows."""
        first_ns = min((fill.ts_event_ns for fill in fills), default=0)
        self._first_fill.setdefault(key, first_ns)

    def failed(self, entry: OrderKey) -> None:
        """Wait before the next exit, for this one has failed."""
        stop = self._rows.stops[entry]
        doublings = min(stop.failed, _MOST_DOUBLINGS)
        self._retry_at[entry] = stop.looked_at_ns + RETRY_NS * 2**doublings
        self._rows.put(msgspec.structs.replace(stop, failed=stop.failed + 1))

    def forget(self, key: OrderKey) -> None:
        """Let go of a stop that is done."""
        self._first_fill.pop(key, None)
        self._retry_at.pop(key, None)
        self._loaded.discard(key)

    def look(
        self, event: MarketEvent, created_ns: TimestampNs, *, may_send: bool, until_ns: int | None
    ) -> Iterator[OrderIntent]:
        """See `StopBook.look`."""
        stops = self._rows.stops
        believed = until_ns is None or event.ts_event_ns <= until_ns
        for key in [key for key, stop in stops.items() if stop.symbol == event.symbol]:
            stop = stops.get(key)
            if stop is None:
                continue  # the exit before it has taken what this one protected
            if until_ns is not None:
                stop = self._dated(stop, created_ns, until_ns)
            if stop.state is StopState.ARMED and self._cover.protected(stop):
                stop = self._shown(stop, event, believed=believed)
            if may_send and stop.state is StopState.ACTED:
                intent = self._exit(stop, event, created_ns, believed=believed)
                if intent is not None:
                    yield intent

    def _dated(self, stop: Stop, now_ns: TimestampNs, until_ns: int) -> Stop:
        """Count what was decided or filled at a wrong time from now: it would wait until then.

        The moment of the decision stays what it was: by that its entry is known.
        """
        key = stop.entry_key
        if self._first_fill.get(key, 0) > until_ns:
            self._first_fill[key] = now_ns
        if stop.looked_at_ns > until_ns:
            stop = msgspec.structs.replace(stop, looked_at_ns=now_ns)
            self._rows.stops[key] = stop
        return stop

    def _shown(self, stop: Stop, event: MarketEvent, *, believed: bool) -> Stop:
        key = stop.entry_key
        told = ""
        gap_ns = event.ts_event_ns - stop.looked_at_ns
        if believed and key in self._loaded and gap_ns > TOLD_GAP_NS:
            told = f"; nobody looked at it for the {gap_ns / NS_PER_S:.0f} s before"
        after = _seen(stop, event, self._first_fill.get(key, 0), told)
        if after is not stop:
            if not believed:
                after = msgspec.structs.replace(after, looked_at_ns=stop.looked_at_ns)
            self._loaded.discard(key)
            put = self._rows.put_look if after.state is stop.state else self._rows.put
            put(after)
        return after

    def _exit(
        self, stop: Stop, event: MarketEvent, created_ns: TimestampNs, *, believed: bool
    ) -> OrderIntent | None:
        # A key is named by the moment: a wrong one would stand among those to come.
        at_ns = event.ts_event_ns if believed else TimestampNs(max(created_ns, stop.looked_at_ns))
        if at_ns < max(self._retry_at.get(stop.entry_key, 0), stop.looked_at_ns):
            return None
        quantity = self._cover.due(stop)
        if quantity <= NOTHING:
            return None
        key = exit_key(stop.entry_key, len(stop.exits), at_ns)
        self._rows.entry_of[key] = stop.entry_key
        # If it fails, the pause before the next one counts from now.
        self._rows.put(msgspec.structs.replace(stop, exits=(*stop.exits, key), looked_at_ns=at_ns))
        return exit_of(stop, key, quantity, at_ns, created_ns)


def _seen(stop: Stop, event: MarketEvent, first_fill_ns: int, told: str) -> Stop:
    """See `seen`. The moment of a decision counts for nothing where it was a wrong time."""
    if stop.looked_at_ns >= stop.placed_at_ns:
        return seen(stop, event, first_fill_ns, told)
    undated = msgspec.structs.replace(stop, placed_at_ns=TimestampNs(0))
    after = seen(undated, event, first_fill_ns, told)
    if after is undated:
        return stop
    return msgspec.structs.replace(after, placed_at_ns=stop.placed_at_ns)
