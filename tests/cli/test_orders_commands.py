"""`orders` with its filters, `orders show`, `trades` and `positions`, on a real run."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from messages.ids import NS_PER_S, StrategyId, Symbol
from messages.values import OrderState, Side
from ops.run_files import STATUS
from tests.cli.conftest import Ask
from tests.cli.runs import BTC, T0, book, edit, fill


def test_filters_give_what_they_say_in_the_order_of_decisions(whole_run: Path, ask: Ask) -> None:
    everything = ask("orders", "--run-dir", whole_run)
    filtered = ask("orders", "--run-dir", whole_run, "--symbol", "ETH/USDT", "--state", "filled")
    of_btc = ask("orders", "--run-dir", whole_run, "--strategy", "btc")

    assert filtered == [r for r in everything if r["symbol"] == "ETH/USDT"]
    assert of_btc == [r for r in everything if r["strategy_id"] == "btc"]
    assert filtered
    assert of_btc
    assert ask("orders", "--run-dir", whole_run, "--state", "unknown,canceled") == []


def test_a_limit_gives_the_newest_that_pass_oldest_first(whole_run: Path, ask: Ask) -> None:
    of_btc = ask("orders", "--run-dir", whole_run, "--strategy", "btc")

    assert ask("orders", "--run-dir", whole_run, "--strategy", "btc", "--limit", 3) == of_btc[-3:]
    assert ask("orders", "--run-dir", whole_run, "--strategy", "btc", "--limit", 999) == of_btc


@pytest.mark.parametrize("venue", [[], ["--venue"]])
def test_since_is_a_moment_on_the_markets_clock(
    whole_run: Path, ask: Ask, venue: list[str]
) -> None:
    everything = ask("orders", "--run-dir", whole_run, *venue)
    middle = everything[len(everything) // 2]["decided_at_ns"]
    later = [row for row in everything if row["decided_at_ns"] >= middle]

    assert ask("orders", "--run-dir", whole_run, "--since", middle, *venue) == later
    assert (
        ask("orders", "--run-dir", whole_run, "--since", middle, "--limit", 2, *venue) == later[-2:]
    )
    assert ask("orders", "--run-dir", whole_run, "--since", "1h", *venue) == []


def test_the_venues_orders_can_be_filtered_by_what_only_the_ledger_knows(
    whole_run: Path, ask: Ask
) -> None:
    rows = ask("orders", "--venue", "--strategy", "eth", "--run-dir", whole_run)

    assert {row["symbol"] for row in rows} == {"ETH/USDT"}


def test_a_live_run_has_no_paper_venue_and_says_where_to_look_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path):
        (tmp_path / STATUS).write_text('{"mode": "live"}')

    assert cli.main(["orders", "--venue", "--run-dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "this run trades live" in told
    assert f"`watchkeeper account {tmp_path}`" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["orders", "--state", "filed"], "--state filed: expected one of claimed, sent"),
        (["orders", "--since", "soon"], "--since soon: expected a time in UTC before 2262,"),
        (["trades", "--since", "12"], "--since 12: expected a time in UTC before 2262,"),
        (["trades", "--since", "9999-12-31"], "--since 9999-12-31: expected a time in UTC"),
        (["orders", "show", "nope"], "no order is called 'nope': list them with"),
        (["explain", ""], "no order is called '': list them with"),
        (["orders", "show", "0"], "'0' is the beginning of several orders, among them 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    whole_run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main([*arguments, "--run-dir", str(whole_run)]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"watchkeeper: {said}")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("command", ["positions", "trades", "orders"])
def test_a_run_without_a_ledger_is_one_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / STATUS).touch()

    assert cli.main([command, "--run-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("watchkeeper: there is no ledger at")


@pytest.mark.parametrize("command", ["positions", "trades", "orders"])
@pytest.mark.parametrize("json_too", [[], ["--json"]])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--symbol", "ETHUSDT"], '; did you mean "ETH/USDT"?'),
        (["--strategy", "Btc"], '; did you mean "btc"?'),
        (["--symbol", "x"], "; there is BTC/USDT, ETH/USDT"),
        (["--symbol", "FOO/USDT"], "; there is BTC/USDT, ETH/USDT"),
    ],
)
def test_a_name_that_no_order_has_is_not_an_empty_list_without_a_word(
    whole_run: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    json_too: list[str],
    option: list[str],
    said: str,
) -> None:
    assert cli.main([command, *option, *json_too, "--run-dir", str(whole_run)]) == 0

    captured = capsys.readouterr()
    assert captured.err == f"watchkeeper: {' '.join(option)}: no order of this run has it{said}\n"
    assert len(captured.out.splitlines()) == (0 if json_too else 1)


@pytest.mark.parametrize("command", ["positions", "trades", "orders"])
def test_a_list_that_is_empty_for_another_reason_says_nothing_of_names(
    whole_run: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    since = [] if command == "positions" else ["--since", "2020-01-01"]
    both = ["--symbol", "ETH/USDT", "--strategy", "btc"]

    assert cli.main([command, *both, *since, "--run-dir", str(whole_run)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [["trades"], ["orders"], ["orders", "--venue"]])
def test_a_moment_after_all_that_there_is_is_told_beside_that_of_the_newest(
    whole_run: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert cli.main([*command, "--run-dir", str(whole_run), "--since", "2199-01-01"]) == 0

    what = "execution" if command == ["trades"] else "order"
    said = f"watchkeeper: --since 2199-01-01 is 2199-01-01 00:00:00.000Z, and the newest {what} of"
    assert capsys.readouterr().err.startswith(f"{said} this run is of 2024-01-01 ")

    assert cli.main([*command, "--run-dir", str(whole_run), "--since", "1h"]) == 0
    assert "--since 1h is " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["order_key", "client_order_id", "venue_order_id"])
def test_an_order_is_shown_by_any_of_its_names_or_a_beginning_of_it(
    whole_run: Path, ask: Ask, name: str
) -> None:
    row = ask("orders", "--run-dir", whole_run)[3]

    (whole,) = ask("orders", "--run-dir", whole_run, "show", row[name])
    (short,) = ask("orders", "show", row[name][:-3], "--run-dir", whole_run)

    assert whole == short
    assert {key: whole[key] for key in row} == row
    assert list(whole)[: len(row)] == list(row)
    assert whole["account"] == "paper"


def test_a_whole_name_is_meant_even_if_another_begins_with_it(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        first, second = run.claim(1), run.claim(2)
    edit(
        tmp_path / "ledger.db",
        f"UPDATE orders SET venue_order_id = '7' WHERE order_key = '{first}'",
        f"UPDATE orders SET venue_order_id = '71' WHERE order_key = '{second}'",
    )

    (row,) = ask("orders", "show", "7", "--run-dir", tmp_path)

    assert row["order_key"] == first


def test_a_ledger_that_somebody_edited_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        run.claim()
    edit(tmp_path / "ledger.db", "UPDATE orders SET quantity = 'many'")

    for arguments in (["orders"], ["orders", "--limit", "1"]):
        assert cli.main([*arguments, "--run-dir", str(tmp_path)]) == 2
        assert "of the ledger cannot be read: no number" in capsys.readouterr().err


def test_names_that_would_confuse_a_terminal_are_defused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim(strategy_id=StrategyId("a\x1b[2Jb"), reason="x\ny")
        paid = fill("t\x1b[2J", "1", fee_currency="U\x1b[2J")
        run.step(key, OrderState.PARTIALLY_FILLED, paid)
    edit(tmp_path / "ledger.db", "UPDATE orders SET venue_order_id = 'V' || char(27) || '[2J'")

    for arguments in (["orders"], ["orders", "show", "wk"], ["explain", "wk"], ["positions"]):
        assert cli.main([*arguments, "--run-dir", str(tmp_path)]) == 0
        assert "\x1b" not in capsys.readouterr().out


def test_trades_are_the_executions_newest_first(whole_run: Path, ask: Ask) -> None:
    rows = ask("trades", "--run-dir", whole_run)

    times = [row["ts_event_ns"] for row in rows]
    assert times == sorted(times, reverse=True)
    orders = {row["order_key"]: row for row in ask("orders", "--run-dir", whole_run)}
    for key, order in orders.items():
        mine = [Decimal(row["quantity"]) for row in rows if row["order_key"] == key]
        assert sum(mine) == Decimal(order["filled_quantity"])
    assert list(rows[0]) == [
        "trade_id", "order_key", "strategy_id", "symbol", "side", "price", "quantity", "fee",
        "fee_currency", "liquidity", "ts_event_ns",
    ]  # fmt: skip


def test_trades_have_the_filters_of_orders(whole_run: Path, ask: Ask) -> None:
    rows = ask("trades", "--run-dir", whole_run)
    of_eth = [row for row in rows if row["strategy_id"] == "eth"]
    middle = rows[len(rows) // 2]["ts_event_ns"]

    assert ask("trades", "--run-dir", whole_run, "--symbol", "ETH/USDT") == of_eth
    assert ask("trades", "--run-dir", whole_run, "--strategy", "eth", "--limit", 2) == of_eth[:2]
    assert ask("trades", "--run-dir", whole_run, "--since", middle) == [
        row for row in rows if row["ts_event_ns"] >= middle
    ]


def test_a_walk_over_trades_goes_on_from_page_to_page(
    whole_run: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ask("trades", "--run-dir", whole_run)
    monkeypatch.setattr("persistence.reader._FILLS_PAGE", 3)

    assert ask("trades", "--run-dir", whole_run) == rows
    assert ask("trades", "--run-dir", whole_run, "--limit", 7) == rows[:7]


def test_positions_are_what_the_process_itself_counted(whole_run: Path, ask: Ask) -> None:
    summary = json.loads((whole_run / "metrics_summary.json").read_bytes())

    rows = ask("positions", "--run-dir", whole_run)

    totals = {row["symbol"]: row for row in rows if row["scope"] == "total"}
    assert {"BTC/USDT", "ETH/USDT"} == set(totals) == set(summary["positions"])
    for symbol, counted in summary["positions"].items():
        # Prices reach Metrics behind the fills, so what is open is valued at another one there.
        same = ("quantity", "average_cost", "realized")
        assert {key: totals[symbol][key] for key in same} == {key: counted[key] for key in same}
        assert totals[symbol]["mark_source"] == "market"


def test_positions_of_two_strategies_add_up_and_fees_are_kept_per_currency(
    tmp_path: Path, ask: Ask
) -> None:
    with book(tmp_path) as run:
        bought = run.claim(1)
        run.step(bought, OrderState.FILLED, fill("t1", "2", "100"))
        sold = run.claim(2, strategy_id=StrategyId("b"), side=Side.SELL, quantity=Decimal(1))
        paid = {"fee": Decimal("0.5"), "fee_currency": "BNB"}
        run.step(
            sold, OrderState.FILLED, fill("t2", "1", "110", ts_event_ns=T0 + 20 * NS_PER_S, **paid)
        )

    a, b, total = ask("positions", "--run-dir", tmp_path)

    assert (a["quantity"], a["average_cost"], a["realized"]) == ("2", "100", "-0.1")
    assert (a["mark_price"], a["mark_source"], a["unrealized"]) == ("100", "last_fill", "0")
    assert (b["quantity"], b["average_cost"], b["fees"]) == ("-1", "110", {"BNB": "0.5"})
    assert (total["strategy_id"], total["quantity"], total["realized"]) == (None, "1", "9.9")
    assert (total["fees"], total["unrealized"]) == ({"BNB": "0.5", "USDT": "0.1"}, "10")


def test_a_position_of_a_strategy_that_the_config_has_no_more_is_said(
    tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        for number, name in enumerate("ab"):
            key = run.claim(number, strategy_id=StrategyId(name))
            run.step(key, OrderState.FILLED, fill(name, "2"))
    config = '[[strategy]]\nid = "b"\nsymbols = ["BTC/USDT"]\n'
    (tmp_path / "config.effective.toml").write_text(config)

    a, b, total = ask("positions", "--run-dir", tmp_path)

    assert (a["in_config"], b["in_config"], total["in_config"]) == (False, True, True)
    assert cli.main(["positions", "--run-dir", str(tmp_path)]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "nobody leaves" in line]
    assert [line.partition(":")[0] for line in said] == ["a BTC/USDT"]


@pytest.mark.parametrize("odd", ["nan", "5", '"BTC/USDT"', "{ a = 1 }"])
def test_symbols_that_are_no_list_name_nobody(tmp_path: Path, ask: Ask, odd: str) -> None:
    with book(tmp_path) as run:
        run.step(run.claim(), OrderState.FILLED, fill("a", "2"))
    config = f'[[strategy]]\nid = "a"\nsymbol = "BTC/USDT"\nsymbols = {odd}\n'
    (tmp_path / "config.effective.toml").write_text(config)

    assert [row["in_config"] for row in ask("positions", "--run-dir", tmp_path)] == [True, True]


def test_small_amounts_have_no_exponent(
    tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    small, nothing = Decimal("0.0000001"), Decimal("0.00000000")
    with book(tmp_path) as run:
        key = run.claim(quantity=small)
        run.step(key, OrderState.FILLED, fill("t1", str(small), "0.00000081", fee=nothing))

    (trade,) = ask("trades", "--run-dir", tmp_path)
    (order,) = ask("orders", "--run-dir", tmp_path)
    cli.main(["explain", str(key), "--run-dir", str(tmp_path)])

    assert (trade["quantity"], trade["price"]) == ("0.0000001", "0.00000081")
    assert trade["fee"] == "0.00000000"
    assert order["quantity"] == "0.0000001"
    assert "0.0000001 at 0.00000081, fee 0 USDT" in capsys.readouterr().out


def test_what_is_filled_without_a_known_execution_is_said(
    tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
        run.step(key, OrderState.FILLED, fill("t1", "2"))
    edit(tmp_path / "ledger.db", "DELETE FROM fills")

    row, _ = ask("positions", "--run-dir", tmp_path)

    assert (row["quantity"], row["filled_without_executions"]) == ("0", "2")
    assert cli.main(["positions", "--run-dir", str(tmp_path)]) == 0
    assert "a BTC/USDT: 2 is filled of which no execution is known" in capsys.readouterr().out


def test_tables_are_rounded_for_people_and_say_when_and_what_it_came_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        run.step(run.claim(1), OrderState.FILLED, fill("t1", "1"), fill("t2", "2", "101"))
        sold = run.claim(2, side=Side.SELL, quantity=Decimal(1))
        run.step(sold, OrderState.FILLED, fill("t3", "1", "102.123456789"))

    def table(*words: str) -> list[str]:
        assert cli.main([*words, "--run-dir", str(tmp_path)]) == 0
        return capsys.readouterr().out.splitlines()

    head, bought, _ = table("orders")
    assert head.startswith("DECIDED_AT ")
    assert bought.startswith("2023-11-14 22:13:21.000Z  ")
    assert bought.endswith("  100.66667")

    head, newest, *_ = table("trades")
    assert newest.startswith("2023-11-14 22:13:30.000Z  ")
    assert " 102.12346 " in newest

    head, of_a, of_all, in_all = table("positions")
    assert "REALIZED (NET)" in head
    assert of_a.split()[2:] == ["2", "100.66667", "102.12346", "1.16", "2.91", "0.30", "USDT", "3"]
    assert of_all.startswith("(all) ")
    assert in_all == "in all 4.07 USDT net of fees: realized 1.16, unrealized 2.91"


def test_fees_of_which_no_price_is_known_are_said_beside_what_is_net_of_fees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        for number in (1, 2):
            paid = fill(f"t{number}", "1", fee=Decimal("0.0125"), fee_currency="BNB")
            run.step(run.claim(number, quantity=Decimal(1)), OrderState.FILLED, paid)

    assert cli.main(["positions", "--run-dir", str(tmp_path)]) == 0

    *_, in_all, unpriced = capsys.readouterr().out.splitlines()
    assert in_all.startswith("in all 0.00 USDT net of fees: ")
    assert unpriced == "fees of 0.025 BNB are in no sum: no price of them is known"


def test_positions_take_the_last_known_price_of_the_market(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        run.step(run.claim(), OrderState.FILLED, fill("t1", "2", "100"))
    (tmp_path / "status.json").write_text('{"market": {"BTC/USDT": "104", "X/Y": "?"}}')

    row, _ = ask("positions", "--run-dir", tmp_path)

    assert (row["mark_price"], row["mark_source"], row["unrealized"]) == ("104", "market", "8")
    assert ask("positions", "--run-dir", tmp_path, "--symbol", Symbol("ETH/USDT")) == []
    assert ask("positions", "--run-dir", tmp_path, "--symbol", BTC, "--strategy", "b") == []
