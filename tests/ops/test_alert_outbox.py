"""One address: letters in their order, again and again, and nobody waits for it."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from messages.alerts import AlertTold
from messages.ids import TimestampNs
from ops.alert_outbox import ENDED_FIRST, MOST_WAITING, SLOW_S, Outbox, Post, close_all
from ops.alert_sender import Letter, Sender
from tests.waiting import until

LIMIT_S = 30.0


class Address:
    """What takes letters, or has a problem."""

    def __init__(self) -> None:
        self.problem = ""
        self.taken: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.attempts = 0
        self.gate, self.has_one = threading.Event(), threading.Event()
        self.gate.set()
        self.news = threading.Condition()
        self.now = 0.0
        self.outbox = Outbox(
            "json://x",
            lambda: self.send,
            self.tell,
            first_pause_s=0.001,
            monotonic=lambda: self.now,
        )

    def send(self, letter: Letter) -> str:
        self.has_one.set()
        assert self.gate.wait(LIMIT_S)
        with self.news:
            self.attempts += 1
            if not self.problem:
                self.taken.append(letter.title)
            self.news.notify_all()
            return self.problem

    def tell(self, post: Post, problem: str) -> None:
        with self.news:
            self.told.append((post.letter.title, problem))
            self.news.notify_all()

    def put(self, *titles: str) -> None:
        for title in titles:
            self.outbox.put(Post(Letter(title, ""), FACT, self.now))

    def until(self, is_so: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(is_so, LIMIT_S)


FACT = AlertTold(
    rule="x",
    key="x",
    state="firing",
    severity="critical",
    sentence="x",
    delivered=False,
    problem="",
    ts_ns=TimestampNs(1),
)


@pytest.fixture
def address() -> Iterator[Address]:
    one = Address()
    one.outbox.start()
    yield one
    one.gate.set()
    one.outbox.close(LIMIT_S)


def test_letters_arrive_in_their_order(address: Address) -> None:
    address.put("a", "b", "c")

    address.until(lambda: len(address.told) == 3)
    assert address.taken == ["a", "b", "c"]
    assert address.told == [("a", ""), ("b", ""), ("c", "")]


def test_a_letter_is_sent_until_it_is_taken_and_others_wait_behind_it(address: Address) -> None:
    address.problem = "away"
    address.put("a", "b")
    address.until(lambda: address.attempts >= 3)

    assert address.outbox.undelivered == 2
    assert address.outbox.problem == "away"
    with address.news:
        address.problem = ""
    address.until(lambda: len(address.told) == 3)
    assert address.told == [("a", "away"), ("a", ""), ("b", "")]
    assert address.outbox.undelivered == 0
    assert address.outbox.problem == ""


def test_what_cannot_even_be_made_is_tried_again() -> None:
    address, made = Address(), threading.Event()

    def make() -> Sender:
        if not made.is_set():
            made.set()
            raise ImportError("secret://token")
        return address.send

    outbox = Outbox("x", make, address.tell, first_pause_s=0.001)
    outbox.start()
    outbox.put(Post(Letter("a", ""), FACT, time.monotonic()))
    address.until(lambda: len(address.told) == 2)
    outbox.close(LIMIT_S)

    assert address.told == [("a", "it cannot be sent: ImportError"), ("a", "")]


def test_a_letter_that_is_too_old_is_given_up_and_counted(address: Address) -> None:
    address.problem = "away"
    address.put("a")
    address.until(lambda: address.attempts >= 1)
    address.now = 4_000.0

    address.until(lambda: address.outbox.lost == 1 or address.attempts > 10_000)
    assert address.outbox.lost == 1
    assert address.outbox.undelivered == 1


def test_whoever_leaves_a_letter_does_not_wait_and_too_many_are_given_up(address: Address) -> None:
    address.gate.clear()
    address.put(*map(str, range(MOST_WAITING + 7)))

    assert address.outbox.waiting == MOST_WAITING
    assert address.outbox.lost == 7
    address.gate.set()
    address.until(lambda: str(MOST_WAITING + 6) in address.taken)


def test_an_address_that_never_answers_is_a_problem_before_it_ends(address: Address) -> None:
    address.gate.clear()
    address.put("a", "b")

    def later() -> str:  # from when on it is asked, its own thread says
        address.now += SLOW_S
        return address.outbox.problem

    assert until(later).startswith("it has not answered for ")
    assert address.outbox.undelivered == 2
    address.gate.set()
    address.until(lambda: len(address.taken) == 2)
    assert address.outbox.problem == ""


def test_at_the_end_an_address_that_hangs_takes_no_time_from_one_that_waits_to_try_again() -> None:
    hangs, failed = Address(), Address()
    hangs.gate.clear()
    failed.problem = "away"
    failed.outbox = Outbox(
        "x",
        lambda: failed.send,
        failed.tell,
        first_pause_s=LIMIT_S,
        monotonic=lambda: failed.now,
    )
    for one in (hangs, failed):
        one.outbox.start()
        one.put("a")
    failed.until(lambda: failed.attempts == 1)
    failed.problem = ""

    close_all([hangs.outbox, failed.outbox], 1.0)

    assert failed.taken == ["a"]
    assert hangs.told == [("a", ENDED_FIRST)]
    hangs.gate.set()


def test_what_still_hangs_when_patience_ends_is_counted_and_told(address: Address) -> None:
    address.gate.clear()
    address.put("a", "b")
    address.outbox.close(0.0)

    assert address.told == [("a", ENDED_FIRST), ("b", ENDED_FIRST)]
    assert address.outbox.problem == ENDED_FIRST
    assert address.outbox.undelivered == 2


def test_an_end_sends_what_waits_once_and_waits_no_longer_than_it_may(address: Address) -> None:
    address.gate.clear()
    address.put("a", "b")
    assert address.has_one.wait(LIMIT_S)
    address.outbox.close(0.0)
    address.problem = "away"
    address.gate.set()
    address.outbox.close(LIMIT_S)

    assert address.attempts == 1 + 2, "the first had left before"
    assert address.outbox.lost == 2
