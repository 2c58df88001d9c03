"""A journal that lacks something: what is not surely known is not compared, and that is said."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cli
from actors.step_runtime import StepRuntime
from messages.codec import from_msgpack
from messages.market import MarketBatch
from messages.orders import OrderIntent
from messages.outside import Origin
from messages.recorded import StrategyStands
from ops.wiring import System
from persistence.frames import HEADER_SIZE, lost_frame, packed_header
from persistence.journal import segments
from research.replay.line import UNKNOWN_BEGINNING
from research.replay.replaying import UNREADABLE
from tests.replay.runs import (
    ONE,
    STRATEGY,
    config_of,
    messages,
    one,
    remove,
    replayed,
    rewrite,
    run,
)


def lose(place: int) -> Callable[[list[Any]], None]:
    """Put a frame that tells of a gap in the place of two that were there."""

    def change(there: list[Any]) -> None:
        there[place : place + 2] = [lost_frame(2, there[place].at_ns, there[place + 1].at_ns)]

    return change


@pytest.mark.parametrize("place", [20, 33, 61])
def test_behind_a_gap_nothing_is_compared_until_it_is_known_how_the_strategy_stood(
    tmp_path: Path, place: int
) -> None:
    run(config_of(tmp_path / "run", "Tires", batch=8))
    (segment,) = segments(tmp_path / "run" / "journal")
    rewrite(segment, lose(place))
    left = len(messages(tmp_path / "run", OrderIntent, STRATEGY))

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert findings.breaks[0].startswith("2 messages are missing")
    assert one(findings).same == one(findings).decisions > 20
    assert one(findings).same + findings.not_compared.total() == left, "each is accounted for"


@pytest.mark.parametrize("processed", range(20, 30))
def test_a_journal_without_its_beginning_is_compared_from_where_a_memory_was_noted(
    tmp_path: Path, processed: int
) -> None:
    """As when old segments are gone: each new one says how the strategies stand.

    It is noted at a batch, behind it, or at an order's news, before that: then the batch that
    stands before it is of before it, with all that was decided on it.
    """
    config = config_of(tmp_path / "run", "sma_cross", candles=400, batch=8, window=8)

    def grow(runtime: StepRuntime, system: System) -> None:
        notes: Any = runtime.notes
        actor = system.strategies[ONE]
        assert runtime.run_until(lambda: actor.cell.processed >= processed)
        notes.stretch += 1

    run(config, at_start=grow)
    (segment,) = segments(tmp_path / "run" / "journal")
    (_, number, standing) = messages(tmp_path / "run", StrategyStands)[1]
    assert not standing.has_begun

    def cut_off(there: list[Any]) -> None:
        before = there[: number - 1]
        batches = [n for n, one in enumerate(before) if one.path == STRATEGY and is_batch(one)]
        del there[1 : batches[-1]]  # the batch that was taken just before stays

    rewrite(segment, cut_off)
    segment.rename(segment.with_name("00000003.wkj"))
    rename_header(segment.with_name("00000003.wkj"))

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert findings.breaks[0] == "segment 1 to 2 is gone"
    assert one(findings).is_warmed
    assert one(findings).decisions == one(findings).same > 5


def is_batch(frame: Any) -> bool:
    return isinstance(from_msgpack(frame.payload), MarketBatch)


def rename_header(path: Path) -> None:
    path.write_bytes(packed_header(3, 5) + path.read_bytes()[HEADER_SIZE:])


def test_without_a_memory_nothing_is_claimed(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, _ = messages(tmp_path / "run", StrategyStands)[0]
    decisions = len(messages(tmp_path / "run", OrderIntent, STRATEGY))
    remove(segment, number)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert one(findings).decisions == 0
    assert findings.not_compared == {UNKNOWN_BEGINNING: decisions}


def test_a_journal_of_before_there_was_a_replay_is_not_said_to_be_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config_of(tmp_path / "run"))
    (segment,) = segments(tmp_path / "run" / "journal")

    def forget(there: list[Any]) -> None:
        there[:] = [frame for frame in there if frame.origin != Origin.INSIDE]

    rewrite(segment, forget)

    assert cli.main(["replay", str(tmp_path / "run")]) == 3
    said = capsys.readouterr().out
    assert "divergences" not in said
    assert said.splitlines()[-1].startswith("nothing could be compared: this journal")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_journal_holds_a_replay_of_it_ends_in_order(tmp_path: Path, seed: int) -> None:
    """Frames that are missing, twice, elsewhere, another's or nonsense, with right checksums."""
    chance = Random(seed)
    run(config_of(tmp_path / "run", chance.choice(["Keeps", "Bars", "Tires"]), batch=16))
    (segment,) = segments(tmp_path / "run" / "journal")

    def spoil(there: list[Any]) -> None:
        for _ in range(chance.randint(1, 12)):
            one, other = chance.randrange(1, len(there)), chance.randrange(1, len(there))
            match chance.randrange(5):
                case 0:
                    del there[one]
                case 1:
                    there.insert(one, there[other])
                case 2:
                    there[one], there[other] = there[other], there[one]
                case 3:
                    there[one] = there[one]._replace(path=there[other].path)
                case 4:
                    payload = bytearray(there[one].payload)
                    payload[chance.randrange(len(payload))] ^= 1 << chance.randrange(8)
                    there[one] = there[one]._replace(payload=bytes(payload))

    rewrite(segment, spoil)

    replayed(tmp_path / "run")  # it raises nothing, and has counted what it told


def test_damage_is_told_and_what_is_before_it_is_compared(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run", batch=8))
    (segment,) = segments(tmp_path / "run" / "journal")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    segment.write_bytes(content)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    assert "00000001.wkj from byte" in findings.breaks[0]
    assert one(findings).decisions == one(findings).same > 5


def test_a_message_that_nobody_can_read_is_told(tmp_path: Path) -> None:
    run(config_of(tmp_path / "run", batch=8))
    segment, number, _ = messages(tmp_path / "run", OrderIntent, STRATEGY)[9]

    def spoil(there: list[Any]) -> None:
        there[number] = there[number]._replace(payload=b"\xc1 what is this")

    rewrite(segment, spoil)

    findings, divergences = replayed(tmp_path / "run")

    assert divergences == []
    ((why, unreadable),) = findings.unreadable.items()
    assert "not a message of the catalogue" in why
    assert (unreadable.count, unreadable.first.partition(",")[0]) == (
        1,
        f"message {number + 1} of 00000001.wkj",
    )
    assert findings.not_compared[UNREADABLE] == 1
