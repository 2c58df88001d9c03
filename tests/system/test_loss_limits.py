"""A loss limit that was reached stays reached, also for the next process."""

from contextlib import closing
from pathlib import Path

import msgspec

from actors.runtime import Runtime
from decisions.risk_equity import EquityBook
from messages.values import OrderState
from persistence.ledger import SqliteLedger, read_orders
from tests.system.conftest import config_of, run_to_end
from tests.system.market_files import candles_in


def test_after_a_drawdown_there_is_no_new_risk_and_a_restart_does_not_forget_it(
    tmp_path: Path, runtime: Runtime
) -> None:
    limits = {"max_drawdown": "0.5"}
    config = config_of(tmp_path / "run", candles_in(tmp_path), risk=limits)

    run_to_end(config, runtime)

    orders = list(read_orders(tmp_path / "run" / "ledger.db"))
    refused = [o for o in orders if o.state is OrderState.REFUSED]
    assert any(o.state is OrderState.FILLED for o in orders)
    assert any(o.state_reason.startswith("max_drawdown: down") for o in refused)
    with closing(SqliteLedger(tmp_path / "run" / "ledger.db")) as ledger:
        book = msgspec.json.decode(ledger.note("equity") or "", type=EquityBook)
    assert book.quotes["USDT"].drawdown > 0
