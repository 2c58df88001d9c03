"""What a strategy declares of bars and timers, and whether a feed can serve it."""

from typing import Any

from messages.timeframes import timeframe_ns


def declared_problems(strategy: Any, uses: str, feed_timeframe: str = "") -> list[str]:
    """Give one sentence per mistake in what a class, or an object of it, declares.

    Without the feed's timeframe only what is wrong with any feed is found.
    """
    problems = []
    for name in strategy.timeframes:
        try:
            length = timeframe_ns(name)
        except ValueError as error:
            problems.append(f"{uses} declares timeframes: {error}")
            continue
        base = timeframe_ns(feed_timeframe) if feed_timeframe else length
        if length < base or length % base:
            problems.append(
                f"{uses} needs bars of {name}, and candles of {feed_timeframe} do not make them:"
                f' set feed.timeframe to "{name}" or a part of it'
            )
    problems += [
        f'{uses} declares warmup_bars of "{name}", which is not one of its timeframes'
        for name in strategy.warmup_bars
        if name not in strategy.timeframes
    ]
    if type(strategy.timer_s) is not int or strategy.timer_s < 0:
        problems.append(f"{uses} declares timer_s = {strategy.timer_s!r}, expected whole seconds")
    return problems + _warmup_problems(strategy, uses)


def _warmup_problems(strategy: Any, uses: str) -> list[str]:
    counts = {f'warmup_bars of "{name}"': count for name, count in strategy.warmup_bars.items()}
    if not isinstance(strategy, type):  # of a class it may be a property
        counts["warmup_events"] = strategy.warmup_events
    return [
        f"{uses} declares {name} = {count!r}, expected a whole number, 0 or more"
        for name, count in counts.items()
        if type(count) is not int or count < 0
    ]
