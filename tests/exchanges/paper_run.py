"""A small trading run over the demo market, to be run whole or killed on the way.

``python paper_run.py BOOK`` writes a line after every step, and is killed from outside.
"""

import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

from exchanges.demo import DemoSource
from exchanges.paper import PaperVenue
from exchanges.paper_plain import PlainVenue
from exchanges.protocol import NewOrder
from messages.ids import ClientOrderId, Symbol
from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
EVENTS, STEP = 600, 3


def orders_after(candle: Candle, number: int) -> Iterator[NewOrder]:
    """Buy much and often enough that orders overlap, fill in parts and run out of funds."""
    side = Side.BUY if number % 3 else Side.SELL
    limit = candle.close * Decimal("0.999") if number % 2 else None
    yield NewOrder(
        client_order_id=ClientOrderId(f"order-{number}"),
        symbol=BTC,
        side=side,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("3.5"),
        limit_price=limit,
        decided_at_ns=candle.ts_event_ns,
    )


def free_in(venue: PaperVenue | PlainVenue) -> dict[str, Decimal]:
    """Give what a new order may still lock, by currency."""
    return dict(venue._funds.free)


def drive(venue: PaperVenue) -> Iterator[int]:
    """Show the market in steps and submit an order after every step, a little late."""
    events = DemoSource(BTC, limit=EVENTS).events()
    number = 0
    before: Candle | None = None
    while step := tuple(islice(events, STEP)):
        venue.on_market(step)
        if before is not None:
            for order in orders_after(before, number):
                venue.submit(order)
        before, number = step[0], number + 1
        yield number


if __name__ == "__main__":
    from exchanges.paper_settings import PaperSettings

    rich = PaperSettings(balances={"USDT": Decimal(1_000_000), "BTC": Decimal(3)})
    for done in drive(PaperVenue(Path(sys.argv[1]), rich)):
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
