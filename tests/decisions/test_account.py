"""What an account should hold after executions, and when a difference is one."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.account import (
    UNLIKE_MAX,
    Baseline,
    Flows,
    Seen,
    Verdict,
    begin,
    compare,
    judge,
    record,
    seen_of,
    sentence,
    still_unlike,
    untold,
    watched,
)
from messages.ids import Symbol, TimestampNs
from messages.values import Side
from tests.decisions.risk_orders import BTC, BUY, CROSS, ETH, SELL, fill

START = {"USDT": Decimal(1000), "BTC": Decimal(2), "BNB": Decimal(5)}


def baseline(flows: Flows | None = None, balances: dict[str, Decimal] | None = None) -> Baseline:
    return begin(balances or START, flows or Flows(), TimestampNs(1), "a test")


def after(*executions: tuple[Side, Any], symbol: Symbol = BTC) -> Flows:
    flows = Flows()
    for side, one in executions:
        record(symbol, side, one, flows)
    return flows


def holds(**changes: str) -> dict[str, Decimal]:
    return START | {name: Decimal(value) for name, value in changes.items()}


@pytest.mark.parametrize(
    ("fee", "currency", "told"),
    [
        ("0.1", "USDT", {"USDT": "899.9", "BTC": "3"}),
        ("0.001", "BTC", {"USDT": "900", "BTC": "2.999"}),
        ("0.02", "BNB", {"USDT": "900", "BTC": "3", "BNB": "4.98"}),
        ("-0.1", "USDT", {"USDT": "900.1", "BTC": "3"}),
    ],
    ids=["quote", "base", "third", "rebate"],
)
def test_a_fee_is_expected_in_the_currency_it_was_taken_in(
    fee: str, currency: str, told: dict[str, str]
) -> None:
    flows = after((BUY, fill("1", "100", fee=fee, currency=currency)))

    rows = compare(baseline(), flows, holds(**told), [BTC])

    assert sentence(rows, flows) == ""
    assert currency in {row.currency for row in rows}


def test_buying_and_selling_moves_both_sides() -> None:
    flows = after((BUY, fill("1", "100")), (SELL, fill("0.4", "110")))

    rows = {r.currency: r for r in compare(baseline(), flows, holds(), [BTC])}

    assert rows["BTC"].expected == Decimal("2.6")
    assert rows["USDT"].expected == Decimal(944)
    assert rows["USDT"].traded == Decimal(-56)


def test_what_the_run_does_not_trade_is_not_looked_at() -> None:
    rows = compare(baseline(), Flows(), holds(XRP="7", BNB="1"), [BTC])

    assert [row.currency for row in rows] == ["BTC", "USDT"]
    assert not any(row.difference for row in rows)


def test_two_symbols_share_a_currency() -> None:
    flows = Flows()
    record(BTC, BUY, fill("1", "100"), flows)
    record(CROSS, BUY, fill("10", "0.05", currency="BTC"), flows)

    rows = {r.currency: r.expected for r in compare(baseline(), flows, holds(), [BTC, CROSS])}

    assert rows == {"BTC": Decimal("2.5"), "ETH": Decimal(10), "USDT": Decimal(900)}


def test_a_difference_is_said_in_words_with_the_command_that_resolves_it() -> None:
    rows = compare(baseline(), Flows(), holds(USDT="1500", BTC="1.5"), [BTC])

    assert sentence(rows, Flows()) == (
        "the account holds 0.5 BTC less (1.5, expected 2), 500 USDT more (1500, expected 1000)"
        " than this run's executions explain: find out why, then `watchkeeper account --accept"
        ' "WHY"`'
    )


def test_executions_without_a_fee_are_named_as_a_likely_cause() -> None:
    flows = after((BUY, fill("1", "100", currency="")))
    rows = compare(baseline(), flows, holds(USDT="899.9", BTC="3"), [BTC])

    assert "1 executions came without their fee" in sentence(rows, flows)


def test_a_venue_may_round_each_execution_to_eight_digits_and_no_further() -> None:
    flows = after((BUY, fill("1", "100")), (BUY, fill("1", "100")))
    told = {"BTC": "4"}

    near = compare(baseline(), flows, holds(USDT="800.00000003", **told), [BTC])
    off = compare(baseline(), flows, holds(USDT="800.00000004", **told), [BTC])

    assert not any(row.difference for row in near)
    assert [row.difference for row in off if row.difference] == [Decimal("0.00000004")]


def test_a_new_baseline_takes_what_was_traded_until_then_as_settled() -> None:
    flows = after((BUY, fill("1", "100")))
    second = baseline(flows, holds(USDT="1400", BTC="3"))
    record(BTC, SELL, fill("1", "200"), flows)

    rows = compare(second, flows, holds(USDT="1600", BTC="2"), [BTC])

    assert sentence(rows, flows) == ""


def test_a_baseline_survives_the_disk() -> None:
    one = baseline(after((BUY, fill("1", "100"))))

    assert msgspec.json.decode(msgspec.json.encode(one), type=Baseline) == one


def test_what_is_filled_without_known_executions_is_untold() -> None:
    flows = after((BUY, fill("1", "100")))

    assert untold({BTC: Decimal(1), ETH: Decimal(0)}, flows) == []
    assert untold({BTC: Decimal(2)}, flows) == [BTC]
    assert untold({}, flows) == [BTC]


def verdicts(flows: Flows, *readings: dict[str, Decimal]) -> list[Verdict]:
    seen: Seen | None = None
    found = []
    for told in readings:
        rows = compare(baseline(), flows, told, [BTC])
        found.append(judge(rows, told, flows, seen))
        seen = seen_of(rows, told, flows)
    return found


def test_a_difference_counts_once_it_was_seen_twice_alike() -> None:
    more, less = holds(USDT="1500"), holds(USDT="900")
    confirm, differs, same = Verdict.CONFIRM, Verdict.DIFFERS, Verdict.SAME

    assert verdicts(Flows(), more, more, more) == [confirm, differs, differs]
    assert verdicts(Flows(), more, less, less) == [confirm, confirm, differs]
    assert verdicts(Flows(), more, holds(), more) == [confirm, same, confirm]


def test_an_execution_between_two_readings_makes_the_second_a_first() -> None:
    flows, told = Flows(), holds(USDT="1500")
    seen = seen_of(compare(baseline(), flows, told, [BTC]), told, flows)
    record(BTC, BUY, fill("1", "100"), flows)
    told = holds(USDT="1400", BTC="3")

    assert judge(compare(baseline(), flows, told, [BTC]), told, flows, seen) is Verdict.CONFIRM


def test_a_baseline_begins_with_the_second_of_two_like_readings() -> None:
    told, flows = holds(), Flows()

    assert judge(None, told, flows, None) is Verdict.CONFIRM
    assert judge(None, told, flows, seen_of(None, told, flows)) is Verdict.BEGIN
    assert judge(None, holds(BTC="1"), flows, seen_of(None, told, flows)) is Verdict.CONFIRM


def test_a_difference_that_is_another_each_time_counts_after_some_readings() -> None:
    flows, unlike = Flows(), 0
    before: Seen | None = None
    found = []
    for number in range(UNLIKE_MAX + 2):
        told = holds(USDT=str(900 - number))
        rows = compare(baseline(), flows, told, [BTC])
        seen = seen_of(rows, told, flows)
        unlike = still_unlike(unlike, seen, before)
        found.append(judge(rows, told, flows, before, unlike))
        before = seen

    assert found == [Verdict.CONFIRM] * UNLIKE_MAX + [Verdict.DIFFERS] * 2


def test_an_execution_or_a_reading_that_is_right_begins_the_count_anew() -> None:
    off, other, right = ({"USDT": Decimal(n)} if n else {} for n in (5, 6, 0))

    assert still_unlike(3, Seen(other, 1), Seen(off, 1)) == 4
    assert still_unlike(3, Seen(other, 2), Seen(off, 1)) == 0
    assert still_unlike(3, Seen(off, 1), Seen(right, 1)) == 0
    assert still_unlike(3, Seen(off, 1), None) == 0


def test_what_the_run_neither_trades_nor_pays_fees_in_is_not_watched() -> None:
    flows = after((BUY, fill("1", "100", fee="0.01", currency="BNB")))
    told = holds(USDT="900", BTC="3", BNB="1", DOGE="7")

    assert set(watched(told, flows, [BTC])) == {"USDT", "BTC", "BNB"}


EXECUTION = st.tuples(
    st.sampled_from([BTC, ETH, CROSS]),
    st.sampled_from(Side),
    st.integers(1, 10_000_000).map(lambda n: Decimal(n).scaleb(-5)),
    st.integers(1, 10_000_000).map(lambda n: Decimal(n).scaleb(-2)),
    st.integers(-1000, 1000).map(lambda n: Decimal(n).scaleb(-8)),
    st.sampled_from(["USDT", "BTC", "ETH", "BNB"]),
)


@pytest.mark.slow
@given(st.lists(EXECUTION, max_size=20), st.integers(0, 19), st.integers(-5, 5))
def test_an_account_that_does_as_it_is_told_never_differs_and_a_deposit_always_does(
    executions: list[Any], split: int, deposit: int
) -> None:
    """Against balances that are kept literally, from a baseline somewhere on the way."""
    flows, held = Flows(), dict(START)
    one = baseline()
    for number, (symbol, side, quantity, price, fee, currency) in enumerate(executions):
        if number == split:
            one = baseline(flows, held)
        base, quote = symbol.split("/")
        held[base] = held.get(base, Decimal(0)) + side.sign * quantity
        held[quote] = held.get(quote, Decimal(0)) - side.sign * quantity * price
        held[currency] = held.get(currency, Decimal(0)) - fee
        record(symbol, side, fill(str(quantity), str(price), 0, str(fee), currency), flows)

    held["USDT"] += deposit
    rows = compare(one, flows, held, [BTC])

    assert [r.difference for r in rows if r.difference] == ([deposit] if deposit else [])
