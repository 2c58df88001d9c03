"""The kill switch as it is typed, against an exchange: its own request log is the proof."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import OrderKind, Placement
from exchanges.local.server import RunningExchange
from messages.ids import ClientOrderId
from messages.values import OrderState, Side
from ops.client import ask
from ops.halt import PROVED
from ops.run_files import CONTROL_SOCKET
from persistence.ledger import LedgerEntry, read_events, read_orders
from tests.system.bots import Bot
from tests.system.resting_bots import command, moving_exchange, resting_config
from tests.waiting import until

LIMIT_S = 60.0

FOREIGN = Placement(
    symbol="BTC/USDT",
    client_order_id="web-1",
    side=Side.BUY,
    kind=OrderKind.LIMIT,
    quantity=Decimal("0.001"),
    price=Decimal(50_000),
)
"""What a person has placed on the exchange's own page."""

pytestmark = pytest.mark.slow


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    with moving_exchange(monkeypatch) as running:
        yield running


def halt(run_dir: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    done = command("halt", run_dir, "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def until_resting(bot: Bot, count: int = 2) -> None:
    def resting() -> bool:
        return [order["state"] for order in bot.of("order")].count("accepted") >= count

    bot.until(resting)


def ledger(run_dir: Path) -> dict[ClientOrderId, LedgerEntry]:
    return {order.client_order_id: order for order in read_orders(run_dir / "ledger.db")}


def open_at(run: RunningExchange) -> list[str]:
    return [order.client_order_id for order in run.exchange.open_orders("BTC/USDT")]


def is_open(order: LedgerEntry) -> bool:
    return order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def named_all_open(run_dir: Path) -> bool:
    """Whether the halt names each order that is open: one may have come to rest behind it."""
    shown = halt(run_dir, "--timeout", "1")[1]["text"]
    still = [order.order_key for order in ledger(run_dir).values() if is_open(order)]
    return bool(still) and all(key in shown for key in still)


def engine_canceled(run: RunningExchange) -> set[str | None]:
    asked = run.exchange.requests(operation="cancel")
    return {one.client_order_id for one in asked if one.engine == "done"}


def test_a_halt_cancels_at_the_exchange_proves_it_and_lasts_until_a_person_resumes(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir, config = tmp_path / "run", resting_config(tmp_path, run)
    bot = start(config, "--i-understand-live")
    until_resting(bot)
    run.exchange.place(FOREIGN)

    code, view = halt(run_dir, "--reason", "something is wrong")

    assert (code, view["proved"], view["reason"]) == (0, True, "something is wrong")
    assert open_at(run) == ["web-1"], "of others nothing is touched"
    assert len(view["foreign"]) == 1
    orders = ledger(run_dir)
    sent = {name for name, order in orders.items() if order.state is not OrderState.REFUSED}
    assert sent
    assert engine_canceled(run) == sent
    last_cancel = max(one.number for one in run.exchange.requests(operation="cancel"))
    listed = [one.number for one in run.exchange.requests(operation="open_orders")]
    assert max(listed) > last_cancel, "the proof was asked for after the last cancel"
    assert {ledger(run_dir)[name].state for name in sent} == {OrderState.CANCELED}
    some = ledger(run_dir)[ClientOrderId(next(iter(sent)))]
    evidence = [e.evidence for e in read_events(run_dir / "ledger.db", some.order_key)][-1]
    assert evidence in ("find", "stream"), "the venue's word, not the cancel's answer"

    bot.until(lambda: any(o["reason"] == "halted: something is wrong" for o in bot.of("order")))
    placed = len(run.exchange.requests(operation="place"))
    assert bot.end(signal.SIGTERM)[0] == 1

    again = start(config)
    again.until(lambda: any(s["verdict"] == "CRITICAL" for s in again.of("status")))
    again.until_processed(3)
    health = json.loads(command("health", "--run-dir", run_dir, "--json").stdout)
    assert health["halt"]["ends_with"] == f"watchkeeper resume {run_dir}"
    assert "something is wrong" in health["why"]
    assert len(run.exchange.requests(operation="place")) == placed

    assert command("resume", run_dir).returncode == 0
    until_resting(again, 1)


def test_killed_before_anything_was_canceled_it_is_halted_and_proved_without_a_process(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir = tmp_path / "run"
    bot = start(resting_config(tmp_path, run), "--i-understand-live")
    until_resting(bot)
    for operation in ("open_orders", "cancel"):
        run.exchange.arm(Plan(fault=Fault.HANG_BEFORE, operation=operation, times=None))
    code, view = halt(run_dir, "--timeout", "5")
    assert (code, view["proved"], view["on_disk"]) == (1, False, True)
    assert len(open_at(run)) >= 2

    bot.kill()
    run.exchange.disarm()
    code, view = halt(run_dir)

    assert (code, view["proved"], view["reason"]) == (0, True, "a person said so")
    assert open_at(run) == []
    states = {order.state for order in ledger(run_dir).values()}
    assert states <= {OrderState.CANCELED, OrderState.REFUSED}
    assert command("resume", run_dir).stdout.startswith("the next start trades")


def test_without_a_process_a_consent_that_nobody_can_read_keeps_nothing_from_being_canceled(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir = tmp_path / "run"
    config = resting_config(tmp_path, run)
    bot = start(config, "--i-understand-live")
    until_resting(bot)
    bot.kill()
    (run_dir / "live.consent").write_bytes(b"\xff\xfe")

    halted = command("halt", run_dir)

    assert halted.returncode == 0, halted.stderr
    assert "it is taken to be of binance, as the config says: " in halted.stderr
    assert open_at(run) == []
    assert command("resume", run_dir).returncode == 0
    refused = command("start", config)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "live.consent does not say what was agreed to" in refused.stderr


def test_without_a_process_a_symbol_that_is_gone_keeps_no_other_from_being_canceled(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir, config = tmp_path / "run", resting_config(tmp_path, run)
    bot = start(config, "--i-understand-live")
    until_resting(bot)
    bot.kill()
    other = '\n[[strategy]]\nid = "other"\nuses = "sma_cross"\nsymbol = "ETH/USDT"\n'
    effective = run_dir / "config.effective.toml"
    text = effective.read_text().replace('["BTC/USDT"]', '["BTC/USDT", "ETH/USDT"]')
    effective.write_text(text + other)
    run.exchange.delist("ETH/USDT")

    code, view = halt(run_dir)

    assert (code, view["proved"]) == (0, True), view["text"]
    assert open_at(run) == []


def test_a_venue_that_is_down_is_tried_again_until_it_is_proved(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir = tmp_path / "run"
    bot = start(resting_config(tmp_path, run), "--i-understand-live")
    until_resting(bot)
    down = run.exchange.arm(Plan(fault=Fault.RESET_BEFORE, operation="any", times=None))
    resting = [order.order_key for order in ledger(run_dir).values() if is_open(order)]

    code, view = halt(run_dir, "--timeout", "5")
    assert (code, view["proved"], view["proved_at_ns"]) == (1, False, None)
    assert "no_answer: could not" in view["text"]
    assert len(resting) > 1
    assert [key for key in resting if key not in view["text"]] == []
    until(lambda: named_all_open(run_dir))
    refused = command("resume", run_dir)
    assert refused.returncode == 1
    assert "may still be open" in refused.stderr

    run.exchange.disarm(down)
    wait = threading.Event()
    for _ in range(int(LIMIT_S / 0.2)):
        if ask(run_dir / CONTROL_SOCKET, "health", timeout_s=LIMIT_S)["halt"]["state"] == PROVED:
            break
        wait.wait(0.2)
    assert open_at(run) == []
    assert halt(run_dir)[0] == 0


def test_a_key_that_is_gone_leaves_the_halt_on_disk_and_says_that_nothing_is_proved(
    tmp_path: Path,
    run: RunningExchange,
    start: Callable[..., Bot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_dir = tmp_path / "run"
    bot = start(resting_config(tmp_path, run), "--i-understand-live")
    until_resting(bot)
    bot.kill()
    monkeypatch.delenv("LOCAL_KEY")

    code, view = halt(run_dir)

    assert (code, view["proved"], view["on_disk"]) == (1, False, True)
    assert "the environment variable LOCAL_KEY is not set" in view["text"]
    assert len(open_at(run)) >= 2
    refused = command("resume", run_dir)
    assert refused.returncode == 1
    assert "--despite-open" in refused.stderr


def test_one_order_is_canceled_at_the_exchange_and_trading_goes_on(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir = tmp_path / "run"
    bot = start(resting_config(tmp_path, run), "--i-understand-live")
    until_resting(bot, 3)
    key = next(order["order_key"] for order in bot.of("order") if order["state"] == "accepted")
    chosen = next(order for order in ledger(run_dir).values() if order.order_key == key)

    done = command("orders", "cancel", chosen.client_order_id[:9], "--run-dir", run_dir)

    assert (done.returncode, done.stdout) == (0, "canceled, 0 of 0.001 filled\n")
    assert engine_canceled(run) == {chosen.client_order_id}
    assert chosen.client_order_id not in open_at(run)
    again = command("orders", "cancel", key, "--run-dir", run_dir)
    assert again.stdout == "it had ended already: canceled, 0 of 0.001 filled\n"
    before = len(run.exchange.requests(operation="place"))
    bot.until(lambda: len(run.exchange.requests(operation="place")) > before)
