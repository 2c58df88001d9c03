"""What was decided on one message, looked for among what is decided on it again."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from messages.ids import StrategyId
from messages.market import Candle, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import Intent
from research.replay.found import (
    HUNG,
    OTHER,
    RAISED,
    RECORDED_ONLY,
    REPLAYED_ONLY,
    Divergence,
    differing,
    said,
    said_apart,
)
from research.replay.reading import Place
from research.texts import event_text

ALL = 1 << 62
"""As a place in the feed: behind all events."""


class Taken(NamedTuple):
    """A message that the strategy took, and what stands in the journal of it."""

    message: Any
    at_ns: int
    place: Place


class Odd(msgspec.Struct, frozen=True):
    """Something that is not as recorded, until its message is through."""

    index: int
    """Of the event in the feed."""
    event: MarketEvent | None
    recorded: Intent | None
    replayed: Intent | None
    raised: str
    state: dict[str, str]
    has_hung: bool = False


class Showing:
    """What was decided on one message, as it is found again or not."""

    def __init__(self, told: Sequence[Intent], unknown: frozenset[str] = frozenset()) -> None:
        self._unknown = unknown
        self.told = {intent.order_key: intent for intent in told}
        """Recorded, and not found again yet."""
        self.count = len(self.told)
        self.replayed = self.other_words = 0
        self.events = 0
        """How many were new to the strategy."""
        self.same: list[str] = []
        self.odd: list[Odd] = []
        self.is_sure = True
        """Whether the run surely came behind what is being shown."""
        self._states: dict[str, tuple[int, MarketEvent, dict[str, str]]] = {}

    def gave(
        self,
        intent: Intent,
        index: int,
        event: MarketEvent,
        state: Callable[[], dict[str, str]],
    ) -> None:
        """Hold a decision against the recorded one of its key."""
        if not self.is_sure and not self.told:
            return  # of an event that the run was in when it ended
        self.replayed += 1
        recorded = self.told.pop(intent.order_key, None)
        if recorded is not None and not differing(recorded, intent, self._unknown):
            self.same.append(intent.order_key)
            self.other_words += recorded.reason != intent.reason
            return
        self.odd.append(Odd(index, event, recorded, intent, "", state()))

    def behind(self, event: MarketEvent, index: int, state: Callable[[], dict[str, str]]) -> None:
        """Keep how it stands behind an event on which more was recorded than was given."""
        for key, intent in self.told.items():
            if intent.decided_at_ns <= event.ts_event_ns and key not in self._states:
                self._states[key] = index, event, state()

    def stop_at(self, odd: Odd) -> int:
        """Nothing more is shown, for it hung; give how many decisions are not compared for that."""
        later = [intent for key, intent in self.told.items() if key not in self._states]
        at_ns = None if odd.event is None else odd.event.ts_event_ns
        its_own = [intent for intent in later if intent.decided_at_ns == at_ns]
        self.odd.append(msgspec.structs.replace(odd, recorded=next(iter(its_own), None)))
        for intent in later:
            del self.told[intent.order_key]
        self.count -= len(later)
        return len(later)

    def close(self) -> None:
        """Nothing more is shown: what was not found is not there. One of each kind are a pair."""
        for key, intent in self.told.items():
            index, event, state = self._states.get(key, (ALL, None, {}))
            self._pair(Odd(index, event, intent, None, "", state))
        self.odd.sort(key=lambda odd: odd.index)

    def _pair(self, missing: Odd) -> None:
        for place, odd in enumerate(self.odd):
            if odd.index == missing.index and odd.recorded is None and not odd.raised:
                self.odd[place] = msgspec.structs.replace(odd, recorded=missing.recorded)
                return
        self.odd.append(missing)


def pieces(
    batch: MarketBatch, showing: Showing, until: int, next_index: Callable[[], int]
) -> Iterator[tuple[MarketBatch, bool]]:
    """Give the events that are surely shown, up to each that was decided on; then one by one.

    With each whether the run surely came behind it.
    """
    first, events = batch.first_index, batch.events
    sure = min(max(until - first, 0), len(events))
    ends = sorted({_place_of(intent, events) + 1 for intent in showing.told.values()})
    begin = 0
    for end in (*[end for end in ends if end < sure], sure):
        if end > begin:
            yield _piece(batch, begin, end), True
            begin = end
    for place in range(sure, len(events)):
        if not showing.told:
            return
        if first + place >= next_index():
            yield _piece(batch, place, place + 1), False


def _piece(batch: MarketBatch, begin: int, end: int) -> MarketBatch:
    return msgspec.structs.replace(
        batch,
        first_index=batch.first_index + begin,
        events=batch.events[begin:end],
        lost=0 if begin else batch.lost,
    )


def _place_of(intent: Intent, events: Sequence[MarketEvent]) -> int:
    """Say behind which event a decision was surely made: the last one of its moment."""
    at_ns = intent.decided_at_ns
    places = [place for place, event in enumerate(events) if event.ts_event_ns == at_ns]
    if places:
        return places[-1]
    later = (place for place, event in enumerate(events) if event.ts_event_ns > at_ns)
    return next(later, len(events) - 1)


def event_of(taken: Taken, index: int) -> MarketEvent | None:
    """Give the event of that place in the feed, where a message has it."""
    message = taken.message
    if isinstance(message, MarketBatch):
        place = index - message.first_index
        return message.events[place] if 0 <= place < len(message.events) else None
    return message if isinstance(message, Candle | Trade | Tick) else None


def on_text(taken: Taken, index: int, event: MarketEvent | None = None) -> str:
    """Say what was shown: the event of that place, else what kind of message it was."""
    event = event or event_of(taken, index)
    return event_text(event, index) if event else type(taken.message).__name__


def divergence_of(odd: Odd, taken: Taken, who: StrategyId) -> Divergence:
    """Say it to a person."""
    recorded, replayed = odd.recorded, odd.replayed
    if recorded is not None and replayed is not None:
        texts = said_apart(recorded, replayed)
    else:
        texts = _said(recorded), _said(replayed)
    intent = recorded or replayed
    return Divergence(
        who=who,
        kind=_kind_of(odd),
        at_ns=taken.at_ns,
        place=str(taken.place),
        event=on_text(taken, odd.index, odd.event),
        order_key=None if intent is None else intent.order_key,
        recorded=texts[0],
        replayed=odd.raised or texts[1],
        state=odd.state,
    )


def _said(intent: Intent | None) -> str:
    return "" if intent is None else said(intent)


def _kind_of(odd: Odd) -> str:
    if odd.raised:
        return HUNG if odd.has_hung else RAISED
    if odd.recorded is None:
        return REPLAYED_ONLY
    return RECORDED_ONLY if odd.replayed is None else OTHER
