"""The sheet of a backtest says what its report says, and is the same bytes again."""

import csv
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from math import isclose
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from decisions.tear_sheet import Trials
from exchanges.event_blocks import Block
from messages.ids import Symbol
from research.backtest.about import about
from research.backtest.files import table_of_trades
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan
from research.backtest.report import Report, report_on, with_parts
from research.backtest.schema import schema
from research.backtest.sheet import executed, page_model, sheets_of
from research.backtest.tables import as_table
from research.backtest.watched import Watched
from tests.research.test_loop import BTC, ETH, candles, plan_of, rows, scripts


def run(plan: Plan, split_ns: int | None = None) -> tuple[Report, Any]:
    with Watched(plan) as watched:
        outcome = Backtest(watched.plan).run()
        sheets = sheets_of(watched, outcome, split_ns, Trials())
    return with_parts(report_on("x", plan, outcome), sheets.by_quote, split_ns), sheets


@pytest.mark.slow
@settings(max_examples=60)
@given(first=rows(), second=rows(), one=scripts, other=scripts)
def test_the_sheet_finds_what_the_loop_found(first: Any, second: Any, one: Any, other: Any) -> None:
    markets = {BTC: candles(BTC, first), ETH: candles(ETH, second)}
    plan = plan_of(markets, {BTC: one, ETH: other})
    with Watched(plan) as watched:
        outcome = Backtest(watched.plan).run()
        loop = report_on("x", plan, outcome)
        (sheet,) = sheets_of(watched, outcome, None, Trials()).by_quote.values()

    (told,), whole = loop.quotes, sheet.parts[0]
    assert isclose(whole.figures.net, float(told.net), abs_tol=1e-9)
    assert isclose(whole.figures.max_drawdown, told.max_drawdown, abs_tol=1e-9)
    assert isclose(whole.exposure, told.exposure)
    assert (whole.turnover, whole.executions) == (told.turnover, loop.fills)
    assert abs(whole.fees - told.fees) < Decimal("1e-20")
    assert whole.trades == told.parts[0].trades
    assert whole.hold is not None
    assert isclose(whole.hold.net, float(told.buy_and_hold), abs_tol=1e-7)
    ours = msgspec.structs.asdict(told.parts[0].figures)
    for name, value in msgspec.structs.asdict(whole.figures).items():
        if isinstance(value, float):
            assert isclose(value, ours[name], abs_tol=1e-9), name
        elif isinstance(value, int | str):
            assert value == ours[name], name


SOME = [(n, 90 + n % 7, 110, 80, 91 + n % 5, "400") for n in range(1, 60)]
SCRIPT = [[3, "buy", "gtc", "0.5", ""], [9, "sell", "gtc", "0.5", ""], [30, "buy", "gtc", "1", ""]]


def two_symbols() -> Plan:
    markets = {BTC: candles(BTC, SOME), ETH: candles(ETH, SOME[5:])}
    return plan_of(markets, {BTC: SCRIPT, ETH: SCRIPT[:2]})


def model_of(plan: Plan) -> dict[str, Any]:
    report, sheets = run(plan, plan.markets[0].blocks().__next__().times_ns[2])
    told = about(report, plan, {}, 7, "1m", "name = 'x'")
    return page_model(sheets, Trials(), told)


@pytest.mark.parametrize("most_bytes", [2, 10**6])
def test_each_market_is_read_once_and_no_more_is_in_memory_than_may_be(
    monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    """What is kept on disk gives the same page as what is kept in memory."""
    expected = json.dumps(model_of(two_symbols()))
    monkeypatch.setattr("research.backtest.watched.MOST_BYTES", most_bytes)
    readings: list[Symbol] = []
    plan = two_symbols()

    def counted(market: MarketPlan) -> MarketPlan:
        def blocks() -> Iterator[Block]:
            readings.append(market.symbol)
            return market.blocks()

        return msgspec.structs.replace(market, blocks=blocks)

    with Watched(
        msgspec.structs.replace(plan, markets=tuple(map(counted, plan.markets)))
    ) as watched:
        outcome = Backtest(watched.plan).run()
        split_ns = plan.markets[0].blocks().__next__().times_ns[2]
        sheets = sheets_of(watched, outcome, split_ns, Trials())
    report = with_parts(report_on("x", plan, outcome), sheets.by_quote, split_ns)
    told = about(report, plan, {}, 7, "1m", "name = 'x'")
    assert json.dumps(page_model(sheets, Trials(), told)) == expected
    assert sorted(readings) == [BTC, ETH]


def test_a_page_of_two_symbols_has_both_and_is_the_same_bytes_again() -> None:
    first, again = json.dumps(model_of(two_symbols())), json.dumps(model_of(two_symbols()))
    model = json.loads(first)

    assert first == again
    assert list(model["market"]["symbols"]) == [BTC, ETH]
    (sheet,) = model["sheets"]
    assert [row[0] for row in sheet["symbols"]] == [BTC, ETH]
    assert [row[0] for row in sheet["strategies"]] == [f"s-{BTC}", f"s-{ETH}"]
    assert sheet["columns"] == ["whole", "in sample", "out of sample"]
    assert len(model["market"]["symbols"][BTC]["fills"]) == 3
    assert model["market"]["symbols"][BTC]["bars"][0][1:] == [91, 110, 80, 92, 400]


def test_the_report_with_its_parts_is_what_the_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    report, _ = run(two_symbols(), 1_700_000_900_000_000_000)
    validator = jsonschema.Draft202012Validator(schema())

    document = json.loads(msgspec.json.encode(report, order="sorted"))

    jsonschema.Draft202012Validator.check_schema(schema())
    validator.validate(document)
    assert len(document["quotes"][0]["parts"]) == 3
    del document["quotes"][0]["parts"][0]["figures"]["net"]
    assert not validator.is_valid(document)


def test_the_table_has_a_line_for_each_symbol_and_a_column_for_each_part() -> None:
    report, _ = run(two_symbols(), 1_700_000_900_000_000_000)
    lines = list(as_table(report))

    (head,) = [line for line in lines if "in sample" in line]
    (net,) = [line for line in lines if line.startswith("  net ")]
    cells = [found.start() for found in re.finditer(r"[-+]?[0-9][0-9,.]* USDT", net)]
    assert cells[1:] == [head.index("in sample"), head.index("out of sample")]
    assert [line.split()[0] for line in lines if line.startswith(("  BTC/", "  ETH/"))] == [
        BTC,
        ETH,
    ]


def test_the_exposure_of_two_symbols_counts_a_moment_at_which_one_of_them_is_held() -> None:
    """BTC after candles 5 to 10 and 32 to 59; ETH, which begins at the sixth, after 10 to 15."""
    report, sheets = run(two_symbols())

    assert [one.exposure for one in report.markets] == [34 / 59, 6 / 54]
    assert report.quotes[0].exposure == (6 + 5 + 28) / 59
    (sheet,) = sheets.by_quote.values()
    assert sheet.parts[0].exposure == report.quotes[0].exposure


def test_an_exit_that_a_thin_candle_cut_in_two_is_one_trade() -> None:
    some = [*SOME[:10], (*SOME[10][:5], "9.97"), *SOME[11:]]
    script = [[3, "buy", "gtc", "1", ""], [9, "sell", "gtc", "1", ""]]
    plan = plan_of({BTC: candles(BTC, some)}, {BTC: script})

    report, sheets = run(plan)

    assert (report.orders, report.fills) == ({"filled": 2}, 3)
    (whole,) = report.quotes[0].parts
    assert (whole.trades.ended, whole.trades.open, whole.executions) == (1, 0, 3)
    assert whole.trades.expectancy == pytest.approx(float(report.quotes[0].net))
    assert [one.trades for one in whole.trades.exits] == [1]
    (sheet,) = sheets.by_quote.values()
    assert sheet.trip_of == [1, 1, 1]
    outcome = Backtest(plan).run()
    table = table_of_trades(executed(outcome), outcome.markets)
    (line,) = csv.DictReader(table.splitlines())
    assert (line["quantity"], line["executions"]) == ("1", "3")
    assert line["profit"] == str(report.quotes[0].net)


def test_a_strategy_without_an_order_says_why() -> None:
    plan = plan_of({BTC: candles(BTC, SOME)}, {BTC: []})

    report = report_on("x", plan, Backtest(plan).run())

    assert report.why == [
        f"strategy s-{BTC} decided nothing: its rule was not met at any of 59 events of {BTC}"
    ]
    assert any("why no order" in line for line in as_table(report))


def test_candles_without_volume_are_what_is_told_first_of_orders_that_were_not_filled() -> None:
    empty = [(*one[:5], "0") for one in SOME]
    script = [[3, "buy", "gtc", "1", ""], [58, "buy", "gtc", "1", ""]]
    plan = plan_of({BTC: candles(BTC, empty)}, {BTC: script})

    report = report_on("x", plan, Backtest(plan).run())

    assert report.why[0].startswith(f"1 of 2 decisions of s-{BTC} met no volume: the candles have")
    assert report.why[-1] == f"orders of s-{BTC} that the market never reached: 1 accepted"


def test_a_symbol_that_nobody_traded_is_a_market_too() -> None:
    plan = plan_of({BTC: candles(BTC, SOME), ETH: candles(ETH, SOME)}, {BTC: SCRIPT})
    model = model_of(plan)

    assert list(model["market"]["symbols"]) == [BTC, Symbol("ETH/USDT")]
    assert model["market"]["symbols"][ETH]["fills"] == []
