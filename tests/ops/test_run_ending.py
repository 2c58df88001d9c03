"""With which exit code a run ends, and with which words, when its root supervisor fails."""

import signal
from pathlib import Path

import pytest

from messages.exit_codes import EXIT_EXHAUSTED, EXIT_INTERRUPTED, EXIT_OK
from messages.ids import ActorPath, Epoch, TimestampNs
from messages.lifecycle import Exit, ExitReason
from ops.bot_run import BotRun
from ops.options import StartOptions
from ops.run_config import config_for
from ops.run_dir import RunDir


@pytest.fixture
def run(tmp_path: Path) -> BotRun:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    return BotRun(options, config_for(options), RunDir(tmp_path / "run"))


def root_ends(run: BotRun, reason: ExitReason, error: str = "") -> None:
    """Have it end by itself, as its cell tells, and the run with it."""
    assert run.system.root.on_exit is not None
    run.system.root.on_exit(
        Exit(
            child=ActorPath("root"),
            epoch=Epoch(1),
            reason=reason,
            error_class=error.partition(":")[0],
            error=error,
            ts_ns=TimestampNs(1),
        )
    )
    run.ending.code = run._stop()


def test_a_root_that_crashes_is_no_market_that_has_ended(run: BotRun) -> None:
    root_ends(run, ExitReason.CRASHED, "MemoryError: no more")

    assert run.ending.code == EXIT_EXHAUSTED
    assert run.ending.reason() == "the root supervisor crashed: MemoryError: no more"


def test_a_root_that_ends_in_order_is(run: BotRun) -> None:
    root_ends(run, ExitReason.SHUTDOWN)

    assert (run.ending.code, run.ending.reason()) == (EXIT_OK, "the market ended")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, EXIT_EXHAUSTED), (signal.SIGINT, EXIT_INTERRUPTED)]
)
def test_who_stops_a_run_whose_root_has_crashed_is_told_of_it(
    run: BotRun, number: signal.Signals, code: int
) -> None:
    run.signals.note(number, None)
    root_ends(run, ExitReason.CRASHED, "MemoryError: no more")

    said = f"stopped by {number.name}; the root supervisor crashed: MemoryError: no more"
    assert (run.ending.code, run.ending.reason()) == (code, said)


def test_a_root_that_hangs_is_given_up_when_the_run_is_stopped(run: BotRun) -> None:
    """Nothing could be asked of it: a stop that waits for it would have no end."""
    run.ending.root_hung = True

    assert run.ending.stopped() == EXIT_EXHAUSTED
    run.ending.code = EXIT_EXHAUSTED
    assert run.ending.reason() == "the root supervisor hung, and was given up with all below it"
