"""The market of a live run on its page: all that the journal kept, each event once."""

import json
import os
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.codec import to_msgpack
from messages.ids import NS_PER_S, ActorPath, Epoch, Symbol, TimestampNs
from messages.market import Candle, FeedHistory, FeedNews, MarketBatch, Tick, Trade
from messages.outside import Origin
from ops.dashboard.journal_market import JournalMarket
from ops.dashboard.journal_tail import JournalTail
from ops.dashboard.run import RunModel
from persistence.frames import LOST, Frame
from persistence.journal import JournalWriter
from tests.cli.runs import BTC, T0
from tests.ops.dashboard.runs import CONFIG, LIFE, run_with
from tests.ops.dashboard.test_run_model import model_of, traded

LIVE = CONFIG.replace('"demo"', '"ccxt"')
FEED = ActorPath("feeds/feed:binance")
MINUTE = 60


def candle(minute: int, close: str | None = None, symbol: Symbol = BTC) -> Candle:
    """Minute n of the market: it opens at 100 + n and closes one higher."""
    opened = Decimal(100 + minute)
    closed = Decimal(close) if close else opened + 1
    return Candle(
        symbol=symbol,
        open=opened,
        high=max(opened, closed),
        low=min(opened, closed),
        close=closed,
        volume=Decimal(2),
        ts_open_ns=TimestampNs(T0 + minute * MINUTE * NS_PER_S),
        ts_event_ns=TimestampNs(T0 + (minute + 1) * MINUTE * NS_PER_S),
    )


def trade(second: float, price: str = "100") -> Trade:
    at_ns = TimestampNs(T0 + int(second * NS_PER_S))
    return Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=at_ns,
    )


def tick(second: int) -> Tick:
    at_ns = TimestampNs(T0 + second * NS_PER_S)
    bid, ask = Decimal(99), Decimal(101)
    return Tick(symbol=BTC, bid_price=bid, ask_price=ask, ts_event_ns=at_ns, ts_received_ns=at_ns)


def news(what: Any, epoch: int = 1) -> Frame:
    message = FeedNews(epoch=Epoch(epoch), what=what)
    return Frame(Origin.MARKET, T0, FEED, to_msgpack(message))


def batch(first: int, *events: Any, follower: str) -> Frame:
    message = MarketBatch(feed=FEED, first_index=first, events=events)
    return Frame(Origin.MARKET, T0, follower, to_msgpack(message))


def history(*minutes: int) -> Frame:
    return news(FeedHistory(symbol=BTC, candles=tuple(map(candle, minutes))))


def written(run_dir: Path, *frames: Frame, **options: Any) -> None:
    """One process's journal, by the writer that a run uses."""
    with closing(JournalWriter(run_dir / "journal", lambda: T0, **options)) as writer:
        for frame in frames:
            writer.write([frame])


def read(run_dir: Path) -> JournalMarket:
    market = JournalMarket(run_dir / "journal", 1_000)
    market.read()
    return market


def closes(rows: Iterable[list[float]]) -> list[float]:
    return [row[4] for row in rows]


def segment(run_dir: Path, number: int = 1) -> Path:
    return run_dir / "journal" / f"{number:08}.wkj"


def test_a_live_run_shows_the_candles_of_its_journal(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE, config=LIVE)
    written(tmp_path, *[news(candle(minute)) for minute in range(5)])

    model = model_of(tmp_path)
    market, files = model["market"], dict(model["facts"])["Files"]
    found = market["symbols"]["BTC/USDT"]

    size = segment(tmp_path).stat().st_size
    assert f"journal {size} bytes in 1 segment" in files
    assert closes(found["bars"]) == [101, 102, 103, 104, 105]
    assert [row[1] for row in found["bars"]] == [100, 101, 102, 103, 104]
    assert (found["width_s"], found["is_line"]) == (60, False)
    assert market["sentence"] == "The market as the run's journal kept it: 5 candles."


def test_holding_begins_at_the_last_price_before_the_run(tmp_path: Path) -> None:
    traded(run_with(tmp_path, config=LIVE))
    before = FeedHistory(symbol=BTC, candles=(candle(-2), candle(-1, "80")))
    written(tmp_path, news(before), *[news(candle(minute)) for minute in range(100)])

    model = model_of(tmp_path)
    equity = model["equity"]["USDT"]

    # Holding pays 10 basis points once, at the 80 of minute -1, and ends at 200.
    assert Decimal(equity["hold_final"]) == 10_000 * Decimal("0.999") * 200 / 80 - 10_000
    assert len(model["market"]["symbols"]["BTC/USDT"]["bars"]) == 102


def test_a_second_start_tells_the_last_candles_again_and_fills_the_hole(tmp_path: Path) -> None:
    written(tmp_path, history(-2, -1), news(candle(0)), news(candle(1)))
    written(tmp_path, history(0, 1, 2, 3), news(candle(4)))

    market = read(tmp_path)

    assert closes(market.bars[BTC].rows) == [99, 100, 101, 102, 103, 104, 105]
    assert [int(point[2]) for point in market.points] == [100, 101, 102, 103, 104, 105]
    assert market.events == 7


def test_each_event_is_taken_once_though_several_followed_it(tmp_path: Path) -> None:
    events = [trade(n, str(100 + n)) for n in range(4)]
    written(
        tmp_path,
        batch(0, *events[:2], follower="strategies/a"),
        batch(0, *events[:2], follower="execution/executor"),
        batch(0, *events[:3], follower="strategies/b"),
        batch(2, *events[2:], follower="strategies/a"),
    )

    market = read(tmp_path)

    assert [int(point[2]) for point in market.points] == [100, 101, 102, 103]
    assert sum(row[5] for row in market.bars[BTC].rows) == 4


def test_the_news_of_a_connection_that_was_replaced_are_void(tmp_path: Path) -> None:
    written(
        tmp_path,
        news(trade(0), 1), news(trade(1), 2), news(trade(0.5), 1), news(trade(2), 2),
    )  # fmt: skip
    written(tmp_path, news(trade(3), 1))

    assert [(p[0] - T0) / NS_PER_S for p in read(tmp_path).points] == [0, 1, 2, 3]


def test_candles_are_drawn_before_trades_and_trades_before_quotes(tmp_path: Path) -> None:
    written(tmp_path, news(tick(1)), news(trade(2, "100.5")), news(candle(0)))

    market = read(tmp_path)

    assert closes(market.bars[BTC].rows) == [101]
    assert [point[2] for point in market.points] == [100, Decimal("100.5"), 101]


def test_a_growing_journal_is_read_on_and_a_half_written_frame_waits(tmp_path: Path) -> None:
    run_with(tmp_path, config=LIVE)
    with closing(JournalWriter(tmp_path / "journal", lambda: T0)) as writer:
        reader = RunModel(tmp_path, most_orders=1)
        none = reader.refresh()["market"]
        writer.write([news(candle(0)), news(candle(1))])
        whole = segment(tmp_path).read_bytes()
        segment(tmp_path).write_bytes(whole[:-5])
        half = reader.refresh()["market"]
        segment(tmp_path).write_bytes(whole)
        all_of_it = reader.refresh()["market"]
        reader.close()

    assert "has no journal" in none["sentence"]
    assert len(half["symbols"]["BTC/USDT"]["bars"]) == 1
    assert len(all_of_it["symbols"]["BTC/USDT"]["bars"]) == 2
    assert "damaged" not in all_of_it["sentence"]


def test_a_flipped_bit_costs_a_segments_rest_and_is_said(tmp_path: Path) -> None:
    written(tmp_path, *[news(candle(minute)) for minute in range(3)])
    written(tmp_path, *[news(candle(minute)) for minute in range(3, 5)])
    content = bytearray(segment(tmp_path).read_bytes())
    content[-10] ^= 1
    segment(tmp_path).write_bytes(content)

    market = read(tmp_path)

    assert closes(market.bars[BTC].rows) == [101, 102, 104, 105]
    assert "Missing: 1 segment(s) from where they are damaged." in market.sentence


def test_what_was_lost_and_what_is_gone_is_said(tmp_path: Path) -> None:
    for minute in range(3):
        written(tmp_path, news(candle(minute)), Frame(LOST, T0, "", b"\x05"))
    segment(tmp_path, 2).unlink()

    market = read(tmp_path)

    assert closes(market.bars[BTC].rows) == [101, 103]
    assert "1 segment(s) of the journal, which are gone" in market.sentence
    assert "10 message(s) that could not be kept" in market.sentence


@pytest.mark.parametrize("plant", ["fifo", "directory", "name", "noise", "empty"])
def test_a_hostile_journal_leaves_the_prices_of_the_metric_lines(
    tmp_path: Path, plant: str
) -> None:
    interval = {**LIFE[-2], "positions": {"BTC/USDT": {"mark_price": "123.5"}}}
    run_with(tmp_path, interval, config=LIVE)
    (tmp_path / "journal").mkdir()
    if plant == "fifo":
        os.mkfifo(segment(tmp_path))
    elif plant == "directory":
        segment(tmp_path).mkdir()
    else:
        name = "²" if plant == "name" else "1"
        (tmp_path / "journal" / f"{name}.wkj").write_bytes(b"x" * 5_000 * (plant != "empty"))

    found = model_of(tmp_path)["market"]["symbols"]["BTC/USDT"]

    assert (closes(found["bars"]), found["is_line"]) == ([123.5], True)


@pytest.mark.parametrize("name", ["\u00b2", "\u2460", "\u0663"])
def test_a_name_that_only_looks_like_a_number_hides_no_sound_segment(
    tmp_path: Path, name: str
) -> None:
    written(tmp_path, news(candle(0)))
    (tmp_path / "journal" / f"{name}.wkj").write_bytes(b"x" * 5_000)
    written(tmp_path, news(candle(1)))

    market = read(tmp_path)

    assert closes(market.bars[BTC].rows) == [101, 102]
    assert segment(tmp_path, 2).is_file()


def test_numbers_that_cannot_be_money_are_passed_over(tmp_path: Path) -> None:
    for close in ("NaN", "1E+400", "-1", "0"):
        written(tmp_path, news(candle(0, "101")), news(trade(70, close)), news(candle(1, "102")))

    market = read(tmp_path)

    assert closes(market.bars[BTC].rows) == [101, 102]
    json.dumps(market.bars[BTC].rows, allow_nan=False)


def test_memory_is_bounded_and_the_first_price_is_kept(tmp_path: Path) -> None:
    prices = [news(trade(n / 10, str(100 + n))) for n in range(1_000)]
    with closing(JournalWriter(tmp_path / "journal", lambda: T0, rotate_bytes=20_000)) as writer:
        for at in range(0, len(prices), 50):
            writer.write(prices[at : at + 50])
    market = JournalMarket(tmp_path / "journal", base_bars=20, most_points=100)
    market.read()

    assert market.events == 1_000
    assert len(market.bars[BTC].rows) <= 20
    assert len(market.points) <= 100
    assert [int(market.points[at][2]) for at in (0, -1)] == [100, 1_099]
    assert "last price of each" in market.sentence


def test_a_very_long_journal_is_read_at_its_beginning_and_its_end(tmp_path: Path) -> None:
    for minute in range(6):
        written(tmp_path, news(candle(minute)))
    size = segment(tmp_path).stat().st_size
    tail = JournalTail(tmp_path / "journal", most_bytes=3 * size)

    told = [one.what for one in tail.read() if isinstance(one, FeedNews)]

    assert told == [candle(0), candle(4), candle(5)]
    assert tail.passed_over == 3


def test_a_frame_may_be_longer_than_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.dashboard.journal_tail.CHUNK_BYTES", 64)
    written(tmp_path, history(*range(-20, 0)), *[news(candle(minute)) for minute in range(20)])

    assert len(read(tmp_path).bars[BTC].rows) == 40


def test_a_recording_that_is_gone_is_shown_from_a_journal_that_is_there(tmp_path: Path) -> None:
    replay = CONFIG.replace('"demo"', '"replay"') + '[feed.path]\n"BTC/USDT" = "/nowhere.csv"\n'
    written(run_with(tmp_path, config=replay), batch(0, candle(0), candle(1), follower="a"))

    market = model_of(tmp_path)["market"]

    assert closes(market["symbols"]["BTC/USDT"]["bars"]) == [101, 102]
    assert "journal" in market["sentence"]
