"""The gaps of a recording: how many, and the first of them. A live market's are told elsewhere."""

from decisions.recording_gaps import FirstGaps, Gap
from messages.ids import NS_PER_S, ActorPath, Symbol, TimestampNs
from messages.market import FeedGap
from tests.decisions.test_dropped_rows import report

MINUTE_NS = 60 * NS_PER_S


def gap(row: int, missing: int = 2, place: str | None = None) -> FeedGap:
    return FeedGap(
        feed=ActorPath("feeds/feed:replay"),
        symbol=Symbol("BTC/USDT"),
        ts_from_ns=TimestampNs(row * MINUTE_NS),
        ts_to_ns=TimestampNs((row + missing) * MINUTE_NS),
        missing=missing,
        place=f"a.csv:{row}" if place is None else place,
    )


def test_all_are_counted_and_the_first_three_have_symbol_place_and_length() -> None:
    first = FirstGaps()
    for row in (3, 5, 8, 9):
        first.observe(gap(row))

    found = first.of(report())

    assert found is not None
    assert (found.gaps, found.missing) == (3, 7)
    assert [one.place for one in found.first] == ["a.csv:3", "a.csv:5", "a.csv:8"]
    assert found.first[0] == Gap(
        symbol=Symbol("BTC/USDT"), place="a.csv:3", missing=2, lasted_s=120.0
    )


def test_a_market_that_is_no_recording_has_none_here() -> None:
    first = FirstGaps()
    first.observe(gap(3, place=""))

    assert first.of(report()) is None
