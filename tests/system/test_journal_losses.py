"""What a journal loses, where a disk is full, hangs or is slow: counted, and told."""

import errno
import itertools
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from messages.lifecycle import HaltTrading
from messages.outside import Origin
from ops.snapshot import Snapshots
from ops.verdict import verdict
from persistence.frames import LOST, Frame, lost_of
from persistence.journal import read_journal
from tests.system.journals import (
    CANDLES,
    demo,
    eventually,
    kept,
    run_stepped,
    take,
)


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


def test_what_comes_while_it_writes_waits_for_the_next_round_and_all_is_there_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round that went on as long as something waits would make a write of each message."""
    writes, write = list[int](), os.write
    config = demo(tmp_path)
    with kept(config) as (_, journal):

        def slow(fd: int, content: memoryview) -> int:
            writes.append(len(content))
            if len(writes) < 50 and not journal._over.is_set():
                take(journal, 1)
            return write(fd, content)

        monkeypatch.setattr("persistence.journal.os.write", slow)
        monkeypatch.setattr("ops.journal.FLUSH_S", 60)
        take(journal, 100)
        journal.start()
        assert eventually(lambda: journal.summary()["frames"] >= 100)
        journal.close()
        told = journal.summary()

    _, frames, rest, _ = writes  # between the header and the seal
    assert rest < frames
    assert (
        told["frames"]
        == sum(isinstance(one, Frame) for one in read_journal(config.run_dir / "journal"))
        == 102
    )


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
