"""Who stands by is warm, decides nothing, and reaches neither the ledger nor the account."""

import hashlib
import os
import re
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from ops.client import NoAnswer, ask
from ops.config import load
from ops.health import HealthOptions, health
from ops.lease import hold_lease
from ops.run_files import CONTROL_SOCKET, STANDBY_SOCKET
from persistence.ledger import SqliteLedger, read_orders
from strategies import check_params
from tests.persistence.postgres_server import why_not
from tests.system.bots import LIMIT_S, Bot
from tests.system.conftest import STRESS
from tests.system.failover import hows, pair
from tests.system.live_bots import ENVIRONMENT, SPEED, live_config, placed, signed, wait_until

pytestmark = pytest.mark.slow
Start = Callable[..., Bot]
PUBLIC = {"ping", "time", "exchange_info", "klines", "subscribe", "connect"}
WARM = re.compile(
    r"standby, warm: [01] candles? behind, lease held by process \d+ on .* for \d\.\d more s"
)


def standing_by(run_dir: Path) -> dict[str, Any]:
    try:
        return ask(run_dir / STANDBY_SOCKET, "health", timeout_s=LIMIT_S)
    except NoAnswer:
        return {}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_KEY", "LOCAL_SECRET"):
        monkeypatch.setenv(name, ENVIRONMENT[name])


@pytest.mark.usefixtures("key")
def test_a_standby_is_warm_and_touches_nothing_until_the_account_is_its_own(
    tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """This test holds the lease, so all that the exchange hears is the standby's."""
    run_dir = tmp_path / "run"
    with running_exchange(seed=5, speed=SPEED) as run:
        path = live_config(tmp_path, run)
        config = load(path, {}, check_params)
        run_dir.mkdir(mode=0o700)
        with hold_lease(config, standby=False, on_lost=os.abort):  # type: ignore[arg-type]  # never called here
            with closing(SqliteLedger(run_dir / "ledger.db")):
                pass  # a ledger without orders
            passive = start(path, "--i-understand-live", "--standby", environment=ENVIRONMENT)
            wait_until(lambda: bool(standing_by(run_dir).get("is_warm")))
            before = digests(run_dir)
            seen = standing_by(run_dir)["strategies"]["s"]
            heard = len(run.exchange.requests())
            wait_until(lambda: len(run.exchange.requests()) > heard)  # candles close meanwhile

            shown = standing_by(run_dir)
            codes = [health(HealthOptions(run_dir, probe=one)) for one in (None, "ready")]
            assert (shown["verdict"], codes) == ("OK", [0, 0])
            assert WARM.search(shown["why"]), shown["why"]
            assert WARM.search(capsys.readouterr().out)
            assert shown["ledger"] == {"orders": 0, "open": 0}
            assert shown["strategies"]["s"][0] >= seen[0] >= 2
            assert shown["strategies"]["s"][1] == seen[1] == 2
            assert passive.events == []
            assert not (run_dir / CONTROL_SOCKET).exists()
            assert digests(run_dir) == before
            asked = run.exchange.requests()
            assert signed(run) == []
            assert {one.operation for one in asked} <= PUBLIC
            assert placed(run) == {}
            last = max(one.number for one in asked)

        passive.until(lambda: bool(passive.of("start")))
        wait_until(lambda: len(run.exchange.orders()) > 0)
        operations = [one.operation for one in run.exchange.requests() if one.number > last]
        assert not (run_dir / STANDBY_SOCKET).exists()
        ended, said = passive.end(signal.SIGTERM)
        assert ended == 0, said

    assert "exchange_info" not in operations, "what is listed was known"
    assert max(placed(run).values()) == 1
    assert {one.client_order_id for one in read_orders(run_dir / "ledger.db")} >= set(placed(run))


@pytest.mark.skipif(not STRESS, reason="a long proof: WATCHKEEPER_STRESS=1")
@pytest.mark.timeout(3_000)
def test_whatever_ends_the_active_one_the_warm_one_takes_over_and_no_order_is_doubled(
    tmp_path: Path,
) -> None:
    """`python -m tests.system.failover` does it fifty times and prints how long it took."""
    if reason := why_not():
        pytest.skip(reason)
    with pair(tmp_path) as two:
        found = [two.turn(how, is_warm=is_warm) for how in hows() for is_warm in (False, True)]
        two.settled()

    assert all(one.over_to_taken >= 0 for one in found)
