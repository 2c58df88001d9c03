"""How a start waits for what is only away: how long, what it says, and for what it does not."""

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from messages.errors import ConfigError, LedgerAway, VenueAway, VenueRefused, WatchkeeperError
from ops.waiting import Waiting

REFUSED = "binance cannot be reached (ExchangeNotAvailable)"


class World:
    """A clock that passes with the pauses, and services that come up at a moment of it."""

    def __init__(self, limit_s: float) -> None:
        self.now, self.pauses, self.told = 100.0, list[float](), list[str]()
        self.attempts = 0
        self.waiting = Waiting(
            limit_s,
            ["hunter2secret"],
            rng=Random(7),
            monotonic=lambda: self.now,
            pause=self._pause,
            tell=self.told.append,
        )

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def up_at(self, at_s: float, error: Callable[[], WatchkeeperError]) -> Callable[[], str]:
        """Give an attempt that fails until so long after the beginning."""
        begun = self.now

        def attempt() -> str:
            self.attempts += 1
            if self.now - begun < at_s:
                raise error()
            return "there"

        return attempt


def away() -> VenueAway:
    return VenueAway(REFUSED)


def test_what_comes_up_in_time_is_waited_for_and_told_once() -> None:
    world = World(300)

    assert world.waiting.until_there(world.up_at(200, away)) == "there"
    assert world.told == [f"waiting for the exchange: {REFUSED}; for up to 300 s"]
    assert 200 <= sum(world.pauses) < 230
    assert world.waiting.waited.startswith(f"waiting for the exchange: {REFUSED}; it is there")


def test_the_pauses_grow_from_one_second_to_thirty_and_are_not_all_alike() -> None:
    world = World(1_000)
    world.waiting.until_there(world.up_at(900, away))

    assert 0.5 <= world.pauses[0] <= 1
    assert all(15 <= pause <= 30 for pause in world.pauses[5:])
    assert len(set(world.pauses[5:])) > 5


def test_what_does_not_come_up_is_refused_in_its_own_sentence_when_the_time_is_over() -> None:
    world = World(45)
    with pytest.raises(VenueAway, match=r"^binance cannot be reached"):
        world.waiting.until_there(world.up_at(1_000, away))

    assert sum(world.pauses) == pytest.approx(45)


def test_without_a_time_it_is_tried_once_and_nothing_is_said() -> None:
    world = World(0)
    with pytest.raises(VenueAway):
        world.waiting.until_there(world.up_at(1, away))

    assert (world.attempts, world.told, world.pauses) == (1, [], [])


@pytest.mark.parametrize(
    "error", [VenueRefused("binance refuses the key"), ConfigError(["feed: is wrong"])]
)
def test_what_a_person_has_to_mend_is_told_at_once(error: WatchkeeperError) -> None:
    world = World(300)
    with pytest.raises(type(error)):
        world.waiting.until_there(world.up_at(1, lambda: error))

    assert (world.attempts, world.told) == (1, [])


def test_a_mistake_that_shows_itself_later_ends_the_waiting() -> None:
    world = World(300)
    errors = iter([away(), away(), VenueRefused("binance refuses the key")])
    with pytest.raises(VenueRefused, match="refuses the key"):
        world.waiting.until_there(world.up_at(1_000, lambda: next(errors)))

    assert world.attempts == 3


def test_each_service_is_named_once_whatever_is_said_of_it() -> None:
    world = World(300)
    errors = iter([away(), VenueAway("HTTP 503"), LedgerAway("the ledger x"), away()])
    world.waiting.until_there(world.up_at(8, lambda: next(errors)))

    assert [line.partition(":")[0] for line in world.told] == [
        "waiting for the exchange",
        "waiting for the database",
    ]


def test_an_exchange_that_says_when_to_ask_again_is_not_asked_before() -> None:
    world = World(300)
    world.waiting.until_there(world.up_at(1, lambda: VenueAway("banned", retry_after_ms=120_000)))

    assert world.pauses == [120]


def test_the_time_of_standing_by_does_not_count() -> None:
    world = World(45)
    attempt = world.up_at(10_020, away)

    def standing_by() -> str:
        if world.attempts == 1:
            with world.waiting.not_counting():
                world.now += 10_000
        return attempt()

    assert world.waiting.until_there(standing_by) == "there"


def test_systemd_is_told_each_time_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        world = World(300)
        errors = iter([VenueAway("at hunter2secret"), VenueAway("busy")])
        world.waiting.until_there(world.up_at(1.2, lambda: next(errors)))
        said = [listener.recv(4096).decode() for _ in range(2)]

    assert said == [
        "STATUS=waiting for the exchange: at ***",
        "STATUS=waiting for the exchange: busy",
    ]
    assert world.told == ["waiting for the exchange: at ***; for up to 300 s"]


@pytest.mark.parametrize("is_caught", [False, True], ids=["on its way", "taken for a mistake"])
def test_a_sigterm_ends_the_waiting_in_order_and_is_as_before_afterwards(
    *, is_caught: bool
) -> None:
    """Whoever loads a strategy catches its `sys.exit`, and makes a sentence of that."""
    world = World(300)
    before = signal.getsignal(signal.SIGTERM)

    def told_to_end() -> str:
        try:
            signal.raise_signal(signal.SIGTERM)
        except (Exception, SystemExit) as error:
            raise ConfigError(["the strategy cannot be made"]) from error
        except BaseException as error:
            if is_caught:
                raise ConfigError(["something else went wrong in letting go"]) from error
            raise
        raise away()

    with pytest.raises(SystemExit) as ended:
        world.waiting.until_there(told_to_end)

    assert ended.value.code == 0
    assert signal.getsignal(signal.SIGTERM) is before


class LetGo:
    """What a refused attempt leaves to be let go of: then a signal comes."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)


@pytest.mark.parametrize(
    ("number", "ends_with"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_that_python_drops_ends_the_waiting_too(
    number: int, ends_with: type[BaseException]
) -> None:
    """And no traceback of it is on stderr, which here would be a warning, and so an error."""
    world = World(300)
    before = signal.getsignal(number)

    def refused() -> str:
        world.attempts += 1
        kept = LetGo(number)
        raise VenueAway(f"{REFUSED} by {type(kept).__name__}")

    with pytest.raises(ends_with):
        world.waiting.until_there(refused)

    assert (world.attempts, world.pauses) == (1, [])
    assert signal.getsignal(number) is before


def test_another_error_that_python_drops_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))

    class Fails:
        def __del__(self) -> None:
            raise ZeroDivisionError

    def there() -> str:
        Fails()
        return "there"

    assert World(300).waiting.until_there(there) == "there"
    assert told == [ZeroDivisionError]


def test_a_ctrl_c_that_is_ignored_stays_ignored() -> None:
    """As that of a run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        world = World(300)
        there = world.up_at(20, away)

        def interrupted() -> str:
            signal.raise_signal(signal.SIGINT)
            return there()

        assert world.waiting.until_there(interrupted) == "there"
    finally:
        signal.signal(signal.SIGINT, before)
