"""`audit` holds what `metrics_summary.json` and `metrics.ndjson` tell against the orders."""

import json
from pathlib import Path
from typing import Any

import pytest

from messages.values import OrderState
from ops.run_totals import totals_of
from tests.cli.conftest import Ask
from tests.cli.runs import book, differing, edit, fill


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
    copied_run: Path, ask: Ask, path: tuple[str, ...], value: object
) -> None:
    file = copied_run / "metrics_summary.json"
    summary = json.loads(file.read_bytes())
    table = summary
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value
    file.write_text(json.dumps(summary))

    assert "stages" in differing(ask("audit", copied_run, code=1))


def test_a_run_that_ctrl_c_ended_is_held_to_all_of_it(copied_run: Path, ask: Ask) -> None:
    last = copied_run / "status.json"
    status = json.loads(last.read_bytes())
    ended = {**status["ended"], "reason": "stopped by SIGINT", "exit_code": 130}
    last.write_text(json.dumps({**status, "ended": ended}))
    file = copied_run / "metrics_summary.json"
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "dupes_filtered": 7}))

    assert "stages" in differing(ask("audit", copied_run, code=1))


@pytest.mark.parametrize("left", [b"", b'{"run_totals": {"ord', b"[]", b"\xff"])
def test_a_summary_that_cannot_be_read_is_said_to_be_none(
    copied_run: Path, ask: Ask, left: bytes
) -> None:
    (copied_run / "metrics_summary.json").write_bytes(left)

    notes = {
        check["check"]: check["note"] for check in ask("audit", copied_run) if "check" in check
    }

    unread = "metrics_summary.json is not there, or unreadable"
    assert [notes[name] for name in ("run_totals", "money", "stages")] == [unread] * 3


def test_a_clock_that_was_set_is_no_difference(copied_run: Path, ask: Ask) -> None:
    """The first orders are decided at moments that, by the clock, were before the start."""
    file = copied_run / "metrics_summary.json"
    summary = json.loads(file.read_bytes())
    assert summary["earlier"]["orders"] == 0
    file.write_text(json.dumps({**summary, "started_at_ns": 1 << 62}))

    rows = {row["check"]: row for row in ask("audit", copied_run)}
    assert rows["stages"]["ok"]
    assert rows["stages"]["checked"] == 4

    del summary["earlier"]["orders"]  # as an older version wrote it: only the clock tells
    file.write_text(json.dumps({**summary, "started_at_ns": 1 << 62}))
    assert "stages" in differing(ask("audit", copied_run, code=1))


def test_a_line_about_no_order_is_caught(copied_run: Path, ask: Ask) -> None:
    line = b'{"at_ns":1,"kind":"stage","schema":2,"stage":"claim","trace_id":"feed"}\n'
    with (copied_run / "metrics.ndjson").open("ab") as file:
        file.write(line)

    assert differing(ask("audit", copied_run, code=1)) == {"lines"}


def test_a_line_that_is_no_text_is_caught_as_well(copied_run: Path, ask: Ask) -> None:
    at = b"9" * 5_000
    line = b'{"at_ns":' + at + b',"kind":"stage","stage":"claim","trace_id":"\xff"}\n'
    with (copied_run / "metrics.ndjson").open("ab") as file:
        file.write(line)

    assert differing(ask("audit", copied_run, code=1)) == {"lines"}


def test_a_claim_without_a_line_is_caught_unless_lines_were_rotated_away(
    copied_run: Path, ask: Ask
) -> None:
    path = copied_run / "metrics.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'"stage":"claim"' in line)
    changed = lines[place].replace(b'"stage":"claim"', b'"stage":"nap"')
    path.write_bytes(b"".join([*lines[:place], changed, *lines[place + 1 :]]))
    assert differing(ask("audit", copied_run, code=1)) == {"lines"}

    path.write_bytes(b"".join([*lines[:place], *lines[place + 1 :]]))
    assert differing(ask("audit", copied_run)) == set()


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
    copied_run: Path, ask: Ask, change: dict[str, Any], is_caught: bool
) -> None:
    plant_totals(copied_run, change)

    rows = ask("audit", copied_run, code=int(is_caught))

    assert differing(rows) == ({"run_totals"} if is_caught else set())


@pytest.mark.parametrize(
    ("change", "is_caught"),
    [({"orders": 10**6}, True), ({"by_state": {"filled": 10**6}}, True), ({"orders": 1}, False)],
)
def test_of_a_run_that_was_killed_the_totals_may_be_behind_but_not_ahead(
    copied_run: Path, ask: Ask, change: dict[str, Any], is_caught: bool
) -> None:
    status = json.loads((copied_run / "status.json").read_bytes())
    (copied_run / "status.json").write_text(json.dumps({**status, "ended": None}))
    plant_totals(copied_run, change)

    assert differing(ask("audit", copied_run, code=int(is_caught))) == (
        {"run_totals"} if is_caught else set()
    )


@pytest.mark.parametrize(
    ("change", "is_caught"), [({"orders": 10**6}, True), ({"orders": 1}, False)]
)
def test_what_a_halt_without_a_process_did_is_not_in_the_summary(
    copied_run: Path, ask: Ask, change: dict[str, Any], is_caught: bool
) -> None:
    """An orderly end leaves orders open; once they were canceled the totals differed for good."""
    status = json.loads((copied_run / "status.json").read_bytes())
    later_ns = status["ended"]["at_ns"] + 1
    edit(
        copied_run / "ledger.db",
        f"UPDATE orders SET updated_at_ns = {later_ns} WHERE order_key IN"
        " (SELECT order_key FROM orders LIMIT 1)",
    )
    plant_totals(copied_run, change)

    rows = ask("audit", copied_run, code=int(is_caught))

    assert differing(rows) == ({"run_totals"} if is_caught else set())
    notes = {row["check"]: row["note"] for row in rows}
    assert "orders moved without a process since its end" in notes["run_totals"]
    assert "orders moved without a process since its end" in notes["money"]


@pytest.mark.parametrize(
    ("change", "is_caught"),
    [
        ({"quantity": "0.5"}, True),
        ({"quantity": "many"}, True),
        ({"average_cost": "NaN"}, True),
        ({"realized": "1000"}, True),
        ({"average_cost": "1"}, False),  # flat: nothing has a cost
        ({}, False),
    ],
)
def test_the_summarys_positions_and_money_are_those_of_the_executions(
    copied_run: Path, ask: Ask, change: dict[str, str], is_caught: bool
) -> None:
    path = copied_run / "metrics_summary.json"
    summary = json.loads(path.read_bytes())
    flat = next(s for s, told in summary["positions"].items() if told["quantity"] == "0")
    summary["positions"][flat] |= change
    path.write_text(json.dumps(summary))

    assert differing(ask("audit", copied_run, code=int(is_caught))) == (
        {"money"} if is_caught else set()
    )


@pytest.mark.parametrize("name", ["equity", "realized", "unrealized", "fees"])
@pytest.mark.parametrize("told", ["1000", "much", "NaN"])
def test_the_summarys_profit_is_that_of_its_positions(
    copied_run: Path, ask: Ask, name: str, told: str
) -> None:
    path = copied_run / "metrics_summary.json"
    summary = json.loads(path.read_bytes())
    summary["pnl"]["USDT"][name] = told
    path.write_text(json.dumps(summary))

    rows = ask("audit", copied_run, code=1)

    assert differing(rows) == {"money"}
    assert [row["examples"][0][:16] for row in rows if not row["ok"]] == ["profit in USDT: "]


def test_an_amount_beyond_all_reckoning_is_caught_and_ends_nothing(
    copied_run: Path, ask: Ask
) -> None:
    path = copied_run / "metrics_summary.json"
    summary = json.loads(path.read_bytes())
    symbol = next(iter(summary["positions"]))
    summary["positions"][symbol] |= {"quantity": "1e999999", "average_cost": "1e999999"}
    path.write_text(json.dumps(summary))

    assert differing(ask("audit", copied_run, code=1)) == {"money"}


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
