"""`orders` of a run: its ledger's, or its paper venue's."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from messages.values import OrderState
from persistence import ledger


class Entry:
    order_key = "0" * 32
    client_order_id = "wk1"
    strategy_id = "a"
    symbol = "BTC/USDT"
    side = "buy"
    order_type = "market"
    quantity = Decimal("0.10")
    limit_price = None
    state = OrderState.FILLED
    filled_quantity = Decimal("0.10")
    average_price = Decimal("61480.20")
    decided_at_ns = 5
    venue_order_id = "P-1"


def test_orders_are_one_json_object_a_line_with_money_as_strings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledger, "read_orders", lambda _: iter([Entry(), Entry()]))
    (tmp_path / "ledger.db").touch()

    assert cli.main(["orders", "--json", "--run-dir", str(tmp_path)]) == 0

    first, _ = capsys.readouterr().out.splitlines()
    assert list(json.loads(first).items()) == [
        ("order_key", "0" * 32),
        ("client_order_id", "wk1"),
        ("strategy_id", "a"),
        ("symbol", "BTC/USDT"),
        ("side", "buy"),
        ("order_type", "market"),
        ("quantity", "0.10"),
        ("limit_price", None),
        ("state", "filled"),
        ("filled_quantity", "0.10"),
        ("average_price", "61480.20"),
        ("decided_at_ns", 5),
        ("venue_order_id", "P-1"),
    ]


def test_orders_of_the_venue_are_named_by_the_ledger_where_it_is_there(
    whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for arguments in (["orders", "--json"], ["orders", "--venue", "--json"]):
        assert cli.main([*arguments, "--run-dir", str(whole_run)]) == 0
        printed.append(sorted(capsys.readouterr().out.splitlines()))

    assert printed[0] == printed[1]


def test_orders_of_the_venue_need_no_ledger(
    copied_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied_run / "ledger.db").unlink()

    assert cli.main(["orders", "--venue", "--json", "--run-dir", str(copied_run)]) == 0

    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (row["order_key"], row["strategy_id"], row["state"]) == (None, None, "filled")


def test_orders_without_a_ledger_are_one_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").touch()

    assert cli.main(["orders", "--run-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("watchkeeper: there is no ledger")
