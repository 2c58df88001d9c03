"""A life of the crash rehearsal comes to the exchange though the machine is busy."""

from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.drill import Blow
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import running_exchange
from ops.drill_cancel_traps import CancelTrap
from ops.drill_child import _open_venue, config_of
from tests.ops.drill_jobs import job_at


@pytest.mark.slow
def test_a_gate_that_gives_no_answer_at_first_is_tried_again(tmp_path: Path) -> None:
    with running_exchange(speed=0) as run:
        job = job_at(run, tmp_path, cancels=True)
        run.exchange.arm(Plan(fault=Fault.RESET_BEFORE, operation="exchange_info", times=2))
        trap = CancelTrap(None, None, Blow.NONE, lambda **_: None)

        live = _open_venue(config_of(job), job, trap)

        assert list(live.facts.markets) == ["BTC/USDT"]
        live.close()
    assert all(armed.is_spent for armed in run.exchange.armed())
