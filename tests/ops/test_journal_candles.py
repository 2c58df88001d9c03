"""`journal --candles` gives the candles that were decided on, each once; history is told."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.codec import to_msgpack
from messages.ids import NS_PER_S, AccountId, ActorPath, Epoch, Symbol, TimestampNs
from messages.market import Candle, FeedHistory, FeedNews, MarketBatch
from messages.outside import Origin
from messages.recorded import RunBegun
from persistence.frames import Frame
from persistence.journal import JournalWriter

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
MINUTE = 60 * NS_PER_S
BEGUN = RunBegun(
    process="1",
    version="",
    account=AccountId("paper"),
    is_replayed=False,
    timeframe_ns=MINUTE,
    strategies=(),
)


def candle(minute: int, symbol: Symbol = BTC) -> Candle:
    price = Decimal("1E+2") + minute
    return Candle(
        symbol=symbol,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal("0.50"),
        ts_open_ns=TimestampNs(minute * MINUTE),
        ts_event_ns=TimestampNs((minute + 1) * MINUTE),
    )


def news(what: Any) -> FeedNews:
    return FeedNews(epoch=Epoch(1), what=what)


def history(*minutes: int) -> FeedNews:
    return news(FeedHistory(symbol=BTC, candles=tuple(map(candle, minutes))))


def batch(first: int, minutes: Sequence[int], *, is_history: bool = False) -> MarketBatch:
    events = tuple(map(candle, minutes))
    return MarketBatch(feed=ActorPath("f"), first_index=first, events=events, is_history=is_history)


def journal_of(run_dir: Path, *messages: Any) -> Path:
    run_dir.mkdir()
    writer = JournalWriter(run_dir / "journal", lambda: 1)
    origins = {FeedNews: Origin.MARKET}
    for message in messages:
        origin = origins.get(type(message), Origin.INSIDE)
        writer.write([Frame(origin, 1, "x", to_msgpack(message))])
    writer.seal()
    writer.close()
    return run_dir


def minutes_of(text: str) -> list[int]:
    head, *rows = text.splitlines()
    assert head == "ts,open,high,low,close,volume"
    return [int(row.split(",")[0]) // 60_000 for row in rows]


def test_each_candle_that_was_shown_is_there_once_and_history_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = journal_of(
        tmp_path / "run",
        BEGUN,
        history(0, 1, 2),
        news(candle(3)),
        batch(0, (0, 1, 2), is_history=True),
        batch(3, (3,)),
        batch(0, (0, 1, 2), is_history=True),
        news(candle(4)),
        batch(4, (4,)),
        news(candle(5)),
    )

    assert cli.main(["journal", str(run), "--candles", "BTC/USDT"]) == 0

    out, err = capsys.readouterr()
    assert minutes_of(out) == [0, 1, 2, 3, 4]
    assert out.splitlines()[1] == "0,100,100,100,100,0.50"
    text = "5 candles, 3 of them of before the run: backtest --warm-until 1970-01-01T00:03:00.000"
    assert err == text + "\n"


def test_an_older_journal_gives_what_the_feed_was_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = journal_of(
        tmp_path / "run", history(0, 1), news(candle(2, ETH)), news(candle(2)), news(candle(3))
    )

    assert cli.main(["journal", str(run), "--candles", "BTC/USDT"]) == 0

    out, err = capsys.readouterr()
    assert minutes_of(out) == [0, 1, 2, 3]
    assert "4 candles, 2 of them" in err


def test_a_symbol_that_is_not_there_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = journal_of(tmp_path / "run", BEGUN, batch(0, (0,)))

    assert cli.main(["journal", str(run), "--candles", "SOL/USDT"]) == 2
    assert "holds no candle of SOL/USDT" in capsys.readouterr().err
