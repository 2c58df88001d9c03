"""A run's journal: all that came from outside, exactly; a kill and a full disk harm nothing."""

import errno
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import cli
import strategies
from actors.step_runtime import StepRuntime
from messages.codec import from_msgpack
from messages.ids import NS_PER_S, ActorPath, Epoch
from messages.lifecycle import HaltTrading, TimerFired
from messages.market import MarketBatch
from messages.outside import Origin
from messages.recorded import RunBegun, StrategyStands
from ops.config import Config, demo_config
from ops.journal import Journal, journal_for
from ops.journal_head import run_begun
from ops.run_dir import RunDir
from ops.snapshot import Snapshots
from ops.verdict import verdict
from ops.wiring import build
from persistence.frames import LOST, Frame, lost_of
from persistence.journal import Found, read_journal
from tests.system.bots import Bot

CANDLES = 60
EXECUTOR = ActorPath("execution/executor")
COMMAND = HaltTrading(reason="x", durable=False)


def demo(tmp_path: Path, **overrides: Any) -> Config:
    given = {"run_dir": str(tmp_path / "run"), "feed.speed": 0, "feed.limit": CANDLES}
    return demo_config({**given, "journal.when": "always", **overrides}, strategies.check_params)


@contextmanager
def kept(config: Config, utc_ns: Callable[[], int] = lambda: 7) -> Iterator[tuple[RunDir, Journal]]:
    """Hold a run directory, and give the journal that a run would keep there."""
    with RunDir(config.run_dir) as run_dir:
        journal = journal_for(config, run_dir, utc_ns)
        assert journal is not None
        yield run_dir, journal


def take(journal: Journal, count: int, command: HaltTrading = COMMAND) -> None:
    """Let the executor take a command so many times."""
    for _ in range(count):
        journal.record(EXECUTOR, command, is_timer=False)


def run_stepped(config: Config, run_dir: RunDir, journal: Journal, seen: list[Any]) -> Any:
    """Run a demo to its end in virtual time, with everything recorded twice."""
    runtime = StepRuntime(ttl_enforced=False)

    def record(path: Any, message: Any, *, is_timer: bool) -> None:
        before = journal.summary()["waiting"]
        journal.record(path, message, is_timer=is_timer)
        if journal.summary()["waiting"] > before:
            seen.append((path, message))

    runtime.recorder = record
    system = build(config, run_dir, runtime)
    assert not runtime.start(system.root, 60 * NS_PER_S).problem
    life = system.root.life
    assert life is not None
    runtime.run_until(lambda: system.executor.cell.processed >= 1)
    system.executor.tell(HaltTrading(reason="for the journal", durable=False))
    runtime.run_until(life.gone.is_set)
    return system


def test_all_that_came_from_outside_reads_back_exactly(tmp_path: Path) -> None:
    config, seen = demo(tmp_path), list[Any]()
    with kept(config) as (run_dir, journal):
        run_stepped(config, run_dir, journal, seen)
        journal.start()
        journal.close()

    frames = [item for item in read_journal(config.run_dir / "journal") if isinstance(item, Frame)]
    assert [(f.path, from_msgpack(f.payload)) for f in frames] == seen
    assert {frame.at_ns for frame in frames} == {7}
    pairs = zip(frames, seen, strict=True)
    kinds = {(Origin(frame.origin), type(message)) for frame, (_, message) in pairs}
    assert (Origin.MARKET, MarketBatch) in kinds
    assert (Origin.COMMAND, HaltTrading) in kinds
    assert (Origin.TIMER, TimerFired) in kinds


@pytest.mark.parametrize(("when", "is_kept"), [("live", False), ("never", False), ("always", True)])
def test_a_recording_needs_no_journal_unless_it_is_asked_for(
    tmp_path: Path, when: str, is_kept: bool
) -> None:
    config = demo(tmp_path, **{"journal.when": when})
    with RunDir(config.run_dir) as run_dir:
        assert (journal_for(config, run_dir, lambda: 7) is not None) is is_kept


def test_a_full_disk_ends_the_journal_with_a_sentence_and_not_the_trading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    config, seen = demo(tmp_path), list[Any]()
    with kept(config) as (run_dir, journal):
        with monkeypatch.context() as patch:
            patch.setattr("persistence.journal.os.write", full)
            journal.start()
            journal.close()
        system = run_stepped(config, run_dir, journal, seen)
        snapshots = Snapshots(system, config)
        snapshots.extras["journal"] = journal.summary
        snapshot = {**snapshots.take(), "root_alive": True}

    assert "the journal is not written: no space left on device" in verdict(snapshot)[1]
    assert system.fold.processed == CANDLES
    assert journal.summary()["waiting"] == 0
    assert journal.summary()["lost"] > 0


@pytest.mark.parametrize("room", [0, 40, 1_000, 100_000])
def test_what_a_disk_that_fills_up_did_not_take_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Each message is either read back or counted, those in hand and those waiting too."""
    left, write = room, os.write

    def filling(fd: int, content: memoryview) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(fd, content[:left])
        left -= count
        return count

    monkeypatch.setattr("ops.journal._ROUNDS", 3)
    config = demo(tmp_path)
    with kept(config) as (_, journal):
        take(journal, 50)
        with monkeypatch.context() as patch:
            patch.setattr("persistence.journal.os.write", filling)
            journal.start()
            journal.close()
        told = journal.summary()

    items = read_journal(config.run_dir / "journal")
    read = sum(isinstance(item, Frame) for item in items)
    assert read + told["lost"] == 50
    assert (read > 0) is (room >= 1_000)
    assert (told["frames"], told["waiting"]) == (read, 0)
    assert bool(told["problem"]) is bool(told["lost"]) is (room < 100_000)


@pytest.mark.parametrize("room", [0, 40, 150, 1_000])
def test_the_journal_is_tried_again_and_tells_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Each message is read back, or is counted by the gap that stands in its place."""
    left, write, is_refused = room, os.write, threading.Event()

    def filling(fd: int, content: memoryview) -> int:
        nonlocal left
        if not left:
            is_refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(fd, content[:left])
        left -= count
        return count

    monkeypatch.setattr("ops.journal._ROUNDS", 3)
    monkeypatch.setattr("ops.journal.RETRY_S", 0.01)
    monkeypatch.setattr("ops.journal.FLUSH_S", 0.01)
    monkeypatch.setattr("persistence.journal.os.write", filling)
    config = demo(tmp_path)
    clock = itertools.count(1)
    with kept(config, lambda: next(clock)) as (_, journal):
        take(journal, 50)
        journal.start()
        assert is_refused.wait(10)
        assert eventually(lambda: journal.summary()["problem"])
        take(journal, 7)
        assert (
            journal.summary()["problem"] == "no space left on device; it goes on when there is room"
        )
        left = 1 << 30
        assert eventually(lambda: not journal.summary()["problem"])
        take(journal, 5)
        journal.close()
        told = journal.summary()

    items = list(read_journal(config.run_dir / "journal"))
    origins = [item.origin for item in items if isinstance(item, Frame)]
    gap = next(item for item in items if isinstance(item, Frame) and item.origin == LOST)
    missing = lost_of(gap)
    assert len(origins) == len(items)
    assert origins == [Origin.COMMAND] * (57 - told["lost"]) + [LOST] + [Origin.COMMAND] * 5
    assert (missing.messages, told["problem"]) == (told["lost"], "")
    assert missing.since_ns == 51 - (told["lost"] - 7)  # at each tick of the clock one message


def test_a_gap_begins_with_the_first_that_is_missing_whatever_was_lost_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is full, so the newest are lost at once; then the disk refuses the oldest."""
    refused, write = threading.Event(), os.write

    def refusing_once(fd: int, content: memoryview) -> int:
        if len(content) > 200 and not refused.is_set():
            refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, content)

    monkeypatch.setattr("ops.journal.MOST_WAITING", 50)
    monkeypatch.setattr("ops.journal.RETRY_S", 0.01)
    monkeypatch.setattr("persistence.journal.os.write", refusing_once)
    config, clock = demo(tmp_path), itertools.count(1)
    with kept(config, lambda: next(clock)) as (_, journal):
        take(journal, 60)
        journal.start()
        assert eventually(lambda: refused.is_set() and not journal.summary()["problem"])
        journal.close()

    (gap,) = [i for i in read_journal(config.run_dir / "journal") if isinstance(i, Frame)]
    assert lost_of(gap) == (60, 1)


def eventually(holds: Callable[[], object]) -> bool:
    limit = time.monotonic() + 60
    while not holds() and time.monotonic() < limit:
        threading.Event().wait(0.002)
    return bool(holds())


def test_a_disk_that_hangs_at_the_end_leaves_a_problem_and_what_waits_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go, write = threading.Event(), os.write

    def hangs(fd: int, content: memoryview) -> int:
        assert may_go.wait(30)
        return write(fd, content)

    monkeypatch.setattr("ops.journal.CLOSE_S", 0.1)
    config = demo(tmp_path)
    with kept(config) as (_, journal):
        take(journal, 5)
        with monkeypatch.context() as patch:
            patch.setattr("persistence.journal.os.write", hangs)
            journal.start()
            journal.close()
            told = journal.summary()
            may_go.set()
            monkeypatch.setattr("ops.journal.CLOSE_S", 30)
            journal.close()

    assert "the disk took nothing more" in told["problem"]
    assert (told["lost"], told["waiting"]) == (5, 0)


@pytest.mark.parametrize("strange", [{"reason": 1 << 70}, {"reason": "x" * (1 << 26)}])
def test_a_message_that_cannot_be_packed_is_lost_alone(
    tmp_path: Path, strange: dict[str, Any]
) -> None:
    config = demo(tmp_path)
    with kept(config) as (_, journal):
        for reason in ("x", strange["reason"], "y"):
            take(journal, 1, HaltTrading(reason=reason, durable=False))
        journal.start()
        journal.close()
        told = journal.summary()

    frames = [i for i in read_journal(config.run_dir / "journal") if isinstance(i, Frame)]
    assert [frame.origin for frame in frames] == [Origin.COMMAND, Origin.COMMAND, LOST]
    assert (told["problem"], told["lost"]) == ("", 1)


def test_what_a_slow_disk_leaves_no_room_for_is_counted_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.journal.MOST_WAITING", 50)
    config = demo(tmp_path)
    with kept(config) as (_, journal):
        take(journal, 55)
        journal.start()
        journal.close()

    *_, last = read_journal(config.run_dir / "journal")
    lost = [i for i in read_journal(config.run_dir / "journal") if getattr(i, "origin", 9) == LOST]
    assert journal.summary()["lost"] == 5
    assert len(lost) == 1
    assert isinstance(last, Frame)


def test_each_segment_says_whose_it_is_and_who_remembers_is_told_of_it(tmp_path: Path) -> None:
    config = demo(tmp_path, **{"journal.rotate_mb": 1})
    with kept(config) as (_, journal):
        journal.begun = run_begun(config, 5)
        before = journal.stretch
        journal.start()
        for _ in range(3):
            take(journal, 1, HaltTrading(reason="x" * 1_100_000, durable=False))
            assert eventually(lambda: not journal.summary()["waiting"])
        take(journal, 1)
        journal.close()

    items = list(read_journal(config.run_dir / "journal"))
    messages = [from_msgpack(item.payload) for item in items if isinstance(item, Frame)]
    assert [type(message) for message in messages] == [RunBegun, HaltTrading] * 4
    assert messages[0] == messages[6] == journal.begun
    assert journal.stretch == before + 3
    assert journal.summary()["lost"] == 0


@pytest.mark.slow
def test_memories_that_fill_a_segment_are_not_asked_for_in_each(tmp_path: Path) -> None:
    """Or each would begin the next segment, in which they would be said again, for ever."""
    config = demo(tmp_path, **{"journal.rotate_mb": 1})
    memory = b"x" * 1_100_000
    standing = StrategyStands(epoch=Epoch(1), has_begun=False, memory=memory, instruments=())
    told = 0
    with kept(config) as (_, journal):
        journal.start()
        stretch = 0
        for number in range(12):
            if journal.stretch != stretch:
                stretch, told = journal.stretch, told + 1
                journal.note(ActorPath("execution/strategies/a"), standing)
            take(journal, 1, HaltTrading(reason="x" * 300_000 + str(number), durable=False))
            assert eventually(lambda: not journal.summary()["waiting"])
        journal.close()

    assert 1 < told < 5


def test_who_remembers_is_told_of_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.journal.MOST_WAITING", 50)
    config = demo(tmp_path)
    with kept(config) as (_, journal):
        before = journal.stretch
        take(journal, 50)
        assert journal.stretch == before
        take(journal, 5)
        journal.start()
        journal.close()

    assert journal.stretch == before + 1


@pytest.mark.slow
def test_a_kill_leaves_whole_messages_and_the_next_start_goes_on(
    tmp_path: Path, start: Callable[..., Bot], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f'name = "j"\nrun_dir = "{tmp_path}/run"\n[journal]\nwhen = "always"\n'
        '[feed]\nspeed = 6000\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'
        "params = { fast = 5, slow = 15 }\n"
    )
    bot = start(config)
    bot.until_processed(50)
    bot.end(signal.SIGKILL)
    before = [i for i in read_journal(tmp_path / "run" / "journal") if isinstance(i, Frame)]
    second = start(config)
    second.until_processed(20)
    code, said = second.end(signal.SIGTERM)

    items = list(read_journal(tmp_path / "run" / "journal"))
    assert code == 0, said
    assert before
    assert [i for i in items if isinstance(i, Found)] == []
    assert [i for i in items if isinstance(i, Frame)][: len(before)] == before
    assert cli.main(["journal", str(tmp_path / "run")]) == 0
    assert "MarketBatch" in capsys.readouterr().out
    assert cli.main(["journal", str(tmp_path / "run"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["origin"] for row in rows if "torn" not in row} >= {"market", "venue", "timer"}
    assert cli.main(["audit", str(tmp_path / "run")]) == 0


def test_a_run_without_one_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "status.json").touch()

    assert cli.main(["journal", str(tmp_path)]) == 2
    assert "has no journal" in capsys.readouterr().err
