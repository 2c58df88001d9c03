"""Why trades ended: figures are no kind of their own, and which stop acted is."""

import pytest

from decisions.exit_reasons import OTHERS, UNSAID, exit_figures, kind_of, short_reason
from decisions.round_trips import Executed, RoundTrip, round_trips
from tests.decisions.test_round_trips import execution

STOPPED = "stop_loss at 95.5: the market was at 94 [protects 01-ab]"
LATE = "trailing at 9: the market was at 8; nobody looked at it for the 7 s before [protects x]"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("fast 61480.0 above slow 61475.2", "fast above slow"),
        ("5m close 60059.03 below 60001.07", "5m close below"),
        ("z -2.1 back within 0.5", "z back within"),
        ("ema2 crossed 1e-7", "ema2 crossed"),
        ("31.5", UNSAID),
        ("", UNSAID),
        (STOPPED, "stop_loss"),
        (LATE, "trailing"),
        ("stop_loss at 95 as I say", "stop_loss at as I say"),
        ("not filled as 018cc96fda40a91dcf756b602961bfd5 was", "not filled as was"),
    ],
)
def test_a_reason_is_counted_by_its_words(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def test_a_table_has_all_words_of_a_strategy_and_one_of_a_stop() -> None:
    assert short_reason("fast 61480.0 above slow 61475.2") == "fast 61480.0 above slow 61475.2"
    assert short_reason(STOPPED) == "stop_loss"


def ended(*exits: tuple[str, str]) -> list[RoundTrip]:
    """Give a trade of one bought at 100 for each price and reason of an exit, ten apart."""
    made = list[Executed]()
    for n, (price, reason) in enumerate(exits):
        sold = execution(100 * n + 11, "sell", "1", price)
        made += [execution(100 * n + 1, "buy", "1", "100"), sold._replace(reason=reason)]
    return round_trips(made).ended


def test_trades_are_summed_up_by_how_they_ended_the_most_frequent_first() -> None:
    found = exit_figures(ended(("110", "up 1"), ("94", STOPPED), ("99", "up 2")))

    told = [(one.reason, one.trades, one.wins, one.profit) for one in found]
    assert told == [("up", 2, 1, 9.0), ("stop_loss", 1, 0, -6.0)]
    assert [one.average_held_ns for one in found] == [10, 10]


def test_reasons_without_end_are_ten_and_the_rest() -> None:
    """One that writes a word of its own each time makes no table of a thousand lines."""
    found = exit_figures(ended(*(("101", f"for {'a' * n}") for n in range(1, 14))))

    assert len(found) == 11
    assert (found[-1].reason, found[-1].trades, found[-1].profit) == (OTHERS, 3, 3.0)
