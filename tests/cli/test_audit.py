"""`audit` passes what real runs leave behind, and each check catches the fault planted for it."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

import cli
from messages.values import OrderState
from tests.cli.conftest import Ask
from tests.cli.runs import book, command, differing, edit, fill

FIRST = "(SELECT min(order_key) FROM orders)"
LAST = "(SELECT max(order_key) FROM orders)"
CHECKS = [
    "files", "rows", "history", "fills", "names", "positions", "state_counts", "orders_open",
    "stops", "once", "venue", "run_totals", "money", "stages", "lines", "journal", "reports",
]  # fmt: skip
BARE_BOOK = (
    "CREATE TABLE bare AS SELECT * FROM orders",
    "DROP TABLE orders",
    "ALTER TABLE bare RENAME TO orders",
)
"""The book without the constraint that forbids a doubled order."""

FAULTS: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "a step removed": (
        "ledger.db",
        (f"DELETE FROM order_events WHERE order_key = {FIRST} AND number = 2",),
        {"history"},
    ),
    "a history removed": (
        "ledger.db",
        (f"DELETE FROM order_events WHERE order_key = {FIRST}",),
        {"history"},
    ),
    "an illegal step": (
        "ledger.db",
        (
            f"INSERT INTO order_events SELECT order_key, number + 1, at_ns, 'filled', 'canceled',"
            f" '', '' FROM order_events WHERE order_key = {FIRST} AND to_state = 'filled'",
        ),
        {"history"},
    ),
    "a step that means nothing": (
        "ledger.db",
        (f"UPDATE order_events SET to_state = 'gone' WHERE order_key = {FIRST} AND number = 2",),
        {"history"},
    ),
    "a state edited": (
        "ledger.db",
        (f"UPDATE orders SET state = 'canceled' WHERE order_key = {FIRST}",),
        {"history", "state_counts", "venue", "run_totals"},
    ),
    "a state that means nothing": (
        "ledger.db",
        (f"UPDATE orders SET state = 'gone' WHERE order_key = {FIRST}",),
        {"files"},
    ),
    "a fill removed": (
        "ledger.db",
        (f"DELETE FROM fills WHERE order_key = {FIRST}",),
        {"fills", "money"},
    ),
    "a fill edited": (
        "ledger.db",
        (f"UPDATE fills SET quantity = '0.00001' WHERE order_key = {FIRST}",),
        {"fills", "money"},
    ),
    "a fill without an order": (
        "ledger.db",
        (f"UPDATE fills SET order_key = 'ffff' WHERE order_key = {FIRST}",),
        {"rows", "fills", "money"},
    ),
    "a price edited by a cent": (
        "ledger.db",
        (f"UPDATE orders SET average_price = average_price + 0.01 WHERE order_key = {FIRST}",),
        {"fills", "venue"},
    ),
    "a price edited of the order and of its execution": (
        "ledger.db",
        (
            f"UPDATE orders SET average_price = '60000' WHERE order_key = {FIRST}",
            f"UPDATE fills SET price = '60000' WHERE order_key = {FIRST}",
        ),
        {"venue", "money"},
    ),
    "a quantity edited": (
        "ledger.db",
        (f"UPDATE orders SET quantity = '5' WHERE order_key = {FIRST}",),
        {"names", "venue"},
    ),
    "a strategy edited": (
        "ledger.db",
        (f"UPDATE orders SET strategy_id = 'x' WHERE order_key = {FIRST}",),
        {"names", "positions", "run_totals"},
    ),
    "another client order id": (
        "ledger.db",
        (f"UPDATE orders SET client_order_id = 'wk7' WHERE order_key = {FIRST}",),
        {"names", "once", "venue"},
    ),
    "a position edited": (
        "ledger.db",
        ("UPDATE positions SET filled = '0.5' WHERE strategy_id = 'btc'",),
        {"positions"},
    ),
    "a position that is no number": (
        "ledger.db",
        ("UPDATE positions SET filled = 'much'",),
        {"positions"},
    ),
    "a count edited": (
        "ledger.db",
        ("UPDATE state_counts SET orders = orders + 1",),
        {"state_counts"},
    ),
    "an order removed": (
        "ledger.db",
        (
            f"DELETE FROM fills WHERE order_key = {LAST}",
            f"DELETE FROM order_events WHERE order_key = {LAST}",
            f"DELETE FROM orders WHERE order_key = {LAST}",
        ),
        {"positions", "state_counts", "once", "run_totals", "lines", "stages", "money"},
    ),
    "an order doubled at the venue": (
        "paper.db",
        (
            *BARE_BOOK,
            "INSERT INTO orders SELECT 9999, * FROM (SELECT "
            + ", ".join(
                (
                    "client_order_id",
                    "symbol",
                    "side",
                    "order_type",
                    "time_in_force",
                    "quantity",
                    "limit_price",
                    "decided_at_ns",
                    "arrival_ns",
                    "state",
                    "reason",
                    "filled",
                    "value",
                    "fill_count",
                    "locked",
                    "started",
                    "next_ts_ns",
                    "next_ordinal",
                )
            )
            + " FROM orders LIMIT 1)",
        ),
        {"once"},
    ),
    "an order at the venue that nobody decided": (
        "paper.db",
        ("UPDATE orders SET client_order_id = 'wkNobody' WHERE id = 3",),
        {"once", "venue"},
    ),
    "an order missing at the venue": (
        "paper.db",
        ("DELETE FROM orders WHERE id = 3",),
        {"venue"},
    ),
    "another state at the venue": (
        "paper.db",
        ("UPDATE orders SET state = 'accepted' WHERE id = 3",),
        {"venue"},
    ),
    "less filled at the venue": (
        "paper.db",
        ("UPDATE orders SET filled = '0' WHERE id = 3",),
        {"venue"},
    ),
    "the other side at the venue": (
        "paper.db",
        ("UPDATE orders SET side = CASE side WHEN 'buy' THEN 'sell' ELSE 'buy' END WHERE id = 3",),
        {"venue"},
    ),
}


@pytest.mark.slow
def test_a_run_that_ended_in_order_agrees(copied_run: Path, ask: Ask) -> None:
    rows = ask("audit", copied_run)

    assert [row["check"] for row in rows] == CHECKS
    assert differing(rows) == set()
    checked = {row["check"]: row["checked"] for row in rows}
    orders = len(ask("orders", "--run-dir", copied_run))
    assert orders > 20
    assert [checked[name] for name in ("rows", "history", "fills", "names", "once", "venue")] == [
        orders
    ] * 6
    assert (checked["files"], checked["positions"], checked["run_totals"]) == (2, 2, 1)


@pytest.mark.slow
def test_a_run_whose_orders_the_venue_rejects_agrees(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "poor.toml"
    path.write_text(
        f'name = "poor"\nrun_dir = "{tmp_path / "run"}"\n'
        '[feed]\ntype = "demo"\nspeed = 0\nsymbols = ["BTC/USDT"]\n'
        '[[strategy]]\nid = "one"\nuses = "sma_cross"\n[strategy.params]\nfast = 5\nslow = 15\n'
        '[venue.balances]\nUSDT = "50"\n'
    )
    run = command("start", str(path), "--max-events", "600", "--json")
    assert run.returncode == 0, run.stderr

    rows = ask("audit", "--run-dir", tmp_path / "run")

    assert differing(rows) == set()
    book = tmp_path / "run/paper.db"
    with closing(sqlite3.connect(book)) as database:
        states = {state for (state,) in database.execute("SELECT state FROM orders")}
    assert "rejected" in states


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_its_check(copied_run: Path, ask: Ask, fault: str) -> None:
    name, statements, caught = FAULTS[fault]
    edit(copied_run / name, *statements)

    rows = ask("audit", "--run-dir", copied_run, code=1)

    found = differing(rows)
    assert found == caught
    assert all(row["examples"] for row in rows if not row["ok"])


def test_the_index_of_open_orders_is_held_against_the_orders(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        key = run.claim()
        run.step(key, OrderState.UNKNOWN)
    assert differing(ask("audit", tmp_path)) == set()
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        (index,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'orders_open'")
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'orders_open'")
    quoted = index[0].replace("'", "''")
    # An edit that the index does not hear of: it is not in the schema meanwhile.
    edit(
        path,
        "PRAGMA writable_schema = 1",
        "DELETE FROM sqlite_master WHERE name = 'orders_open'",
    )
    edit(path, f"UPDATE orders SET state = 'expired' WHERE order_key = '{key}'")
    edit(
        path,
        "PRAGMA writable_schema = 1",
        "INSERT INTO sqlite_master VALUES"
        f" ('index', 'orders_open', 'orders', {root[0]}, '{quoted}')",
    )

    rows = ask("audit", tmp_path, code=1)

    assert {"orders_open", "history", "state_counts"} <= differing(rows)


def test_a_file_that_is_damaged_is_said_and_nothing_is_raised(copied_run: Path, ask: Ask) -> None:
    path = copied_run / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        find = "SELECT rootpage FROM sqlite_master WHERE name = 'order_events'"
        ((page,),) = database.execute(find).fetchall()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)

    rows = ask("audit", copied_run, code=1)

    assert differing(rows) >= {"files"}


def test_a_real_venues_order_may_have_no_known_executions(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        run.step(run.claim(1), OrderState.FILLED, fill("t1", "2"))
        run.step(run.claim(2), OrderState.FILLED, fill("t2", "2"))
    edit(tmp_path / "ledger.db", "DELETE FROM fills WHERE trade_id = 't1'")

    assert differing(ask("audit", tmp_path)) == set()


def test_a_person_reads_a_line_a_check_and_no_more_than_five_examples(
    copied_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(copied_run / "ledger.db", "DELETE FROM fills")

    assert cli.main(["audit", str(copied_run)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        "differs" if name in ("fills", "money") else "ok" for name in CHECKS
    ]
    examples = [line for line in lines if line[0] == " "]
    assert len(examples) == 6 + 3  # five fills and how many more; money of two symbols, and fees
    assert examples[5].strip().startswith("and ")


def test_what_differs_is_in_the_exit_code_also_where_the_reader_left(
    copied_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `audit | head -1` under `set -o pipefail`."""
    edit(copied_run / "ledger.db", "UPDATE positions SET filled = '7'")
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        code = cli.main(["audit", str(copied_run)])

    assert code == 1


def test_a_ledger_longer_than_a_page_is_walked_whole(
    copied_run: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.histories.PAGE", 7)
    monkeypatch.setattr("exchanges.paper_reading._PAGE", 3)
    orders = len(ask("orders", "--run-dir", copied_run))

    rows = ask("audit", copied_run)

    assert {r["checked"] for r in rows if r["check"] in ("rows", "once", "venue")} == {orders}


@pytest.mark.slow
def test_the_newest_run_is_taken_and_exit_codes_reach_the_shell(copied_run: Path) -> None:
    root = copied_run.parent
    (root / "runs").mkdir()
    copied_run.rename(root / "runs" / "x")

    fine = command("audit", cwd=root)
    edit(root / "runs" / "x" / "ledger.db", "UPDATE positions SET filled = 1")
    broken = command("audit", cwd=root)

    assert (fine.returncode, broken.returncode) == (0, 1)
    assert fine.stderr == broken.stderr == ""
