"""What the process does with a signal."""

import os
import signal
import threading
from pathlib import Path

import pytest

from ops.options import StartOptions
from ops.process import _Run
from ops.run_config import config_for
from ops.run_dir import RunDir


@pytest.fixture
def run(tmp_path: Path) -> _Run:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    return _Run(options, config_for(options), RunDir(tmp_path / "run"))


def test_a_signal_waits_for_no_lock_that_its_own_thread_may_hold(run: _Run) -> None:
    """The handler runs on the main thread, which is inside `over.wait` most of the time."""
    lock = run.over._cond  # type: ignore[attr-defined]  # what `wait` and `set` hold for a moment
    with lock:
        handler = threading.Thread(target=run._on_signal, args=(signal.SIGTERM, None), daemon=True)
        handler.start()
        handler.join(10)
        assert not handler.is_alive()


def test_a_signal_ends_the_wait(run: _Run) -> None:
    run._on_signal(signal.SIGTERM, None)

    run._watch(lambda _: None)

    assert run._reason(0) == "stopped by SIGTERM"


def test_a_second_signal_leaves_at_once(run: _Run, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    run._on_signal(signal.SIGTERM, None)
    run._on_signal(signal.SIGTERM, None)

    assert left == [128 + signal.SIGTERM]
