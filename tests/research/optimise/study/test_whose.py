"""A study is of one market, and its file of one process; machines share what a server keeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from messages.errors import ConfigError
from research.optimise.guard import FileGuard, StudyInUse
from research.optimise.outcome import DONE, Outcome
from tests.research.optimise.study.studies import Place, rows_of, score, worth

pytestmark = pytest.mark.slow


def test_another_market_or_range_makes_another_study(place: Place) -> None:
    manifest = {"data": "a", "ranges": "b"}
    place.process().agree(manifest)
    place.die()

    again = place.process()
    again.agree(manifest)
    with pytest.raises(
        ConfigError, match=r"bot was begun with other data and ranges.*--study NAME"
    ):
        again.agree({"data": "x", "ranges": "y"})


def test_a_file_is_one_process_at_a_time(place: Place) -> None:
    place.process()

    with pytest.raises(StudyInUse, match=r"another optimize \(process \d+\)"):
        FileGuard(place.file)


def test_a_file_is_the_same_file_by_another_name(place: Place, tmp_path: Path) -> None:
    place.process()
    (tmp_path / "other.db").symlink_to(place.file)

    with pytest.raises(StudyInUse):
        FileGuard(tmp_path / "other.db")


class Machine:
    """A guard of a database that is shared: `Guard`, with what the server would know."""

    is_shared = True

    def __init__(self, token: str, alive: set[str]) -> None:
        self.token, self._alive = token, alive
        alive.add(token)

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield

    def lives(self, token: str) -> bool:
        return token in self._alive

    def close(self) -> None:
        self._alive.discard(self.token)


def test_two_machines_share_a_study_and_leave_each_other_what_is_in_hand(place: Place) -> None:
    alive: set[str] = set()
    one = place.process(guard=Machine("one", alive), asked=10)
    other = place.process(guard=Machine("other", alive), asked=10)

    hands = [one.take(), other.take(), one.take(), other.take()]

    assert len({hand.row.number for hand in hands if hand}) == 4
    assert (one.others(), other.others()) == (2, 2)
    for number, hand in enumerate(hands):
        assert hand is not None
        assert (one, other)[number % 2].end(hand, Outcome(how=DONE, score=score(worth(hand))))
    while (hand := one.take()) is not None:
        one.end(hand, Outcome(how=DONE, score=score(worth(hand))))
        if (hand := other.take()) is not None:
            other.end(hand, Outcome(how=DONE, score=score(worth(hand))))
    assert other.take() is None
    assert one.tried() == other.tried() == 10
    assert one.best() == other.best()


def test_what_a_dead_machine_had_is_taken_over_and_its_late_word_does_not_count(
    place: Place,
) -> None:
    alive: set[str] = set()
    lost = Machine("lost", alive)
    one = place.process(guard=lost, asked=3)
    other = place.process(guard=Machine("other", alive), asked=3)
    held = one.take()
    assert held is not None

    lost.close()
    taken = other.take()

    assert taken is not None
    assert (taken.row.number, taken.params) == (held.row.number, held.params)
    assert other.end(taken, Outcome(how=DONE, score=score(1.0)))
    assert not one.end(held, Outcome(how=DONE, score=score(99.0)))
    (row, *_) = rows_of(other)
    assert row.outcome is not None
    assert row.outcome.score == score(1.0)
