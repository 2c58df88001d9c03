"""A strategy that left events as it ended is replayed as far as it came, and told what it was."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from decisions.strategy import new_memory
from decisions.strategy_record import packed_memory
from messages.ids import NS_PER_S, AccountId, Epoch, StrategyId
from messages.orders import OrderUpdate
from messages.patience import Patience
from messages.recorded import StrategyEnded, StrategyStands
from messages.values import OrderState
from research.replay.found import Divergence, Findings
from research.replay.life import LineSettings
from research.replay.line import Line
from research.replay.reading import Place
from tests.decisions.test_managed_orders import told
from tests.decisions.test_strategy_managed import BTC, CREATED, Follows, batch, run

Make = Callable[..., Line]


@pytest.fixture
def found() -> list[Divergence]:
    return []


@pytest.fixture
def line(found: list[Divergence]) -> Iterator[Make]:
    patience = Patience()

    def make(*, is_what_if: bool) -> Line:
        settings = LineSettings(
            StrategyId("one"),
            AccountId("main"),
            (BTC,),
            60 * NS_PER_S,
            lambda _: Follows(),
            is_what_if,
            False,  # noqa: FBT003 - a live market
            patience,
        )
        return Line(settings, Findings(), found.append)

    with patience.watching():
        yield make


@pytest.mark.parametrize("is_what_if", [False, True])
@pytest.mark.parametrize(("taken", "left"), [((0,), (1, 2)), ((0, 1, 2), (3, 4))])
def test_what_was_left_is_not_shown_and_what_was_told_behind_it_counts(
    line: Make,
    found: list[Divergence],
    taken: tuple[int, ...],
    left: tuple[int, ...],
    is_what_if: bool,
) -> None:
    """Of the last batch that it took, it finished the first event."""
    memory = new_memory(0, manages_orders=True)
    stands = StrategyStands(
        epoch=Epoch(1), has_begun=True, memory=packed_memory(memory.inherited()), instruments=()
    )
    real, market, seen = run(memory), batch(*taken), iter([False, True])
    intents: list[Any] = list(real.take_batch(market, lambda: CREATED, lambda: next(seen)))
    filled = told(0, intents[0].side, 1, OrderState.FILLED)
    update: OrderUpdate = msgspec.structs.replace(filled, order_key=intents[0].order_key)
    real.update(update)
    ended = StrategyEnded(epoch=Epoch(1), next_index=1)

    replayed = line(is_what_if=is_what_if)
    journal = (stands, market, *intents, ended, batch(*left), update, ended)
    for number, message in enumerate(journal):
        replayed.take(message, number, Place("segment", number))
    replayed.cut(is_end=True)

    assert found == []
    known = replayed.left
    assert known is not None
    assert known.managed is not None
    assert memory.managed is not None
    assert (known.position, known.next_index) == (memory.position, 1)
    assert len(known.managed.open) == len(memory.managed.open) == 1
