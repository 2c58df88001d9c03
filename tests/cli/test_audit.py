"""`audit` passes what real runs leave behind, and each check catches the fault planted for it."""

import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.values import OrderState
from ops.audit import audit_run
from ops.run_totals import totals_of, with_run_totals
from tests.cli.conftest import Ask
from tests.cli.runs import book, command, edit, fill, intent

FIRST = "(SELECT min(order_key) FROM orders)"
LAST = "(SELECT max(order_key) FROM orders)"
CHECKS = [
    "files", "rows", "history", "fills", "names", "positions", "state_counts", "orders_open",
    "once", "venue", "run_totals", "money", "stages", "lines", "journal", "reports",
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
        {"rows", "files"},
    ),
    "a fill removed": (
        "ledger.db",
        (f"DELETE FROM fills WHERE order_key = {FIRST}",),
        {"fills"},
    ),
    "a fill edited": (
        "ledger.db",
        (f"UPDATE fills SET quantity = '0.00001' WHERE order_key = {FIRST}",),
        {"fills"},
    ),
    "a fill without an order": (
        "ledger.db",
        (f"UPDATE fills SET order_key = 'ffff' WHERE order_key = {FIRST}",),
        {"rows", "fills"},
    ),
    "a price edited by a cent": (
        "ledger.db",
        (f"UPDATE orders SET average_price = average_price + 0.01 WHERE order_key = {FIRST}",),
        {"fills"},
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
        {"positions", "state_counts", "once", "run_totals"},
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


@pytest.fixture
def sound(copied_run: Path) -> Path:
    """A real run with the totals that its summary is to hold."""
    summary_path = copied_run / "metrics_summary.json"
    summary = json.loads(summary_path.read_bytes())
    describe = with_run_totals(lambda: summary, copied_run / "ledger.db")
    summary_path.write_text(json.dumps(describe()))
    return copied_run


def differing(rows: list[dict[str, Any]]) -> set[str]:
    return {row["check"] for row in rows if not row["ok"]}


def test_a_run_that_ended_in_order_agrees(sound: Path, ask: Ask) -> None:
    rows = ask("audit", sound)

    assert [row["check"] for row in rows] == CHECKS
    assert differing(rows) == set()
    checked = {row["check"]: row["checked"] for row in rows}
    orders = len(ask("orders", "--run-dir", sound))
    assert orders > 20
    assert [checked[name] for name in ("rows", "history", "fills", "names", "once", "venue")] == [
        orders
    ] * 6
    assert (checked["files"], checked["positions"], checked["run_totals"]) == (2, 2, 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_its_check(sound: Path, ask: Ask, fault: str) -> None:
    name, statements, caught = FAULTS[fault]
    edit(sound / name, *statements)

    rows = ask("audit", "--run-dir", sound, code=1)

    found = differing(rows)
    assert found <= caught or found >= caught
    assert found & caught
    assert all(row["examples"] for row in rows if not row["ok"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("stages", "claim", "count"), 7),
        (("latency_ns", "decision_to_claim", "count"), 7),
        (("outcomes_by_stage", "fill"), {"ok": 7}),
        (("outcomes_by_stage", "risk"), {"duplicate": 7}),
        (("filled",), 7),
        (("dupes_filtered",), 7),
        (("earlier", "orders"), 7),
    ],
)
def test_stages_that_are_not_those_of_the_decisions_are_caught(
    sound: Path, ask: Ask, path: tuple[str, ...], value: object
) -> None:
    file = sound / "metrics_summary.json"
    summary = json.loads(file.read_bytes())
    table = summary
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value
    file.write_text(json.dumps(summary))

    assert "stages" in differing(ask("audit", sound, code=1))


def test_a_clock_that_was_set_is_no_difference(sound: Path, ask: Ask) -> None:
    """The first orders are decided at moments that, by the clock, were before the start."""
    file = sound / "metrics_summary.json"
    summary = json.loads(file.read_bytes())
    assert summary["earlier"]["orders"] == 0
    file.write_text(json.dumps({**summary, "started_at_ns": 1 << 62}))

    rows = {row["check"]: row for row in ask("audit", sound)}
    assert rows["stages"]["ok"]
    assert rows["stages"]["checked"] == 4

    del summary["earlier"]["orders"]  # as an older version wrote it: only the clock tells
    file.write_text(json.dumps({**summary, "started_at_ns": 1 << 62}))
    assert "stages" in differing(ask("audit", sound, code=1))


def test_a_line_about_no_order_is_caught(sound: Path, ask: Ask) -> None:
    line = b'{"at_ns":1,"kind":"stage","schema":2,"stage":"claim","trace_id":"feed"}\n'
    with (sound / "metrics.ndjson").open("ab") as file:
        file.write(line)

    assert differing(ask("audit", sound, code=1)) == {"lines"}


def test_a_claim_without_a_line_is_caught_unless_lines_were_rotated_away(
    sound: Path, ask: Ask
) -> None:
    path = sound / "metrics.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'"stage":"claim"' in line)
    changed = lines[place].replace(b'"stage":"claim"', b'"stage":"nap"')
    path.write_bytes(b"".join([*lines[:place], changed, *lines[place + 1 :]]))
    assert differing(ask("audit", sound, code=1)) == {"lines"}

    path.write_bytes(b"".join([*lines[:place], *lines[place + 1 :]]))
    assert differing(ask("audit", sound)) == set()


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


def test_a_file_that_is_damaged_is_said_and_nothing_is_raised(sound: Path, ask: Ask) -> None:
    path = sound / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        find = "SELECT rootpage FROM sqlite_master WHERE name = 'order_events'"
        ((page,),) = database.execute(find).fetchall()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)

    rows = ask("audit", sound, code=1)

    assert differing(rows) >= {"files"}


@pytest.mark.parametrize(
    ("change", "is_caught"),
    [
        ({"orders": -1}, True),
        ({"by_state": {"filled": 1}}, True),
        ({"positions": {"btc": {"BTC/USDT": "9"}}}, True),
        ({"filled": None}, True),
        ({}, False),
    ],
)
def test_the_summarys_totals_must_be_the_orders_after_an_orderly_end(
    sound: Path, ask: Ask, change: dict[str, Any], is_caught: bool
) -> None:
    plant_totals(sound, change)

    rows = ask("audit", sound, code=int(is_caught))

    assert differing(rows) == ({"run_totals"} if is_caught else set())


@pytest.mark.parametrize(
    ("change", "is_caught"),
    [({"orders": 10**6}, True), ({"by_state": {"filled": 10**6}}, True), ({"orders": 1}, False)],
)
def test_of_a_run_that_was_killed_the_totals_may_be_behind_but_not_ahead(
    sound: Path, ask: Ask, change: dict[str, Any], is_caught: bool
) -> None:
    status = json.loads((sound / "status.json").read_bytes())
    (sound / "status.json").write_text(json.dumps({**status, "ended": None}))
    plant_totals(sound, change)

    assert differing(ask("audit", sound, code=int(is_caught))) == (
        {"run_totals"} if is_caught else set()
    )


@pytest.mark.parametrize(
    ("change", "is_caught"),
    [
        ({"quantity": "0.5"}, True),
        ({"quantity": "many"}, True),
        ({"realized": "1000"}, True),
        ({"average_cost": "1"}, False),  # flat: nothing has a cost
        ({}, False),
    ],
)
def test_the_summarys_positions_and_money_are_those_of_the_executions(
    sound: Path, ask: Ask, change: dict[str, str], is_caught: bool
) -> None:
    path = sound / "metrics_summary.json"
    summary = json.loads(path.read_bytes())
    flat = next(s for s, told in summary["positions"].items() if told["quantity"] == "0")
    summary["positions"][flat] |= change
    path.write_text(json.dumps(summary))

    assert differing(ask("audit", sound, code=int(is_caught))) == (
        {"money"} if is_caught else set()
    )


def plant_totals(run_dir: Path, change: dict[str, Any]) -> None:
    path = run_dir / "metrics_summary.json"
    summary = json.loads(path.read_bytes())
    summary["run_totals"] |= change
    path.write_text(json.dumps(summary))


def test_totals_need_no_walk_and_are_the_fold_of_the_orders(tmp_path: Path) -> None:
    with book(tmp_path) as run:
        run.step(run.claim(1), OrderState.FILLED, fill("t1", "2"))
        run.step(run.claim(2), OrderState.PARTIALLY_FILLED, fill("t2", "0.5"))
        run.claim(3, refused="max_open_orders: 1")

    assert totals_of(tmp_path / "ledger.db") == {
        "by_state": {"filled": 1, "partially_filled": 1, "refused": 1},
        "filled": 1,
        "open": 1,
        "orders": 3,
        "positions": {"a": {"BTC/USDT": "2.5"}},
        "rejected": 1,
    }
    assert totals_of(tmp_path / "none.db") is None


def test_a_real_venues_order_may_have_no_known_executions(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        run.step(run.claim(1), OrderState.FILLED, fill("t1", "2"))
        run.step(run.claim(2), OrderState.FILLED, fill("t2", "2"))
    edit(tmp_path / "ledger.db", "DELETE FROM fills WHERE trade_id = 't1'")

    assert differing(ask("audit", tmp_path)) == set()


def test_a_person_reads_a_line_a_check_and_no_more_than_five_examples(
    sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(sound / "ledger.db", "DELETE FROM fills")

    assert cli.main(["audit", str(sound)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        "differs" if name in ("fills", "money") else "ok" for name in CHECKS
    ]
    examples = [line for line in lines if line[0] == " "]
    assert len(examples) == 6 + 2  # five fills and how many more; money of two symbols
    assert examples[5].strip().startswith("and ")


def test_a_ledger_longer_than_a_page_is_walked_whole(
    sound: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.histories.PAGE", 7)
    monkeypatch.setattr("exchanges.paper_reading._PAGE", 3)
    orders = len(ask("orders", "--run-dir", sound))

    rows = ask("audit", sound)

    assert {r["checked"] for r in rows if r["check"] in ("rows", "once", "venue")} == {orders}


def test_a_run_is_audited_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.histories.PAGE", 5)
    monkeypatch.setattr("ops.audit.run_state", lambda _: _alive(tmp_path))
    with Writing(tmp_path) as writing:
        walks = 0
        while walks < 5 or (writing.orders < 40 and walks < 500):
            walks += 1
            checks = list(audit_run(tmp_path))
            assert [c for c in checks if c.differ] == []
    assert writing.orders >= 40


def _alive(run_dir: Path) -> Any:
    from ops.run_state import RunState

    return RunState(is_alive=True, exit_code=None, seen_at_ns=None, prices={})


class Writing:
    """A writer that claims and fills as fast as it can, until it is left."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir, self.orders = run_dir, 0
        self._over, self._begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writing":
        self._thread.start()
        assert self._begun.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _write(self) -> None:
        with book(self.run_dir) as run:
            while not self._over.is_set():
                number = self.orders
                key = run.claim(number)
                self._begun.set()
                run.step(key, OrderState.ACCEPTED)
                run.step(key, OrderState.FILLED, fill(f"t{number}", "2"))
                self.orders += 1


def test_reading_never_holds_the_writer_up_and_its_log_is_used_again(tmp_path: Path) -> None:
    """Readers that pause in the middle of a walk leave the log free to begin anew."""
    from persistence.reader import LedgerReader

    with book(tmp_path) as run:
        for number in range(30):
            run.step(run.claim(number), OrderState.FILLED, fill(f"t{number}", "2"))
        with LedgerReader(tmp_path / "ledger.db") as reader:
            walks = [reader.newest_orders(), reader.newest_executions()]
            for walk in walks:
                next(walk)
            list(audit_run(tmp_path))
            for number in range(30, 90):
                run.claim(number)
            run.ledger.tidy()
            size = (tmp_path / "ledger.db-wal").stat().st_size
            for number in range(90, 120):
                run.claim(number)
            assert (tmp_path / "ledger.db-wal").stat().st_size == size
            assert len(list(walks[0])) == 29


def test_the_commands_write_nothing_into_a_run_directory(whole_run: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(whole_run, tmp_path / "run"))
    ours = [p for p in run_dir.iterdir() if p.suffix not in (".db-shm", ".db-wal")]
    before = {path.name: path.read_bytes() for path in ours}
    key = intent().order_key

    for arguments in (["orders"], ["orders", "--venue"], ["positions"], ["trades"], ["audit"]):
        assert cli.main([*arguments, "--run-dir", str(run_dir)]) == 0
    assert cli.main(["explain", key, "--run-dir", str(run_dir)]) == 2

    after = [path.name for path in run_dir.iterdir() if not path.name.endswith(("-shm", "-wal"))]
    assert {name: (run_dir / name).read_bytes() for name in after} == {
        name: content for name, content in before.items() if not name.endswith(("-shm", "-wal"))
    }


@pytest.mark.slow
def test_the_newest_run_is_taken_and_exit_codes_reach_the_shell(sound: Path) -> None:
    root = sound.parent
    (root / "runs").mkdir()
    sound.rename(root / "runs" / "x")

    fine = command("audit", cwd=root)
    edit(root / "runs" / "x" / "ledger.db", "UPDATE positions SET filled = 1")
    broken = command("audit", cwd=root)

    assert (fine.returncode, broken.returncode) == (0, 1)
    assert fine.stderr == broken.stderr == ""
