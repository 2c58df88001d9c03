"""What systemd is told, and that it is told by the supervisor's judgement."""

import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.cell import Cell
from actors.thread_runtime import ThreadRuntime
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState
from ops.heart import ROUND_LIMIT_S, Heart

Make = Callable[..., dict[str, Any]]


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="wk-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        name = str(Path(folder) / "notify")
        listener.bind(name if request.param == "file" else f"\0{name}")
        listener.settimeout(0)
        yield listener, name if request.param == "file" else f"@{name}"


@pytest.fixture
def root() -> Cell:
    cell = ThreadRuntime(ttl_enforced=False).address("root").cell
    cell.set_state(ActorState.RUNNING)
    return cell


def words(listener: socket.socket) -> list[str]:
    found: list[str] = []
    while True:
        try:
            found += listener.recv(4096).decode().splitlines()
        except BlockingIOError:
            return found


def heart_of(address: str, root: Cell, snapshot: dict[str, Any], **more: str) -> Heart:
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", **more}
    return Heart(root, lambda: snapshot, environment)


def test_it_says_ready_once_and_then_how_it_is(
    systemd: tuple[socket.socket, str], root: Cell, snapshot: Make
) -> None:
    listener, address = systemd
    told = snapshot(ready=False, verdict="WARNING", why="not\nready")
    heart = heart_of(address, root, told)
    heart.beat()
    assert words(listener) == ["WATCHDOG=1", "STATUS=WARNING not ready"]

    told |= {"ready": True, "verdict": "OK", "why": ""}
    heart.beat()
    heart.beat()
    assert words(listener).count("READY=1") == 1
    heart.close("stop was asked for")
    assert words(listener) == ["STOPPING=1", "STATUS=stop was asked for"]


@pytest.mark.parametrize("systemd", ["file"], indirect=True)
def test_a_halt_feeds_the_watchdog_for_a_restart_does_not_mend_it(
    systemd: tuple[socket.socket, str], root: Cell, snapshot: Make
) -> None:
    heart = heart_of(systemd[1], root, snapshot(verdict="CRITICAL", why="halted", ready=False))
    heart.beat()

    assert "WATCHDOG=1" in words(systemd[0])


@pytest.mark.parametrize("systemd", ["file"], indirect=True)
def test_a_root_that_does_no_rounds_or_does_not_run_starves_it(
    systemd: tuple[socket.socket, str], root: Cell, snapshot: Make
) -> None:
    heart = heart_of(systemd[1], root, snapshot())
    root.progress_ns -= int((ROUND_LIMIT_S + 1) * 1e9)
    heart.beat()
    assert "WATCHDOG=1" not in words(systemd[0])

    root.progress_ns = root.monotonic_ns()
    root.set_state(ActorState.STOPPED)
    heart.beat()
    assert "WATCHDOG=1" not in words(systemd[0])


def test_a_root_that_waits_for_a_child_with_a_limit_of_its_own_is_given_that_time(
    root: Cell, snapshot: Make
) -> None:
    heart, life = Heart(root, snapshot, {}), root.next_life()
    root.set_state(ActorState.RUNNING)
    found: list[bool] = []

    for wait_s, age_s in ((0, 11), (45, 11), (45, 56), (None, 56)):
        life.may_wait_ns = None if wait_s is None else wait_s * NS_PER_S
        root.progress_ns = root.monotonic_ns() - age_s * NS_PER_S
        found.append(heart.is_alive)

    assert found == [False, True, False, True]


def test_nobody_had_a_turn_while_the_process_stood_still(root: Cell, snapshot: Make) -> None:
    """So its root has done no round either, and has the time for one once more."""
    now_s = [100.0]
    heart = Heart(root, snapshot, {}, lambda: now_s[0])
    root.progress_ns -= 3_600 * NS_PER_S
    found: list[bool] = []

    for late_s, later_s in ((0.4, 0.0), (3_600.0, 0.0), (0.4, ROUND_LIMIT_S)):
        heart._felt(late_s)
        now_s[0] += later_s
        found.append(heart.does_rounds())

    assert found == [False, True, False]


@pytest.mark.parametrize("systemd", ["file"], indirect=True)
def test_a_run_that_drains_is_alive_and_says_that_it_stops(
    systemd: tuple[socket.socket, str], root: Cell, snapshot: Make
) -> None:
    heart = heart_of(systemd[1], root, snapshot(ready=False))
    heart.stopping()
    root.set_state(ActorState.STOPPED)
    heart.beat()

    assert words(systemd[0])[:2] == ["STOPPING=1", "WATCHDOG=1"]


@pytest.mark.parametrize("systemd", ["file"], indirect=True)
def test_so_is_one_that_ends_by_itself(
    systemd: tuple[socket.socket, str], root: Cell, snapshot: Make
) -> None:
    """Its root waits for those below it, for longer than a watchdog has patience perhaps."""
    heart = heart_of(systemd[1], root, snapshot(ready=False))
    root.ends_for_good = True
    root.progress_ns -= int((ROUND_LIMIT_S + 1) * 1e9)
    heart.beat()
    heart.beat()

    told = words(systemd[0])
    assert told[:2] == ["STOPPING=1", "WATCHDOG=1"]
    assert told.count("STOPPING=1") == 1


@pytest.mark.parametrize("systemd", ["file"], indirect=True)
@pytest.mark.parametrize("more", [{"WATCHDOG_USEC": "0"}, {"WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_ours_is_not_fed(
    systemd: tuple[socket.socket, str], root: Cell, snapshot: Make, more: dict[str, str]
) -> None:
    heart_of(systemd[1], root, snapshot(), **more).beat()

    assert "WATCHDOG=1" not in words(systemd[0])


def test_without_systemd_nobody_is_told_and_the_pulse_is_felt(root: Cell, snapshot: Make) -> None:
    heart = Heart(root, snapshot, {})
    heart.beat()

    assert heart.pulse() == {"late_ms": 0.0}
    heart_of("/nowhere/at/all", root, snapshot()).beat()
