"""The demo as a person starts it, with the crash that it makes for them."""

import functools
import operator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.ids import EXECUTOR
from messages.values import OrderState
from ops.lines_schema import START_LINES, DemoKillLine, EndLine, OrderLine, SupervisionLine
from tests.cli.runs import command

_ANY_LINE: Any = functools.reduce(operator.or_, START_LINES)


def demo(run_dir: Path) -> list[Any]:
    """Give the lines of a demo of 20 seconds, each as its schema says."""
    done = command("start", "--json", "--duration", "20", "--run-dir", str(run_dir))
    assert done.returncode == 0, done.stderr
    return [msgspec.json.decode(line, type=_ANY_LINE) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_trades_kills_its_own_executor_trades_on_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    lines = demo(tmp_path / "run")
    kinds = [type(line) for line in lines]
    assert kinds.count(DemoKillLine) == 1
    at = kinds.index(DemoKillLine)
    before, kill, after = lines[:at], lines[at], lines[at:]

    def filled(part: list[Any]) -> int:
        return sum(type(o) is OrderLine and o.state is OrderState.FILLED for o in part)

    assert filled(before) > 0
    assert kill.actor == EXECUTOR
    supervised = [
        one.what for one in after if type(one) is SupervisionLine and one.child == EXECUTOR
    ]
    assert supervised == ["exited", "backoff", "restarted"]
    assert filled(after) > 0
    end = lines[-1]
    assert isinstance(end, EndLine)
    assert end.counters.filled == filled(before) + filled(after)
    assert (end.restarts, end.counters.errors) == (2, 1)
    assert end.venue is not None
    assert end.venue.orders >= end.counters.filled
    assert (end.venue.doubled, end.venue.unexplained) == (0, 0)
