"""The state file: what was acknowledged survives SIGKILL, at whatever moment it comes."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import Order
from exchanges.local.settings import Settings
from exchanges.local.state import State
from messages.errors import DataError

BTC = "BTC/USDT"
START = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "ETH": Decimal(100), "BNB": Decimal(100)}


@contextmanager
def venue(state: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the command on a state file; gives the process and what it said."""
    command = [sys.executable, "-P", "-m", "cli", "venue", "--json", "--speed", "0"]
    process = subprocess.Popen([*command, "--state", str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def client_of(facts: dict[str, Any]) -> Any:
    http = facts["http"] + "/api/v3"
    client = ccxt.binance(
        {
            "apiKey": "local-key",
            "secret": "local-secret",
            "sandbox": True,
            "enableRateLimit": False,
            "timeout": 60_000,
            "urls": {"test": {"public": http, "private": http}},
            "options": {"fetchMarkets": {"types": ["spot"]}},
        }
    )
    client.load_markets()
    return client


@pytest.mark.slow
def test_no_acknowledged_order_is_lost_to_a_kill(tmp_path: Path) -> None:
    state, acknowledged = tmp_path / "venue.db", dict[str, str]()
    for round_number in range(3):
        with venue(state) as (process, facts):
            client = client_of(facts)
            killed_at = len(acknowledged) + 11 + 7 * round_number
            killer = threading.Thread(
                target=kill_once, args=(process, lambda at=killed_at: len(acknowledged) >= at)
            )
            killer.start()
            with pytest.raises(ccxt.NetworkError):
                trade_until_it_dies(client, round_number, acknowledged)
            client.session.close()
            killer.join()

    exchange = LocalExchange(Settings(speed=0, state=state))
    orders = {one.client_order_id: one for one in exchange.orders()}
    assert len(acknowledged) > 30
    assert all(orders[name].status in said for name, said in acknowledged.items())
    assert len(orders) - len(acknowledged) <= 3  # one in flight at each kill
    assert [one.order_id for one in exchange.orders()] == list(range(1, len(orders) + 1))
    assert money(exchange) == expected_money(exchange)
    exchange.close()


def kill_once(process: "subprocess.Popen[str]", is_so: Callable[[], bool]) -> None:
    """Kill it in the middle of whatever it does just then."""
    pause = threading.Event()
    while not is_so() and process.poll() is None:
        pause.wait(0.001)
    process.kill()


def trade_until_it_dies(client: Any, round_number: int, acknowledged: dict[str, str]) -> None:
    number = 0
    while True:
        number += 1
        name = f"r{round_number}-{number}"
        if number % 5 == 0:
            client.create_order(BTC, "market", "buy", 0.001, None, {"clientOrderId": name})
            acknowledged[name] = "filled"
            continue
        client.create_order(BTC, "limit", "buy", 0.001, 50_000, {"clientOrderId": name})
        acknowledged[name] = "new"
        if number % 5 > 1:
            acknowledged[name] = "new or canceled"
            client.cancel_order(None, BTC, {"origClientOrderId": name})
            acknowledged[name] = "canceled"


def money(exchange: LocalExchange) -> dict[str, Decimal]:
    return {asset: free + locked for asset, (free, locked) in exchange.balances().items()}


def expected_money(exchange: LocalExchange) -> dict[str, Decimal]:
    money = dict(START)
    for trade in exchange.trades():
        money["BTC"] += trade.side.sign * trade.quantity
        money["USDT"] -= trade.side.sign * trade.quote
        money[trade.fee_asset] -= trade.fee
    return money


def test_everything_is_there_after_a_restart(
    serve: Callable[..., Any], connect: Callable[..., Any], tmp_path: Path
) -> None:
    state = tmp_path / "venue.db"
    first = LocalExchange(Settings(speed=0, state=state))
    first.deposit("USDT", Decimal(7))
    first.set_max_orders(BTC, 5)
    first.close()
    run = serve(state=state)
    client = connect(run)
    client.load_markets()
    client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": "open"})
    client.create_order(BTC, "market", "sell", 0.02, None, {"clientOrderId": "filled"})
    before = truth(run.exchange)
    run.exchange.close()

    second = LocalExchange(Settings(speed=0, state=state))
    assert truth(second) == before
    assert second.engine.market(BTC).max_num_orders == 5
    second.set_price(BTC, Decimal(49_000))
    assert second.orders_with("open")[0].status == "filled"
    second.close()


def truth(exchange: LocalExchange) -> Any:
    orders: list[Order] = exchange.orders()
    return [repr(one) for one in orders], exchange.trades(), exchange.balances()


@pytest.mark.slow
def test_the_market_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = Settings(speed=0, state=tmp_path / "venue.db")
    first = LocalExchange(settings)
    first.advance(300)
    price, played = first.players[BTC].mid, first.players[BTC].played
    first.close()

    second = LocalExchange(settings)
    assert second.players[BTC].played == played + 1
    assert abs(second.players[BTC].mid / price - 1) < Decimal("0.001")
    second.close()


@pytest.mark.slow
def test_one_process_has_the_file(tmp_path: Path) -> None:
    first = LocalExchange(Settings(speed=0, state=tmp_path / "venue.db"))
    with pytest.raises(DataError, match="another process has this state file"):
        LocalExchange(Settings(speed=0, state=tmp_path / "venue.db"))
    first.close()


def test_other_files_are_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    first = LocalExchange(Settings(speed=0, state=tmp_path / "venue.db"))
    first.deposit("USDT", Decimal(1))
    first.close()

    with pytest.raises(DataError, match="cannot be used as a state file"):
        LocalExchange(Settings(speed=0, state=tmp_path / "text"))
    with pytest.raises(DataError, match="its profile is binance, not okx"):
        State(tmp_path / "venue.db", profile="okx")
    with pytest.raises(DataError, match="cannot be used as a state file"):
        LocalExchange(Settings(speed=0, state=tmp_path / "no" / "folder"))


def test_an_operation_that_cannot_be_written_is_not_acknowledged_and_not_forgotten(
    serve: Callable[..., Any], connect: Callable[..., Any], tmp_path: Path
) -> None:
    run = serve(state=tmp_path / "venue.db")
    client = connect(run)
    client.load_markets()
    state = run.exchange._state
    real, state._db = state._db, sqlite3.connect(":memory:", check_same_thread=False)
    with pytest.raises(ccxt.BaseError):
        client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": "a"})
    state._db.close()
    state._db = real
    client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": "b"})
    run.exchange.close()

    second = LocalExchange(Settings(speed=0, state=tmp_path / "venue.db"))
    assert [one.client_order_id for one in second.orders()] == ["a", "b"]
    second.close()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: int, code: int) -> None:
    with venue(tmp_path / "venue.db") as (process, facts):
        assert facts["http"].startswith("http://127.0.0.1:")
        os.kill(process.pid, number)
        assert process.wait(10) == code


def test_faults_are_armed_anew_in_each_process(tmp_path: Path) -> None:
    settings = Settings(speed=0, state=tmp_path / "venue.db")
    first = LocalExchange(settings)
    first.arm(Plan(fault=Fault.HANG_AFTER))
    first.close()

    second = LocalExchange(settings)
    assert second.armed() == []
    second.close()
