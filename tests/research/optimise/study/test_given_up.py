"""What is known of a trial that did not come to its end."""

from decimal import Decimal

import pytest

from research.optimise.figures import Figures, daily_sharpe_of
from research.optimise.outcome import DONE, GIVEN_UP, UNJUDGED
from research.optimise.protocol import Done, End, Ended, PartOver, Told
from research.optimise.search import Aim, Hunt, Search
from research.optimise.trial import Task
from research.optimise.windows import Window
from tests.research.optimise.study.studies import FAST, Place, rows_of

CAPITAL = 1_000.0


def figures(fast: int, days: int, orders: int = 12) -> Figures:
    """The days are better, the nearer to 17 it is."""
    profits = [(day % 3 - abs(fast - 17) / 20) * (day + 1) for day in range(days)]
    return Figures(
        net=Decimal(repr(profits[-1])),
        fees=Decimal(0),
        orders=orders,
        drawdown=1.0,
        days=dict(enumerate(profits)),
    )


class OneAfterTheOther:
    """Makes trials that have two parts, of ten days each; those of 10 and less trade too little."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._fast = 0

    @property
    def idle(self) -> int:
        return int(not self._told)

    def begin(self, task: Task) -> None:
        self._fast = task.params["s"]["fast"]
        self._told = [PartOver(task.ticket, 1, figures(self._fast, 10))]

    def wait(self, _: float) -> list[Told]:
        told, self._told = self._told, []
        return told

    def answer(self, ticket: int, *, go_on: bool) -> None:
        orders = 2 if self._fast <= 10 else 12
        done = Done(ticket, figures(self._fast, 20, orders))
        self._told = [done if go_on else Ended(ticket, End.GIVEN_UP, "")]

    def close(self) -> None:
        pass


@pytest.mark.slow
def test_every_trial_keeps_its_ratio_of_the_first_part_where_all_were_there(place: Place) -> None:
    """Whatever the objective is: the best is deflated by how much they differ."""
    study = place.process(axes=(FAST,), sampler="random", pruner="median", asked=30)
    aim = Aim(
        objective="return",
        least_orders=10,
        capital=CAPITAL,
        asked=30,
        by_strategy=lambda found: {"s": {"fast": found["s.fast"]}},
    )

    Search([Hunt(window=Window(1, 0, 1, 1), study=study)], OneAfterTheOther(), aim).run(
        lambda _: None
    )

    place.die()
    found: set[str] = set()
    for row in rows_of(place.process(axes=(FAST,), asked=30)):
        assert row.outcome is not None
        ratio = daily_sharpe_of(figures(int(row.params["s.fast"]), 10), CAPITAL)
        assert row.outcome.ratios == {1: ratio}
        found.add(row.outcome.how)
    assert found == {DONE, GIVEN_UP, UNJUDGED}
