"""`ledger backup`, `restore` and `accept` as they are typed, on paper runs."""

import json
import os
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from messages.errors import ConfigError
from messages.lineage import ACCEPTED, COPIED
from messages.stops import Stop, StopState
from ops.ledger_copies import accept
from ops.run_dir import RunDir
from persistence.ledger import SqliteLedger, read_orders
from tests.cli.runs import command, real_run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return real_run(tmp_path / "run", "demo", 300)


def note(run_dir: Path, name: str) -> str | None:
    ledger = SqliteLedger(run_dir / "ledger.db")
    try:
        return ledger.note(name)
    finally:
        ledger.close()


@pytest.mark.parametrize("copy", ["run", "copy.db"])
def test_without_a_copy_nothing_is_made_that_looks_like_a_run(
    tmp_path: Path, copy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the two are named in the order of `backup`; its lock is a sign of a run."""
    (tmp_path / "run").mkdir()

    assert cli.main(["ledger", "restore", str(tmp_path / copy), str(tmp_path / "other")]) == 2

    said = capsys.readouterr().err
    assert f"there is no file {tmp_path / copy}: the copy is named first" in said
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_from_a_copy_to_trading_again(run_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.ledger"
    done = command("ledger", "backup", str(run_dir), str(copy), "--json")
    told = json.loads(done.stdout)
    count = len([*read_orders(run_dir / "ledger.db")])
    assert (done.returncode, told["ok"], told["orders"]) == (0, True, count)
    assert command("ledger", "backup", str(run_dir), str(copy)).returncode == 2, "it is there"

    refused = command("ledger", "restore", str(copy), str(run_dir))
    assert refused.returncode == 2
    assert "--replace" in refused.stderr

    done = command("ledger", "restore", str(copy), str(run_dir), "--replace")
    assert done.returncode == 0, done.stderr
    assert "It is halted: this ledger is a copy of " in done.stdout
    assert len(list(run_dir.glob("ledger.db.before-a-copy-*"))) == 1
    shown = command("health", "--run-dir", str(run_dir))
    assert "; trading is halted (this ledger is a copy of " in shown.stdout

    resumed = command("resume", str(run_dir), "--despite-open")
    assert resumed.returncode == 1
    assert "ledger accept" in resumed.stderr

    started = command("start", "examples/demo.toml", "--run-dir", str(run_dir), "--max-events", "9",
                      "--json", cwd=Path(__file__).parents[2])  # fmt: skip
    assert started.returncode == 1, "halted from its beginning to its end"
    assert note(run_dir, COPIED) is not None

    done = command("ledger", "accept", str(run_dir), "--evidence", "compared by hand")
    assert done.returncode == 0, done.stderr
    assert not note(run_dir, COPIED)
    assert "compared by hand" in (note(run_dir, ACCEPTED) or "")
    again = command("ledger", "accept", str(run_dir), "--evidence", "x")
    assert (again.returncode, "is no copy" in again.stderr) == (1, True)
    config = (run_dir / "config.effective.toml").rename(tmp_path / "config.toml")
    refused = command("resume", str(run_dir))
    assert (refused.returncode, "--config CONFIG" in refused.stderr) == (1, True), refused.stderr
    assert command("resume", str(run_dir), "--config", str(config)).returncode == 0


@pytest.mark.slow
def test_a_directory_that_a_process_has_is_left_alone(run_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.ledger"
    assert command("ledger", "backup", str(run_dir), str(copy)).returncode == 0
    before = (run_dir / "ledger.db").read_bytes()
    with RunDir(run_dir):
        done = command("ledger", "restore", str(copy), str(run_dir), "--replace")
    assert done.returncode == 2
    assert f"in use by process {os.getpid()}" in done.stderr
    assert (run_dir / "ledger.db").read_bytes() == before


def with_a_stop(run_dir: Path) -> None:
    ledger = SqliteLedger(run_dir / "ledger.db")
    order = next(iter(ledger.entries()))
    stop = Stop(
        entry_key=order.order_key,
        account=order.account,
        strategy_id=order.strategy_id,
        symbol=order.symbol,
        side=order.side,
        stop_loss=Decimal(1),
        take_profit=None,
        trails_by=None,
        reference_price=Decimal(2),
        is_limit=False,
        placed_at_ns=order.decided_at_ns,
        state=StopState.ARMED,
        best_price=Decimal(2),
        looked_at_ns=order.decided_at_ns,
    )
    ledger.write((), (), 0, {}, [stop])
    ledger.close()


@pytest.mark.slow
def test_a_ledger_that_was_put_back_by_other_means_is_marked_by_hand(run_dir: Path) -> None:
    """Of its stops nobody knows whether they have acted since, so a person says it."""
    with_a_stop(run_dir)
    assert command("ledger", "mark", str(run_dir)).returncode == 0
    refused = command("resume", str(run_dir), "--despite-open")
    assert (refused.returncode, "this ledger is a copy" in refused.stderr) == (1, True)
    accept = ("ledger", "accept", str(run_dir), "--evidence")
    refused = command(*accept, "x")
    assert (refused.returncode, "the copy has 1 stops" in refused.stderr) == (1, True)
    assert note(run_dir, COPIED) is not None
    assert command(*accept, "sold by hand", "--stops", "end").returncode == 0
    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        (stop,) = ledger.stops(done_too=True)
    assert (stop.state, "sold by hand" in stop.why) == (StopState.DONE, True)
    assert command("resume", str(run_dir)).returncode == 0


def test_no_evidence_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="say what you have compared"):
        accept(
            tmp_path,
            " ",
            config_path=None,
            despite_open=False,
            stops=None,
            as_json=False,
            timeout_s=1,
        )


@pytest.mark.slow
def test_without_a_ledger_there_is_nothing_to_copy_or_accept(tmp_path: Path) -> None:
    (tmp_path / "status.json").touch()
    done = command("ledger", "backup", str(tmp_path), str(tmp_path / "copy"))
    assert (done.returncode, "no ledger in" in done.stderr) == (3, True)
    done = command("ledger", "accept", str(tmp_path), "--evidence", "x")
    assert done.returncode == 3


@pytest.mark.slow
def test_where_the_venue_cannot_be_asked_nothing_is_accepted(run_dir: Path, tmp_path: Path) -> None:
    """On another machine: a ledger alone, and no configuration that says which venue."""
    copy, other = tmp_path / "copy.ledger", tmp_path / "other"
    command("ledger", "backup", str(run_dir), str(copy))
    assert command("ledger", "restore", str(copy), str(other)).returncode == 0

    done = command("ledger", "accept", str(other), "--evidence", "x", "--timeout", "5")

    assert done.returncode == 1
    assert "NOT proved" in done.stderr
    assert note(other, COPIED) is not None


LIVE = """
name = "x"
mode = "live"
[feed]
type = "ccxt"
[venue]
type = "ccxt"
exchange = "binance"
api_key_env = "NO_KEY"
api_secret_env = "NO_SECRET"
[[strategy]]
id = "a"
uses = "sma_cross"
[risk]
max_order_notional = "10"
"""


@pytest.mark.slow
def test_another_account_is_not_asked_for_its_orders_would_be_found_absent_there(
    run_dir: Path, tmp_path: Path
) -> None:
    assert command("ledger", "mark", str(run_dir)).returncode == 0
    (tmp_path / "live.toml").write_text(LIVE)
    done = command(
        *("ledger", "accept", str(run_dir), "--evidence", "x"),
        *("--config", str(tmp_path / "live.toml"), "--timeout", "5"),
    )
    assert done.returncode == 1
    assert "holds the orders of another account (paper)" in done.stderr
    assert note(run_dir, COPIED) is not None
