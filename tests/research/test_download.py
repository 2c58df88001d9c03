"""`data download` at a local exchange on a real socket: whole, once, whatever breaks on the way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

import cli
from exchanges.ccxt_history import USUAL_PAGE, CcxtHistory, Patience, page_size
from exchanges.ccxt_settings import CcxtSettings
from exchanges.local.faults import Fault, Plan
from exchanges.local.request_log import RequestLog
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile
from messages.ids import NS_PER_MS, NS_PER_S, Symbol
from ops.config_write import to_toml
from research.downloading import DownloadOptions, _open, download
from research.month_file import read_times
from research.series import Series, moment_text
from research.store import SeriesWriter, months_of
from tests.cancelling import heeds_a_cancellation
from tests.cli.runs import ROOT, objects
from tests.exchanges.feed_run import public_config
from tests.research.candles import BTC, MINUTE_MS, Ask, candles_in, rows_of

pytestmark = pytest.mark.slow

SERIES = Series("binance", BTC, "1m")
QUICK = Patience(tries=4, backoff_ms=10, backoff_max_ms=50)


@pytest.fixture(scope="module")
def standing() -> Iterator[RunningExchange]:
    """An exchange whose market stands: 500 minutes are over, whoever asks."""
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def still(standing: RunningExchange) -> RunningExchange:
    """The same without a fault, and asked nothing yet."""
    standing.exchange.disarm()
    with standing.exchange.lock:
        standing.exchange.log = RequestLog()
    return standing


@pytest.fixture
def config(data: Path, still: RunningExchange) -> Path:
    """A config that leads to it."""
    document = {
        "name": "x",
        "venue": {"exchange": "binance", "ccxt": public_config(still)},
        "strategy": [{"id": "s", "uses": "sma_cross", "params": {"fast": 2, "slow": 4}}],
    }
    path = data.parent / "config.toml"
    path.write_text(to_toml(document))
    return path


def all_bars(run: RunningExchange) -> list[tuple[int, str]]:
    """Give open time and close of every minute that the exchange has."""
    bars = run.exchange.players[BTC].bars.of("1m")
    return [(bar.open_ms, str(bar.close.normalize())) for bar in bars]


def truth(run: RunningExchange) -> list[tuple[int, str]]:
    """Give those that are over for sure, whatever the second."""
    return all_bars(run)[:-5]


def until(run: RunningExchange) -> str:
    return moment_text(all_bars(run)[-5][0])


def stored(root: Path) -> list[tuple[int, str]]:
    candles = candles_in(SERIES.folder(root))
    return [(one.ts_open_ns // NS_PER_MS, str(one.close.normalize())) for one in candles]


def since(run: RunningExchange) -> str:
    return moment_text(truth(run)[0][0])


def words(run: RunningExchange, config: Path, *more: str) -> list[str]:
    named = ["--exchange", "binance", "--symbol", BTC, "--config", str(config)]
    return ["data", "download", *named, "--since", since(run), "--until", until(run), *more]


def options(run: RunningExchange, root: Path, **changes: Any) -> DownloadOptions:
    values: dict[str, Any] = {
        "exchange": "binance",
        "symbol": BTC,
        "since": since(run),
        "until": until(run),
        "root": root,
        "page": 60,
        "as_json": True,
        "ccxt": public_config(run),
        "patience": QUICK,
    }
    return DownloadOptions(**values | changes)


def asked(run: RunningExchange) -> int:
    return sum(one.operation == "klines" for one in run.exchange.requests())


def end_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return objects(capsys.readouterr().out)[-1]


def test_everything_that_is_over_comes_once_and_exactly(
    still: RunningExchange, config: Path, data: Path, ask: Ask
) -> None:
    code, lines = ask(*words(still, config, "--page", "90")[1:])

    whole = truth(still)
    assert code == 0
    assert lines[-1]["added"] == lines[-1]["wanted"] == len(whole) > 400
    assert stored(data) == whole
    assert [line["candles"] for line in lines[:-1]][:5] == [90] * 5
    assert asked(still) == len(lines) - 1 == -(-len(whole) // 90)

    code, (end,) = ask(*words(still, config)[1:])
    assert (code, end["pages"], end["added"]) == (0, 0, 0)


def test_without_an_end_it_ends_at_the_last_candle_that_is_over(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download(options(still, data, until=None)) == 0

    found = stored(data)
    assert found == all_bars(still)[: len(found)]
    assert len(truth(still)) < len(found)
    assert found[-1][0] + MINUTE_MS <= still.exchange.clock.now_ns() // NS_PER_MS
    capsys.readouterr()


@pytest.mark.parametrize("ours_is_ahead_s", [-600, 600])
def test_whether_a_candle_is_over_is_told_by_the_clock_of_the_exchange(
    still: RunningExchange, ours_is_ahead_s: int
) -> None:
    def ours_ns() -> int:
        return still.exchange.clock.now_ns() + ours_is_ahead_s * NS_PER_S

    async def over_ms() -> int:
        settings = CcxtSettings(exchange="binance", config=public_config(still))
        history = CcxtHistory(settings, BTC, "1m", rng=Random(1), utc_ns=ours_ns)
        try:
            await history.open()
            return history.over_ms
        finally:
            await history.close()

    before_ms = still.exchange.clock.now_ns() // NS_PER_MS
    over = asyncio.run(over_ms())
    after_ms = still.exchange.clock.now_ns() // NS_PER_MS

    assert before_ms - 3_000 < over < after_ms - 500


def test_a_page_is_as_long_as_the_exchange_gives_of_that_kind_of_market() -> None:
    import ccxt

    markets: dict[str, dict[str, Any]] = {
        "BTC/USDT": {"type": "spot", "subType": None},
        "BTC/USDT:USDT": {"type": "swap", "subType": "linear"},
        "BTC/USDT:USDT-261225-1000-C": {"type": "option", "subType": "linear"},
    }
    client = ccxt.kucoin()
    client.markets = {symbol: {"symbol": symbol, **its} for symbol, its in markets.items()}

    assert [page_size(client, Symbol(one)) for one in markets] == [1_500, 500, USUAL_PAGE]


def test_a_later_run_goes_on_where_the_store_ends(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download(options(still, data, until=moment_text(truth(still)[99][0]))) == 0
    assert len(stored(data)) == 99

    before = asked(still)
    assert download(options(still, data)) == 0

    assert stored(data) == truth(still)
    assert asked(still) - before == -(-(len(truth(still)) - 99) // 60)
    capsys.readouterr()


def test_holes_inside_are_asked_for_and_neighbours_share_a_page(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download(options(still, data))
    whole = truth(still)
    without = [n for n in range(len(whole)) if n not in (50, 52, 60, 300)]
    rewrite(data, [whole[n][0] for n in without])
    capsys.readouterr()

    assert download(options(still, data)) == 0

    assert stored(data) == whole
    end = end_of(capsys)
    assert (end["wanted"], end["added"], end["pages"], end["kept"]) == (4, 4, 2, 0)


def rewrite(root: Path, times: list[int]) -> None:
    """Leave only the candles of these times in the store."""
    months = months_of(SERIES.folder(root))
    rows = [row for path in months for row in rows_of(path) if row[0] in set(times)]
    for path in months:
        path.unlink()
    with SeriesWriter(root, SERIES) as writer:
        writer.add(rows)


@pytest.mark.parametrize(
    "fault", [Fault.TOO_MANY_REQUESTS, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.HALF_JSON]
)
def test_a_fault_in_the_middle_costs_a_question_and_no_candle(
    still: RunningExchange, data: Path, fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    still.exchange.arm(Plan(fault=fault, operation="klines", nth=3, retry_after_s=0))

    assert download(options(still, data)) == 0

    assert stored(data) == truth(still)
    # A reset of a connection that was used before is asked again by aiohttp itself.
    assert asked(still) == end_of(capsys)["pages"] + 1


def test_an_exchange_that_stops_answering_is_3_and_the_next_run_goes_on(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still.exchange.arm(Plan(fault=Fault.SERVER_ERROR_BEFORE, operation="klines", nth=4, times=None))

    assert download(options(still, data, as_json=False)) == 3

    said = capsys.readouterr().out
    assert "180 of" in said
    assert "the same command goes on there" in said
    assert stored(data) == truth(still)[:180]

    still.exchange.disarm()
    before = asked(still)
    assert download(options(still, data)) == 0
    assert stored(data) == truth(still)
    assert asked(still) - before == -(-(len(truth(still)) - 180) // 60)


def test_what_is_there_is_said_to_be_there(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download(options(still, data, as_json=False)) == 0
    assert "candles added" in capsys.readouterr().out

    assert download(options(still, data, as_json=False)) == 0
    assert capsys.readouterr().out.endswith(": all of it is there already\n")


def test_killed_in_the_middle_it_loses_no_more_than_the_page_in_hand(
    still: RunningExchange, config: Path, data: Path, ask: Ask
) -> None:
    still.exchange.arm(
        Plan(fault=Fault.DELAYED_REPLY, operation="klines", delay_ms=100, times=None)
    )
    command = [sys.executable, "-P", "-m", "cli", *words(still, config, "--page", "20", "--json")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        cwd=data.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    told = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    assert [line["added"] for line in told] == [20, 20, 20]
    (month, *_) = months_of(SERIES.folder(data))
    count = sum(len(run) for path in months_of(month.parent) for run in read_times(path))
    assert 60 <= count < 200
    assert stored(data) == truth(still)[:count]

    still.exchange.disarm()
    before = asked(still)
    code, lines = ask(*words(still, config)[1:])
    assert (code, lines[-1]["wanted"]) == (0, len(truth(still)) - count)
    assert stored(data) == truth(still)
    assert asked(still) - before == 1


def test_a_stored_candle_that_differs_is_told_and_kept(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first_ms = truth(still)[0][0]
    with SeriesWriter(data, SERIES) as writer:
        writer.add([(first_ms + MINUTE_MS, "1", "1", "1", "1", "1")])

    assert download(options(still, data, page=1000, as_json=False)) == 1

    said = capsys.readouterr().out
    assert f"{moment_text(first_ms + MINUTE_MS)}: open 1 stored" in said
    assert stored(data)[1] == (first_ms + MINUTE_MS, "1")


def test_what_the_exchange_does_not_have_is_told_and_not_asked_for_ever(
    still: RunningExchange, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = moment_text(truth(still)[0][0] - 100 * MINUTE_MS)

    assert download(options(still, data, since=early, page=1000, as_json=False)) == 0

    assert stored(data) == truth(still)
    assert "100 candles the exchange did not give" in capsys.readouterr().out
    assert asked(still) == 1


def test_an_exchange_that_answers_for_a_span_and_no_further_is_asked_span_by_span(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_exchange(seed=5, speed=0, profile=Profile.OKX) as run:
        early = moment_text(truth(run)[0][0] - 650 * MINUTE_MS)
        config = options(run, data, exchange="okx", since=early, page=None)

        assert download(config) == 0

        candles = candles_in(Series("okx", BTC, "1m").folder(data))
        assert [one.ts_open_ns // NS_PER_MS for one in candles] == [ms for ms, _ in truth(run)]
    assert end_of(capsys)["missing"] == 650


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["--symbol", "NO/SUCH"], "has no market NO/SUCH"),
        (["--timeframe", "7m"], "no candles of 7m"),
        (["--since", "2024"], "'2024' is not a time such as"),
        (["--until", "2001-09-10"], "is not after"),
        (["--exchange", "nowhere"], "ccxt has no exchange"),
    ],
)
def test_what_cannot_be_is_2_and_a_sentence(
    still: RunningExchange,
    config: Path,
    changes: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([*words(still, config), *changes]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_ctrl_c_while_the_gate_is_asked_is_heeded_also_as_it_answers() -> None:
    """The download had begun then, and went on for as long as it took."""

    class Gate:
        def __init__(self, answered: asyncio.Event) -> None:
            self.answered = answered

        async def open(self) -> None:
            await self.answered.wait()

    async def opens(answered: asyncio.Event) -> None:
        await _open(cast("CcxtHistory", Gate(answered)), "binance")

    assert asyncio.run(heeds_a_cancellation(opens))
