"""What the executor knew when it judged decisions, as bytes and back; and the same judged again.

Judging is a function of this alone. So a judgement can be held against the record wherever the
journal begins, and whatever of it is missing before: a ledger, a market and a clock are not needed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import msgspec

from decisions.account import Flows
from decisions.executor import (
    Claim,
    Conflict,
    Duplicate,
    EndFirst,
    KnownOrder,
    Refuse,
    Resend,
    Verdict,
    Wait,
    judge_intents,
)
from decisions.replacing import NO_FIRST, First, FirstOrder
from decisions.risk import OpenOrder, Refusal, RiskLimits, RiskState
from decisions.risk_equity import EquityBook
from decisions.sending import STALE, stale_text, too_old
from messages.errors import CodecError
from messages.ids import MINUTE_NS, OrderKey, StrategyId, Symbol, TimestampNs
from messages.learning import learn
from messages.orders import OrderIntent
from messages.recorded import IntentsJudged, JudgedIntent
from messages.values import Instrument, OrderState

Value = TypeVar("Value")

_WORDS: Mapping[type[Verdict], str] = {
    Claim: "claim",
    Refuse: "refuse",
    Resend: "resend",
    Duplicate: "duplicate",
    EndFirst: "end_first",
    Wait: "wait",
    Conflict: "conflict",
}


class Known(msgspec.Struct, frozen=True):
    """What the ledger held under a key."""

    state: OrderState
    fingerprint: str


NOT_BARRED: Mapping[OrderKey, Refusal] = {}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """All that judging some decisions looks at: of their own symbols, where it goes by symbol.

    What is added gets a default: journals of before do not have it, and are replayed too.
    """

    limits: RiskLimits
    halt_reason: str
    not_before_ns: int = 0
    """What was decided before is not sent: the ledger was restored, and may not know of it."""
    max_age_ns: int | None
    now_ns: TimestampNs | None
    known: dict[OrderKey, Known]
    marks: dict[Symbol, Decimal]
    exposure: dict[Symbol, Decimal]
    held_by: list[tuple[StrategyId, Symbol, Decimal]] | None = None
    """None where it was not kept: then no order that leaves a position can be judged again."""
    decided: dict[Symbol, list[TimestampNs]]
    """The oldest, to the first that is in the minute before each of these decisions; all of them
    where `decided_more` was not kept. Empty without a limit of orders per minute."""
    decided_more: dict[Symbol, int] = {}
    """How many were decided after those: their moments make no difference."""
    risk_added_at: dict[Symbol, TimestampNs]
    market_at: dict[Symbol, TimestampNs]
    unsettled: list[Symbol]
    open_orders: dict[OrderKey, OpenOrder] | None
    equity: EquityBook | None
    """Its losses: what is held makes a difference to later ones alone."""
    base_fees: dict[Symbol, Decimal] | None
    fees_of: list[tuple[StrategyId, Symbol, Decimal]] = []
    """Empty, too, where it was not kept: then only what is everyone's counts."""
    instruments: dict[Symbol, Instrument]
    bought_before: dict[OrderKey, Decimal] = {}
    """Of exits that have waited, or follow another: what there is for each."""
    spoken_for: list[tuple[StrategyId, Symbol, Decimal]] = []
    replaced: dict[OrderKey, First] = {}
    not_replacing: dict[OrderKey, Refusal] = {}
    """Decisions that do not take another's place, or are wanted no more, by their own keys."""


learn(Seen)


def seen_now(
    intents: Sequence[OrderIntent],
    known: Mapping[OrderKey, KnownOrder],
    limits: RiskLimits,
    state: RiskState,
    marks: Mapping[Symbol, Decimal],
    *,
    halt_reason: str,
    not_before_ns: int,
    max_age_ns: int | None,
    replaced: Mapping[OrderKey, FirstOrder] = NO_FIRST,
    not_replacing: Mapping[OrderKey, Refusal] = NOT_BARRED,
) -> Seen:
    """Give what is known before the first of them is judged, which changes it: copies, no more.

    It is asked for on the way of an order; who makes bytes of it has time.
    """
    symbols = sorted({intent.symbol for intent in intents})
    decided, decided_more = dict[Symbol, list[TimestampNs]](), dict[Symbol, int]()
    if limits.max_orders_per_minute is not None:
        newest_ns = max((intent.decided_at_ns for intent in intents), default=TimestampNs(0))
        decided, decided_more = _decided(state, symbols, newest_ns)
    watches_equity = limits.max_daily_loss or limits.max_drawdown
    return Seen(
        limits=limits,
        halt_reason=halt_reason,
        not_before_ns=not_before_ns,
        max_age_ns=max_age_ns,
        now_ns=state.now_ns,
        known={key: Known(one.state, one.fingerprint) for key, one in known.items()},
        marks=_of(marks, symbols),
        exposure=_of(state.exposure, symbols),
        held_by=_places(state.held_by, symbols),
        decided=decided,
        decided_more=decided_more,
        risk_added_at=_of(state.risk_added_at, symbols),
        market_at=_of(state.market_at, symbols),
        unsettled=[symbol for symbol in symbols if symbol in state.unsettled],
        open_orders=None if state.open_orders is None else state.open_orders.copy(),
        equity=_losses(state.equity) if watches_equity else None,
        base_fees=None if state.flows is None else _of(state.flows.base_fees, symbols),
        fees_of=[] if state.flows is None else _places(state.flows.fees_of, symbols),
        instruments=_of(state.instruments, symbols),
        bought_before=dict(state.bought_before),
        spoken_for=_places(state.spoken_for, symbols),
        replaced={key: _first(one) for key, one in replaced.items()},
        not_replacing=dict(not_replacing),
    )


def _decided(
    state: RiskState, symbols: list[Symbol], newest_ns: TimestampNs
) -> tuple[dict[Symbol, list[TimestampNs]], dict[Symbol, int]]:
    """Leave out the moments that no decision's minute can end between: they may be thousands."""
    listed, more = dict[Symbol, list[TimestampNs]](), dict[Symbol, int]()
    for symbol, recent in _of(state.decided, symbols).items():
        count = 0
        for count, at_ns in enumerate(recent, 1):  # noqa: B007 - how many are listed
            if at_ns > newest_ns - MINUTE_NS:
                break
        listed[symbol], more[symbol] = list(islice(recent, count)), len(recent) - count
    return listed, more


def _first(order: FirstOrder) -> First:
    return First(**{name: getattr(order, name) for name in First.__struct_fields__})


def judged_note(
    intents: Sequence[OrderIntent], seen: Seen, verdicts: Sequence[Verdict]
) -> IntentsJudged:
    """Put together what the journal keeps of a judgement."""
    return IntentsJudged(
        intents=tuple(intents),
        seen=msgspec.msgpack.encode(seen),
        verdicts=tuple(map(told_of, verdicts)),
    )


def seen_in(content: bytes) -> Seen:
    """Read what `judged_note` packed.

    Raises:
        CodecError: it is of another version; nothing is known.
    """
    try:
        return msgspec.msgpack.decode(content, type=Seen)
    except msgspec.MsgspecError as error:
        raise CodecError(f"what another version's risk gate knew: {error}") from error


def judge_again(
    intents: Iterable[OrderIntent], seen: Seen, fingerprint_of: Callable[[OrderIntent], str]
) -> list[Verdict]:
    """Judge as the executor does, by what it knew then."""
    return _judge(intents, seen, _state_in(seen), fingerprint_of)


def state_before(
    note: IntentsJudged, place: int, seen: Seen, fingerprint_of: Callable[[OrderIntent], str]
) -> RiskState:
    """Give what the risk gate knew just before it judged the intent at `place` of a note.

    Those that were judged before it, in the same turn, are counted as they were then.
    """
    state = _state_in(seen)
    _judge(note.intents[:place], seen, state, fingerprint_of)
    return state


def _state_in(seen: Seen) -> RiskState:
    return RiskState(
        exposure=dict(seen.exposure),
        held_by={(who, symbol): held for who, symbol, held in seen.held_by or ()},
        decided={symbol: _moments(at, seen, symbol) for symbol, at in seen.decided.items()},
        unsettled=set(seen.unsettled),
        open_orders=None if seen.open_orders is None else dict(seen.open_orders),
        risk_added_at=dict(seen.risk_added_at),
        market_at=dict(seen.market_at),
        bought_before=dict(seen.bought_before),
        spoken_for={(who, symbol): much for who, symbol, much in seen.spoken_for},
        now_ns=seen.now_ns,
        equity=seen.equity or EquityBook(),
        flows=_flows(seen),
        instruments=dict(seen.instruments),
    )


def _moments(listed: list[TimestampNs], seen: Seen, symbol: Symbol) -> deque[TimestampNs]:
    return deque(sorted(listed) + listed[-1:] * seen.decided_more.get(symbol, 0))


def _judge(
    intents: Iterable[OrderIntent],
    seen: Seen,
    state: RiskState,
    fingerprint_of: Callable[[OrderIntent], str],
) -> list[Verdict]:
    def barred(intent: OrderIntent) -> Refusal | None:
        held = bar(intent, seen.halt_reason, seen.not_before_ns, seen.now_ns, seen.max_age_ns)
        return held or seen.not_replacing.get(intent.order_key)

    return judge_intents(
        intents,
        seen.known,
        fingerprint_of,
        seen.limits,
        state,
        seen.marks,
        barred,
        seen.replaced,
    )


def bar(
    intent: OrderIntent,
    halt_reason: str,
    not_before_ns: int,
    now_ns: TimestampNs | None,
    max_age_ns: int | None,
) -> Refusal | None:
    """Refuse what a halt, a restored ledger or its age keep from being sent, whatever risk says."""
    if halt_reason:
        return Refusal(code="halted", text=halt_reason)
    if intent.decided_at_ns < not_before_ns:
        text = "it is of before the moment when the restored ledger was accepted"
        return Refusal(code="restored", text=text)
    created_ns = intent.ts_created_ns
    if max_age_ns is None or now_ns is None:
        return None
    if too_old(created_ns, now_ns, max_age_ns):
        return Refusal(code=STALE, text=stale_text(created_ns, now_ns))
    return None


def told_of(verdict: Verdict) -> JudgedIntent:
    """Say what became of one decision."""
    return JudgedIntent(
        order_key=verdict.intent.order_key,
        verdict=_WORDS[type(verdict)],
        code=verdict.refusal.code if isinstance(verdict, Refuse) else "",
        quantity=verdict.intent.quantity,
    )


def _flows(seen: Seen) -> Flows | None:
    if seen.base_fees is None:
        return None
    fees_of = {(who, symbol): fees for who, symbol, fees in seen.fees_of}
    return Flows(base_fees=dict(seen.base_fees), fees_of=fees_of)


def _places(
    amounts: Mapping[tuple[StrategyId, Symbol], Decimal], symbols: list[Symbol]
) -> list[tuple[StrategyId, Symbol, Decimal]]:
    return [(who, one, amount) for (who, one), amount in amounts.items() if one in symbols]


def _losses(book: EquityBook) -> EquityBook:
    quotes = {quote: msgspec.structs.replace(one) for quote, one in book.quotes.items()}
    return EquityBook(quotes=quotes, unusable=book.unusable)


def _of(by_symbol: Mapping[Symbol, Value], symbols: list[Symbol]) -> dict[Symbol, Value]:
    return {symbol: by_symbol[symbol] for symbol in symbols if symbol in by_symbol}
