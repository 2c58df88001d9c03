"""The rest of the world: where its prices come from, and that it is the same each time."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.local.candles import MINUTE_MS, Bars, flat_bar
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.filters import rules_for
from exchanges.local.orders import OrderKind, Placement, Status
from exchanges.local.settings import Settings
from messages.values import Side

BTC = "BTC/USDT"
RECORDED_MS = 28_000_000 * MINUTE_MS


def write_candles(path: Path, closes: list[str]) -> Path:
    rows = ["ts,open,high,low,close,volume"]
    for minute, close in enumerate(closes):
        high, low = Decimal(close) + 1, Decimal(close) - 1
        rows.append(f"{RECORDED_MS + minute * MINUTE_MS},{close},{high},{low},{close},10")
    path.write_text("\n".join(rows) + "\n")
    return path


def make(**changes: Any) -> LocalExchange:
    return LocalExchange(Settings(**({"speed": 0.0} | changes)))


def path_of(exchange: LocalExchange, symbol: str = BTC) -> list[Decimal]:
    prices = []
    for _ in range(20):
        exchange.advance(7)
        prices.append(exchange.players[symbol].mid)
    return prices


@pytest.mark.slow
def test_the_path_is_a_function_of_the_seed_and_not_of_what_is_traded_nor_how_it_is_cut() -> None:
    once, again, other = make(seed=3), make(seed=3), make(seed=4)
    for _ in range(140):
        again.advance(1)

    assert path_of(once)[-1] == again.players[BTC].mid
    assert path_of(once) != path_of(other)
    assert once.players[BTC].mid != once.players["ETH/USDT"].mid


@pytest.mark.slow
def test_the_book_never_crosses_and_surrounds_the_price() -> None:
    exchange = make()
    for _ in range(100):
        exchange.advance(3)
        book, mid = exchange.engine.books[BTC], exchange.players[BTC].mid
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        assert bid is not None
        assert ask is not None
        assert bid < mid < ask
        assert all(17 <= len(book.levels(side)) <= 20 for side in Side)


@pytest.mark.slow
def test_a_recording_plays_as_if_it_were_now(tmp_path: Path) -> None:
    closes = [str(100 + minute) for minute in range(40)]
    exchange = make(symbols=(BTC, "ETH/USDT"), candles=write_candles(tmp_path / "c.csv", closes))
    bars = exchange.players[BTC].bars.of("1m")
    start_ms = exchange.clock.market_ns() // 1_000_000
    exchange.advance(600)

    # Of a short recording half is history.
    assert [bar.close for bar in bars[:20]] == [Decimal(close) for close in closes[:20]]
    assert bars[19].close_ms + 1 == start_ms
    assert exchange.players[BTC].mid == 130
    assert exchange.players["ETH/USDT"].mid > 1_000
    played = exchange.players[BTC].bars.of("1m")[20:30]
    assert [round(bar.close) for bar in played] == list(range(120, 130))
    assert all(bar.high - bar.low > 1 for bar in played)


def test_at_the_end_of_a_recording_the_market_stands(tmp_path: Path) -> None:
    exchange = make(candles=write_candles(tmp_path / "c.csv", ["100", "101"]))
    exchange.advance(100)
    exchange.advance(100)

    assert exchange.players[BTC].mid == 101
    assert exchange.engine.books[BTC].best(Side.SELL) is not None


@pytest.mark.slow
def test_recorded_trades_are_followed_too(recorded: Path) -> None:
    path = recorded / "trades" / "binance_XRP_ETH-trades.parquet"
    exchange = make(symbols=("XRP/ETH",), candles=path)
    exchange.advance(600)
    market, player = exchange.engine.market("XRP/ETH"), exchange.players["XRP/ETH"]

    assert Decimal("0.001") < player.mid < Decimal("0.002")
    assert market.tick <= Decimal("0.0000001")
    assert player.recent
    assert len(exchange.engine.books["XRP/ETH"].levels(Side.BUY)) > 15


@pytest.mark.parametrize(
    ("symbol", "price", "tick", "least"),
    [
        ("BTC/USDT", "61000", "0.01", "5"),
        ("DOGE/USDT", "0.31", "0.00001", "5"),
        ("ETH/BTC", "0.031", "0.000001", "0.0001"),
        ("PEPE/USDT", "0.00000912", "0.00000001", "5"),
    ],
)
def test_the_rules_suit_the_price(symbol: str, price: str, tick: str, least: str) -> None:
    rules = rules_for(symbol, Decimal(price))

    assert (rules.tick, rules.min_notional) == (Decimal(tick), Decimal(least))


def test_a_thin_book_leaves_a_step_and_a_deep_one_much() -> None:
    exchange = make()
    exchange.set_liquidity(BTC, Decimal(0))
    thin = exchange.engine.books[BTC].levels(Side.SELL)
    exchange.set_liquidity(BTC, Decimal(100))
    deep = exchange.engine.books[BTC].levels(Side.SELL)

    assert [quantity for _, quantity in thin] == [Decimal("0.00001")]
    assert deep[0][1] > 1


def test_a_price_that_is_set_stays_until_it_is_released() -> None:
    exchange = make()
    exchange.set_price(BTC, Decimal(42_000))
    exchange.advance(60)
    pinned = exchange.players[BTC].mid
    exchange.release_price(BTC)
    exchange.advance(60)

    assert pinned == 42_000
    assert exchange.players[BTC].mid > 50_000


def test_minutes_without_trades_are_flat_and_longer_bars_are_sums() -> None:
    bars = Bars()
    for minute, price in ((0, 5), (3, 7), (4, 6), (5, 9)):
        bar = flat_bar(minute * MINUTE_MS, Decimal(price))
        bar.volume = Decimal(1)
        bars.put(bar)

    assert [(int(bar.close), int(bar.volume)) for bar in bars.of("1m")] == [
        (5, 1), (5, 0), (5, 0), (7, 1), (6, 1), (9, 1),
    ]  # fmt: skip
    first, last = bars.of("5m")
    amounts = (first.open, first.high, first.low, first.close, first.volume)
    assert list(map(int, amounts)) == [5, 7, 5, 6, 3]
    assert (last.open_ms, int(last.close)) == (5 * MINUTE_MS, 9)
    assert [bar.open_ms for bar in bars.recent("1m", 3 * MINUTE_MS)] == [
        minute * MINUTE_MS for minute in (3, 4, 5)
    ]


def test_an_own_order_bears_the_accounts_time_and_not_a_fast_markets() -> None:
    exchange = make()
    exchange.advance(120)
    began_ns = exchange.clock.now_ns()
    below = Placement(
        symbol=BTC,
        client_order_id="a",
        side=Side.SELL,
        kind=OrderKind.LIMIT,
        quantity=Decimal("0.001"),
        price=exchange.players[BTC].mid.quantize(Decimal(1)) - 1_000,
    )
    resting, _ = exchange.place(below, Plan(fault=Fault.NO_FILL))

    exchange.advance(5)
    (order,), (trade,) = exchange.orders(), exchange.trades()

    assert resting.is_open
    assert order.status is Status.FILLED
    assert began_ns <= order.ts_created_ns <= trade.ts_ns <= exchange.clock.now_ns()
    assert order.ts_updated_ns == trade.ts_ns


def test_what_an_order_trades_is_public_at_the_markets_time() -> None:
    exchange = make()
    exchange.advance(120)
    at_once = Placement(
        symbol=BTC,
        client_order_id="a",
        side=Side.BUY,
        kind=OrderKind.MARKET,
        quantity=Decimal("0.001"),
    )

    _, (trade,) = exchange.place(at_once)

    assert exchange.players[BTC].recent[-1].ts_ns == exchange.clock.market_ns()
    assert trade.ts_ns <= exchange.clock.now_ns()
