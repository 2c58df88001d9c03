"""What is missing in a series. Pure."""

from collections.abc import Iterable, Iterator

Hole = tuple[int, int]
"""From the opening of the first candle that is missing to that of the next one that is there."""


def holes(times_ms: Iterable[int], since_ms: int, until_ms: int, step_ms: int) -> Iterator[Hole]:
    """Give what is missing between two moments, both of which candles may open at.

    `times_ms` are the openings of what is there, in order, also outside of the two.
    """
    expected_ms = since_ms
    for ts_ms in times_ms:
        if ts_ms < since_ms:
            continue
        if ts_ms >= until_ms:
            break
        if ts_ms > expected_ms:
            yield expected_ms, ts_ms
        expected_ms = ts_ms + step_ms
    if expected_ms < until_ms:
        yield expected_ms, until_ms
