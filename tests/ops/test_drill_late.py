"""A life that the rehearsal ended a moment too early: the next one has the last word."""

from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import cast

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

import strategies
from decisions.drill import Blow, parse_case
from messages.values import OrderState
from ops.config import demo_config
from ops.drill_case import Rehearsal
from ops.drill_life import Nursery
from ops.drill_setting import Baseline, Result, Setting
from ops.drill_trap import Target
from persistence.ledger import SqliteLedger
from tests.persistence.conftest import make_claim, make_step


class Late(Rehearsal):
    """Its first life hangs in the commit of a decision, is taken for dead, and ends in order."""

    answered = OrderState.REJECTED

    def run(self, point: StrEnum | None, blow: Blow) -> bool:
        del point, blow
        self._lives += 1
        self._reached = True
        self._run_dir.mkdir(parents=True, exist_ok=True)
        with closing(SqliteLedger(self._run_dir / "ledger.db")) as ledger:
            if self._lives == 1:
                claim = make_claim()
                self._dead.add(claim.client_order_id)
                ledger.claim([claim], 1)
                ledger.record([make_step(0, OrderState.SENT)])
            else:
                ledger.record([make_step(0, self.answered)])
        return False


def played(tmp_path: Path, kind: type[Late]) -> Result:
    setting = Setting(
        config_path=None,
        config=demo_config({}, strategies.check_params),
        candles=10,
        seed=None,
        nursery=cast("Nursery", None),  # nothing is born
        keep=tmp_path,
    )
    claim = make_claim()
    target = Target(order_key=claim.intent.order_key, client_order_id=claim.client_order_id)
    baseline = Baseline(target=target, sent=frozenset({claim.client_order_id}))
    case = parse_case("after_claim/none/executor_hang")
    with kind(setting, case, baseline) as rehearsal:
        return rehearsal._played(baseline, case.point, case.blow)


def test_a_commit_that_came_after_the_last_look_is_settled_by_the_next_life(tmp_path: Path) -> None:
    result = played(tmp_path, Late)

    assert (result.lives, result.state, result.problems) == (2, "rejected", ())


class Stuck(Late):
    answered = OrderState.UNKNOWN


def test_what_one_more_life_does_not_settle_is_told_as_it_is(tmp_path: Path) -> None:
    result = played(tmp_path, Stuck)

    assert (result.lives, result.state) == (2, "unknown")
