"""A run's journal: all that came from outside, exactly; a kill harms nothing."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.codec import from_msgpack
from messages.ids import ActorPath, Epoch
from messages.lifecycle import HaltTrading, TimerFired
from messages.market import MarketBatch
from messages.outside import Origin
from messages.recorded import RunBegun, StrategyStands
from ops.journal import journal_for
from ops.journal_head import run_begun
from ops.run_dir import RunDir
from persistence.frames import Frame
from persistence.journal import Found, read_journal
from tests.system.bots import Bot
from tests.system.journals import demo, eventually, kept, run_stepped, take


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
