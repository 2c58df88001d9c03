"""An audit reads: a run goes on meanwhile, is never found behind, and is left as it was."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.values import OrderState
from ops.audit import audit_run
from tests.cli.runs import book, fill, intent


def test_a_run_is_audited_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.histories.PAGE", 5)
    monkeypatch.setattr("ops.audit.run_state", lambda _: _alive(tmp_path))
    with Writing(tmp_path) as writing:
        walks = 0
        while walks < 5 or (writing.orders < 40 and writing.goes_on):
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

    @property
    def goes_on(self) -> bool:
        """Whether it has not failed; a disk may be as slow as it likes."""
        return self._thread.is_alive()

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
