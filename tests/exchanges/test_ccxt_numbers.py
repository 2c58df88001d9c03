"""Numbers, moments and names as ccxt gives them."""

import pytest

from exchanges.ccxt_numbers import Unclear, milliseconds_ns, name_in
from exchanges.ccxt_parse import fill_of, name_of, report_of, trade_of

AT_NS = 1_648_957_043_065_000_000


@pytest.mark.parametrize("told", [AT_NS, AT_NS // 10**3, AT_NS // 10**6])
def test_a_moment_is_one_whether_it_is_told_in_ms_or_finer(told: int) -> None:
    assert milliseconds_ns(told) == AT_NS


@pytest.mark.parametrize("told", [None, 0, -1, "1648957043065", 1648957043065.5])
def test_what_is_no_moment_is_the_other_one(told: object) -> None:
    assert milliseconds_ns(told, 7) == 7


@pytest.mark.parametrize("told", [10**13, 10**14 - 1, 2**63 // 10**6 + 1, 10**40])
def test_a_moment_is_one_that_a_ledger_can_hold_whatever_is_told(told: int) -> None:
    """A row has eight bytes for it: one more ended the executor, at each start anew."""
    assert 0 < milliseconds_ns(told) < 2**63


def test_a_name_is_text_whatever_it_was_told_as() -> None:
    assert [name_in(one, "id") for one in ({"id": 7}, {}, {"id": None})] == ["7", "", ""]


ORDER = {"id": "7", "symbol": "BTC/USDT", "status": "open", "filled": "0", "amount": "1"}
TRADE = {
    "id": "7", "order": "8", "symbol": "BTC/USDT", "side": "buy", "price": "1", "amount": "1",
    "fee": {"cost": "1", "currency": "BNB"},
}  # fmt: skip
HALF = "a\ud800"
"""Of a character, as JSON can tell it and no file can hold it."""


def test_a_name_of_somebody_elses_order_is_spelled_out() -> None:
    for order in ({"clientOrderId": HALF}, {"info": {"clientOrderId": HALF}}):
        assert name_of(order) == "a\\ud800"


@pytest.mark.parametrize("changed", [{"id": HALF}, {"symbol": HALF}])
def test_an_order_whose_name_no_ledger_can_hold_is_not_clear(changed: dict[str, str]) -> None:
    report_of(ORDER, evidence="")
    with pytest.raises(Unclear, match=r"'a\\ud800' is not to be written down"):
        report_of(ORDER | changed, evidence="")


@pytest.mark.parametrize(
    "changed", [{"id": HALF}, {"order": HALF}, {"fee": {"cost": "1", "currency": HALF}}]
)
def test_nor_is_an_execution(changed: dict[str, object]) -> None:
    trade_of(TRADE)
    with pytest.raises(Unclear, match=r"'a\\ud800' is not to be written down"):
        trade_of(TRADE | changed)
    if "order" not in changed:
        with pytest.raises(Unclear):
            fill_of(TRADE | changed)
