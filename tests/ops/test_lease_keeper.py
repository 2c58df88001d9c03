"""A lease that is held: renewed by itself, and at every moment one knows whether it still is."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from decisions.lease import timing_of
from messages.errors import LeaseUnavailable, NotSent
from messages.ids import NS_PER_S
from messages.lease import Lease, Moment
from ops.lease_keeper import LeaseKeeper
from tests.persistence.lease_model import ACCOUNT, ListedLeases, lease

LIMIT_S = 60.0
TIMING = timing_of(2_500, None)


class Store(ListedLeases):
    """A place that can break, and that can take its time."""

    broken = ""
    is_there = True

    def __init__(self, shelf: dict[str, Lease]) -> None:
        super().__init__(shelf)
        self.passing = threading.Event()
        self.passing.set()
        self.turns = 0
        self.news = threading.Condition()

    def is_in_place(self) -> bool:
        return self.is_there

    def renew(self, token: int, expires_ns: int) -> bool:
        self.passing.wait(LIMIT_S)
        try:
            if self.broken:
                raise LeaseUnavailable(self.broken)
            return super().renew(token, expires_ns)
        finally:
            with self.news:
                self.turns += 1
                self.news.notify_all()

    def until_turns(self, more: int = 2) -> None:
        """Wait until it was asked so many times more; the first may have begun before now."""
        with self.news:
            wanted = self.turns + more
            for _ in range(1_000):
                self.wake()
                if self.news.wait_for(lambda: self.turns >= wanted, LIMIT_S / 1_000):
                    return
        raise AssertionError("it is not renewed any more")

    def wake(self) -> None:
        """Bring on the next renewal, which would come in two seconds."""


class Scene:
    def __init__(self) -> None:
        self.now = Moment(1_000 * NS_PER_S, 1_700_000_000 * NS_PER_S)
        self.shelf: dict[str, Lease] = {ACCOUNT: lease(3, term_ns=TIMING.term_ns)}
        self.store = Store(self.shelf)
        self.lost: list[str] = []
        self.is_lost = threading.Event()
        self.barred: list[str] = []
        self.taken_in_place = True
        self.keeper = LeaseKeeper(
            self.shelf[ACCOUNT],
            self.now,
            TIMING,
            lambda: self.store,
            lambda: self.now,
            self._lose,
            is_in_place=lambda: self.taken_in_place,
        )
        self.keeper.when_barred(self.barred.append)
        self.store.wake = self.keeper._wake.set  # type: ignore[method-assign]  # planted

    def _lose(self, sentence: str) -> None:
        self.lost.append(sentence)
        self.is_lost.set()

    def wait(self, boot_s: float, utc_s: float | None = None) -> None:
        utc_s = boot_s if utc_s is None else utc_s
        self.now = Moment(
            self.now.boot_ns + int(boot_s * NS_PER_S), self.now.utc_ns + int(utc_s * NS_PER_S)
        )

    def until(self, is_so: Callable[[], bool]) -> None:
        with self.store.news:
            assert self.store.news.wait_for(is_so, LIMIT_S) or is_so()

    def says(self, ask: Callable[[], Any]) -> str:
        try:
            ask()
        except NotSent as error:
            return str(error)
        return ""

    def until_renewed(self) -> None:
        """Wait until the lease is of now; of two turns the second began after this."""
        self.store.until_turns()

    def until_it_may_send(self) -> None:
        pause = threading.Event()
        for _ in range(1_000):
            if not self.says(self.keeper.may_send):
                return
            pause.wait(0.01)
        raise AssertionError(self.says(self.keeper.may_send))


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    made.keeper.start()
    made.store.until_turns(1)
    yield made
    made.store.passing.set()
    made.keeper.close(give_back=False)


def test_who_asks_late_hears_at_once_that_nothing_may_be_sent_any_more() -> None:
    """A start asks once it has looked at the exchange: it went by unheard, and no halt came."""
    scene = Scene()
    late: list[str] = []
    scene.keeper._tell_barred("the lease of main: the disk is broken")

    scene.keeper.when_barred(late.append)

    assert (scene.barred, late) == ([*late], ["the lease of main: the disk is broken"])


def test_it_is_renewed_by_itself(scene: Scene) -> None:
    scene.wait(3)
    scene.store.until_turns()

    found = scene.shelf[ACCOUNT]
    assert found.expires_ns == scene.now.boot_ns + TIMING.term_ns
    assert scene.says(scene.keeper.may_send) == ""


def test_a_thread_that_gets_no_turn_stops_sends_by_the_clock_alone(scene: Scene) -> None:
    scene.store.passing.clear()
    scene.store.until_turns(0)
    scene.wait(8.5)
    assert "lease: the lease ends in" in scene.says(scene.keeper.may_send)
    assert scene.says(scene.keeper.may_call) == ""
    scene.wait(8.5)
    assert "lease: the lease ended" in scene.says(scene.keeper.may_send)
    assert "it is over" in scene.says(scene.keeper.may_call)
    assert scene.barred == []

    scene.store.passing.set()
    scene.until_it_may_send()
    assert (scene.lost, scene.barred) == ([], [])


def test_a_process_that_slept_and_was_not_taken_over_goes_on(scene: Scene) -> None:
    scene.wait(3_600)

    assert scene.says(scene.keeper.may_send)
    scene.until_it_may_send()

    assert (scene.lost, scene.barred) == ([], [])


def test_a_process_that_was_stopped_just_behind_a_renewal_renews_and_goes_on() -> None:
    scene = Scene()
    before, after = scene.now, Moment(scene.now.boot_ns + TIMING.term_ns * 3, scene.now.utc_ns)
    asked = iter([before, before])  # for the renewal and for how long it took
    scene.keeper._now = lambda: next(asked, after)
    scene.keeper.start()
    scene.store.until_turns(2)

    scene.until_it_may_send()
    assert (scene.lost, scene.barred) == ([], [])
    scene.keeper.close(give_back=False)


def test_who_was_taken_over_is_told_by_whom(scene: Scene) -> None:
    scene.store.passing.clear()
    scene.wait(34)
    scene.shelf[ACCOUNT] = lease(4)
    scene.store.passing.set()
    scene.store.wake()

    assert scene.is_lost.wait(LIMIT_S)
    assert len(scene.lost) == 1
    assert scene.lost[0].startswith(
        "process 7 on vps (/runs/a), token 4, has taken over binance-1: this process (token 3) had"
        " not renewed its lease for 3"
    )
    assert scene.says(scene.keeper.may_send)
    assert scene.says(scene.keeper.may_call)


def test_who_took_a_lease_that_was_made_anew_has_it_under_the_very_same_number(
    scene: Scene,
) -> None:
    """Its file was deleted: the other began to count anew, and both renewed what is one row."""
    other = lease(3)
    holder = msgspec.structs.replace(other.holder, pid=8)
    scene.shelf[ACCOUNT] = msgspec.structs.replace(other, holder=holder)
    scene.store.wake()

    assert scene.is_lost.wait(LIMIT_S)
    assert scene.lost[0].startswith(
        "process 8 on vps (/runs/a), token 3, has taken over binance-1:"
    )
    assert scene.shelf[ACCOUNT].renewals == other.renewals


def test_a_lease_that_is_not_there_any_more_is_nobodys_to_trade_on(scene: Scene) -> None:
    del scene.shelf[ACCOUNT]
    scene.store.wake()

    assert scene.is_lost.wait(LIMIT_S)
    assert scene.lost[0].startswith(
        "the lease of binance-1 was deleted, so that another may have taken it: this process"
        " (token 3) had not renewed its lease for "
    )


def test_nothing_leaves_from_the_moment_on_at_which_its_file_is_another(scene: Scene) -> None:
    """A second bot may trade by then, and the next renewal is as far off as two seconds."""
    scene.store.passing.clear()
    scene.store.until_turns(0)
    scene.store.is_there = False

    for ask in (scene.keeper.may_send, scene.keeper.may_call):
        assert scene.says(ask) == (
            "lease: its file was deleted or replaced: another may have the account"
        )


def test_before_the_first_renewal_the_file_is_the_one_in_which_it_was_taken() -> None:
    scene = Scene()
    assert scene.says(scene.keeper.may_send) == ""

    scene.taken_in_place = False
    assert "deleted or replaced" in scene.says(scene.keeper.may_send)
    assert scene.keeper._wake.is_set()  # who has it now is looked up at once


def test_renewals_that_fail_are_a_problem_at_once_and_a_halt_before_the_end(scene: Scene) -> None:
    scene.store.broken = "the lease x cannot be used: disk I/O error"
    scene.wait(2)
    scene.store.until_turns()
    assert scene.keeper.problem == scene.store.broken
    assert scene.says(scene.keeper.may_send) == ""
    assert scene.barred == []

    scene.wait(6.5)
    scene.store.until_turns()
    assert scene.says(scene.keeper.may_send)
    assert scene.barred == [
        "the lease of binance-1: the lease x cannot be used: disk I/O error; set it right, start"
        " again"
    ]

    scene.store.broken = ""
    scene.until_it_may_send()
    assert (scene.keeper.problem, len(scene.barred)) == ("", 1)


def test_a_clock_set_ahead_stops_sends_until_the_next_renewal(scene: Scene) -> None:
    """A machine that was paused has not seen the time go by; its wall clock is put right."""
    scene.store.passing.clear()
    scene.wait(0.5, 60)
    assert scene.says(scene.keeper.may_send)

    scene.store.passing.set()
    scene.until_it_may_send()


def test_a_clock_that_was_set_stops_sends_until_it_was_compared_again(scene: Scene) -> None:
    asked: list[None] = []
    scene.keeper.on_clock_set = lambda: asked.append(None)
    scene.keeper.comparing()()
    scene.store.until_turns()
    assert not asked

    scene.wait(1, 5)
    scene.store.until_turns()
    assert "the clock was set by +4.0 s" in scene.says(scene.keeper.may_send)
    assert "the clock was set by +4.0 s" in scene.keeper.snapshot()["barred"]
    assert asked
    assert scene.says(scene.keeper.may_call) == ""

    scene.keeper.comparing()()
    assert scene.says(scene.keeper.may_send) == ""
    assert scene.barred == []  # it passes by itself


def test_a_clock_that_is_set_while_it_is_compared_is_compared_again(scene: Scene) -> None:
    agreed = scene.keeper.comparing()
    scene.wait(1, 5)
    agreed()
    scene.until_renewed()

    assert "the clock was set by +4.0 s" in scene.says(scene.keeper.may_send)


def test_a_comparison_that_found_a_difference_lets_nothing_leave(scene: Scene) -> None:
    scene.keeper.comparing()()
    scene.wait(1, 5)
    scene.until_renewed()
    scene.keeper.comparing()  # and no word that they agree

    assert "the clock was set by +4.0 s" in scene.says(scene.keeper.may_send)


def test_it_is_given_back_only_if_nothing_is_under_way() -> None:
    for gives_back in (True, False):
        scene = Scene()
        scene.keeper.start()
        scene.keeper.close(give_back=gives_back)
        assert scene.shelf[ACCOUNT].returned is gives_back


def test_health_is_told_how_it_stands(scene: Scene) -> None:
    scene.store.passing.clear()
    scene.store.until_turns(0)
    told = scene.keeper.snapshot()

    assert {"account": ACCOUNT, "token": 3, "pid": 7, "host": "vps"}.items() <= told.items()
    assert (told["expires_in_s"], told["barred"], told["problem"]) == (12.0, "", "")
