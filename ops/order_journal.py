"""What a journal tells of one order: the market event it was decided on, and what risk knew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from decisions.judgement import seen_in, state_before
from decisions.risk_values import RiskView, risk_view
from messages.codec import from_msgpack
from messages.errors import CodecError
from messages.ids import NS_PER_S
from messages.market import Candle, FeedHistory, FeedNews, MarketBatch, MarketEvent, Tick, Trade
from messages.outside import Origin
from messages.recorded import IntentsJudged
from ops.run_files import JOURNAL
from persistence.entries import LedgerEntry, fingerprint
from persistence.frames import Frame
from persistence.journal import begun_at, read_segment, segments

AROUND_NS = 600 * NS_PER_S
"""An event, its decision and the claim are never that far apart in a journal."""
_JUDGED = ("claim", "refuse")


class OfJournal(msgspec.Struct):
    """Filled in while the journal is read."""

    is_kept: bool = False
    """Whether there is a journal at all."""
    event: MarketEvent | None = None
    taken_at_ns: int | None = None
    """When an actor took the event, on our clock."""
    risk: RiskView | None = None


def of_journal(run_dir: Path, entry: LedgerEntry, claimed_at_ns: int) -> OfJournal:
    """Read the segments around the claim.

    A message is looked into when it holds the order's key, or the moment of its decision, in its
    bytes. What is damaged or of another version is passed over: `journal` tells of that.
    """
    found = OfJournal()
    moment = msgspec.msgpack.encode(int(entry.decided_at_ns))
    key = entry.order_key.encode()
    for frame in _frames(run_dir / JOURNAL, claimed_at_ns, found):
        has_event = frame.origin in (Origin.MARKET, Origin.INSIDE) and moment in frame.payload
        has_key = frame.origin == Origin.INSIDE and key in frame.payload
        if not (has_event or has_key):
            continue
        try:
            message = from_msgpack(frame.payload)
            if isinstance(message, IntentsJudged):
                _judged(message, entry, found)
            elif frame.at_ns <= claimed_at_ns:
                _market(message, frame, entry, found)
        except CodecError:
            continue
    return found


def row_of_event(found: OfJournal) -> dict[str, Any] | None:
    """Give the event as JSON has it: prices as text, both times in nanoseconds."""
    event = found.event
    if event is None:
        return None
    told = {name: _told(getattr(event, name)) for name in event.__struct_fields__}
    return {"type": type(event).__name__.lower(), "taken_at_ns": found.taken_at_ns, **told}


def _told(value: object) -> object:
    if value is None or isinstance(value, int):
        return value
    return format(value, "f") if hasattr(value, "as_tuple") else str(value)


def _frames(folder: Path, at_ns: int, found: OfJournal) -> Iterator[Frame]:
    there = segments(folder)
    found.is_kept = bool(there)
    begun = [begun_at(path) for path in there]
    for place, path in enumerate(there):
        after = begun[place + 1] if place + 1 < len(there) else None
        own = begun[place]
        if after is not None and after < at_ns - AROUND_NS:
            continue
        if own is not None and own > at_ns + AROUND_NS:
            continue
        try:
            yield from (one for one in read_segment(path) if isinstance(one, Frame))
        except OSError:
            continue  # its run has let go of it


def _judged(note: IntentsJudged, entry: LedgerEntry, found: OfJournal) -> None:
    """The first judgement is the one that the ledger has; later ones met the key."""
    for place, verdict in enumerate(note.verdicts):
        is_it = verdict.order_key == entry.order_key and verdict.verdict in _JUDGED
        if is_it and found.risk is None:
            seen = seen_in(note.seen)
            state = state_before(note, place, seen, fingerprint)
            intent = msgspec.structs.replace(note.intents[place], quantity=verdict.quantity)
            mark = seen.marks.get(intent.symbol)
            found.risk = risk_view(intent, seen.limits, state, mark)
            return


def _market(message: object, frame: Frame, entry: LedgerEntry, found: OfJournal) -> None:
    """Take the newest event of the decision's moment, one of the order's own symbol first."""
    for event in _events(message):
        if event.ts_event_ns != entry.decided_at_ns:
            continue
        is_own = event.symbol == entry.symbol
        if found.event is None or is_own or found.event.symbol != entry.symbol:
            found.event, found.taken_at_ns = event, frame.at_ns


def _events(message: object) -> tuple[MarketEvent, ...]:
    match message:
        case FeedNews(what=FeedHistory()):
            return ()
        case FeedNews(what=Tick() | Trade() | Candle() as event):
            return (event,)
        case MarketBatch(is_history=False, events=events):
            return events
    return ()
