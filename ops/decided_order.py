"""Executions of one moment in the order in which their orders were decided.

All of a candle's are of one moment, and their names are hashes on the paper venue. Which of two
came first is what an average cost, a trade's entry and the money in use hang on: a venue goes
through orders as they were decided. The ledger does not say how, but their keys are made of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from decisions.order_keys import moment_in, ordinal_of
from messages.ids import Symbol
from persistence.reader import Execution

_NOT_KNOWN = -1
"""What a stop decides has no place among decisions, and comes before them."""


def in_decided_order(executions: Iterable[Execution]) -> Iterator[Execution]:
    """Give them so; they come by moment and symbol."""
    for _, together in groupby(executions, key=moment_of):
        some = list(together)
        yield from some if len(some) == 1 else sorted(some, key=_Places(some).of)


def moment_of(execution: Execution) -> tuple[int, Symbol]:
    """Give the venue's moment of an execution, and where it was."""
    return execution.fill.ts_event_ns, execution.symbol


class _Places:
    """Where some executions of one moment belong. The dear part only where orders share theirs."""

    def __init__(self, together: Sequence[Execution]) -> None:
        keys = {one.order_key for one in together}
        self._orders = Counter(map(moment_in, keys))

    def of(self, one: Execution) -> tuple[str, int, str, int, str]:
        """Give its place, by which one may sort."""
        moment, trade_id = moment_in(one.order_key), one.fill.trade_id
        ordinal = _ordinal(one) if self._orders[moment] > 1 else 0
        return moment, ordinal, one.order_key, len(trade_id), trade_id


def _ordinal(one: Execution) -> int:
    try:
        found = ordinal_of(
            one.order_key, one.account, one.strategy_id, one.symbol, one.decided_at_ns
        )
    except (TypeError, ValueError):
        return _NOT_KNOWN  # an order that means nothing is no reason to tell of none
    return _NOT_KNOWN if found is None else found
