"""A ledger that is lost in a commit, before or after it was made, and comes back a while later."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import strategies
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from messages.errors import LedgerLost
from messages.ids import NS_PER_S
from messages.values import OrderState
from ops.config import Config, demo_config
from ops.run_dir import RunDir
from ops.wiring import build
from persistence import measured_ledger
from persistence.ledger import SqliteLedger
from persistence.reader import LedgerReader
from persistence.stored_ledger import Write
from tests.system.conftest import orders_at_venue


class Server:
    """What the ledgers of one run have in common: a server that goes away at one commit."""

    def __init__(self, lost_at: int, looks: int, *, is_made: bool) -> None:
        self.left, self.looks, self.is_made = lost_at, looks, is_made
        self.opened = self.answered = 0

    @property
    def is_away(self) -> bool:
        return self.left < 0 <= self.looks


class LosingLedger(SqliteLedger):
    """The ledger on disk, by a connection that breaks with its server."""

    def __init__(self, path: Path, server: Server) -> None:
        self._server, self._is_lost = server, False
        super().__init__(path)
        server.opened += 1

    def answers(self) -> bool:
        self._server.looks -= 1
        self._server.answered += 1
        return not self._server.is_away

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
        if self._is_lost:
            raise LedgerLost("the connection was lost")
        return super()._rows(statement, parameters)

    def _commit(self, writes: Sequence[Write]) -> None:
        self._server.left -= 1
        if self._server.left == -1:
            self._is_lost = True
            if self._server.is_made:
                super()._commit(writes)
        if self._is_lost:
            raise LedgerLost("the connection was lost")
        super()._commit(writes)


def config_at(folder: Path, **more: Any) -> Config:
    given = {"run_dir": str(folder), "feed.limit": 300, "feed.speed": 0, **more}
    return demo_config(given, strategies.check_params)


PACE = {"feed.window": 20, "feed.batch": 5}
AT_ONCE = {"feed.window": 100, "feed.batch": 100}
"""Decisions wait for the executor together, and one commit claims them."""


def run(
    folder: Path,
    runtime: Runtime,
    server: Server | None = None,
    pace: Mapping[str, int] = PACE,
) -> list[tuple[Any, ...]]:
    config = config_at(folder, **pace)
    with RunDir(config.run_dir) as run_dir:
        opener = None if server is None else lambda: LosingLedger(run_dir.ledger, server)
        system = build(config, run_dir, runtime, open_ledger=opener)
        assert runtime.start(system.root, 60 * NS_PER_S).problem == ""
        life = system.root.life
        assert life is not None
        if isinstance(runtime, StepRuntime):
            runtime.run_until(life.gone.is_set)
        assert life.gone.wait(60)
        assert system.executor.cell.restarts == (0 if server is None else 1)
    with LedgerReader(run_dir.ledger) as ledger:
        assert ledger.open_keys() == set()
        assert sum(ledger.states().values()) == len(orders_at_venue(folder))
    return orders_at_venue(folder)


def states_in(path: Path) -> dict[OrderState, int]:
    with LedgerReader(path) as ledger:
        return ledger.states()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    return run(tmp_path_factory.mktemp("whole") / "run", StepRuntime(ttl_enforced=False))


@pytest.mark.slow
@pytest.mark.parametrize("is_made", [True, False], ids=["made", "not made"])
@pytest.mark.parametrize("lost_at", [0, 1, 3, 8])
def test_whatever_commit_it_is_lost_in_no_order_is_doubled_and_none_is_missed(
    tmp_path: Path, expected: list[Any], lost_at: int, is_made: bool
) -> None:
    server = Server(lost_at, 3, is_made=is_made)

    found = run(tmp_path / "run", StepRuntime(ttl_enforced=False), server)

    assert found == expected
    assert len({order[-1] for order in found}) == len(found) > 10
    assert (server.opened, server.answered) == (2, 4)


@pytest.mark.slow
@pytest.mark.parametrize("is_made", [True, False], ids=["made", "not made"])
def test_decisions_of_one_commit_are_judged_again_in_their_order(
    tmp_path: Path, *, is_made: bool
) -> None:
    """Judged before the entry that it ends, an exit would be refused, and the entry left open."""
    whole = run(tmp_path / "whole", StepRuntime(ttl_enforced=False), pace=AT_ONCE)
    server = Server(0, 3, is_made=is_made)

    found = run(tmp_path / "run", StepRuntime(ttl_enforced=False), server, AT_ONCE)

    assert found == whole
    assert len(found) > 10


@pytest.mark.slow
def test_the_same_on_threads(tmp_path: Path, runtime: Runtime, expected: list[Any]) -> None:
    assert run(tmp_path / "run", runtime, Server(5, 1, is_made=True)) == expected


@pytest.mark.slow
def test_a_file_that_another_process_keeps_locked_is_waited_for(
    tmp_path: Path, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a tool that copies it, or by somebody who looks into it and goes to lunch."""
    monkeypatch.setattr(measured_ledger, "BUSY_MS", 30)
    config, runtime = config_at(tmp_path / "run", **PACE), StepRuntime(ttl_enforced=False)
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime)
        cell = system.executor.cell
        assert runtime.start(system.root, 60 * NS_PER_S).problem == ""
        runtime.run_until(lambda: sum(states_in(run_dir.ledger).values()) >= 3)
        with closing(sqlite3.connect(run_dir.ledger, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            runtime.run_until(lambda: "away for 3 s" in cell.problem)
            told = cell.problem
        assert system.root.life is not None
        runtime.run_until(system.root.life.gone.is_set)

    assert f"another process keeps the ledger {run_dir.ledger} locked" in told
    assert cell.restarts == 1
    assert orders_at_venue(tmp_path / "run") == expected


def test_an_end_that_comes_while_it_is_away_says_so_and_the_next_start_makes_it_good(
    tmp_path: Path, expected: list[Any]
) -> None:
    """All of the market was shown before: nothing but the ledger is waited for."""
    config = config_at(tmp_path / "run")
    ends = []
    for server in (Server(1, 10**9, is_made=True), Server(10**9, 0, is_made=True)):
        runtime = StepRuntime(ttl_enforced=False)
        with RunDir(config.run_dir) as run_dir:
            opener = partial(LosingLedger, run_dir.ledger, server)
            system = build(config, run_dir, runtime, open_ledger=opener)
            assert runtime.start(system.root, 60 * NS_PER_S).problem == ""
            assert system.root.life is not None
            runtime.run_until(system.root.life.gone.is_set)
        ends.append(system.board.unfinished)

    assert "the ledger was away at the end" in ends[0]
    assert ends[1] == ""
    assert orders_at_venue(tmp_path / "run") == expected
