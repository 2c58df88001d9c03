"""Builders for whole systems: a config, a run directory, a runtime, and a run to its end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import strategies
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from exchanges.paper_book import read_book
from ops.config import Config, parse
from ops.run_dir import RunDir
from ops.wiring import System, build
from persistence.ledger import read_orders
from tests.system.bots import Bot

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
_BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
DATA = Path(os.environ.get("WATCHKEEPER_DATA") or _BESIDE)
WEEK = DATA / "candles_1m" / "permissive" / "binance_BTCUSDT_2026-06.csv.gz"


@pytest.fixture
def week() -> Path:
    """The recorded week of BTC/USDT, where it is at hand."""
    if not WEEK.exists():
        pytest.skip(f"recorded market data is not at hand ({WEEK})")
    return WEEK


def config_of(run_dir: Path, paths: dict[str, Path], **changes: Any) -> Config:
    """A replay of `paths` with sma_cross 10/30 on each symbol; `changes` go by table."""
    document: dict[str, Any] = {
        "name": "test",
        "run_dir": str(run_dir),
        "feed": {
            "type": "replay",
            "path": {symbol: str(path) for symbol, path in paths.items()},
            "symbols": list(paths),
        },
        "strategy": [
            {
                "id": f"sma-{place}",
                "uses": "sma_cross",
                "symbol": symbol,
                "params": {"fast": 10, "slow": 30},
            }
            for place, symbol in enumerate(paths, 1)
        ],
    }
    for table, values in changes.items():
        if isinstance(values, dict):
            document[table] = {**document.get(table, {}), **values}
        else:
            document[table] = values
    return parse(document, Path.cwd(), strategies.check_params)


def run_to_end(
    config: Config, runtime: Runtime, *, at_start: Callable[[System], None] | None = None
) -> System:
    """Run until the market ends; the run directory is held meanwhile."""
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime)
        started = runtime.start(system.root, 60_000_000_000)
        assert not started.problem, started.problem
        life = system.root.life
        assert life is not None
        if at_start is not None:
            at_start(system)
        if isinstance(runtime, StepRuntime):
            runtime.run_until(life.gone.is_set)
        else:
            life.gone.wait(240)
        assert life.gone.is_set(), "the run did not end"
    return system


def orders_at_venue(run_dir: Path) -> list[tuple[Any, ...]]:
    """What the paper exchange's own book says, in the order of decisions."""
    return sorted(
        (
            row.decided_at_ns,
            row.symbol,
            str(row.side),
            row.quantity,
            str(row.state),
            row.filled_quantity,
            row.average_price,
            row.client_order_id,
        )
        for row in read_book(run_dir / "paper.db")
    )


def orders_in_ledger(run_dir: Path) -> list[tuple[Any, ...]]:
    """What the run itself believes of its orders."""
    return sorted(
        (order.order_key, str(order.state), order.filled_quantity, order.average_price)
        for order in read_orders(run_dir / "ledger.db")
    )


@pytest.fixture(params=["threads", "steps"])
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """A runtime of each kind; a recording's messages do not grow too old."""
    if request.param == "threads":
        yield ThreadRuntime(ttl_enforced=False)
    else:
        yield StepRuntime(ttl_enforced=False)


@pytest.fixture
def start() -> Iterator[Callable[..., Bot]]:
    bots: list[Bot] = []

    def make(*arguments: Any, **more: Any) -> Bot:
        bots.append(Bot(*map(str, arguments), **more))
        return bots[-1]

    yield make
    for bot in bots:
        bot.kill()
