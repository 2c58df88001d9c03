"""What one market event gives to one order."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from exchanges.matching import Offer, Terms, offer
from exchanges.protocol import NewOrder
from messages.ids import Symbol, TimestampNs
from messages.market import Candle, Tick, Trade
from messages.values import Instrument, Liquidity, Side

BTC = Symbol("BTC/USDT")
TERMS = Terms(
    instrument=Instrument(symbol=BTC),
    maker_fee_rate=Decimal("0.001"),
    taker_fee_rate=Decimal("0.001"),
    slippage_rate=Decimal("0.0001"),
    participation=Decimal("0.1"),
)
MakeOrder = Callable[..., NewOrder]
MakeCandle = Callable[..., Candle]


def trade(price: str, quantity: str) -> Trade:
    return Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=Decimal(quantity),
        aggressor_side=None,
        ts_event_ns=TimestampNs(1),
    )


def tick(bid: str, ask: str) -> Tick:
    return Tick(
        symbol=BTC,
        bid_price=Decimal(bid),
        ask_price=Decimal(ask),
        ts_event_ns=TimestampNs(1),
        ts_received_ns=TimestampNs(1),
    )


@pytest.mark.parametrize(
    ("side", "opened", "price"),
    [
        (Side.BUY, "100", "100.01"),
        (Side.SELL, "100", "99.99"),
        (Side.BUY, "100.05", "100.07"),
        (Side.SELL, "100.05", "100.03"),
    ],
)
def test_a_market_order_pays_the_open_and_slippage_rounded_away_from_it(
    order: MakeOrder, candle: MakeCandle, side: Side, opened: str, price: str
) -> None:
    given = offer(order("a", side=side), candle(0, open=opened), TERMS, first=True)

    assert given == Offer(Decimal(price), Decimal(100), Liquidity.TAKER)


@pytest.mark.parametrize(
    ("side", "opened", "price"),
    [
        (Side.BUY, "0.17", "0.1701"),
        (Side.SELL, "0.17", "0.1699"),
        (Side.SELL, "0.00002", "0.00001999"),
        (Side.BUY, "0.00000002", "0.00000003"),
        (Side.BUY, "9", "9.001"),
        (Side.BUY, "100", "100.01"),
    ],
)
def test_a_tick_that_nobody_told_is_a_thousandth_of_a_round_price_or_the_finest_there_is(
    order: MakeOrder, candle: MakeCandle, side: Side, opened: str, price: str
) -> None:
    """A market of 0.1701 and 0.1699 is at 0.17 at times, and its ticks are no coarser then."""
    terms = msgspec.structs.replace(TERMS, is_guess=True)

    given = offer(order("a", side=side), candle(0, open=opened), terms, first=True)

    assert given == Offer(Decimal(price), Decimal(100), Liquidity.TAKER)


@pytest.mark.parametrize("is_guess", [True, False])
@pytest.mark.parametrize("price", ["42283.58", "0.0357", "0.35"])
def test_zeros_behind_a_price_are_no_digits_of_it(
    order: MakeOrder, candle: MakeCandle, price: str, *, is_guess: bool
) -> None:
    """Binance's archive writes eight decimals, the store none that are zero."""
    terms = msgspec.structs.replace(TERMS, is_guess=is_guess)

    given = [
        offer(order("a"), candle(0, open=opened), terms, first=True)
        for opened in (price, f"{Decimal(price):.8f}")
    ]

    assert given[0] == given[1]


def test_slippage_does_not_round_a_small_price_to_a_coarse_tick(
    order: MakeOrder, candle: MakeCandle
) -> None:
    small = candle(0, open="0.0357", low="0.03", high="0.04", close="0.03")

    given = offer(order("a", side=Side.SELL), small, TERMS, first=True)

    assert given is not None
    assert given.price == Decimal("0.0356")


@pytest.mark.parametrize(
    ("side", "limit", "first", "expected"),
    [
        (Side.BUY, "95", True, ("95", Liquidity.MAKER)),
        (Side.BUY, "101", True, ("100", Liquidity.TAKER)),
        (Side.BUY, "101", False, ("101", Liquidity.MAKER)),
        (Side.BUY, "90", False, ("90", Liquidity.MAKER)),
        (Side.SELL, "105", True, ("105", Liquidity.MAKER)),
        (Side.SELL, "99", True, ("100", Liquidity.TAKER)),
        (Side.SELL, "110", False, ("110", Liquidity.MAKER)),
    ],
)
def test_a_limit_order_takes_a_better_open_at_first_and_makes_its_limit_later(
    order: MakeOrder,
    candle: MakeCandle,
    side: Side,
    limit: str,
    first: bool,
    expected: tuple[str, Liquidity],
) -> None:
    given = offer(order("a", side=side, limit_price=limit), candle(0), TERMS, first=first)

    assert given == Offer(Decimal(expected[0]), Decimal(100), expected[1])


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, "89.99"), (Side.SELL, "110.01")])
def test_a_limit_that_the_bar_does_not_reach_gets_nothing(
    order: MakeOrder, candle: MakeCandle, side: Side, limit: str
) -> None:
    assert offer(order("a", side=side, limit_price=limit), candle(0), TERMS, first=True) is None


def test_a_bar_gives_its_share_of_volume_rounded_down_to_the_step(
    order: MakeOrder, candle: MakeCandle
) -> None:
    given = offer(order("a"), candle(0, volume="0.00019"), TERMS, first=True)

    assert given is not None
    assert given.quantity == Decimal("0.00001")


def test_a_trade_gives_its_own_price_and_a_share_of_its_quantity(order: MakeOrder) -> None:
    given = offer(order("a"), trade("100.5", "2"), TERMS, first=True)

    assert given == Offer(Decimal("100.5"), Decimal("0.2"), Liquidity.TAKER)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "101"), (Side.SELL, "99")])
def test_a_tick_gives_everything_at_the_other_side(
    order: MakeOrder, side: Side, price: str
) -> None:
    given = offer(order("a", side=side), tick("99", "101"), TERMS, first=True)

    assert given == Offer(Decimal(price), None, Liquidity.TAKER)
