"""`report`: the tear sheet of a run directory, whatever of it is there."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from decisions.order_keys import client_order_id, order_key
from decisions.tear_sheet import Trials
from messages.ids import NS_PER_S, StrategyId, TimestampNs
from messages.values import OrderState, Side
from ops.dashboard.sheet_page import sheet_page
from ops.metrics_schema import schemas
from ops.report import document
from ops.report_model import run_sheets
from ops.run_files import EFFECTIVE_CONFIG, LEDGER, STATUS
from persistence.ledger import Claim, fingerprint
from tests.cli.runs import T0, book, edit, fill, intent
from tests.ops.dashboard.runs import CONFIG, LIFE, run_with
from tests.ops.dashboard.test_journal_market import LIVE, candle, history, news, written
from tests.ops.dashboard.test_run_model import EVIL, traded


def told(run_dir: Path, **options: Any) -> Any:
    return run_sheets(run_dir, options.get("split", ""), options.get("trials", Trials()))


def test_a_demo_run_is_valued_on_its_market_made_again(tmp_path: Path) -> None:
    found = told(traded(run_with(tmp_path, *LIFE)))

    (sheet,) = found.sheets
    whole = sheet.parts[0]
    assert (found.mode, found.name) == ("paper", "made")
    assert (sheet.capital, whole.executions, whole.trades.ended) == (10_000, 2, 1)
    assert whole.figures.net == pytest.approx(19.8)
    assert found.model["market"]["symbols"]["BTC/USDT"]["bars"]
    assert found.why == []


def test_a_live_run_has_its_candles_from_the_journal_and_the_money_in_use(tmp_path: Path) -> None:
    config = LIVE.replace('mode = "paper"', 'mode = "live"').replace('"paper"', '"ccxt"')
    run_dir = traded(run_with(tmp_path, *LIFE, config=config.partition("[venue.balances]")[0]))
    written(run_dir, history(0, 1), news(candle(2)), news(candle(3)))

    found = told(run_dir)

    (sheet,) = found.sheets
    assert found.mode == "live"
    assert [bar[4] for bar in found.model["market"]["symbols"]["BTC/USDT"]["bars"]][-2:] == [
        103,
        104,
    ]
    assert "as the run's journal kept it" in found.model["market"]["sentence"]
    assert sheet.capital == 200  # two at 100
    assert any("the most that was in use at once" in note for note in found.notes)


def test_without_a_market_executions_alone_are_a_curve(tmp_path: Path) -> None:
    found = told(traded(run_with(tmp_path, config="mode = 'live'")))

    (sheet,) = found.sheets
    assert sheet.parts[0].figures.net == pytest.approx(19.8)
    assert len(sheet.curve.times_ns) == 2
    assert '"fills_total":2' in sheet_page(found.model)


def test_an_empty_config_is_said_as_one_that_is_missing(tmp_path: Path) -> None:
    """As a full disk leaves it: without it there is no market, and nothing says so."""
    run_dir = traded(run_with(tmp_path, *LIFE))
    (run_dir / EFFECTIVE_CONFIG).write_text("\n")

    notes = told(run_dir).notes
    assert "config.effective.toml is empty: the market and the start capital are unknown." in notes


def test_executions_that_tell_no_moment_are_left_out_and_counted(tmp_path: Path) -> None:
    with book(traded(run_with(tmp_path, *LIFE))) as ledger:
        undated = fill("3", "2", ts_event_ns=TimestampNs(0))
        ledger.step(ledger.claim(3), OrderState.FILLED, undated)

    found = told(tmp_path)

    assert found.sheets[0].parts[0].executions == 2
    assert "1 executions tell no moment and are left out" in found.notes[-1]
    assert found.model["notes"] == found.notes


def test_what_filled_at_one_moment_stands_as_it_was_decided(tmp_path: Path) -> None:
    """It leaves and enters again at once, eleven times: no exit comes behind its next entry."""
    with book(run_with(tmp_path, *LIFE)) as ledger:
        for number in range(12):
            for ordinal, side in enumerate((Side.SELL, Side.BUY) if number else (Side.BUY,)):
                wish = intent(number, side=side)
                names = wish.account, wish.strategy_id, wish.symbol, wish.decided_at_ns
                wish = msgspec.structs.replace(wish, order_key=order_key(*names, ordinal))
                name = client_order_id(wish.order_key)
                claim = Claim(wish, fingerprint(wish), name, None, sent=True)
                ledger.ledger.claim([claim], ledger.tick())
                filled = fill(f"{name}-1", "2", ts_event_ns=TimestampNs(T0 + number * NS_PER_S))
                ledger.step(wish.order_key, OrderState.FILLED, filled)

    trades = told(tmp_path).sheets[0].parts[0].trades

    assert (trades.ended, trades.longs, trades.open) == (11, 11, 1)
    assert trades.average_held_ns == NS_PER_S


def test_a_run_whose_orders_mean_nothing_has_its_executions_all_the_same(tmp_path: Path) -> None:
    with book(run_with(tmp_path, *LIFE)) as ledger:
        for number, strategy in enumerate("ab"):
            key = ledger.claim(1, strategy_id=StrategyId(strategy))
            ledger.step(key, OrderState.FILLED, fill(str(number), "2"))
    edit(tmp_path / LEDGER, "UPDATE orders SET decided_at_ns = 'then' WHERE strategy_id = 'a'")

    assert told(tmp_path).sheets[0].parts[0].executions == 2


def test_a_run_that_got_nothing_says_why(tmp_path: Path) -> None:
    config = CONFIG + '[[strategy]]\nid = "a"\nsymbol = "BTC/USDT"\n'
    run_dir = run_with(tmp_path, *LIFE, config=config)
    with book(run_dir) as ledger:
        ledger.claim(0, refused="cooldown: too early")
        ledger.step(ledger.claim(1), OrderState.REJECTED)

    found = told(run_dir)

    assert found.sheets[0].parts[0].executions == 0
    refused, rejected = found.why
    assert refused == "risk refused 1 of 2 decisions of a: cooldown: too early"
    assert rejected.startswith("the venue rejected 1 of 2 decisions of a")


QUIET = ["execution/executor is stopped", "feeds/feed:demo is stopped"]


@pytest.mark.parametrize(
    ("said", "told_of_it"),
    [
        ({"a": {"why": QUIET}}, ", and nothing kept it: its rule was not met"),
        ({"a": {"why": [*QUIET, "warm-up: 5 of 15 events"]}}, ": warm-up: 5 of 15 events"),
        (
            {"a": {"why": ["execution/strategies/a is halted: boom"]}},
            ": execution/strategies/a is ",
        ),
        ({"b": {"why": QUIET}}, ", and no file of the run says why"),
        ({"a": {"why": 7}}, ", and no file of the run says why"),
        (None, ", and no file of the run says why"),
    ],
)
def test_a_strategy_that_decided_nothing_has_the_reason_that_its_run_gave(
    tmp_path: Path, said: Any, told_of_it: str
) -> None:
    """Without metric lines, and without a journal of a live market, no event of it is known."""
    config = CONFIG + '[[strategy]]\nid = "a"\nsymbol = "BTC/USDT"\n'
    run_dir = run_with(tmp_path, config=config)
    with book(run_dir):
        pass
    (run_dir / STATUS).write_text(json.dumps({"trading": said}), encoding="utf-8")

    (why,) = told(run_dir).why

    assert why.startswith(f"strategy a decided nothing{told_of_it}")


def test_what_is_printed_is_what_the_schema_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    traded(run_with(tmp_path, *LIFE))

    assert cli.main(["report", str(tmp_path), "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schemas()["report.schema.json"])
    validator.validate(printed)
    assert printed["quotes"][0]["parts"][0]["trades"]["ended"] == 1
    del printed["quotes"][0]["quote"]
    assert not validator.is_valid(printed)


def test_the_table_is_aligned_and_obeys_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CONFIG.replace('"made"', json.dumps(EVIL + "\x1b[31m"))
    traded(run_with(tmp_path, *LIFE, config=config))

    assert cli.main(["report", str(tmp_path)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    whole, net = (next(n for n in lines if n.startswith(w)) for w in ("   ", "  Net, USDT"))
    assert whole.index("whole") + len("whole") == net.index("+19.80") + len("+19.80")


def test_a_page_is_written_beside_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = traded(run_with(tmp_path / "run", *LIFE))
    page = tmp_path / "page.html"

    assert cli.main(["report", "--run-dir", str(run_dir), "--html", str(page)]) == 0
    assert "open it in any browser" in capsys.readouterr().err
    assert page.read_text().startswith("<!doctype html>")
    assert cli.main(["report", str(run_dir), "--html", "-"]) == 0
    assert capsys.readouterr().out == page.read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--split", "nan"], "is no share of the run"),
        (["--split", "1970-01-01"], "outside of the data"),
        (["--trials", "0"], "is not a whole number above 0"),
        (["--html", "no/such/x.html"], "no/such/x.html: no such file or directory"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    traded(run_with(tmp_path, *LIFE))

    assert cli.main(["report", str(tmp_path), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_an_empty_run_is_a_page_too(tmp_path: Path) -> None:
    with book(run_with(tmp_path, config="")):
        pass
    found = told(tmp_path)

    assert found.sheets == []
    assert msgspec.json.encode(document(found))
    assert "<!doctype html>" in sheet_page(found.model)


def test_a_run_with_nothing_cannot_be_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(run_with(tmp_path, config="")):
        pass

    assert cli.main(["report", str(tmp_path), "--split", "0.5"]) == 2
    assert "has no price and no execution to be split" in capsys.readouterr().err
