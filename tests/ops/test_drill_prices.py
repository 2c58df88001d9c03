"""A bid that is to rest does, whatever a seed makes of the exchange's market."""

from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

import strategies
from decisions.drill_exit import ExitCase
from ops.config import demo_config
from ops.drill_cancel_case import CancelRehearsal, cancel_setting
from ops.drill_case import Rehearsal
from ops.drill_exit_case import ExitRehearsal, exit_setting
from ops.drill_life import Nursery
from ops.drill_setting import Baseline, Setting

FALLEN = 31
"""The seed of a market that has fallen by more than 15 % before the exchange begins."""
NOTHING_YET = Baseline(target=None, sent=frozenset())


def setting_of(folder: Path) -> Setting:
    return Setting(
        config_path=None,
        config=demo_config({}, strategies.check_params),
        candles=10,
        seed=FALLEN,
        nursery=cast("Nursery", None),  # nothing is born
        keep=folder,
    )


def price_in(rehearsal: Rehearsal) -> Decimal:
    with rehearsal:
        prices: dict[str, Decimal] = rehearsal._exchange.exchange.engine.last_prices
        return prices["BTC/USDT"]


@pytest.mark.slow
def test_the_exchange_stands_where_the_candles_of_a_rehearsal_begin(tmp_path: Path) -> None:
    setting, no_case = setting_of(tmp_path), cast("ExitCase", None)

    by_itself = price_in(Rehearsal(setting, None, NOTHING_YET))
    of_exits = price_in(ExitRehearsal(exit_setting(setting), no_case, NOTHING_YET, 0))
    of_cancels = price_in(CancelRehearsal(cancel_setting(setting), None, NOTHING_YET))

    assert by_itself < 51_000
    assert of_exits == 60_000
    assert of_cancels > 59_000
