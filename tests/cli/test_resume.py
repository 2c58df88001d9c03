"""`resume` of a run whose process is gone: what it ends, and what it does not promise."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from actors.risk_books import EQUITY
from decisions.halting import HaltRecord, OrderedBy, text_of
from decisions.risk_equity import EquityBook, QuoteEquity
from messages.ids import TimestampNs
from messages.lineage import COPIED, UNKNOWN
from messages.lineage import text_of as mark_of
from tests.cli.runs import book

CONFIG = """
name = "fallen"
run_dir = "{run_dir}"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
[[strategy]]
id = "s"
uses = "sma_cross"
[risk]
max_drawdown = "5"
"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Where a run has ended that was 6 USDT below its peak."""
    run_dir = tmp_path / "run"
    fallen = QuoteEquity(equity=Decimal(-4), peak=Decimal(2), drawdown=Decimal(6))
    with book(run_dir) as opened:
        opened.claim()
        keep(opened.ledger, EQUITY, EquityBook(quotes={"USDT": fallen}))
    (run_dir / "config.effective.toml").write_text(CONFIG.format(run_dir=run_dir))
    return run_dir


def keep(ledger: Any, name: str, what: object) -> None:
    ledger.write((), (), 0, {name: msgspec.json.encode(what).decode()})


def drawdown(run_dir: Path) -> Decimal:
    with book(run_dir) as opened:
        kept = msgspec.json.decode(opened.ledger.note(EQUITY) or "", type=EquityBook)
    return kept.quotes["USDT"].drawdown


def halt(run_dir: Path) -> None:
    record = HaltRecord(reason="look", ordered_by=OrderedBy.PERSON, at_ns=TimestampNs(1))
    with book(run_dir) as opened:
        opened.ledger.set_halt(text_of(record))


def test_with_the_halt_the_drawdown_ends(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It said that the next start trades, which then refused all that adds risk."""
    halt(run_dir)

    assert cli.main(["resume", str(run_dir), "--despite-open"]) == 0

    said = "the next start trades; the drawdown begins anew (it was halted: look)\n"
    assert capsys.readouterr().out == said
    assert drawdown(run_dir) == 0


def test_where_nothing_is_halted_it_ends_by_itself(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["resume", str(run_dir)]) == 0
    assert cli.main(["resume", str(run_dir)]) == 1

    said = capsys.readouterr()
    assert said.out == "the drawdown begins anew at the last equity that is known\n"
    assert said.err == "watchkeeper: trading is not halted\n"
    assert drawdown(run_dir) == 0


def test_what_the_limit_allows_is_not_forgotten(run_dir: Path) -> None:
    config = run_dir / "config.effective.toml"
    config.write_text(config.read_text().replace('"5"', '"7"'))
    halt(run_dir)

    assert cli.main(["resume", str(run_dir), "--despite-open"]) == 0

    assert drawdown(run_dir) == 6


def test_without_a_config_the_halt_ends_and_the_drawdown_stays(run_dir: Path) -> None:
    (run_dir / "config.effective.toml").unlink()
    halt(run_dir)

    assert cli.main(["resume", str(run_dir), "--despite-open"]) == 0

    assert drawdown(run_dir) == 6


def test_a_copy_is_halted_though_nothing_says_so_yet(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A start halts for it; "trading is not halted" was not true."""
    with book(run_dir) as opened:
        opened.ledger.write((), (), 0, {COPIED: mark_of(UNKNOWN)})

    assert cli.main(["resume", str(run_dir)]) == 1

    assert "not halted" not in capsys.readouterr().err
    assert drawdown(run_dir) == 6


def test_a_ledger_that_lacks_an_order_is_not_said_to_trade_at_the_next_start(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The halt had said that nothing is proved for that; the start is refused for it."""
    halt(run_dir)
    (run_dir / "status.json").write_text('{"newest_claim": "01ff", "captured_at_ns": 9}')

    assert cli.main(["resume", str(run_dir), "--despite-open"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert "its ledger does not know order 01ff" in said.err
    with book(run_dir) as opened:
        assert opened.ledger.halt_reason() is not None
