"""What becomes of a decision, and what an answer of the venue proves. Nothing is sent here."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from decisions.doubled import KnownAtVenue, is_another
from decisions.order_like import OrderLike
from decisions.replacing import (
    NO_FIRST,
    FirstOrder,
    all_filled,
    has_ended,
    not_replaced,
    rest_of,
    why_not,
    without,
)
from decisions.risk import Refusal, RiskLimits, RiskState, accept, fit_exit, refusal
from decisions.risk_exit import NOTHING_HELD, Before, before_exit, fees_in, may_wait, rest_of_exit
from messages.exact import NOTHING
from messages.ids import OrderKey, Symbol
from messages.learning import learn
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS, REPORTED_STATES
from messages.orders import LookupDone, OrderIntent, OrderReport
from messages.values import OrderState, Side

_BEFORE_ANY_ANSWER = (OrderState.CLAIMED, OrderState.SENT, OrderState.UNKNOWN)


class KnownOrder(Protocol):
    """What the ledger knows of a decision, as far as it matters here."""

    @property
    def state(self) -> OrderState:
        """What is known of it."""

    @property
    def fingerprint(self) -> str:
        """Of the whole intent."""


class OrderInProgress(Protocol):
    """How far an order has come."""

    @property
    def state(self) -> OrderState:
        """What is known of it."""

    @property
    def filled_quantity(self) -> Decimal:
        """Cumulative, base currency."""


class JustDecided(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `KnownOrder` that an earlier intent of the same drain is about to become."""

    state: OrderState
    fingerprint: str


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """New and allowed: claim it, commit, send it. Risk has counted it.

    `intent` is what is sent; of an exit that may be less than the `decided_quantity`, which the
    fingerprint is of.
    """

    intent: OrderIntent
    fingerprint: str
    decided_quantity: Decimal | None = None
    rest: Decimal = NOTHING
    """What an exit was to leave, too, and cannot in this order."""
    before: Before | None = None
    """What there was for an exit."""


class Refuse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """New and not allowed: record the refusal under its key."""

    intent: OrderIntent
    fingerprint: str
    refusal: Refusal


class Resend(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Known, and proved never to have reached the venue: send it under the same id."""

    intent: OrderIntent
    entry: KnownOrder


class Duplicate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Known: nothing is sent."""

    intent: OrderIntent
    entry: KnownOrder


class EndFirst(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """New, and allowed if the order that it replaces ended now: end that, then judge it again."""

    intent: OrderIntent
    fingerprint: str
    first: FirstOrder


class Wait(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """New, an exit, and nothing of its entry has filled yet: judge it again once that has moved.

    `refusal` is what it would be told by whoever cannot wait.
    """

    intent: OrderIntent
    fingerprint: str
    refusal: Refusal
    before: Before


class Conflict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The key is known with another intent: the decider is not deterministic. Halt."""

    intent: OrderIntent
    entry: KnownOrder


Verdict = Claim | Refuse | Resend | Duplicate | EndFirst | Wait | Conflict


def judge_intents(
    intents: Iterable[OrderIntent],
    known: Mapping[OrderKey, KnownOrder],
    fingerprint_of: Callable[[OrderIntent], str],
    limits: RiskLimits,
    state: RiskState,
    marks: Mapping[Symbol, Decimal],
    barred: Callable[[OrderIntent], Refusal | None] = lambda _: None,
    replaced: Mapping[OrderKey, FirstOrder] = NO_FIRST,
) -> list[Verdict]:
    """Give one verdict per intent, in order. `state` counts what is claimed.

    The key is looked up before anything else, and earlier intents of the same drain count
    as known: what a key was once answered does not change with the state of the risk gate.
    What is `barred` for other reasons than risk is refused before risk counts it. `replaced`
    holds the orders whose places others are to take.
    """
    decided: dict[OrderKey, KnownOrder] = {}
    ending: dict[OrderKey, OrderKey] = {}
    verdicts: list[Verdict] = []
    for intent in intents:
        fingerprint = fingerprint_of(intent)
        entry = decided.get(intent.order_key) or known.get(intent.order_key)
        verdict: Verdict
        if entry is None and intent.replaces is not None:
            mark, first = marks.get(intent.symbol), replaced.get(intent.replaces)
            bar = barred(intent) or why_not(intent, first) or _taken(intent, ending)
            verdict = _judge_replacement(intent, fingerprint, limits, state, mark, bar, first)
            if isinstance(verdict, EndFirst | Claim):
                ending[intent.replaces] = intent.order_key
        elif entry is None:
            mark = marks.get(intent.symbol)
            verdict = _judge_new(intent, fingerprint, limits, state, mark, barred(intent))
        else:
            verdict = _judge_known(intent, fingerprint, entry)
        if after := _STATE_AFTER.get(type(verdict)):
            decided[intent.order_key] = JustDecided(state=after, fingerprint=fingerprint)
        verdicts.append(verdict)
    return verdicts


def next_step(entry: OrderInProgress, report: OrderReport) -> OrderState | None:
    """Give the step that a report makes an order take, None when it tells nothing new.

    Orders only go forward: a repeated, late or overtaken report gives None, whatever its
    order of arrival. A partial fill is a step each time more is filled.
    """
    after = report.state
    if report.filled_quantity < entry.filled_quantity:
        return None  # of before: an order's fills are never taken back
    says_it_again = after is entry.state or after is OrderState.PARTIALLY_FILLED
    if says_it_again and report.filled_quantity == entry.filled_quantity:
        return None
    return after if after in LEGAL_TRANSITIONS[entry.state] else None


def steps_to(entry: OrderInProgress, report: OrderReport) -> tuple[OrderState, ...]:
    """Give the steps that a report proves; none when it tells nothing new.

    An order that the ledger thinks unsent and the venue shows was sent, whatever was said.
    """
    after = next_step(entry, report)
    if after is not None:
        return (after,)
    sendable = OrderState.SENT in LEGAL_TRANSITIONS[entry.state]
    if sendable and report.state in REPORTED_STATES:
        return (OrderState.SENT, report.state)
    return ()


_BEARING = frozenset({OrderState.UNKNOWN, OrderState.PARTIALLY_FILLED})


def bears_on_risk(report: OrderReport) -> bool:
    """Whether a decision may be judged otherwise for it: more is filled, or free, or not known."""
    state = report.state
    return bool(report.fills) or state in _BEARING or state in FINAL_STATES


def settle(entry: OrderInProgress, lookup: LookupDone) -> tuple[OrderState, ...]:
    """Give the steps that a lookup's answer proves, first to last; none when it proves nothing.

    Found: to what the venue reports, by way of SENT where the ledger thought it unsent.
    Surely absent, and never answered for: NOT_SENT. An order that the venue once had and
    has no more is a difference to report, not a state: no steps.
    """
    if lookup.problem:
        return ()
    if lookup.report is not None:
        return steps_to(entry, lookup.report)
    return (OrderState.NOT_SENT,) if entry.state in _BEFORE_ANY_ANSWER else ()


def difference(key: OrderKey, entry: OrderInProgress, found: OrderReport | None) -> str:
    """Say in what the venue's answer contradicts an order that it moves nowhere, if it does."""
    if found is None:
        return f"order {key} is {entry.state} here; the venue has no such order (any more)"
    if found.filled_quantity < entry.filled_quantity or found.state in FINAL_STATES:
        return (
            f"order {key} is {entry.state} with {entry.filled_quantity} filled here;"
            f" at the venue {found.state} with {found.filled_quantity}"
        )
    return ""


def contradiction(key: OrderKey, entry: OrderInProgress, shown: OrderReport) -> str:
    """Say that an order that has ended here is open at the venue; empty when it has not."""
    if entry.state not in FINAL_STATES or shown.state in FINAL_STATES:
        return ""
    return (
        f"order {key} is {entry.state} with {entry.filled_quantity} filled here;"
        f" at the venue it is open, with {shown.filled_quantity} filled"
    )


class GrownLate(msgspec.Struct, frozen=True, kw_only=True):
    """An order that has ended here with less filled than the venue said later."""

    order_key: OrderKey
    symbol: Symbol
    state: OrderState
    is_buy: bool
    here: Decimal
    there: Decimal


learn(GrownLate)


class SentOrder(OrderLike, KnownAtVenue, Protocol):
    """One that was sent, and what the venue calls it."""


def grown_late(entry: SentOrder, report: OrderReport) -> GrownLate | None:
    """Give in what a report contradicts an order that has ended; None where it does not."""
    here, there = entry.filled_quantity, report.filled_quantity
    if entry.state not in FINAL_STATES or there <= here or is_another(entry, report):
        return None
    return GrownLate(
        order_key=entry.order_key,
        symbol=entry.symbol,
        state=entry.state,
        is_buy=entry.side is Side.BUY,
        here=here,
        there=there,
    )


def _judge_new(
    intent: OrderIntent,
    fingerprint: str,
    limits: RiskLimits,
    state: RiskState,
    mark_price: Decimal | None,
    bar: Refusal | None,
) -> Verdict:
    fitted = fit_exit(intent, limits, state)
    against = bar or refusal(fitted, limits, state, mark_price)
    before = before_exit(intent, state)
    if against is not None:
        if before is not None and against.code == NOTHING_HELD and may_wait(intent, state):
            return Wait(intent=intent, fingerprint=fingerprint, refusal=against, before=before)
        return Refuse(intent=intent, fingerprint=fingerprint, refusal=against)
    if fitted is intent:
        accept(fitted, state)
        return Claim(intent=fitted, fingerprint=fingerprint, before=before)
    rest = rest_of_exit(intent, fitted, state)
    accept(fitted, state, fees_in(fitted.reason))
    return Claim(
        intent=fitted,
        fingerprint=fingerprint,
        decided_quantity=intent.quantity,
        rest=rest,
        before=before,
    )


def _taken(intent: OrderIntent, ending: Mapping[OrderKey, OrderKey]) -> Refusal | None:
    assert intent.replaces is not None
    by = ending.get(intent.replaces, intent.order_key)
    if by == intent.order_key:
        return None
    return not_replaced(f"{by} takes the place of {intent.replaces}")


def _judge_replacement(
    intent: OrderIntent,
    fingerprint: str,
    limits: RiskLimits,
    state: RiskState,
    mark_price: Decimal | None,
    bar: Refusal | None,
    first: FirstOrder | None,
) -> Verdict:
    """Judge what is to be sent for the rest of another order; while that is open, only tentatively.

    An order that would be refused leaves the first one where it is.
    """
    if bar is not None or first is None:
        bar = bar or not_replaced(f"no order {intent.replaces} is known")
        return _refused(intent, fingerprint, bar)
    rest = rest_of(intent, first)
    if not rest.quantity:
        return _refused(intent, fingerprint, all_filled(intent, first))
    if has_ended(first):
        verdict = _judge_new(rest, fingerprint, limits, state, mark_price, None)
        if isinstance(verdict, Claim) and rest is not intent:
            return msgspec.structs.replace(verdict, decided_quantity=intent.quantity)
        return verdict if rest is intent else msgspec.structs.replace(verdict, intent=intent)
    after = without(first, state)
    against = refusal(fit_exit(rest, limits, after), limits, after, mark_price)
    if against is not None:
        return _refused(intent, fingerprint, against)
    return EndFirst(intent=intent, fingerprint=fingerprint, first=first)


def _refused(intent: OrderIntent, fingerprint: str, against: Refusal) -> Refuse:
    return Refuse(intent=intent, fingerprint=fingerprint, refusal=against)


def _judge_known(intent: OrderIntent, fingerprint: str, entry: KnownOrder) -> Verdict:
    if entry.fingerprint != fingerprint:
        return Conflict(intent=intent, entry=entry)
    if entry.state is OrderState.NOT_SENT:
        return Resend(intent=intent, entry=entry)
    return Duplicate(intent=intent, entry=entry)


_STATE_AFTER: Mapping[type[Verdict], OrderState] = {
    Claim: OrderState.CLAIMED,
    Refuse: OrderState.REFUSED,
    Resend: OrderState.SENT,
}
