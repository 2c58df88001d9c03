"""Binance's words for what its streams tell."""

from collections.abc import Sequence
from decimal import Decimal

from exchanges.local.account import Balance
from exchanges.local.candles import Bar
from exchanges.local.depth import Diff
from exchanges.local.filters import Market
from exchanges.local.orders import Execution, Order, OrderEvent, OrderKind, PublicTrade, Status
from exchanges.local.wire_binance import PREVENTION, TYPES, Json, levels, ms, status, text

ZERO_TEXT = text(Decimal(0))
Levels = Sequence[tuple[Decimal, Decimal]]
_NOTHING = (Decimal(0), Decimal(0))


def trade(one: PublicTrade, market: Market) -> Json:
    """``<symbol>@trade``."""
    return {
        "e": "trade",
        "E": ms(one.ts_ns),
        "s": market.venue_id,
        "t": one.trade_id,
        "p": text(one.price),
        "q": text(one.quantity),
        "T": ms(one.ts_ns),
        "m": one.is_buyer_maker,
        "M": True,
    }


def agg_trade(one: PublicTrade, market: Market) -> Json:
    """``<symbol>@aggTrade``; every trade here is an aggregate of its own."""
    return {
        "e": "aggTrade",
        "E": ms(one.ts_ns),
        "s": market.venue_id,
        "a": one.trade_id,
        "p": text(one.price),
        "q": text(one.quantity),
        "f": one.trade_id,
        "l": one.trade_id,
        "T": ms(one.ts_ns),
        "m": one.is_buyer_maker,
        "M": True,
    }


def kline(bar: Bar, market: Market, interval: str, now_ms: int, *, is_closed: bool) -> Json:
    """``<symbol>@kline_<interval>``."""
    return {
        "e": "kline",
        "E": now_ms,
        "s": market.venue_id,
        "k": {
            "t": bar.open_ms,
            "T": bar.close_ms,
            "s": market.venue_id,
            "i": interval,
            "f": bar.first_trade_id,
            "L": bar.last_trade_id,
            "o": text(bar.open),
            "c": text(bar.close),
            "h": text(bar.high),
            "l": text(bar.low),
            "v": text(bar.volume),
            "n": bar.count,
            "x": is_closed,
            "q": text(bar.quote_volume),
            "V": text(bar.taker_buy_volume),
            "Q": text(bar.taker_buy_quote),
            "B": "0",
        },
    }


def mini_ticker(day: Bar, market: Market, now_ms: int) -> Json:
    """``<symbol>@miniTicker``."""
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": market.venue_id,
        "c": text(day.close),
        "o": text(day.open),
        "h": text(day.high),
        "l": text(day.low),
        "v": text(day.volume),
        "q": text(day.quote_volume),
    }


def book_ticker(bids: Levels, asks: Levels, market: Market, update_id: int) -> Json:
    """``<symbol>@bookTicker``: of each side the best level, or nothing."""
    (bid, bid_left), (ask, ask_left) = (side[0] if side else _NOTHING for side in (bids, asks))
    return {
        "u": update_id,
        "s": market.venue_id,
        "b": text(bid),
        "B": text(bid_left),
        "a": text(ask),
        "A": text(ask_left),
    }


def depth(diff: Diff, market: Market, now_ms: int) -> Json:
    """``<symbol>@depth@100ms``."""
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "s": market.venue_id,
        "U": diff.first,
        "u": diff.last,
        "b": levels(sorted(diff.bids.items(), reverse=True)),
        "a": levels(sorted(diff.asks.items())),
    }


def execution_report(one: OrderEvent, market: Market, now_ms: int) -> Json:
    """What happened to an order. On a cancel `c` is the cancel's own id and `C` the order's."""
    order, done = one.order, one.trade
    is_cancel = one.execution is Execution.CANCELED
    report: Json = {
        "e": "executionReport",
        "E": now_ms,
        "s": market.venue_id,
        "c": order.cancel_id if is_cancel else order.client_order_id,
        "S": order.side.upper(),
        "o": TYPES[order.kind],
        "f": order.time_in_force.upper(),
        "q": text(order.quantity),
        "p": text(order.price),
        "P": ZERO_TEXT,
        "F": ZERO_TEXT,
        "g": -1,
        "C": order.client_order_id if is_cancel else "",
        "x": one.execution.upper(),
        "X": status(order),
        "r": "NONE",
        "i": order.order_id,
        "l": text(done.quantity) if done else ZERO_TEXT,
        "z": text(order.filled),
        "L": text(done.price) if done else ZERO_TEXT,
        "n": text(done.fee) if done else "0",
        "N": done.fee_asset if done else None,
        "T": ms(order.ts_updated_ns),
        "t": done.trade_id if done else -1,
        "I": order.order_id * 2 + 1,
        "w": order.is_open and order.kind is not OrderKind.MARKET,
        "m": done.is_maker if done else False,
        "M": done is not None,
        "O": ms(order.ts_created_ns),
        "Z": text(order.filled_quote),
        "Y": text(done.quote) if done else ZERO_TEXT,
        "Q": text(order.quote_quantity),
        "W": ms(order.ts_created_ns),
        "V": PREVENTION,
    }
    return report | _why_it_ended(order)


def _why_it_ended(order: Order) -> Json:
    return {"eR": order.expiry_reason} if order.status is Status.EXPIRED else {}


def position(balances: dict[str, Balance], now_ms: int) -> Json:
    """What is left of the assets that an operation moved."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {"a": asset, "f": text(one.free), "l": text(one.locked)}
            for asset, one in balances.items()
        ],
    }


def balance_update(asset: str, delta: Decimal, ts_ms: int) -> Json:
    """A deposit or a withdrawal."""
    return {"e": "balanceUpdate", "E": ts_ms, "a": asset, "d": text(delta), "T": ts_ms}


def server_shutdown(now_ms: int, *, is_api: bool, is_combined: bool) -> Json:
    """The server is about to go; told on every connection, whatever it has subscribed to."""
    event = {"e": "serverShutdown", "E": now_ms}
    if is_api:
        return {"event": event}
    return {"stream": "!serverShutdown", "data": event} if is_combined else event


def stream_terminated(now_ms: int) -> Json:
    """The user's stream has ended; the connection goes on."""
    return {"e": "eventStreamTerminated", "E": now_ms}
