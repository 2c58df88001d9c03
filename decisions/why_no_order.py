"""Why a backtest ended without an execution, strategy by strategy, in words to act on. Pure."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import msgspec

from decisions.spoken import spoken_quantity
from messages.ids import Symbol, base_of, quote_of
from messages.values import Instrument


class Hindsight(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one strategy afterwards."""

    strategy: str
    symbol: str
    events: int
    """So many it was shown."""
    warmup: int
    """Before so many of them it decides nothing."""
    is_history: bool = False
    """Whether all of it was to be shown and not decided on."""
    states: Mapping[str, int] = {}
    """How many of its orders ended in each state."""
    refusals: Mapping[str, int] = {}
    """What risk said of them, word for word, and how often."""
    rejections: Mapping[str, int] = {}
    """What the venue said of them."""
    ended: int = 0
    """Of those that were canceled: at the strategy's own word, or a person's."""
    without_volume: int = 0
    """Of those that are accepted: market orders to which the market came, without volume."""
    too_small: str = ""
    """Why orders of the size that it is told may be none; empty where they are large enough."""
    small_targets: str = ""
    """How many targets were smaller than the venue takes; empty for none (`small_targets`)."""
    dropped: Mapping[str, int] = {}
    """Rows of the data that were not used, by why."""


def too_small(order_notional: Decimal, instrument: Instrument) -> str:
    """Say that orders of such a size are none; empty where they are large enough."""
    least = instrument.min_notional
    if order_notional >= least:
        return ""
    whose = f"the least order of {instrument.symbol}, {least}"
    return f"order_notional {order_notional} is less than {whose}"


def small_targets(
    counts: Mapping[Symbol, int], instrument_of: Callable[[Symbol], Instrument]
) -> str:
    """Say how many targets of each symbol were none, and what the least order is."""
    return "; ".join(
        f"{count:,} target{'' if count == 1 else 's'} of {symbol}"
        f" {'was' if count == 1 else 'were'} smaller than the venue takes"
        f" ({_least(instrument_of(symbol))})"
        for symbol, count in sorted(counts.items())
    )


def _least(grid: Instrument) -> str:
    quantity, worth = spoken_quantity(grid.min_quantity), spoken_quantity(grid.min_notional)
    return f"{quantity} {base_of(grid.symbol)}, worth {worth} {quote_of(grid.symbol)}"


def reasons_without_a_fill(seen: Hindsight) -> list[str]:
    """Give every reason, what to look at first; never none."""
    return list(_reasons(seen))


def _reasons(seen: Hindsight) -> Iterator[str]:
    who, decided = f"strategy {seen.strategy}", sum(seen.states.values())
    if not seen.events:
        dropped = sum(seen.dropped.values())
        why = f": all {dropped:,} rows were dropped" if dropped else ""
        yield f"{who} saw no market: there is no usable event of {seen.symbol}{why}"
    elif seen.is_history and not decided:
        yield (
            f"{who} was to decide nothing: all {seen.events:,} events of {seen.symbol} are before"
            " --warm-until"
        )
    elif seen.events <= seen.warmup:
        yield (
            f"{who} never finished its warm-up: it needs {seen.warmup:,} events of {seen.symbol}"
            f" and there are {seen.events:,}: give more data, or a shorter period"
        )
    elif not decided and seen.small_targets:
        yield f"{who} decided nothing that can be ordered: {seen.small_targets}"
    elif not decided:
        left = seen.events - seen.warmup
        warmed = f" after a warm-up of {seen.warmup:,}" if seen.warmup else ""
        small = f", or what it wanted was too small: {seen.too_small}" if seen.too_small else ""
        yield (
            f"{who} decided nothing: its rule was not met at any of {left:,} events of"
            f" {seen.symbol}{warmed}{small}"
        )
    yield from reasons_of_orders(seen)


def reasons_of_orders(seen: Hindsight) -> Iterator[str]:
    """Give what kept each order that was decided from being executed; none was, or nothing did."""
    decided = sum(seen.states.values())
    if seen.without_volume:
        yield (
            f"{seen.without_volume:,} of {decided:,} decisions of {seen.strategy} met no volume:"
            " the candles have none, or venue.participation leaves less than a step of it"
        )
    for who_said, said in (
        ("risk refused", seen.refusals),
        ("the venue rejected", seen.rejections),
    ):
        if said:
            text = max(said, key=lambda one: said[one])
            many = f"{sum(said.values()):,} of {decided:,} decisions of {seen.strategy}"
            often = f", {said[text]:,} times" if said[text] > 1 else ""
            yield f"{who_said} {many}: {text}{often}"
    if seen.ended:
        yield (
            f"orders of {seen.strategy} that were canceled by request before the market reached"
            f" them: {seen.ended:,}"
        )
    waiting = {s: n for s, n in seen.states.items() if s not in ("refused", "rejected") and n}
    if "canceled" in waiting:
        waiting["canceled"] -= seen.ended
    if "accepted" in waiting:
        waiting["accepted"] -= seen.without_volume
    waiting = {state: count for state, count in waiting.items() if count}
    if waiting:
        counted = ", ".join(
            f"{count:,} {state.replace('_', ' ')}" for state, count in waiting.items()
        )
        yield f"orders of {seen.strategy} that the market never reached: {counted}"
