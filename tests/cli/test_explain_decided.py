"""`explain`: the market event that an order was decided on, and the numbers that risk compared."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.codec import to_msgpack
from messages.ids import NS_PER_S, ActorPath, Epoch, TimestampNs
from messages.market import FeedNews, MarketBatch, MarketEvent, Tick, Trade
from messages.outside import Origin
from messages.values import OrderState, Side
from ops.run_files import EFFECTIVE_CONFIG, JOURNAL
from persistence.frames import Frame
from persistence.journal import JournalWriter
from tests.cli.conftest import Ask
from tests.cli.runs import BTC, CLOCK, EXAMPLES, T0, book, command, fill
from tests.ops.test_journal_candles import candle


@pytest.fixture(scope="module")
def journaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols with a journal. Not to be changed."""
    folder = tmp_path_factory.mktemp("journaled")
    text = (EXAMPLES / "two_symbols.toml").read_text()
    (folder / "c.toml").write_text(f'{text}\n[journal]\nwhen = "always"\n')
    arguments = ("--run-dir", str(folder / "run"), "--max-events", "1200", "--json")
    done = command("start", str(folder / "c.toml"), *arguments)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def stories(run_dir: Path, ask: Ask) -> list[dict[str, Any]]:
    orders = ask("orders", "--run-dir", run_dir)
    return [ask("explain", one["order_key"], "--run-dir", run_dir)[0] for one in orders]


def test_the_tick_is_the_candle_that_was_decided_on(journaled: Path, ask: Ask) -> None:
    for story in stories(journaled, ask):
        order, tick = story["order"], story["tick"]
        assert (tick["type"], tick["symbol"]) == ("candle", order["symbol"])
        assert tick["ts_event_ns"] == order["decided_at_ns"]
        assert Decimal(tick["close"]) == Decimal(order["reference_price"])
        assert tick["taken_at_ns"] <= story["steps"][0]["at_ns"]


def test_without_a_journal_the_same_numbers_come_from_the_ledger(
    journaled: Path, tmp_path: Path, ask: Ask
) -> None:
    bare = Path(shutil.copytree(journaled, tmp_path / "bare"))
    shutil.rmtree(bare / JOURNAL)

    judged = [story["risk_check"] for story in stories(journaled, ask)]
    again = [story["risk_check"] for story in stories(bare, ask)]

    assert {one["source"] for one in judged} == {"journal"}
    assert {one["source"] for one in again} == {"ledger"}
    assert [one | {"source": "ledger"} for one in judged] == again
    assert {one["adds"] == "0" for one in judged} == {True, False}, "entries and exits"
    assert {row["limit"] for one in judged for row in one["compared"]} == {
        "max_order_notional", "max_orders_per_minute", "price_collar_bps",
    }  # fmt: skip


def test_a_person_reads_the_tick_and_the_numbers(
    journaled: Path, capsys: pytest.CaptureFixture[str], ask: Ask
) -> None:
    order = ask("orders", "--run-dir", journaled)[0]
    assert cli.main(["explain", order["order_key"], "--run-dir", str(journaled)]) == 0
    text = capsys.readouterr().out
    assert "candle of BTC/USDT: open, high, low, close " in text
    assert "as judged: position 0 before it, " in text
    notional = Decimal(order["quantity"]) * Decimal(order["average_price"])
    assert f"max_order_notional {int(notional)}" in text


def test_the_open_orders_and_the_minute_before_are_counted_from_the_ledger(
    tmp_path: Path, ask: Ask
) -> None:
    with book(tmp_path) as run:
        ended = run.claim(1)
        run.step(ended, OrderState.FILLED, fill("t1", "2"))
        run.claim(2, refused="stale: too old")
        resting = run.claim(3)
        run.step(resting, OrderState.PARTIALLY_FILLED, fill("t2", "0.5", ts_event_ns=T0))
        asked = run.claim(4, side=Side.SELL, quantity=Decimal(5))
        run.step(asked, OrderState.FILLED, fill("t3", "5"))
        run.step(resting, OrderState.FILLED, fill("t4", "1.5"))
        run.claim(5)
    live = (EXAMPLES / "live.toml").read_text()
    (tmp_path / EFFECTIVE_CONFIG).write_text(live)

    (story,) = ask("explain", asked, "--run-dir", tmp_path)

    check = story["risk_check"]
    assert (check["source"], check["position"], check["open_orders"]) == ("ledger", "2.5", 1)
    assert Decimal(check["adds"]) == 1, "5 to sell, 2 and 2 are held or coming"
    told = {one["limit"]: one["value"] for one in check["compared"]}
    assert Decimal(told["max_order_notional"]) == 100
    assert told["max_open_orders_per_symbol"] == "1"
    assert told["max_orders_per_minute"] == "2", "what risk refused was not counted"
    assert "the loss limits and the market's age are not in a ledger" in check["note"]


def test_without_a_config_no_limits_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
    assert cli.main(["explain", key, "--run-dir", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "tick                                      not known: the run keeps no journal" in text
    assert f"no limits are known: there is no {tmp_path / EFFECTIVE_CONFIG}" in text


def test_of_an_order_far_back_nothing_is_recomputed(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.risk_recomputed.MOVED_MOST", 2)
    with book(tmp_path) as run:
        keys = [run.claim(number) for number in range(4)]
    shutil.copy(EXAMPLES / "demo.toml", tmp_path / EFFECTIVE_CONFIG)
    old, recent = (ask("explain", key, "--run-dir", tmp_path)[0] for key in (keys[0], keys[2]))
    assert old["risk_check"]["note"] == "not recomputed: more than 2 orders have changed since"
    assert "compared" in recent["risk_check"]


def journal(run_dir: Path, *messages: tuple[int, Any]) -> None:
    writer = JournalWriter(run_dir / JOURNAL, lambda: CLOCK)
    frames = [Frame(Origin.MARKET, at, "/f", to_msgpack(message)) for at, message in messages]
    writer.write(frames)
    writer.close()


def news(event: MarketEvent) -> FeedNews:
    return FeedNews(epoch=Epoch(1), what=event)


def trade(price: str, **changes: Any) -> Trade:
    fields: dict[str, Any] = {
        "symbol": BTC,
        "price": Decimal(price),
        "quantity": Decimal("0.5"),
        "aggressor_side": None,
        "ts_event_ns": TimestampNs(T0),
    } | changes
    return Trade(**fields)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (trade("101"), "trade of BTC/USDT: 0.5 at 101"),
        (
            Tick(
                symbol=BTC,
                bid_price=Decimal(99),
                ask_price=Decimal(100),
                ts_event_ns=TimestampNs(T0),
                ts_received_ns=TimestampNs(T0 + 1),
            ),
            "quote of BTC/USDT: bid 99, ask 100",
        ),
    ],
)
def test_a_decision_on_a_trade_or_a_quote(
    event: MarketEvent, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
    journal(tmp_path, (CLOCK, news(event)))
    assert cli.main(["explain", key, "--run-dir", str(tmp_path)]) == 0
    assert f"2023-11-14 22:13:20.000 {said}" in capsys.readouterr().out


def test_of_several_events_of_a_moment_it_is_the_newest_before_the_claim(
    tmp_path: Path, ask: Ask
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
    other = trade("7", symbol="ETH/USDT")
    history = MarketBatch(feed=ActorPath("f"), first_index=0, events=(trade("1"),), is_history=True)
    late = CLOCK + 5 * NS_PER_S
    told = [trade("101"), trade("102"), other, trade("3", ts_event_ns=TimestampNs(T0 + 1))]
    journal(
        tmp_path,
        *((CLOCK, news(one)) for one in told),
        (CLOCK, news(candle(5))),
        (CLOCK, history),
        (late, news(trade("103"))),
    )
    (story,) = ask("explain", key, "--run-dir", tmp_path)
    assert (story["tick"]["symbol"], story["tick"]["price"]) == (BTC, "102")


def test_a_journal_that_does_not_hold_the_event_is_told_apart_from_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
    journal(tmp_path, (CLOCK, news(candle(5))))
    assert cli.main(["explain", key, "--run-dir", str(tmp_path)]) == 0
    assert "not known: the journal does not hold it (any more)" in capsys.readouterr().out
