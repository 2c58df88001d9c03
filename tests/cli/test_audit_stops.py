"""`audit` passes the stops that a run leaves behind, and catches each fault planted in them."""

import shutil
from pathlib import Path

import pytest

from actors.step_runtime import StepRuntime
from tests.cli.conftest import Ask
from tests.cli.runs import differing, edit
from tests.research.parity import write
from tests.research.stopped import stopped_strategy
from tests.system.conftest import config_of, run_to_end
from tests.system.stop_kills import CANDLES, MINUTE_MS, ORDERS

DONE = "(SELECT min(entry_key) FROM stops WHERE state = 'done' AND exits != '')"
KEPT = "(SELECT max(entry_key) FROM stops WHERE state != 'done')"
NOBODY = "ffffffffffffffffffffffffffffffff"
FAULTS = {
    "a stop removed whose exit is there": (
        f"DELETE FROM stops WHERE entry_key = {DONE}",
        "of which no stop is kept",
    ),
    "an exit that its stop forgot": (
        f"UPDATE stops SET exits = '' WHERE entry_key = {DONE}",
        "does not know this exit",
    ),
    "an exit that is there twice": (
        f"UPDATE stops SET exits = exits || ' ' || exits WHERE entry_key = {DONE}",
        "it has an exit twice",
    ),
    "an exit that is no order": (
        f"UPDATE stops SET exits = '{NOBODY}' WHERE entry_key = {DONE}",
        f"its exit {NOBODY} is no order",
    ),
    "an exit of another stop": (
        "UPDATE stops SET exits = (SELECT exits FROM stops"
        f" WHERE exits != '' AND entry_key != {DONE} LIMIT 1) WHERE entry_key = {DONE}",
        "is not its exit number 0",
    ),
    "an entry that is no order": (
        f"UPDATE stops SET entry_key = '{NOBODY}' WHERE entry_key = {KEPT}",
        "it protects an entry that is no order",
    ),
    "a side edited": (
        f"UPDATE stops SET side = 'sell' WHERE entry_key = {KEPT}",
        "side or moment is not its entry's",
    ),
    "a moment edited": (
        f"UPDATE stops SET placed_at_ns = 1 WHERE entry_key = {KEPT}",
        "side or moment is not its entry's",
    ),
    "a state that means nothing": (
        f"UPDATE stops SET state = 'gone' WHERE entry_key = {KEPT}",
        "cannot be read",
    ),
    "a price that is no number": (
        f"UPDATE stops SET best_price = 'x' WHERE entry_key = {KEPT}",
        "cannot be read",
    ),
    "a stop that ended on an open position": (
        f"UPDATE stops SET state = 'done', why = 'x' WHERE entry_key = {KEPT}",
        "it is done, and 0.3 of its entry is left",
    ),
    "a stop that does not say why it is done": (
        f"UPDATE stops SET why = '' WHERE entry_key = {DONE}",
        "does not say why",
    ),
    "a stop armed again though its exit was sent": (
        f"UPDATE stops SET state = 'armed' WHERE entry_key = {DONE}",
        "it is armed, and it acted already",
    ),
    "a stop open on a closed position": (
        f"UPDATE stops SET state = 'acted' WHERE entry_key = {DONE}",
        "it is acted, and nothing is left of its entry",
    ),
    "a stop that left more than there was": (
        f"UPDATE stops SET released = '99' WHERE entry_key = {DONE}",
        "more than was filled of its entry",
    ),
    "stops that protect more than is held": (
        "UPDATE stops SET exits = '', released = '0', state = 'armed', cause = ''"
        f" WHERE entry_key = {DONE}",
        "its open stops protect 0.8, and 0.30 is held",
    ),
}


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with stops of each kind, the last of which is far away; not to be changed."""
    folder = tmp_path_factory.mktemp("stopped")
    rows = [((28_333_334 + n) * MINUTE_MS, *candle) for n, candle in enumerate(CANDLES)]
    paths = {"BTC/USDT": write(folder / "candles.csv", rows)}
    strategy = stopped_strategy("s", "BTC/USDT", [*ORDERS, [8, "buy", "0.3", "", 50, 0, 0]])
    config = config_of(folder / "run", paths, strategy=[strategy])
    run_to_end(config, StepRuntime(ttl_enforced=False))
    return folder / "run"


def test_the_stops_of_a_run_agree(stopped_run: Path, ask: Ask) -> None:
    rows = ask("audit", stopped_run)

    assert differing(rows) == set()
    (checked,) = [row["checked"] for row in rows if row["check"] == "stops"]
    stops = ask("orders", "--stops", "--run-dir", stopped_run)
    assert checked == len(stops) > 3
    assert {stop["state"] for stop in stops} == {"armed", "done"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(stopped_run: Path, ask: Ask, tmp_path: Path, fault: str) -> None:
    run = Path(shutil.copytree(stopped_run, tmp_path / "copied"))
    statement, says = FAULTS[fault]
    edit(run / "ledger.db", statement)

    rows = ask("audit", "--run-dir", run, code=1)

    assert differing(rows) == {"stops"}
    (examples,) = [row["examples"] for row in rows if row["check"] == "stops"]
    assert any(says in example for example in examples), examples
