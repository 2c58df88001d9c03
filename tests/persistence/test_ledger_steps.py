"""What recording promises, on every backend."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from messages.errors import IllegalTransition
from messages.orders import Fill
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import Claim, Ledger, LedgerEntry, Step

ClaimOf = Callable[..., Claim]
StepOf = Callable[..., Step]


def stored(ledger: Ledger) -> LedgerEntry:
    (entry,) = ledger.entries()
    return entry


def test_a_step_changes_the_order_and_gives_it_back(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    (entry,) = ledger.record([step_of(1, S.SENT)])
    assert (entry.state, entry.state_reason, entry.reason) == (S.SENT, "because", "fast above slow")
    assert stored(ledger) == entry == ledger.open_entries()[0]


def test_steps_of_one_order_in_one_batch_follow_each_other(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1), claim_of(2)], 1)
    steps = [step_of(1, S.SENT), step_of(2, S.SENT), step_of(1, S.FILLED, "1.5")]
    after = ledger.record(steps)
    assert [(entry.client_order_id, entry.state) for entry in after] == [
        ("wk1", S.SENT),
        ("wk2", S.SENT),
        ("wk1", S.FILLED),
    ]
    assert ledger.states() == {S.SENT: 1, S.FILLED: 1}


def test_one_illegal_step_takes_the_whole_batch_back(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1), claim_of(2)], 1)
    with pytest.raises(IllegalTransition, match="from claimed to filled"):
        ledger.record([step_of(1, S.SENT), step_of(2, S.FILLED, "1.5")])
    assert ledger.states() == {S.CLAIMED: 2}


def test_an_order_that_was_never_claimed_takes_no_step(ledger: Ledger, step_of: StepOf) -> None:
    with pytest.raises(IllegalTransition, match="never claimed"):
        ledger.record([step_of(1, S.SENT)])


def test_an_order_cannot_be_sent_twice(ledger: Ledger, claim_of: ClaimOf, step_of: StepOf) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record([step_of(1, S.SENT)])
    with pytest.raises(IllegalTransition):
        ledger.record([step_of(1, S.SENT)])


def test_only_a_proved_absence_lets_an_order_be_sent_again(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    states = [S.SENT, S.UNKNOWN, S.NOT_SENT, S.SENT]
    assert [entry.state for entry in ledger.record([step_of(1, to) for to in states])] == states


def test_what_is_filled_was_sent_and_is_not_sent_again(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record([step_of(1, S.SENT), step_of(1, S.UNKNOWN, "0.5")])
    with pytest.raises(IllegalTransition, match=r"not_sent is disproved by the 0\.5"):
        ledger.record([step_of(1, S.NOT_SENT)])


@pytest.mark.parametrize("state", [S.ACCEPTED, S.UNKNOWN, S.CANCELED, S.REJECTED])
def test_a_repeated_report_changes_nothing(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf, state: S
) -> None:
    ledger.claim([claim_of(1)], 1)
    before = ledger.record([step_of(1, S.SENT), step_of(1, state)])[-1]
    again = step_of(1, state, "0", reason="other words", at_ns=9)
    assert ledger.record([again]) == [before]
    assert stored(ledger) == before


def test_a_partial_fill_must_grow(ledger: Ledger, claim_of: ClaimOf, step_of: StepOf) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record([step_of(1, S.SENT)])
    for filled in ("0", None):
        with pytest.raises(IllegalTransition, match="partial fill"):
            ledger.record([step_of(1, S.PARTIALLY_FILLED, filled)])
    ledger.record([step_of(1, S.PARTIALLY_FILLED, "0.5")])
    ledger.record([step_of(1, S.PARTIALLY_FILLED, "0.7")])
    assert stored(ledger).filled_quantity == Decimal("0.7")


@pytest.mark.parametrize("late", [S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELED])
def test_a_stale_report_is_ignored(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf, late: S
) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record([step_of(1, S.SENT), step_of(1, S.PARTIALLY_FILLED, "0.5")])
    (entry,) = ledger.record([step_of(1, late, "0.4")])
    assert (entry.state, entry.filled_quantity) == (S.PARTIALLY_FILLED, Decimal("0.5"))
    ledger.record([step_of(1, S.FILLED, "1.5")])
    assert ledger.record([step_of(1, late, "0.4")])[0].state is S.FILLED


def test_a_report_without_a_quantity_keeps_what_was_filled(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    price = Decimal("61480.123456789012345678")
    ledger.record([step_of(1, S.SENT), step_of(1, S.PARTIALLY_FILLED, "0.5", average_price=price)])
    (entry,) = ledger.record([step_of(1, S.CANCELED)])
    assert (entry.filled_quantity, entry.average_price) == (Decimal("0.5"), price)
    assert stored(ledger) == entry


def test_an_average_that_no_longer_holds_is_dropped(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record(
        [step_of(1, S.SENT), step_of(1, S.PARTIALLY_FILLED, "0.5", average_price=Decimal(1))]
    )
    assert ledger.record([step_of(1, S.FILLED, "1.5")])[0].average_price is None


def test_a_late_report_may_still_teach_the_venue_id_and_the_price(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record([step_of(1, S.SENT), step_of(1, S.FILLED, "1.5")])
    late = step_of(1, S.FILLED, "1.5", venue_order_id="v1", average_price=Decimal(7))
    (entry,) = ledger.record([late])
    assert (entry.venue_order_id, entry.average_price) == ("v1", Decimal(7))
    assert stored(ledger) == entry
    assert ledger.states() == {S.FILLED: 1}


def test_final_orders_leave_the_open_ones(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(1), claim_of(2), claim_of(3)], 1)
    ledger.record([step_of(1, S.REFUSED), step_of(2, S.NOT_SENT)])
    assert [entry.client_order_id for entry in ledger.open_entries()] == ["wk2", "wk3"]


def test_exposure_is_what_is_filled_or_may_yet_be(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    sell = {"side": Side.SELL, "strategy_id": "other"}
    ledger.claim([claim_of(1), claim_of(2), claim_of(3, **sell), claim_of(4, refused="r")], 1)
    ledger.claim([claim_of(5, symbol="ETH/USDT"), claim_of(6), claim_of(7)], 1)
    ledger.record([step_of(number, S.SENT) for number in (1, 2, 3, 5)])
    ledger.record(
        [
            step_of(1, S.PARTIALLY_FILLED, "0.5"),
            step_of(2, S.CANCELED, "0.25"),
            step_of(3, S.FILLED, "1.5"),
            step_of(5, S.REJECTED),
            step_of(6, S.NOT_SENT),
        ]
    )
    assert ledger.exposure() == {"BTC/USDT": Decimal("3.25")}
    assert ledger.strategy_exposure() == {
        ("sma-1", "BTC/USDT"): Decimal("4.75"),
        ("other", "BTC/USDT"): Decimal("-1.5"),
    }


def test_exposure_is_exact_beyond_the_usual_precision(ledger: Ledger, claim_of: ClaimOf) -> None:
    quantity = Decimal("98765432109876543210.123456789012345678")
    ledger.claim([claim_of(number, quantity=quantity) for number in (1, 2)], 1)
    assert str(next(iter(ledger.exposure().values()))) == "197530864219753086420.246913578024691356"


def test_decisions_since_a_moment_leave_out_refused_ones_and_other_symbols(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    claims = [claim_of(1), claim_of(2), claim_of(3, refused="r"), claim_of(4, symbol="ETH/USDT")]
    ledger.claim([*claims, claim_of(5)], 1)
    ledger.record([step_of(5, S.REFUSED), step_of(2, S.NOT_SENT)])
    first, second = (claim.intent.decided_at_ns for claim in claims[:2])
    symbol = claims[0].intent.symbol
    assert ledger.decided_since(symbol, 0) == [first, second]
    assert ledger.decided_since(symbol, second) == [second]
    assert ledger.decided_since(symbol, second + 1) == []


def test_fills_of_a_report_that_moves_nothing_are_taken(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf, fill_of: Callable[..., Fill]
) -> None:
    ledger.claim([claim_of(1)], 1)
    ledger.record([step_of(1, S.SENT), step_of(1, S.FILLED, "1.5")])
    late = step_of(1, S.FILLED, "1.5", fills=(fill_of("t1"), fill_of("t1")))
    before = stored(ledger)
    assert ledger.record([late, late]) == [before, before]


def test_two_of_our_orders_that_trade_with_one_another_have_an_execution_each(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf, fill_of: Callable[..., Fill]
) -> None:
    """The venue gives both one trade id; that of one order counts once, however often told."""
    ledger.claim([claim_of(number) for number in range(2)], 1)
    ledger.record([step_of(number, S.SENT) for number in range(2)])
    for number in (0, 1, 1):
        ledger.record([step_of(number, S.FILLED, "1.5", fills=(fill_of("t1", "1.5"),))])

    keys = [claim_of(number).intent.order_key for number in range(2)]
    assert [len(ledger.fills_of(key)) for key in keys] == [1, 1]
    assert ledger.lacking(2) == []


@pytest.mark.parametrize("page", [1, 2, 1_000])
def test_what_was_executed_is_walked_with_its_orders_in_pages_of_any_length(
    ledger: Ledger,
    claim_of: ClaimOf,
    step_of: StepOf,
    fill_of: Callable[..., Fill],
    page: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("persistence.stored_ledger._PAGE", page)
    ledger.claim([claim_of(number) for number in range(6)], 1)
    ledger.record([step_of(number, S.SENT) for number in range(6)])
    for number, names in ((0, ["b", "a"]), (2, []), (3, ["a"]), (5, ["c"])):
        fills = tuple(fill_of(name, "0.5") for name in names)
        ledger.record([step_of(number, S.FILLED, "1.5", fills=fills)])

    walked = list(ledger.executed())

    keys = [claim_of(number).intent.order_key for number in (0, 2, 3, 5)]
    assert [entry for entry, _ in walked] == [e for e in ledger.entries() if e.order_key in keys]
    assert [fills for _, fills in walked] == [ledger.fills_of(key) for key in keys]
    assert [len(fills) for _, fills in walked] == [2, 0, 1, 1]


def test_what_ended_without_all_its_executions_is_found(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf, fill_of: Callable[..., Fill]
) -> None:
    """Whole, short of one, none at all, still open, never filled."""
    ledger.claim([claim_of(number) for number in range(5)], 1)
    halves = (fill_of("a", "0.7"), fill_of("b", "0.8"))
    ledger.record([step_of(number, S.SENT) for number in range(5)])
    ledger.record([step_of(0, S.FILLED, "1.5", fills=halves)])
    ledger.record([step_of(1, S.FILLED, "1.5", fills=(fill_of("c", "1.4999999"),))])
    ledger.record([step_of(2, S.CANCELED, "0.5"), step_of(3, S.PARTIALLY_FILLED, "0.5")])
    ledger.record([step_of(4, S.CANCELED)])

    assert [entry.client_order_id for entry in ledger.lacking(5)] == ["wk1", "wk2"]


def test_only_the_newest_orders_are_searched_for_missing_executions(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    ledger.claim([claim_of(number) for number in range(3)], 1)
    ledger.record([step_of(number, S.SENT) for number in range(3)])
    ledger.record([step_of(number, S.FILLED, "1.5") for number in range(3)])

    assert [entry.client_order_id for entry in ledger.lacking(2)] == ["wk1", "wk2"]


def test_a_clock_that_was_set_back_puts_no_step_before_the_send(
    ledger: Ledger, claim_of: ClaimOf, step_of: StepOf
) -> None:
    """From the last step it is counted until when an order may still arrive."""
    ledger.claim([claim_of(1)], 7_200)
    ledger.record([step_of(1, S.SENT, at_ns=7_201)])
    (entry,) = ledger.record([step_of(1, S.UNKNOWN, at_ns=5)])

    assert entry.updated_at_ns == stored(ledger).updated_at_ns == 7_201
