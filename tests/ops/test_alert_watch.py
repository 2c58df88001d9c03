"""A watch over a run: a process that is gone or silent is told, and what is seen of its end."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apprise", reason="the extra `alerts` is not installed")

from decisions.alerting import Notice
from ops.alert_watch import Watch, WatchOptions, _Signals, alert_watch, conditions
from tests.ops.receiver import LIMIT_S

Make = Callable[..., dict[str, Any]]

AT_NS = 1_700_000_000_000_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("changes", "age_s", "told"),
    [
        ({}, 1, []),
        ({}, 16, ["what it says is 16s old"]),
        ({"verdict": "UNKNOWN", "gone": True, "why": "killed"}, 1, ["killed"]),
        ({"verdict": "UNKNOWN", "gone": True, "why": "x", "ended": {"exit_code": 70}}, 1, ["x"]),
        ({"verdict": "UNKNOWN", "gone": True, "ended": {"exit_code": 0}}, 99, []),
        ({"verdict": "UNKNOWN", "gone": True, "ended": {"exit_code": 130}}, 99, []),
        ({"verdict": "UNKNOWN", "gone": False, "why": "no answer"}, 1, []),
        (
            {"verdict": "UNKNOWN", "gone": False, "why": "no answer"},
            16,
            ["the process does not answer: no answer"],
        ),
    ],
)
def test_a_watch_tells_of_a_process_that_is_gone_or_silent(
    snapshot: Make, changes: dict[str, Any], age_s: int, told: list[str]
) -> None:
    found = conditions(snapshot(**changes), AT_NS + age_s * S, 15.0)

    assert [condition.sentence for condition in found] == told
    assert {condition.key for condition in found} <= {"gone"}


def test_a_watch_says_nothing_of_a_run_that_never_was() -> None:
    assert conditions({"verdict": "UNKNOWN", "why": "there is no run"}, AT_NS, 15.0) == []


SILENT = {"verdict": "UNKNOWN", "gone": False, "why": "no answer within 2 s", "captured_at_ns": 1}
KILLED = {"verdict": "UNKNOWN", "gone": True, "why": "it was killed"}
ENDED = {"verdict": "UNKNOWN", "gone": True, "why": "it ended", "ended": {"exit_code": 0}}
DELETED = {"verdict": "UNKNOWN", "why": "there is no run"}


@pytest.fixture
def watched(
    monkeypatch: pytest.MonkeyPatch, snapshot: Make, tmp_path: Path
) -> Iterator[Callable[[dict[str, Any]], list[Notice]]]:
    """A watch whose each look finds what it is given."""
    monkeypatch.setattr("ops.alert_watch.apprise_sender", lambda _: lambda _: "")
    watch = Watch(WatchOptions(run_dir=tmp_path), ["json://127.0.0.1:9"])

    def finds(changes: dict[str, Any]) -> list[Notice]:
        seen = changes if changes is DELETED else snapshot(**{"captured_at_ns": 1 << 62, **changes})
        monkeypatch.setattr("ops.alert_watch.look", lambda _: seen)
        return watch.look()

    yield finds
    watch.close()


def test_a_stopped_process_that_is_killed_never_answers_again(
    watched: Callable[[dict[str, Any]], list[Notice]], capsys: pytest.CaptureFixture[str]
) -> None:
    told = [notice.state for seen in (SILENT, KILLED, KILLED, {}, {}) for notice in watched(seen)]

    assert told == ["firing", "recovered"]
    assert capsys.readouterr().err.splitlines() == [
        "watchkeeper: firing: the process does not answer: no answer within 2 s",
        "watchkeeper: recovered: It answers again.",
    ]


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (SILENT, ENDED, "It has ended in order: it ended"),
        (KILLED, DELETED, "It can't be looked at any more: there is no run"),
        (SILENT, {**SILENT, "captured_at_ns": 1 << 62}, "Its status.json is written again"),
    ],
)
def test_an_end_of_a_fault_says_what_is_seen(
    watched: Callable[[dict[str, Any]], list[Notice]],
    capsys: pytest.CaptureFixture[str],
    first: dict[str, Any],
    then: dict[str, Any],
    said: str,
) -> None:
    told = [notice.state for seen in (first, then, then) for notice in watched(seen)]
    words = capsys.readouterr().err

    assert told == ["firing", "recovered"]
    assert f"recovered: {said}" in words
    assert "answers again" not in words


def test_a_watch_over_a_run_that_never_was_says_that_nothing_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHKEEPER_ALERT_URLS", "json://127.0.0.1:9")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert alert_watch(WatchOptions(run_dir=tmp_path / "mistyped", once=True)) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "nothing is seen yet: there is no run in" in capsys.readouterr().err


def test_a_watch_whose_words_nobody_reads_goes_on(
    monkeypatch: pytest.MonkeyPatch, watched: Callable[[dict[str, Any]], list[Notice]]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as closed:
        monkeypatch.setattr("sys.stderr", closed)
        assert [notice.state for notice in watched(KILLED)] == ["firing"]
        monkeypatch.setattr("sys.stderr", None)
        assert [notice.state for notice in watched({})] == ["recovered"]
        os.dup2(os.open(os.devnull, os.O_WRONLY), closed.fileno())


def test_a_signal_ends_a_wait_at_once() -> None:
    signals = _Signals()
    assert signals.none_within(0.0)
    signals.note(15, None)

    assert not signals.none_within(LIMIT_S)
