"""A strategy on a live market begins with what its earlier processes have left it."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loguru import logger

from actors.strategy import Kept
from decisions.order_keys import client_order_id
from decisions.order_wishes import CANCELS, Wish
from decisions.stops import stop_of
from decisions.strategy import StrategyMemory, new_memory
from decisions.unfinished_exits import LEAVING, Unfinished, note_of
from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_S, StrategyId, Symbol
from messages.values import OrderState, Protection, Side
from ops.config import parse
from ops.earlier_positions import EarlierPositions
from persistence.entries import fingerprint
from persistence.ledger import Claim, Ledger, SqliteLedger
from persistence.memory_ledger import MemoryLedger
from tests.cli.runs import BTC, CLOCK, T0, Book, book, fill, intent

ETH = Symbol("ETH/USDT")
A, B = StrategyId("a"), StrategyId("b")
CONFIG = {
    "name": "x",
    "feed": {"type": "ccxt", "symbols": [BTC, ETH]},
    "venue": {"exchange": "binance"},
    "strategy": [
        {"id": "a", "uses": "sma_cross", "symbol": BTC, "params": {"fast": 1, "slow": 2}},
        {"id": "b", "uses": "x.py:X", "symbols": [BTC, ETH]},
    ],
}


def filled(run: Book, number: int, side: Side, quantity: str, **changes: Any) -> None:
    amount = Decimal(quantity)
    key = run.claim(number, side=side, quantity=amount, **changes)
    run.step(key, OrderState.FILLED, fill(f"t{number}", quantity))


def exit_that_fees_made_smaller(
    run: Book, number: int, decided: str, sent: str, state: OrderState = OrderState.FILLED
) -> None:
    reason = f"out; of {decided}, fees have left {sent}"
    wish = intent(number, side=Side.SELL, quantity=Decimal(sent), reason=reason)
    claim = Claim(
        intent=wish,
        fingerprint=fingerprint(wish),
        client_order_id=client_order_id(wish.order_key),
        refused=None,
        sent=True,
        decided_quantity=Decimal(decided),
    )
    run.ledger.claim([claim], run.tick())
    if state is OrderState.FILLED:
        run.step(wish.order_key, state, fill(f"t{number}", sent))
    elif state is not OrderState.SENT:
        run.step(wish.order_key, state)


def opening(
    path: Path, open_ledger: Callable[[], Ledger] | None = None
) -> tuple[Callable[[], Ledger], dict[StrategyId, Kept]]:
    kept = {one: Kept(new_memory(0)) for one in (A, B)}
    strategies = parse(CONFIG, Path()).strategies
    earlier = EarlierPositions(
        path / "ledger.db", kept, strategies, lambda: CLOCK, max_age_ns=7_200 * NS_PER_S
    )
    return earlier.opening(open_ledger or (lambda: SqliteLedger(path / "ledger.db"))), kept


def begun(path: Path) -> dict[StrategyId, StrategyMemory]:
    opened, kept = opening(path)
    opened().close()
    return {one: holds.memory for one, holds in kept.items()}


def test_in_a_new_run_nothing_is_held(tmp_path: Path) -> None:
    memories = begun(tmp_path)

    assert memories[A].position == 0
    assert memories[A].decided_until == {}
    assert memories[B].positions(BTC) == {BTC: 0, ETH: 0}


def test_each_strategy_holds_what_its_own_orders_filled_and_may_yet_fill(tmp_path: Path) -> None:
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2")
        filled(run, 2, Side.SELL, "0.5")
        run.claim(3, quantity=Decimal("0.25"))  # sent, and not answered
        run.claim(4, refused="max_order_notional: too large", quantity=Decimal(100))
        filled(run, 5, Side.BUY, "3", strategy_id=B, symbol=ETH)
        run.step(run.claim(6, quantity=Decimal(7)), OrderState.REJECTED)

    memories = begun(tmp_path)

    assert memories[A].position == Decimal("1.75")
    assert memories[B].positions(BTC) == {BTC: 0, ETH: 3}


def test_what_fees_took_from_an_exit_is_held_by_nobody(tmp_path: Path) -> None:
    """Or a strategy that is out would think itself in, by a few cents, and never enter again."""
    with book(tmp_path) as run:
        for number in (1, 3):
            filled(run, number, Side.BUY, "2")
            exit_that_fees_made_smaller(run, number + 1, decided="2", sent="1.998")
        filled(run, 5, Side.BUY, "1")

    assert begun(tmp_path)[A].position == 1


@pytest.mark.parametrize(
    ("state", "held"),
    [(OrderState.SENT, "0"), (OrderState.UNKNOWN, "0"), (OrderState.REJECTED, "2")],
)
def test_an_exit_under_way_counts_as_decided_and_one_that_was_rejected_not(
    tmp_path: Path, state: OrderState, held: str
) -> None:
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2")
        exit_that_fees_made_smaller(run, 2, decided="2", sent="1.998", state=state)

    assert begun(tmp_path)[A].position == Decimal(held)


def test_what_no_strategy_of_the_config_has_is_warned_of(tmp_path: Path) -> None:
    """One was renamed, one lost its symbol: nobody would leave that, and nobody said so."""
    old = StrategyId("old")
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2", strategy_id=old)
        run.claim(2, strategy_id=old, symbol=ETH, quantity=Decimal(3))
        filled(run, 3, Side.BUY, "5", symbol=ETH)
        filled(run, 4, Side.BUY, "7")
        filled(run, 5, Side.BUY, "1", strategy_id=StrategyId("out"))
        filled(run, 6, Side.SELL, "1", strategy_id=StrategyId("out"))
    told: list[str] = []
    sink = logger.add(lambda message: told.append(message.record["message"]), level="WARNING")

    begun(tmp_path)
    logger.remove(sink)

    assert [text.partition(" and does")[0] for text in told] == [
        "strategy a holds or may yet hold 5 of ETH/USDT, with 0 orders open,",
        "strategy old holds or may yet hold 2 of BTC/USDT, with 0 orders open,",
        "strategy old holds or may yet hold 3 of ETH/USDT, with 1 orders open,",
    ]


def test_what_a_stop_would_leave_is_not_said_to_be_left_by_nobody(tmp_path: Path) -> None:
    """Its strategy was renamed; `a` trades its market, so that the stop acts."""
    with book(tmp_path) as run:
        wish: dict[str, Any] = {
            "quantity": Decimal(2),
            "strategy_id": StrategyId("old"),
            "protection": Protection(stop_loss=Decimal(90)),
        }
        filled(run, 2, Side.BUY, "2", strategy_id=StrategyId("bare"))
        key = run.claim(1, **wish)
        stop = stop_of(intent(1, **wish))
        assert stop is not None
        run.ledger.write((), (), run.tick(), {}, [stop])
        run.step(key, OrderState.FILLED, fill("t1", "2"))
    told: list[str] = []
    sink = logger.add(lambda message: told.append(message.record["message"]), level="WARNING")

    begun(tmp_path)
    logger.remove(sink)

    assert ["nobody leaves it" in text for text in told] == [True, False]
    assert "does not trade that by this config: its stops alone leave it (give" in told[1]


def test_what_was_decided_is_not_decided_again_even_if_it_was_refused(tmp_path: Path) -> None:
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2")
        run.claim(9, refused="cooldown_ms: too soon")

    memories = begun(tmp_path)

    assert memories[A].decided_until == {BTC: T0 + 9 * NS_PER_S}
    assert memories[B].decided_until == {}


def test_what_is_decided_already_is_known_of_each_symbol_by_itself(tmp_path: Path) -> None:
    """Of two orders of one moment the process may have died between."""
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2", strategy_id=B, symbol=ETH)
        filled(run, 9, Side.BUY, "2", strategy_id=B)
        filled(run, 5, Side.BUY, "2", strategy_id=B)

    assert begun(tmp_path)[B].decided_until == {ETH: T0 + NS_PER_S, BTC: T0 + 9 * NS_PER_S}


def test_nor_is_what_waits_until_another_order_has_ended(tmp_path: Path) -> None:
    """Otherwise decided, for its strategy begins anew, it would be a conflict under its key."""
    with book(tmp_path) as run:
        first = run.claim(1)
        wish = Wish(order_key=first, reason="", replacement=intent(9, replaces=first))
        note = msgspec.json.encode([wish]).decode()
        run.ledger.write((), (), run.tick(), {CANCELS: note})

    assert begun(tmp_path)[A].decided_until == {BTC: T0 + 9 * NS_PER_S}


def test_nor_is_an_exit_that_waits_for_its_entry(tmp_path: Path) -> None:
    """Decided again it would be one that its new process has refused already, and nobody's."""
    with book(tmp_path) as run:
        run.claim(1)
        leaves = intent(9, side=Side.SELL, leaves=Decimal(1))
        run.ledger.write((), (), run.tick(), {LEAVING: note_of(Unfinished(waiting=(leaves,)))})

    assert begun(tmp_path)[A].decided_until == {BTC: T0 + 9 * NS_PER_S}


def test_another_incarnation_of_the_executor_changes_no_position(tmp_path: Path) -> None:
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2")
    opened, kept = opening(tmp_path)
    opened().close()
    kept[A].memory.position = Decimal(5)  # it has decided since

    opened().close()

    assert kept[A].memory.position == 5


def test_a_ledger_that_cannot_be_read_is_no_flat_position(tmp_path: Path) -> None:
    with book(tmp_path) as run:
        filled(run, 1, Side.BUY, "2")
    away = [True]

    class Away(SqliteLedger):
        def strategy_exposure(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
            if away.pop():
                away.append(False)
                raise LedgerUnavailable("the disk is gone")
            return super().strategy_exposure()

    opened, kept = opening(tmp_path, lambda: Away(tmp_path / "ledger.db"))
    with pytest.raises(LedgerUnavailable):
        opened()
    assert kept[A].memory.position == 0

    opened().close()

    assert kept[A].memory.position == 2


def test_a_ledger_in_memory_remembers_nobody(tmp_path: Path) -> None:
    opened, kept = opening(tmp_path, MemoryLedger)

    opened().close()

    assert kept[A].memory.position == 0
