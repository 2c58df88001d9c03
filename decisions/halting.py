"""The kill switch: what a halt consists of, step by step, until it is proved that nothing is open.

::

    TRADING --halt ordered--> HALTING --the venue lists nothing open--> HALTED_PROVED
                                 |  ^                                        |
               asked too often   |  | asked again, or an order was seen      | a person
                                 v  |                                        v
                           HALTED_UNPROVED ------ a person, despite it --> TRADING

A halt is written down before anything else, so it outlives the process; whoever starts next
begins it anew, for a proof holds for its moment only. It fails closed: a record that cannot be
read is a halt. It ends by a person's word only.

The answer to a cancel proves nothing, received or lost: what counts is what the venue says
when it is asked for the order, and at the end for all that is open. So every order that is
seen is canceled and asked for, and once all of them are closed the list is asked for again;
the proof is a list with nothing on it, asked for after the last order was seen.

Every function takes a `Halt` and gives the next one with what must be done, in order.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from messages.ids import OrderKey, TimestampNs
from messages.learning import learn

MOST_TRIES = 5
"""How often one order is canceled and asked for, or the list asked for, before UNPROVED."""


class HaltState(StrEnum):
    """How far a halt has come. No order is sent in any state but the first."""

    TRADING = "trading"
    HALTING = "halting"
    HALTED_PROVED = "halted_proved"
    """The venue was asked, and nothing is open."""
    HALTED_UNPROVED = "halted_unproved"
    """It was asked as often as is reasonable; `Halt.open` may be open still."""


class OrderedBy(StrEnum):
    """Who wants trading to halt, or to go on."""

    PERSON = "person"
    RULE = "rule"


class HaltRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is on disk for as long as a halt lasts."""

    reason: str
    ordered_by: OrderedBy
    at_ns: TimestampNs


learn(HaltRecord)


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """Where the kill switch stands. `record` is None exactly while trading."""

    state: HaltState = HaltState.TRADING
    record: HaltRecord | None = None
    open: dict[OrderKey, int] = {}
    """Orders that are not proved closed, with how often each was tried."""
    given_up: frozenset[OrderKey] = frozenset()
    """Those of them that were tried too often."""
    question: int = 0
    """The number of the last question for the list."""
    listing: bool = False
    """Whether an answer to it may still be the proof."""
    tries: int = 0
    """How often the list was asked for in this attempt."""

    @property
    def may_send(self) -> bool:
        """Whether new orders may be sent."""
        return self.state is HaltState.TRADING


TRADING = Halt()


class Keep(msgspec.Struct, frozen=True):
    """Write the record down. If that fails the halt holds all the same, in this process."""

    record: HaltRecord


class Drop(msgspec.Struct, frozen=True):
    """Delete the record. If that fails nothing was resumed: keep the `Halt` from before."""


class ListOpen(msgspec.Struct, frozen=True):
    """Ask the venue what is open; then `listed` or `list_failed`, with this number."""

    question: int


class Cancel(msgspec.Struct, frozen=True):
    """Ask the venue to cancel; then `cancel_done`, whatever came of it."""

    order_key: OrderKey


class Ask(msgspec.Struct, frozen=True):
    """Ask the venue for the order; then `looked_up`."""

    order_key: OrderKey


Effect = Keep | Drop | ListOpen | Cancel | Ask
Step = tuple[Halt, tuple[Effect, ...]]


# ---------------------------------------------------------------- beginning and end


def halt(before: Halt, record: HaltRecord) -> Step:
    """Halt. If halted already, prove it anew; the first reason stays, for it is the cause."""
    if before.record is not None:
        return try_again(before)
    after, asked = _asking(_with(before, state=HaltState.HALTING, record=record))
    return after, (Keep(record), *asked)


def begin(record: HaltRecord) -> Step:
    """Take up a halt whose record is on disk: nothing of an earlier proof counts."""
    return _asking(Halt(state=HaltState.HALTING, record=record))


def recover(text: str | None, now_ns: TimestampNs) -> Step:
    """Give where a process begins that found this record; None is surely none.

    A record that makes no sense is a halt, and is left as it is for whoever looks into it.
    Where the disk cannot even be read, call `unreadable`.
    """
    if text is None:
        return TRADING, ()
    try:
        return begin(msgspec.json.decode(text, type=HaltRecord))
    except (msgspec.MsgspecError, UnicodeError):
        return unreadable(text, now_ns)


def unreadable(what: str, now_ns: TimestampNs) -> Step:
    """Halt because it cannot be known whether trading was halted."""
    reason = f"the record of a halt cannot be read: {what[:80]!r}"
    return begin(HaltRecord(reason=reason, ordered_by=OrderedBy.RULE, at_ns=now_ns))


def text_of(record: HaltRecord) -> str:
    """Give a record as it is kept."""
    return msgspec.json.encode(record).decode()


def reason_in(text: str) -> str:
    """Give the reason in a record, for a person; all of it where it makes no sense."""
    try:
        return msgspec.json.decode(text, type=HaltRecord).reason
    except (msgspec.MsgspecError, UnicodeError):
        return text


def why_not_resume(before: Halt, by: OrderedBy, *, despite_open: bool = False) -> str:
    """Say in one sentence why trading does not go on; empty when it does.

    `despite_open`: the person knows that nothing proves all orders closed.
    """
    if before.state is HaltState.TRADING:
        return "trading is not halted"
    if by is not OrderedBy.PERSON:
        return "a halt is ended by a person only"
    if before.state is HaltState.HALTED_PROVED or despite_open:
        return ""
    doubt = f"{len(before.open)} orders" if before.open else "orders"
    return f"{doubt} may still be open; wait for the proof, or resume with --despite-open"


def resume(before: Halt, by: OrderedBy, *, despite_open: bool = False) -> Step:
    """Trade on at a person's word; for anything else, change nothing.

    Take the new `Halt` only once `Drop` is done: the record goes first.
    """
    if why_not_resume(before, by, despite_open=despite_open):
        return before, ()
    # The questions of this halt must not be answers to those of the next one.
    return Halt(question=before.question), (Drop(),)


# ---------------------------------------------------------------- what the venue says


def listed(before: Halt, question: int, open_keys: Iterable[OrderKey]) -> Step:
    """Take the answer to `ListOpen`: what is open at the venue or not final in the ledger.

    An answer to an earlier question, or to one that was asked before an order turned up, shows
    what is open and proves nothing.
    """
    answers = before.listing and question == before.question
    after, effects = _seen(before, open_keys)
    if not answers or after.state is HaltState.TRADING:
        return after, effects
    after = _with(after, listing=False)
    if not after.open:
        return _with(after, state=HaltState.HALTED_PROVED, tries=0), effects
    return _settled(after, effects)


def list_failed(before: Halt, question: int, open_keys: Iterable[OrderKey] = ()) -> Step:
    """The venue did not say all that is open; what it did say, and the ledger, is canceled."""
    answers = before.listing and question == before.question
    after, effects = _seen(before, open_keys)
    if not answers:
        return after, effects
    return _settled(_with(after, listing=False), effects)


def order_seen(before: Halt, key: OrderKey) -> Step:
    """An order turned out to be open, unasked: a late answer to a send, or a report."""
    return _seen(before, (key,))


def cancel_done(before: Halt, key: OrderKey) -> Step:
    """The venue answered a cancel, with whatever, or the answer was lost: ask for the order."""
    under_way = key in before.open and key not in before.given_up
    return before, (Ask(key),) if under_way else ()


def looked_up(before: Halt, key: OrderKey, *, is_open: bool | None) -> Step:
    """The venue was asked for one order.

    False only for what is final, or surely absent; None when nothing is known: the question
    failed, or the order might be on its way still.
    """
    if key not in before.open:
        return before, ()
    if is_open is False:
        rest = {other: tries for other, tries in before.open.items() if other != key}
        return _settled(_with(before, open=rest, given_up=before.given_up - {key}), ())
    tries = before.open[key]
    if tries >= MOST_TRIES:
        return _settled(_with(before, given_up=before.given_up | {key}), ())
    again: Effect = Cancel(key) if is_open else Ask(key)
    return _with(before, open=before.open | {key: tries + 1}), (again,)


def try_again(before: Halt) -> Step:
    """Prove again what is proved, or was given up; for a timer or a person. Else nothing."""
    if before.state not in (HaltState.HALTED_PROVED, HaltState.HALTED_UNPROVED):
        return before, ()
    after = _with(
        before,
        state=HaltState.HALTING,
        open=dict.fromkeys(before.open, 1),
        given_up=frozenset(),
        tries=0,
    )
    return _settled(after, tuple(Cancel(key) for key in before.open))


# ---------------------------------------------------------------- inside


def _seen(before: Halt, keys: Iterable[OrderKey]) -> Step:
    """Cancel what is new; a list that was asked for before it was seen is no proof any more."""
    fresh = [key for key in dict.fromkeys(keys) if key not in before.open]
    if not fresh or before.state is HaltState.TRADING:
        return before, ()
    after = _with(
        before,
        state=HaltState.HALTING,
        open=before.open | dict.fromkeys(fresh, 1),
        listing=False,
    )
    return after, tuple(Cancel(key) for key in fresh)


def _settled(after: Halt, effects: tuple[Effect, ...]) -> Step:
    """Go on once no question is under way: ask for the list, or say that there is no proof."""
    if after.listing or len(after.given_up) < len(after.open):
        return after, effects
    if after.open or after.tries >= MOST_TRIES:
        return _with(after, state=HaltState.HALTED_UNPROVED), effects
    after, asked = _asking(_with(after, state=HaltState.HALTING))
    return after, (*effects, *asked)


def _asking(before: Halt) -> Step:
    question = before.question + 1
    after = _with(before, question=question, listing=True, tries=before.tries + 1)
    return after, (ListOpen(question),)


def _with(before: Halt, **changes: object) -> Halt:
    return msgspec.structs.replace(before, **changes)
