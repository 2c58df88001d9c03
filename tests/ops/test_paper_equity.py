"""What a paper account is worth, and where that cannot be said."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from decisions.money_fold import MoneyFold
from exchanges.paper import PaperVenue
from exchanges.paper_settings import PaperSettings
from messages.ids import Symbol
from ops.config import Config, IdempotencyBackend, VenueType, demo_config
from ops.panel import Panel
from ops.paper_equity import PaperEquity
from tests.ops.test_panel import Shown, head_of

LOSS = {"USDT": Decimal("-0.25")}


def config_in(run_dir: Path, *symbols: str) -> Config:
    config = demo_config({"run_dir": str(run_dir)})
    feed = msgspec.structs.replace(config.feed, symbols=tuple(map(Symbol, symbols)))
    return msgspec.structs.replace(config, feed=feed)


def book_of(run_dir: Path, **balances: str) -> None:
    """Begin a book with these balances."""
    given = {currency: Decimal(amount) for currency, amount in balances.items()}
    PaperVenue(run_dir / "paper.db", PaperSettings(balances=given)).close()


def test_it_is_what_the_book_began_with_and_the_profit_since(tmp_path: Path) -> None:
    equity = PaperEquity(config_in(tmp_path, "BTC/USDT", "ETH/USDC"))
    assert equity.of(LOSS) == {}, "there is no book yet"

    book_of(tmp_path, USDT="500", USDC="7.5")

    assert equity.of(LOSS) == {"USDC": Decimal("7.5"), "USDT": Decimal("499.75")}
    assert equity.of({}) == {"USDC": Decimal("7.5"), "USDT": Decimal("500")}


def test_an_older_book_keeps_what_it_began_with(tmp_path: Path) -> None:
    book_of(tmp_path, USDT="500")
    book_of(tmp_path, USDT="900")

    assert PaperEquity(config_in(tmp_path, "BTC/USDT")).of({}) == {"USDT": Decimal("500")}


@pytest.mark.parametrize(
    "balances",
    [{"USDT": "500", "BTC": "1"}, {"USDT": "500", "EUR": "2"}, {"EUR": "2"}],
    ids=["coins", "another currency", "not the one that is traded"],
)
def test_with_anything_else_in_the_account_it_is_not_said(
    tmp_path: Path, balances: dict[str, str]
) -> None:
    book_of(tmp_path, **balances)

    assert PaperEquity(config_in(tmp_path, "BTC/USDT")).of(LOSS) == {}


def test_nothing_of_something_else_is_nothing(tmp_path: Path) -> None:
    book_of(tmp_path, USDT="500", BTC="0")

    assert PaperEquity(config_in(tmp_path, "BTC/USDT")).of({}) == {"USDT": Decimal("500")}


def test_of_a_real_account_it_is_not_said(tmp_path: Path) -> None:
    book_of(tmp_path, USDT="500")
    config = config_in(tmp_path, "BTC/USDT")
    venue = msgspec.structs.replace(config.venue, type=VenueType.CCXT)

    assert PaperEquity(msgspec.structs.replace(config, venue=venue)).of(LOSS) == {}


def test_of_a_ledger_that_forgets_what_was_earned_it_is_not_said(tmp_path: Path) -> None:
    book_of(tmp_path, USDT="500")
    config = config_in(tmp_path, "BTC/USDT")
    forgets = msgspec.structs.replace(config.idempotency, backend=IdempotencyBackend.MEMORY)

    assert PaperEquity(msgspec.structs.replace(config, idempotency=forgets)).of(LOSS) == {}


def test_the_panel_has_it_beside_the_profit_once_all_of_that_is_known(tmp_path: Path) -> None:
    book_of(tmp_path, USDT="10000")
    panel, console, shown = Panel(config_in(tmp_path, "BTC/USDT")), Console(width=120), Shown()

    assert "profit 0 equity 10000.00 USDT candles" in head_of(panel, console, "", shown)
    shown.money = MoneyFold()
    shown.money.expect()
    assert "profit 0 candles" in head_of(panel, console, "", shown)
