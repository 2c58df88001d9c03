"""What the executor knew when it judged is enough to judge again."""

from collections import deque
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.account import Flows
from decisions.executor import judge_intents
from decisions.judgement import (
    Known,
    Seen,
    bar,
    judge_again,
    judged_note,
    seen_in,
    seen_now,
    told_of,
)
from decisions.risk import OpenOrder, RiskLimits, RiskState
from decisions.risk_equity import EquityBook, Holding, QuoteEquity
from messages.errors import CodecError
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.orders import OrderIntent
from messages.values import Instrument, OrderState, OrderType, Side, TimeInForce

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
SMALL = st.integers(0, 6).map(lambda n: Decimal(n) / 2)
MOMENTS = st.integers(0, 120).map(lambda s: TimestampNs(s * 10**9))
SYMBOLS = st.sampled_from([BTC, ETH])
KEYS = st.sampled_from([OrderKey(name) for name in "abcdef"])


def of(
    name: str, symbol: Symbol, side: Side, quantity: Decimal, at_ns: TimestampNs, leaves: Decimal
) -> OrderIntent:
    return OrderIntent(
        order_key=OrderKey(name),
        account=AccountId("main"),
        strategy_id=StrategyId("one"),
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        limit_price=None,
        reference_price=Decimal(100),
        decided_at_ns=at_ns,
        ts_created_ns=at_ns,
        reason="",
        leaves=leaves,
    )


def by_quantity(intent: OrderIntent) -> str:
    return f"{intent.side}{intent.quantity}"


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


INTENTS = st.lists(
    st.builds(of, KEYS, SYMBOLS, st.sampled_from(Side), SMALL, MOMENTS, SMALL), max_size=6
)
BY_SYMBOL = st.dictionaries(SYMBOLS, SMALL)
LIMITS = st.builds(
    RiskLimits,
    max_order_notional=maybe(st.just(Decimal(150))),
    max_position_notional=maybe(st.just(Decimal(200))),
    max_open_orders=maybe(st.integers(1, 2)),
    max_orders_per_minute=maybe(st.integers(1, 3)),
    price_collar_bps=maybe(st.just(Decimal(50))),
    max_drawdown=st.just({}) | st.just({"USDT": Decimal(5)}),
    max_market_age_ms=maybe(st.just(2_000)),
    cooldown_ms=st.sampled_from([0, 5_000]),
    allow_short=st.booleans(),
)
OPEN = st.builds(OpenOrder, symbol=SYMBOLS, side=st.sampled_from(Side), unfilled=SMALL)
EQUITY = st.builds(
    EquityBook,
    quotes=st.dictionaries(st.just("USDT"), st.builds(QuoteEquity, equity=SMALL, drawdown=SMALL)),
)
STATES = st.builds(
    RiskState,
    exposure=BY_SYMBOL,
    held_by=st.dictionaries(st.tuples(st.just(StrategyId("one")), SYMBOLS), SMALL),
    decided=st.dictionaries(SYMBOLS, st.lists(MOMENTS, max_size=6).map(sorted).map(deque)),
    unsettled=st.sets(SYMBOLS),
    open_orders=maybe(st.dictionaries(KEYS, OPEN, max_size=3)),
    risk_added_at=st.dictionaries(SYMBOLS, MOMENTS),
    market_at=st.dictionaries(SYMBOLS, MOMENTS),
    bought_before=st.dictionaries(KEYS, SMALL),
    spoken_for=st.dictionaries(st.tuples(st.just(StrategyId("one")), SYMBOLS), SMALL),
    now_ns=maybe(MOMENTS),
    equity=EQUITY,
    flows=maybe(
        st.builds(
            Flows,
            base_fees=st.dictionaries(SYMBOLS, st.just(Decimal("0.1"))),
            fees_of=st.dictionaries(
                st.tuples(st.just(StrategyId("one")), SYMBOLS), st.just(Decimal("0.05"))
            ),
        )
    ),
    instruments=st.just({}) | st.just({BTC: Instrument(symbol=BTC)}),
)
KNOWN = st.dictionaries(
    KEYS,
    st.builds(
        Known,
        st.sampled_from([OrderState.FILLED, OrderState.NOT_SENT, OrderState.REFUSED]),
        st.sampled_from(["buy1", "sell1", "buy0.5"]),
    ),
)


@pytest.mark.slow
@given(
    intents=INTENTS,
    known=KNOWN,
    limits=LIMITS,
    state=STATES,
    marks=BY_SYMBOL,
    halt=st.sampled_from(["", "", "a person"]),
    age_ns=maybe(st.just(10**10)),
    since_ns=st.sampled_from([0, 0, 60 * 10**9]),
)
def test_it_is_judged_again_as_it_was(
    intents: Any,
    known: Any,
    limits: Any,
    state: Any,
    marks: Any,
    halt: str,
    age_ns: int | None,
    since_ns: int,
) -> None:
    seen = seen_now(
        intents,
        known,
        limits,
        state,
        marks,
        halt_reason=halt,
        not_before_ns=since_ns,
        max_age_ns=age_ns,
    )
    now_ns = state.now_ns

    judged = judge_intents(
        intents,
        known,
        by_quantity,
        limits,
        state,
        marks,
        lambda one: bar(one, halt, since_ns, now_ns, age_ns),
    )

    note = judged_note(intents, seen, judged)
    again = judge_again(note.intents, seen_in(note.seen), by_quantity)
    assert tuple(map(told_of, again)) == note.verdicts
    assert [msgspec.to_builtins(one) for one in again if not hasattr(one, "entry")] == [
        msgspec.to_builtins(one) for one in judged if not hasattr(one, "entry")
    ]


def seen_of(limits: RiskLimits, state: RiskState, *intents: OrderIntent) -> Seen:
    return seen_now(
        intents, {}, limits, state, {}, halt_reason="", not_before_ns=0, max_age_ns=None
    )


def second(at_s: int, name: str = "a") -> OrderIntent:
    moment = TimestampNs(at_s * 10**9)
    return of(name, BTC, Side.BUY, Decimal(1), moment, Decimal(0))


def test_however_many_orders_a_minute_has_the_journal_keeps_few_bytes_of_them() -> None:
    """It was each moment of the last minute with each decision: 36 kB for one at 70 a second."""
    state = RiskState(decided={BTC: deque([TimestampNs(1), *[TimestampNs(11 * 10**9)] * 3_998])})
    limits = RiskLimits(max_orders_per_minute=4_000)

    intents = [second(30), second(31, "b"), second(70, "c")]
    seen = seen_of(limits, state, *intents)
    codes = [told_of(one).code for one in judge_again(intents, seen, by_quantity)]

    assert len(judged_note(intents, seen, []).seen) < 500
    assert codes == ["", "max_orders_per_minute", ""]


def test_however_many_symbols_a_bot_trades_the_journal_keeps_few_bytes_of_the_others() -> None:
    others = [Symbol(f"A{number}/USDT") for number in range(500)]
    amounts = dict.fromkeys(others, Decimal(1))
    equity = EquityBook(
        holdings={symbol: Holding(quantity=Decimal(1)) for symbol in others},
        quotes={"USDT": QuoteEquity(drawdown=Decimal(5))},
    )
    state = RiskState(exposure=amounts, equity=equity, unsettled=set(others))
    limits = RiskLimits(max_drawdown={"USDT": Decimal(5)})

    seen = seen_of(limits, state, second(30))

    assert len(judged_note([second(30)], seen, []).seen) < 600
    assert told_of(judge_again([second(30)], seen, by_quantity)[0]).code == "max_drawdown"


def test_without_a_limit_of_orders_per_minute_none_of_their_moments_is_kept() -> None:
    state = RiskState(decided={BTC: deque([TimestampNs(1)])})

    assert seen_of(RiskLimits(), state, second(30)).decided == {}


def test_a_journal_of_before_that_holds_every_moment_is_judged_by_all_of_them() -> None:
    limits = RiskLimits(max_orders_per_minute=3)
    moments = [TimestampNs(at_s * 10**9) for at_s in (50, 10, 20)]
    seen = msgspec.structs.replace(seen_of(limits, RiskState(), second(60)), decided={BTC: moments})

    assert [
        told_of(judge_again([second(at_s)], seen, by_quantity)[0]).code for at_s in (69, 70)
    ] == ["max_orders_per_minute", ""]


def test_all_that_the_risk_gate_remembers_is_kept_of_it() -> None:
    """A field that is added must go into `Seen` and back, or judging again would not know it."""
    kept = {"exposure", "decided", "unsettled", "open_orders", "risk_added_at", "market_at"}
    kept |= {
        "held_by",
        "bought_before",
        "spoken_for",
        "now_ns",
        "equity",
        "instruments",
        "flows",
    }  # of the flows, the fees in base currency

    assert set(RiskState.__struct_fields__) == kept
    assert kept - {"flows"} <= set(Seen.__struct_fields__)


def test_what_another_version_kept_is_an_error_that_says_so() -> None:
    with pytest.raises(CodecError, match="another version"):
        seen_in(b"\x81\xa1x\x01")
