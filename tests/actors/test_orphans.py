"""What a strategy holds that the config has no more is told, until a person says that he knows."""

from pathlib import Path

import pytest

from actors.account_desk import AccountSettings, AccountView
from messages.account import AcceptAccount
from messages.ids import NS_PER_S, StrategyId, Symbol
from messages.values import OrderState as S
from messages.values import Side
from tests.actors.order_path import BTC
from tests.actors.stopped_path import AGE_NS, Stopped

ONE, ETH = StrategyId("one"), Symbol("ETH/USDT")


def path(folder: Path, *traded: tuple[StrategyId, Symbol]) -> Stopped:
    settings = AccountSettings(symbols=(BTC,), interval_ns=60 * NS_PER_S, halts=False)
    return Stopped(
        folder,
        max_decision_age_ns=AGE_NS,
        account=(settings, AccountView()),
        traded=traded,
    ).start()


@pytest.fixture
def bought(tmp_path: Path) -> Path:
    """One bitcoin, by `one`."""
    desk = path(tmp_path, (ONE, BTC))
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    assert desk.cell.problem == ""
    desk.stop()
    return tmp_path


@pytest.mark.parametrize("trades", [(StrategyId("new"), BTC), (ONE, ETH)], ids=["id", "symbol"])
def test_what_nobody_trades_any_more_is_a_warning(
    bought: Path, trades: tuple[StrategyId, Symbol]
) -> None:
    """The log said so once, at the start."""
    desk = path(bought, trades)

    problem = desk.cell.problem
    assert "one holds or may yet hold 1 BTC/USDT and does not trade that by this config" in problem
    assert "give it its id and symbol back" in problem
    assert desk.matters() == {"not_traded": problem}


def test_where_the_config_has_it_there_is_nothing_to_tell(bought: Path) -> None:
    assert path(bought, (ONE, BTC)).cell.problem == ""


def test_on_a_played_venue_it_is_no_money(bought: Path) -> None:
    assert path(bought).cell.problem == ""


def test_a_person_who_knows_is_not_told_again_until_it_changes(bought: Path) -> None:
    desk = path(bought, (ONE, ETH))

    desk.tell(AcceptAccount(reason="they are mine now"))
    assert desk.cell.problem == ""
    desk.stop()
    desk = path(bought, (ONE, ETH))
    assert desk.cell.problem == ""
    desk.tell(desk.intent(1, Side.BUY))

    desk.fills(1, "1", S.FILLED)
    desk.inside(lambda it: it._health.show())
    assert "may yet hold 2 BTC/USDT" in desk.cell.problem


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("0", "its stops alone leave it"),
        ("0.5", "its stops alone leave 1 of it, and nobody the rest"),
    ],
)
def test_what_a_stop_would_leave_is_not_said_to_be_left_by_nobody(
    tmp_path: Path, more: str, said: str
) -> None:
    """Another strategy trades the market, so that the stop is shown it."""
    desk = path(tmp_path, (ONE, BTC)).enter()
    if more != "0":
        desk.tell(desk.intent(1))
        desk.fills(1, more, S.PARTIALLY_FILLED)
        desk.fills(1, more, S.CANCELED)
    desk.stop()

    problem = path(tmp_path, (StrategyId("new"), BTC)).cell.problem

    assert f"does not trade that by this config: {said}; give it its id" in problem


def test_a_stop_whose_market_nobody_sees_leaves_nothing(tmp_path: Path) -> None:
    path(tmp_path, (ONE, BTC)).enter().stop()

    desk = path(tmp_path, (ONE, ETH))
    desk.gateway.symbols = (ETH,)
    desk.start()

    assert "nobody leaves it" in desk.matters()["not_traded"]
