"""`explain` and `orders show` of orders that their strategy ends: by an executor, on its ledger."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cli
from actors.cancel_desk import PAUSES_NS
from messages.halting import CancelDone, CancelOrder
from messages.ids import OrderKey
from messages.orders import OrderReport
from messages.values import OrderState as S
from messages.values import OrderType
from ops.control import ControlServer
from tests.actors.exit_path import leave, path
from tests.actors.order_path import OrderPath, key_of
from tests.cli.conftest import Ask

Read = Callable[[OrderKey], dict[str, str]]


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """A bid of 1 at 100 rests; its strategy has asked for one of 1 at 101 in its place."""
    made = OrderPath(tmp_path).start()
    limit: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}
    made.tell(made.intent(1, **limit)).tell(made.submitted(1, S.ACCEPTED))
    reason = f"in place of {key_of(1)}: it moved"
    limit["limit_price"] = Decimal(101)
    return made.tell(made.intent(2, replaces=key_of(1), reason=reason, **limit))


@pytest.fixture
def read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Read:
    """What a person reads of an order, line by line."""

    def told(key: OrderKey) -> dict[str, str]:
        assert cli.main(["explain", key, "--run-dir", str(tmp_path)]) == 0
        lines = capsys.readouterr().out.splitlines()
        return {line[:17].strip(): line[18:].strip() for line in lines if line[18:].strip()}

    return told


def test_an_exit_that_waits_for_its_entry_is_no_order_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = path(tmp_path)
    desk.tell(desk.intent(0))
    leave(desk)

    assert cli.main(["orders", "show", key_of(1), "--run-dir", str(tmp_path)]) == 2

    told = capsys.readouterr().err
    assert "is no order yet: the exit of 1 BTC/USDT waits until something of its entry" in told


def canceled(desk: OrderPath, report: OrderReport) -> OrderPath:
    call = desk.gateway.canceled[-1]
    done = CancelDone(order_key=call.key, epoch=call.epoch, report=report, problem="")
    return desk.tell(done)


def test_while_it_is_being_ended_both_say_so(
    desk: OrderPath, read: Read, tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    first = read(key_of(1))
    assert first["to be ended"] == "its strategy ended it: it moved; it is being canceled"
    assert first["replaced by"].startswith(f"{key_of(2)}: not sent yet")
    assert "is not sent again, and canceled where it is open" in first["next"]
    with ControlServer(tmp_path / "control.sock", {"health": lambda _: {"actors": []}}):
        assert "it is canceled, and asked for until" in read(key_of(1))["next"]

    (story,) = ask("explain", key_of(2)[:25], "--run-dir", tmp_path)
    assert (story["waits"]["waits_for"], story["waits"]["reason"]) == (key_of(1), "it moved")
    assert cli.main(["explain", key_of(2), "--run-dir", str(tmp_path)]) == 0
    assert f"it waits for {key_of(1)} to end" in capsys.readouterr().out
    assert cli.main(["orders", "show", key_of(2), "--run-dir", str(tmp_path)]) == 2
    assert f"waits for {key_of(1)} to end" in capsys.readouterr().err


def test_afterwards_each_names_the_other_one(
    desk: OrderPath, read: Read, tmp_path: Path, ask: Ask
) -> None:
    canceled(desk, desk.report(1, S.CANCELED, "0.4")).tell(desk.submitted(2, S.ACCEPTED))

    first, second = read(key_of(1)), read(key_of(2))

    assert first["ended"] == "its strategy ended it: it moved"
    assert first["replaced by"] == f"{key_of(2)}: accepted, 0 of 0.6 filled"
    assert second["in place of"] == f"{key_of(1)}: canceled, 0.4 of 1 filled"
    assert "reports when it fills or ends" not in first["next"]
    (row,) = ask("orders", "show", key_of(1), "--run-dir", tmp_path)
    assert (row["replaces"], row["replaced_by"]) == (None, key_of(2))
    (row,) = ask("orders", "show", key_of(2), "--run-dir", tmp_path)
    assert (row["replaces"], row["replaced_by"], row["end_wished"]) == (key_of(1), None, None)


def test_one_that_filled_before_that_was_not_ended_by_anybody(desk: OrderPath, read: Read) -> None:
    canceled(desk, desk.report(1, S.FILLED, "1"))

    first = read(key_of(1))

    assert first["to be ended"].endswith("it moved; but it was filled before that")
    assert "refused (not_replaced: 1 of 1 were filled before" in first["replaced by"]


def test_one_that_could_not_be_ended_is_open_still(desk: OrderPath, read: Read) -> None:
    for _ in PAUSES_NS:
        canceled(desk, desk.report(1, S.ACCEPTED))
        desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.ACCEPTED))).after(60)

    first = read(key_of(1))

    assert first["to be ended"].endswith("it is open still")
    assert "it stays open there" in first["next"]
    assert "could not be ended in 5 tries" in first["replaced by"]


def test_a_persons_cancel_is_told_too(desk: OrderPath, read: Read) -> None:
    canceled(desk, desk.report(1, S.CANCELED)).tell(desk.submitted(2, S.ACCEPTED))
    desk.tell(CancelOrder(order_key=key_of(2), request="1"))
    canceled(desk, desk.report(2, S.CANCELED))

    assert read(key_of(2))["ended"] == "a person canceled it"
