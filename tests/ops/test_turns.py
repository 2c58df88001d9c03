"""The interpreter's turns are longer while somebody has much to do, and only then."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.thread_runtime import RECORDED_SWITCH_INTERVAL_S, SWITCH_INTERVAL_S, wake_on_time
from ops.turns import LONGER_S, longer_turns


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before_s)


def test_they_are_longer_until_the_last_is_done() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with longer_turns():
            entered.set()
            assert leave.wait(60)

    thread = threading.Thread(target=other)
    with longer_turns():
        thread.start()
        assert entered.wait(60)
        assert sys.getswitchinterval() == pytest.approx(LONGER_S)
    assert sys.getswitchinterval() == pytest.approx(LONGER_S)
    leave.set()
    thread.join(60)

    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)


def test_what_fails_gives_them_back() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)

    with pytest.raises(ValueError, match="no text"), longer_turns():
        raise ValueError("no text")

    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)


@pytest.mark.parametrize("interval_s", [SWITCH_INTERVAL_S, RECORDED_SWITCH_INTERVAL_S, 7e-6])
def test_a_thousand_times_leave_them_as_they_were(interval_s: float) -> None:
    sys.setswitchinterval(interval_s)
    told_s = sys.getswitchinterval()

    for _ in range(1_000):
        with longer_turns():
            assert sys.getswitchinterval() == pytest.approx(max(told_s, LONGER_S))

    assert sys.getswitchinterval() == told_s


@pytest.mark.skipif(not Path("/proc/self/timerslack_ns").is_file(), reason="Linux only")
def test_a_live_runs_threads_have_their_turn_when_it_is_due() -> None:
    found = []

    def look() -> None:
        slack = Path(f"/proc/{threading.get_native_id()}/timerslack_ns")
        found.append(int(slack.read_text(encoding="ascii")))

    def live() -> None:
        wake_on_time()
        started = threading.Thread(target=look)
        started.start()
        started.join()

    thread = threading.Thread(target=live)
    thread.start()
    thread.join()

    assert found == [1]
