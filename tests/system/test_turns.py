"""However many messages an actor handles in a turn, the orders are the same ones."""

from pathlib import Path

from actors.step_runtime import StepRuntime
from tests.system.conftest import config_of, orders_at_venue, run_to_end
from tests.system.market_files import candles_in


def test_the_orders_do_not_depend_on_the_turns(tmp_path: Path) -> None:
    paths = candles_in(tmp_path, 600)
    found = {}
    for name, runtime in {
        "one": StepRuntime(ttl_enforced=False),
        "many": StepRuntime(ttl_enforced=False, turn=64),
        "shuffled": StepRuntime(3, ttl_enforced=False, turn=5),
    }.items():
        fold = run_to_end(config_of(tmp_path / name, paths), runtime).fold
        counts = (fold.processed, fold.allowed, fold.filled, fold.rejected, fold.errors)
        found[name] = (counts, orders_at_venue(tmp_path / name))

    assert found["one"] == found["many"] == found["shuffled"]
    assert found["one"][0][2] > 5
