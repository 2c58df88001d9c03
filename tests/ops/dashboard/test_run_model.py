"""The model of a run: what is there, where it comes from, and what is said of what is missing."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from exchanges.demo import DemoSource
from messages.errors import DataError
from messages.ids import TimestampNs
from messages.values import OrderState, Side
from ops.dashboard import run
from ops.dashboard.orders import Ledgered
from ops.dashboard.run import RunModel
from persistence.ledger_place import LedgerPlace, words_of
from tests.cli.runs import BTC, book, fill
from tests.ops.dashboard.runs import CONFIG, LIFE, T0, recorded, run_with, said

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def model_of(run_dir: Path, most_orders: int = 100) -> dict[str, Any]:
    reader = RunModel(run_dir, most_orders=most_orders)
    try:
        return reader.refresh()
    finally:
        reader.close()


def traded(run_dir: Path) -> Path:
    with book(run_dir) as written:
        bought, sold = written.claim(0), written.claim(1, side=Side.SELL)
        written.step(bought, OrderState.ACCEPTED)
        written.step(bought, OrderState.FILLED, fill("1", "2"))
        later = fill("2", "2", "110", ts_event_ns=TimestampNs(fill("1", "2").ts_event_ns + 1))
        written.step(sold, OrderState.FILLED, later)
        written.claim(2, refused="cooldown: too early")
    return run_dir


def test_an_order_brings_its_life_and_its_executions(tmp_path: Path) -> None:
    orders = model_of(traded(tmp_path))["orders"]

    assert orders["total"] == 3
    assert orders["states"] == {"filled": 2, "refused": 1}
    assert [row["state"] for row in orders["rows"]] == ["refused", "filled", "filled"]
    first = orders["rows"][-1]
    assert [step[3] for step in first["life"]] == ["claimed", "sent", "accepted", "filled"]
    assert [row[1:3] for row in first["fills"]] == [["2", "100"]]


def test_equity_is_exact_and_as_text(tmp_path: Path) -> None:
    equity = model_of(traded(run_with(tmp_path, *LIFE)))["equity"]["USDT"]

    assert equity["final"] == "19.8"
    assert equity["start"] == "10000"
    assert equity["in_use"] == "200"


def test_the_latency_of_venue_and_fill_comes_from_durable_steps(tmp_path: Path) -> None:
    stages = model_of(traded(tmp_path))["internals"]["stages"]

    assert stages["ack"]["count"] == 2
    assert stages["fill"]["count"] == 1


def test_the_demo_market_is_made_again_as_far_as_the_run_went(tmp_path: Path) -> None:
    market = model_of(run_with(tmp_path, *LIFE))["market"]
    source = list(DemoSource(BTC, seed=7, limit=10).events())

    bars = market["symbols"]["BTC/USDT"]["bars"]
    assert [bar[4] for bar in bars] == [float(candle.close) for candle in source]
    assert "seed 7" in market["sentence"]


def test_a_recording_that_is_gone_is_said(tmp_path: Path) -> None:
    replay = (
        CONFIG.replace('"demo"', '"replay"') + '[feed.path]\n"BTC/USDT" = "/nowhere/at/all.csv"\n'
    )
    market = model_of(run_with(tmp_path, *LIFE, config=replay))["market"]

    assert "/nowhere/at/all.csv" in market["sentence"]
    assert "cannot be read" in market["sentence"]


def test_a_time_without_candles_is_a_gap_in_the_market_and_in_the_equity(tmp_path: Path) -> None:
    opened = T0 // 10**9

    model = model_of(recorded(tmp_path / "run", [*range(30), 31, *range(100, 130)]))

    gaps = [[opened + 29 * 60, opened + 31 * 60], [opened + 31 * 60, opened + 100 * 60]]
    assert model["market"]["symbols"]["BTC/USDT"]["gaps"] == gaps
    equity = model["equity"]["USDT"]
    assert equity["gaps"] == [[at + 60 for at in gap] for gap in gaps]
    assert {at for gap in equity["gaps"] for at in gap} <= set(equity["t"])


def test_of_a_curve_of_many_points_both_ends_of_a_gap_are_kept(tmp_path: Path) -> None:
    minutes = [*range(5_003), *range(9_000, 14_001)]

    equity = model_of(recorded(tmp_path / "run", minutes))["equity"]["USDT"]

    closed = T0 // 10**9 + 60
    assert equity["points"] > 3 * len(equity["t"])
    assert equity["gaps"] == [[closed + 5_002 * 60, closed + 9_000 * 60]]
    assert {at for gap in equity["gaps"] for at in gap} <= set(equity["t"])


def test_a_live_market_is_the_prices_that_the_lines_kept(tmp_path: Path) -> None:
    live = CONFIG.replace('"demo"', '"ccxt"')
    interval = {**LIFE[-2], "positions": {"BTC/USDT": {"mark_price": "123.5"}}}

    found = model_of(run_with(tmp_path, interval, config=live))["market"]["symbols"]["BTC/USDT"]

    assert [bar[4] for bar in found["bars"]] == [123.5]
    assert found["is_line"]


def test_an_empty_directory_says_all_that_is_missing(tmp_path: Path) -> None:
    model = model_of(tmp_path)

    assert model["standing"]["word"] == "Unknown"
    text = " ".join(model["missing"])
    for name in ("config.effective.toml", "status.json", "ledger", "metrics.ndjson"):
        assert name in text


def test_no_directory_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no run in"):
        RunModel(tmp_path / "none", most_orders=1)


@pytest.mark.parametrize(
    ("ended", "level", "word"),
    [
        ({"exit_code": 0, "reason": "the time was over"}, "ok", "Ended in order"),
        ({"exit_code": 70, "reason": "supervision"}, "critical", "Ended by itself"),
        (None, "critical", "Killed"),
    ],
)
def test_how_a_process_ended_is_the_verdict(
    tmp_path: Path, ended: object, level: str, word: str
) -> None:
    status = {"captured_at_ns": 1_790_000_000 * 10**9, "ended": ended, "actors": []}
    traded(run_with(tmp_path, *LIFE))
    (tmp_path / "status.json").write_text(json.dumps(status))

    standing = model_of(tmp_path)["standing"]

    assert (standing["level"], standing["word"]) == (level, word)


def test_the_facts_name_versions_machine_seed_and_exit_code(tmp_path: Path) -> None:
    software = {"watchkeeper": "0.1.0", "python": "3.12.1", "sqlite": "3.45", "ccxt": None}
    machine = {"host": "bot-1", "system": "Linux 6 x86_64", "processors": 2}
    ended = {"exit_code": 1, "reason": "halted: too many losses"}
    status = {"captured_at_ns": 1, "software": {**software, **machine}, "ended": ended}
    run_with(tmp_path, *LIFE)
    (tmp_path / "status.json").write_text(json.dumps(status))

    facts = dict(model_of(tmp_path)["facts"])

    assert facts["Versions"] == "Watchkeeper 0.1.0, Python 3.12.1, SQLite 3.45"
    assert facts["Host"] == "bot-1, Linux 6 x86_64, 2 processors"
    assert facts["Seed"] == "7"
    assert facts["Exit code"] == "1: halted: too many losses"


def test_what_is_not_settled_is_a_warning_after_the_end(tmp_path: Path) -> None:
    with book(tmp_path) as written:
        written.step(written.claim(0), OrderState.UNKNOWN)
    status = {"captured_at_ns": 1, "ended": {"exit_code": 0, "reason": "done"}}
    (tmp_path / "status.json").write_text(json.dumps(status))

    standing = model_of(tmp_path)["standing"]

    assert standing["level"] == "warning"
    assert "1 unknown" in standing["why"]


def test_a_hostile_directory_gives_a_model_that_says_what_it_lacks(tmp_path: Path) -> None:
    run_with(
        tmp_path,
        *LIFE,
        b"x" * (2 << 20) + b"\n",
        b"{\n",
        config=f'name = "{EVIL}"\n[feed]\nseed = "x"\n',
    )
    (tmp_path / "status.json").write_text('{"actors": [1, {"path": 5, "p50_us": NaN}], "pid": {}}')
    os.mkfifo(tmp_path / "metrics_summary.json")
    (tmp_path / "ledger.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5_000)

    model = model_of(tmp_path)

    json.dumps(model, allow_nan=False)
    text = " ".join(model["missing"])
    assert "over 1 MB" in text
    assert "1 of " in text
    assert "ledger" in text


def test_a_ledger_with_words_that_mean_nothing_does_not_break_it(tmp_path: Path) -> None:
    traded(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("UPDATE orders SET quantity = 'many' WHERE state = 'refused'")
        database.execute("UPDATE fills SET price = 'NaN' WHERE trade_id = '1'")
    database.close()

    model = model_of(tmp_path)

    assert len(model["orders"]["rows"]) == 2
    assert any("cannot be money" in text for text in model["missing"])


def test_only_the_newest_orders_are_in_it_and_all_are_counted(tmp_path: Path) -> None:
    orders = model_of(traded(tmp_path), most_orders=1)["orders"]

    assert (len(orders["rows"]), orders["total"]) == (1, 3)


def test_a_second_look_sees_what_was_written_meanwhile(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE)
    reader = RunModel(tmp_path, most_orders=10)
    before = reader.refresh()
    traded(tmp_path)
    with (tmp_path / "metrics.ndjson").open("a") as file:
        file.write(json.dumps(said(9, "feed", feed="feeds/feed:demo", delivered=12)) + "\n")

    after = reader.refresh()
    reader.close()

    assert (before["orders"].get("total"), after["orders"]["total"]) == (None, 3)
    assert len(after["market"]["symbols"]["BTC/USDT"]["bars"]) == 12


def test_reading_leaves_the_directory_as_it_was(tmp_path: Path) -> None:
    traded(run_with(tmp_path, *LIFE))
    names = {path.name for path in tmp_path.iterdir()}
    size = (tmp_path / "ledger.db").stat().st_size

    model_of(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} - names <= {"ledger.db-shm", "ledger.db-wal"}
    assert (tmp_path / "ledger.db").stat().st_size == size


def test_a_market_of_several_files_is_read_from_all_of_them(tmp_path: Path) -> None:
    rows = [f"{1_790_000_000 + n * 60},1,1,1,1,1\n" for n in range(4)]
    (tmp_path / "a.csv").write_text("".join(rows[:2]))
    (tmp_path / "b.csv").write_text("".join(rows[2:]))
    paths = f'"BTC/USDT" = ["{tmp_path / "a.csv"}", "{tmp_path / "b.csv"}"]'
    replay = CONFIG.replace('"demo"', '"replay"') + f"[feed.path]\n{paths}\n"

    market = model_of(run_with(tmp_path / "run", *LIFE, config=replay))["market"]

    assert len(market["symbols"]["BTC/USDT"]["bars"]) == 4
    assert "a.csv" in market["sentence"]
    assert "b.csv" in market["sentence"]


def test_a_ledger_in_a_database_is_read_again_whenever_the_run_says_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def read(run_dir: Path, **_: object) -> Ledgered:
        reads.append(run_dir)
        return Ledgered()

    monkeypatch.setattr(run, "read_ledger", read)
    (tmp_path / "ledger.db").write_bytes(words_of(LedgerPlace(schema="x", url_env="Y")))
    model = RunModel(tmp_path, most_orders=5)
    for text in ("{}", "{}", '{"a":1}'):
        (tmp_path / "status.json").write_text(text)
        os.utime(tmp_path / "status.json", ns=(len(text), len(text)))
        model.refresh()
    model.close()

    assert len(reads) == 2
