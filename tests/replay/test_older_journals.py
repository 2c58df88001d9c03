"""A journal of another version, whose records lack what this one asks for: told, in a line."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from messages.orders import OrderIntent
from messages.recorded import IntentsJudged, RunBegun, StrategyStands
from messages.stops import StopActed
from persistence.frames import SEAL
from persistence.journal import segments
from research.replay.judging import WITHOUT_HELD
from research.replay.replaying import UNREADABLE
from tests.replay.runs import ONE, config_of, messages, replayed, rewrite, run
from tests.system.conftest import STRESS

Record = dict[str, Any]
_decode, _encode = msgspec.msgpack.decode, msgspec.msgpack.encode


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a strategy with stops: its journal has every kind of record that a replay reads."""
    run_dir = tmp_path_factory.mktemp("older") / "run"
    run(config_of(run_dir, "Stopped", candles=40, batch=8))
    return run_dir


def changed_run(a_run: Path, folder: Path, kind: str, change: Callable[[Record], object]) -> Path:
    """Copy a run; change each record of a kind in the copy, checksums and all."""
    copy = shutil.copytree(a_run, folder / "copy", ignore=shutil.ignore_patterns("*.sock"))

    def changed(there: list[Any]) -> None:
        for place, frame in enumerate(there):
            if frame.origin != SEAL:
                record = _decode(frame.payload)
                if record["type"] == kind:
                    change(record)
                    there[place] = frame._replace(payload=_encode(record))

    (segment,) = segments(copy / "journal")
    rewrite(segment, changed)
    return copy


def without(name: str) -> Callable[[Record], object]:
    return lambda record: record.pop(name)


def without_inside(name: str, inner: str) -> Callable[[Record], object]:
    """Take a field out of what a record keeps as bytes."""

    def change(record: Record) -> None:
        content = _decode(record[name])
        del content[inner]
        record[name] = _encode(content)

    return change


def required(struct: type[Any]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(struct) if field.required]


def fields() -> Iterator[tuple[type[Any], str]]:
    for struct in (RunBegun, StrategyStands, OrderIntent, IntentsJudged, StopActed):
        names = required(struct)
        for name in names if STRESS else names[-1:]:
            yield struct, name


def replay(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = cli.main(["replay", str(run_dir)])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out.splitlines()


@pytest.mark.parametrize(("struct", "name"), list(fields()))
def test_records_that_lack_a_field_are_one_line_however_many_they_are(
    a_run: Path, tmp_path: Path, struct: type[Any], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = changed_run(a_run, tmp_path, struct.__name__, without(name))

    code, lines = replay(copy, capsys)

    (line,) = [line for line in lines if line.startswith("  unreadable ")]
    assert line.endswith(f"Object missing required field `{name}`")
    assert f" {len(messages(a_run, struct)):,} records, the first message " in line
    assert any(UNREADABLE in line for line in lines)
    if struct in (RunBegun, StrategyStands):
        assert code == 3
        assert lines[-1].startswith("nothing could be compared: another version of watchkeeper")
    else:
        assert code == 0
        assert lines[-1].startswith("0 divergences; ")
        assert lines[-1].endswith(" decisions or judgements were not compared")


@pytest.mark.parametrize("inner", ["recent", "told_fills", "wide"])
def test_a_memory_that_lacks_a_field_is_told_once_and_nothing_is_compared_from_it(
    a_run: Path, tmp_path: Path, inner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = changed_run(a_run, tmp_path, "StrategyStands", without_inside("memory", inner))

    code, lines = replay(copy, capsys)

    (note,) = [line for line in lines if line.startswith("  note ")]
    assert "the memory of a strategy that another version kept" in note
    assert note.endswith(f"Object missing required field `{inner}`")
    assert code == 3


@pytest.mark.parametrize("inner", ["limits", "instruments"])
def test_a_judgement_by_what_is_not_known_any_more_is_not_compared_and_the_rest_is(
    a_run: Path, tmp_path: Path, inner: str
) -> None:
    copy = changed_run(a_run, tmp_path, "IntentsJudged", without_inside("seen", inner))

    findings, divergences = replayed(copy)

    assert divergences == []
    ((why, count),) = findings.not_compared.items()
    assert why.endswith(
        f"another version's risk gate knew: Object missing required field `{inner}`"
    )
    assert count == sum(len(m.intents) for _, _, m in messages(a_run, IntentsJudged))
    compared = findings.strategies[ONE]
    assert compared.same == compared.decisions > 5


def test_an_exit_is_not_judged_again_where_it_was_not_kept_what_each_strategy_held(
    a_run: Path, tmp_path: Path
) -> None:
    """By the gate of now it would be refused, which says nothing of the gate that there was."""
    copy = changed_run(a_run, tmp_path, "IntentsJudged", without_inside("seen", "held_by"))

    findings, divergences = replayed(copy)

    assert divergences == []
    assert findings.not_compared[WITHOUT_HELD] > 0
    assert findings.judged.total() > 0


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("StrategyStands", without_inside("memory", "at_door")),
        ("StrategyStands", without_inside("memory", "told_stops")),
        ("IntentsJudged", without_inside("seen", "not_before_ns")),
    ],
)
def test_what_was_added_since_with_a_default_is_no_difference(
    tmp_path: Path, kind: str, change: Callable[[Record], object]
) -> None:
    run(config_of(tmp_path / "run", "Waves", candles=40))
    whole, _ = replayed(tmp_path / "run")

    findings, divergences = replayed(changed_run(tmp_path / "run", tmp_path, kind, change))

    assert divergences == []
    assert (findings.judged, findings.strategies) == (whole.judged, whole.strategies)


def test_decisions_of_before_a_field_was_there_are_compared_without_it_and_that_is_noted(
    a_run: Path, tmp_path: Path
) -> None:
    def change(record: Record) -> None:
        del record["leaves"], record["protection"]

    findings, divergences = replayed(changed_run(a_run, tmp_path, "OrderIntent", change))

    assert divergences == []
    assert findings.notes == [
        "the run's decisions are of an older version, and are compared without leaves, protection"
    ]
    compared = findings.strategies[ONE]
    assert compared.same == compared.decisions > 5
