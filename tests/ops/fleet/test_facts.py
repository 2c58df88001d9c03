"""What is seen of a bot: only of the very process that runs, and by no clock that can jump."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from decisions.fleet_bot import Measure
from messages.ids import NS_PER_S
from ops.fleet.facts import BotEyes, room_of

STARTED = 1_800_000_000 * NS_PER_S


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5 * NS_PER_S

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def eyes(tmp_path: Path, clock: Clock) -> BotEyes:
    return BotEyes(tmp_path, clock)


def write(run_dir: Path, name: str, **changes: Any) -> None:
    status = {"pid": 7, "captured_at_ns": STARTED, "started_at_ns": STARTED}
    summary = {"started_at_ns": STARTED, "processed": 0, "errors": 0}
    base = status if name == "status.json" else summary
    (run_dir / name).write_text(json.dumps(base | changes))


def test_a_word_grows_old_until_another_is_said(
    tmp_path: Path, eyes: BotEyes, clock: Clock
) -> None:
    write(tmp_path, "status.json")
    assert eyes.look(pid=7, exit_code=None).said_s == 0
    clock.now_ns += 9 * NS_PER_S
    assert eyes.look(pid=7, exit_code=None).said_s == 9
    write(tmp_path, "status.json", captured_at_ns=STARTED - 3_600 * NS_PER_S)  # the clock went back
    assert eyes.look(pid=7, exit_code=None).said_s == 0


def test_the_word_of_another_process_is_none(tmp_path: Path, eyes: BotEyes, clock: Clock) -> None:
    write(tmp_path, "status.json", pnl={"USDT": {"drawdown": "900"}})
    clock.now_ns += 3 * NS_PER_S
    facts = eyes.look(pid=8, exit_code=None)
    assert (facts.said_s, facts.up_s, facts.measures) == (None, 3, {})


def test_what_rules_look_at_is_read_from_both_files(tmp_path: Path, eyes: BotEyes) -> None:
    write(
        tmp_path,
        "status.json",
        pnl={"USDT": {"drawdown": "12.5"}, "EUR": {"drawdown": "3"}},
        market_age_s={"BTC/USDT": 1.5, "ETH/USDT": 40},
        unknown={"count": 2, "oldest_s": 8.0},
    )
    claim = {"decision_to_claim": {"p99": 2_500_000}}
    write(tmp_path, "metrics_summary.json", processed=80, errors=20, latency_ns=claim)
    assert eyes.look(pid=7, exit_code=None).measures == {
        Measure.DRAWDOWN: 12.5,
        Measure.MARKET_AGE_S: 40,
        Measure.UNKNOWN_ORDERS: 2,
        Measure.UNKNOWN_S: 8,
        Measure.CLAIM_P99_MS: 2.5,
        Measure.ERROR_RATE: 0.25,
    }


def test_the_error_rate_is_of_what_changed_since_the_last_summary(
    tmp_path: Path, eyes: BotEyes
) -> None:
    write(tmp_path, "status.json")
    rates = []
    for handled, errors in ((100, 0), (100, 0), (110, 5), (110, 5), (210, 5)):
        write(tmp_path, "metrics_summary.json", processed=handled, errors=errors)
        rates.append(eyes.look(pid=7, exit_code=None).measures[Measure.ERROR_RATE])
    assert rates == [0, 0, 0.5, 0.5, 0]


def test_of_a_process_that_was_found_what_failed_before_is_no_rate_of_now(
    tmp_path: Path, eyes: BotEyes
) -> None:
    """Else each new orchestrator would act on what was over days ago."""
    write(tmp_path, "status.json")
    write(tmp_path, "metrics_summary.json", processed=1_000, errors=900)
    eyes.begin(is_new=False)
    assert Measure.ERROR_RATE not in eyes.look(pid=7, exit_code=None).measures
    write(tmp_path, "metrics_summary.json", processed=1_100, errors=910)
    assert eyes.look(pid=7, exit_code=None).measures[Measure.ERROR_RATE] == 0.1


def test_the_summary_of_the_process_before_is_not_this_ones(tmp_path: Path, eyes: BotEyes) -> None:
    write(tmp_path, "status.json")
    write(tmp_path, "metrics_summary.json", started_at_ns=STARTED - 30 * NS_PER_S, errors=9)
    assert Measure.ERROR_RATE not in eyes.look(pid=7, exit_code=None).measures


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": 7, "pnl": [], "unknown": "x", "market_age_s": {"a": NaN}}']
)
def test_a_torn_or_strange_file_is_no_measure(tmp_path: Path, eyes: BotEyes, text: str) -> None:
    for name in ("status.json", "metrics_summary.json"):
        (tmp_path / name).write_text(text)
    assert eyes.look(pid=7, exit_code=None).measures == {}


def test_without_a_process_only_its_exit_code_counts(tmp_path: Path, eyes: BotEyes) -> None:
    write(tmp_path, "status.json")
    facts = eyes.look(pid=None, exit_code=70)
    assert (facts.is_running, facts.exit_code, facts.said_s) == (False, 70, None)


def test_a_pid_that_came_again_says_nothing_by_the_file_of_the_process_before(
    tmp_path: Path, eyes: BotEyes
) -> None:
    """In a container that is started anew pids are what they were."""
    write(tmp_path, "status.json", ready=True, unknown={"count": 2})
    eyes.begin(is_new=True)
    facts = eyes.look(pid=7, exit_code=None)
    assert (facts.said_s, facts.measures, eyes.is_ready(7)) == (None, {}, False)
    write(tmp_path, "status.json", ready=True, captured_at_ns=STARTED + 1)
    assert eyes.look(pid=7, exit_code=None).said_s == 0
    assert eyes.is_ready(7)


def test_a_halt_is_seen_with_its_reason(tmp_path: Path, eyes: BotEyes) -> None:
    write(tmp_path, "status.json", halt={"reason": "max_drawdown", "state": "halted"})
    assert eyes.look(pid=7, exit_code=None).halt == "max_drawdown"


@pytest.mark.parametrize(("room", "is_full"), [(0, True), (10**9, False), (None, False)])
def test_a_disk_without_room_is_seen_whether_a_process_runs_or_not(
    tmp_path: Path, room: int | None, *, is_full: bool
) -> None:
    eyes = BotEyes(tmp_path, room=lambda _: room)
    write(tmp_path, "status.json")
    assert [eyes.look(pid=pid, exit_code=None).is_disk_full for pid in (7, 8, None)] == [
        is_full
    ] * 3


def test_after_a_full_disk_a_bot_has_time_for_its_next_word(tmp_path: Path, clock: Clock) -> None:
    """Else all would be taken for hanging in the second in which there is room again."""
    room = [0]
    eyes = BotEyes(tmp_path, clock, room=lambda _: room[0])
    write(tmp_path, "status.json")
    for said_s in (0, 40):
        assert eyes.look(pid=7, exit_code=None).said_s == said_s
        clock.now_ns += 40 * NS_PER_S
    room[0] = 10**9
    assert eyes.look(pid=7, exit_code=None).said_s == 40
    assert eyes.look(pid=8, exit_code=None).up_s == 40


def test_room_is_what_the_kernel_says_and_unknown_where_it_says_nothing(tmp_path: Path) -> None:
    assert (room_of(tmp_path) or 0) > 0
    assert (room_of(tmp_path / "to" / "be" / "made") or 0) > 0
    assert room_of(Path("/proc")) is None


def test_where_there_may_be_no_more_files_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each word of a bot is a new file; a file system that does not count them has none at all."""
    for files, free, room in ((1_000, 0, 0), (1_000, 1, 4_096_000), (0, 0, 4_096_000)):
        told = os.statvfs_result((4_096, 4_096, 9_000, 1_000, 1_000, files, free, free, 0, 255))
        monkeypatch.setattr(os, "statvfs", lambda _, told=told: told)
        assert room_of(tmp_path) == room
