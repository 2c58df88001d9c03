"""What a run whose beginning nobody wrote down had in use at most."""

from decimal import Decimal

from messages.ids import base_of
from ops.dashboard.equity import most_in_use
from tests.decisions.test_round_trips import BTC, execution


def in_use(*some: tuple[str, str, str, str, str]) -> Decimal:
    """Give it for executions: side, quantity, price, fee and what that was paid in."""
    made = [execution(at, *one) for at, one in enumerate(some, 1)]
    return most_in_use("USDT", [(one.ts_ns, one.symbol, one.side, one.fill) for one in made])


def test_open_positions_are_counted_at_what_they_had_cost() -> None:
    assert in_use(
        ("buy", "1", "100", "0", "USDT"),
        ("buy", "1", "110", "0", "USDT"),
        ("sell", "1", "150", "0", "USDT"),
        ("buy", "0.5", "120", "0", "USDT"),
        ("sell", "3", "90", "0", "USDT"),
    ) == Decimal(210)


def test_what_fees_took_in_the_base_currency_is_not_held_and_does_not_pile_up() -> None:
    bought, sold = ("buy", "1", "100", "0.001", base_of(BTC)), ("sell", "0.999", "100", "0", "USDT")

    assert in_use(*[bought, sold] * 300) == 100


def test_a_fee_in_another_currency_changes_nothing() -> None:
    assert in_use(("buy", "1", "100", "0.5", "BNB"), ("sell", "1", "100", "0.5", "BNB")) == 100
