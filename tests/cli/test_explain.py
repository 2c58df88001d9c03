"""`explain`: each step of an order's life with its evidence, what is open, and what comes next."""

import gzip
import json
from pathlib import Path

import pytest

import cli
from decisions.order_story import what_next
from messages.ids import NS_PER_S
from messages.values import OrderState
from ops.control import ControlServer
from tests.cli.conftest import Ask
from tests.cli.runs import CLOCK, T0, book, fill


def test_the_life_of_a_filled_order_of_a_real_run(whole_run: Path, ask: Ask) -> None:
    order = ask("orders", "--run-dir", whole_run)[0]

    (story,) = ask("explain", order["order_key"], "--run-dir", whole_run)

    assert {key: story["order"][key] for key in order} == order
    steps = [(step["from_state"], step["to_state"]) for step in story["steps"]]
    assert steps[:2] == [(None, "claimed"), ("claimed", "sent")]
    assert steps[-1][1] == "filled"
    assert story["risk"] == {"passed": True, "reason": ""}
    assert story["decision_to_claim_ns"] > 0
    assert story["fills"][0]["trade_id"].startswith(order["client_order_id"])
    assert (story["open_quantity"], story["next"]) == ("0", "nothing: the order is final")
    assert (story["duplicates_filtered"], story["metrics_are_kept"]) == ([], True)


def test_a_person_reads_times_spans_fills_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
        run.step(key, OrderState.ACCEPTED)
        run.step(key, OrderState.PARTIALLY_FILLED, fill("t1", "0.5", "99"))

    assert cli.main(["explain", key[:20], "--run-dir", str(tmp_path)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  buy 2 BTC/USDT at the market, by a on account paper"
    assert lines[3] == "  now partially_filled, 0.5 of 2 filled at 99"
    shown = {line[:17].strip(): line[18:] for line in lines[5:]}
    assert shown["decided"].startswith("2023-11-14 22:13:20.000 fast above slow")
    assert shown["risk"].strip() == "passed"
    assert shown["claimed"] == "2023-11-14 23:13:21.000 [claim]"
    assert shown["sent"] == "2023-11-14 23:13:21.000 0 ns later [claim]"
    assert shown["accepted"] == "2023-11-14 23:13:22.000 1 s later [submit]"
    assert shown["fill 1"].strip().startswith("2023-11-14 22:13:30.000 0.5 at 99, fee 0.1 USDT")
    assert shown["still open"].strip() == "1.5 of 2"
    assert "at the next start the venue is asked" in shown["next"]
    assert shown["duplicates"].strip() == "not known: the run kept no metrics"


def test_a_reason_that_is_its_own_evidence_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
        why = "the answer was lost"
        run.step(key, OrderState.UNKNOWN, reason=why, evidence=f"submit: {why}")

    assert cli.main(["explain", key[:20], "--run-dir", str(tmp_path)]) == 0

    lines = capsys.readouterr().out.splitlines()
    (line,) = [one for one in lines if one.startswith("unknown")]
    assert line.count(why) == 1


def test_a_refused_order_says_what_refused_it(tmp_path: Path, ask: Ask) -> None:
    why = "max_order_notional: 200 is more than 100"
    with book(tmp_path) as run:
        key = run.claim(refused=why)

    (story,) = ask("explain", key, "--run-dir", tmp_path)

    assert story["risk"] == {"passed": False, "reason": why}
    assert [step["to_state"] for step in story["steps"]] == ["refused"]
    assert story["next"] == "nothing: the order is final"


def test_an_unknown_outcome_is_never_called_a_failure(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        key = run.claim()
        run.step(key, OrderState.UNKNOWN, reason="timeout: no answer in 10 s")

    (dead,) = ask("explain", key, "--run-dir", tmp_path)
    with ControlServer(tmp_path / "control.sock", {"health": lambda _: {"actors": []}}):
        (alive,) = ask("explain", key, "--run-dir", tmp_path)

    assert (dead["process_is_alive"], alive["process_is_alive"]) == (False, True)
    assert dead["next"].startswith("the process is gone; at the next start the venue is asked")
    assert alive["next"].startswith("outcome unknown: the venue is asked again each second")
    assert alive["open_quantity"] == "2"
    assert alive["steps"][-1]["reason"] == "timeout: no answer in 10 s"
    assert alive["steps"][-1]["after_ns"] == NS_PER_S


def test_every_state_has_an_answer_to_what_comes_next() -> None:
    for state in OrderState:
        for is_alive in (True, False):
            assert what_next(state, is_alive=is_alive, halted="")
            assert what_next(state, is_alive=is_alive, halted="a person said so")


def duplicate(key: str, at_ns: int, state: str = "filled") -> bytes:
    message = {"type": "DuplicateFiltered", "order_key": key, "strategy_id": "a", "state": state}
    return json.dumps({"at_ns": at_ns, "kind": "order", "message": message}).encode() + b"\n"


def test_duplicates_are_found_in_all_metric_files_each_once(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as run:
        key = run.claim()
    other = duplicate("f" * 32, T0)
    older, old, new = (duplicate(key, CLOCK + n) for n in range(3))
    metrics = tmp_path / "metrics.ndjson"
    (tmp_path / "metrics.ndjson.10.gz").write_bytes(gzip.compress(older + other))
    (tmp_path / "metrics.ndjson.2.gz").write_bytes(gzip.compress(old))
    (tmp_path / "metrics.ndjson.3.gz").write_bytes(gzip.compress(old)[:9])
    (tmp_path / "metrics.ndjson.rotating").write_bytes(old)
    metrics.write_bytes(new + b'{"torn": "' + key.encode() + b"\n" + b'["' + key.encode() + b'"]')

    (story,) = ask("explain", key, "--run-dir", tmp_path)

    found = [line["at_ns"] - CLOCK for line in story["duplicates_filtered"]]
    assert found == [0, 1, 2]


def test_a_metric_line_whose_message_is_none_of_the_catalogue_is_passed_over(
    tmp_path: Path, ask: Ask
) -> None:
    with book(tmp_path) as run:
        key = run.claim()
    lines = duplicate(key, CLOCK, "half filled") + duplicate(key, CLOCK + 1)
    (tmp_path / "metrics.ndjson").write_bytes(lines)

    (story,) = ask("explain", key, "--run-dir", tmp_path)

    assert story["duplicates_filtered"] == [{"at_ns": CLOCK + 1, "state": "filled"}]
