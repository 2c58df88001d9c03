"""More entries and exits than one, in whatever order, over commits that fail."""

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings

from messages.values import OrderState as S
from messages.values import Side
from tests.actors.changing import told
from tests.actors.exit_path import (
    MARGIN,
    SPOT,
    Failing,
    answer_of,
    answer_one,
    begin_anew,
    could_be_sold,
    leave,
    path,
    sold,
    with_most,
)
from tests.actors.order_path import key_of
from tests.actors.stopped_path import AT_95, Stopped

SEEDS = settings().max_examples // 5
"""Hundreds are tried by `tox -e stress`."""


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    return path(tmp_path)


def two_exits(desk: Stopped) -> None:
    """The rest of the first has nothing to sell, for the second has taken it."""
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3")
    desk.tell(desk.intent(2))
    leave(desk, 3)
    desk.fills(0, "0.5")


def test_what_waits_is_not_sold_from_what_is_bought_after_it(desk: Stopped) -> None:
    """Its entry may never fill, and the later one would be left as soon as it is there."""
    desk.tell(desk.intent(0))
    leave(desk)
    desk.tell(desk.intent(2))

    desk.fills(2, "1", S.FILLED)
    assert sold(desk) == []
    desk.fills(0, "0", S.CANCELED)

    assert sold(desk) == []
    assert desk.order(1).state_reason.startswith("nothing_held: its entry has not filled")
    assert desk.actor.inspect()["leaving"] == []


def test_what_waits_leaves_no_more_than_its_entry_has_filled(desk: Stopped) -> None:
    """With the first crumb all that was free went, and its strategy took itself for still in."""
    desk.tell(desk.intent(0))
    leave(desk)
    desk.tell(desk.intent(2))
    desk.fills(2, "1", S.FILLED)

    desk.fills(0, "0.1")
    assert sold(desk) == [("0.1", S.SENT)]
    desk.answers(S.FILLED, "0.1")
    desk.fills(0, "0.3", S.CANCELED)
    desk.answers(S.FILLED, "0.2")

    assert sold(desk) == [("0.1", S.FILLED), ("0.2", S.FILLED)]
    assert desk.actor.inspect()["leaving"] == []
    assert desk.cell.problem == ""


def test_nor_does_it_where_the_entry_was_decided_in_the_same_moment(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    out = desk.intent(1, side=Side.SELL, leaves=Decimal(1))
    desk.tell(out, desk.intent(2))

    desk.fills(2, "1", S.FILLED)
    assert sold(desk) == []
    desk.fills(0, "0.1")

    assert sold(desk) == [("0.1", S.SENT)]


def test_an_incarnation_later_it_leaves_as_much(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    leave(desk)
    desk.tell(desk.intent(2))
    desk.fills(2, "1", S.FILLED)

    desk.start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(0, S.FILLED, "0.1")))

    assert sold(desk) == [("0.1", S.SENT)]


def test_what_follows_a_part_is_of_the_entries_that_the_exit_was_of(desk: Stopped) -> None:
    """Each part added those that were open by then: the end of its own was made up for by them."""
    with_most(desk, "0.3")
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3")
    desk.tell(desk.intent(2))

    desk.fills(0, "0.9")
    desk.fills(0, "0.9", S.CANCELED)
    desk.answers(S.FILLED, "0.3").answers(S.FILLED, "0.3")
    desk.fills(2, "1", S.FILLED)

    assert sold(desk) == [("0.3", S.FILLED)] * 3
    assert desk.actor.inspect()["leaving"] == []


def test_what_a_later_exit_took_is_made_up_for_by_its_entry_and_no_later_one(
    desk: Stopped,
) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.tell(desk.intent(2))
    desk.fills(0, "0.5")
    leave(desk, 3, "0.2")  # of the first entry, as it came
    desk.tell(desk.intent(4))
    desk.fills(4, "1", S.FILLED)
    answer_all(desk)
    assert sold(desk) == [("0.3", S.FILLED), ("0.2", S.FILLED)]

    desk.fills(2, "0.1")
    answer_all(desk)
    desk.fills(2, "1", S.FILLED)
    desk.fills(0, "0.5", S.CANCELED)
    answer_all(desk)

    assert sold(desk)[2:] == [("0.1", S.FILLED), ("0.1", S.FILLED)]
    assert desk.actor.inspect()["leaving"] == []


def answer_all(desk: Stopped) -> None:
    while answer_one(desk, Random(0), fails=False):
        pass


def stopped_meanwhile(desk: Stopped) -> None:
    """The exit is of 1, of which 0.4 had filled; its stop sells the 0.6 that came then."""
    desk.tell(desk.intent(0, protection=AT_95))
    desk.fills(0, "0.4")
    leave(desk)
    desk.fills(0, "1", S.FILLED)
    desk.price("94")


def test_what_a_stop_has_sold_of_an_exit_does_not_follow_it(desk: Stopped) -> None:
    """It was sold once more, of what was bought next."""
    stopped_meanwhile(desk)
    desk.answers(S.FILLED, "0.6")
    desk.tell(desk.intent(2))
    desk.fills(2, "1", S.FILLED)

    desk.tell(answer_of(desk, key_of(1), S.FILLED, "0.4"))

    assert sold(desk) == [("0.4", S.FILLED), ("0.6", S.FILLED)]
    assert desk.actor.inspect()["leaving"] == []
    assert desk.cell.problem == ""


def test_what_other_entries_bring_makes_up_for_it(desk: Stopped) -> None:
    """Its strategy counts what the stop has sold as left, too."""
    with_most(desk, "0.6")
    desk.tell(desk.intent(0), desk.intent(1, protection=AT_95))
    desk.fills(1, "1", S.FILLED)
    leave(desk, 2)
    desk.price("94").answers(S.FILLED, "0.4")
    desk.tell(answer_of(desk, key_of(2), S.FILLED, "0.6"))
    assert sold(desk) == [("0.6", S.FILLED), ("0.4", S.FILLED)]

    desk.fills(0, "1", S.FILLED)

    assert sold(desk)[2:] == [("0.4", S.SENT)]


@pytest.mark.parametrize(
    ("is_late", "why"), [(False, "the rest of"), (True, "stop_loss at")], ids=["before", "after"]
)
def test_what_a_stop_would_have_sold_follows_where_that_was_never_written(
    tmp_path: Path, is_late: bool, why: str
) -> None:
    where = tmp_path / "ledger.db"
    desk = path(tmp_path, open_ledger=lambda: Failing(where))
    Failing.left, Failing.is_late = 5, is_late

    stopped_meanwhile(desk)
    assert Failing.left == 0
    desk.start()
    for asked in desk.gateway.asked:
        is_exit = asked.key == key_of(1)
        report = answer_of(desk, asked.key, S.FILLED, "0.4") if is_exit else None
        desk.tell(desk.answer(asked, report))

    assert sold(desk) == [("0.4", S.FILLED), ("0.6", S.SENT)]
    assert desk.orders()[desk.gateway.sent[-1].key].reason.startswith(why)


def test_what_two_exits_take_from_each_other_is_left_by_both_in_the_end(desk: Stopped) -> None:
    """Of a part that was sent for less than it was to leave the rest was forgotten."""
    two_exits(desk)
    desk.fills(2, "0.1")
    desk.fills(2, "1", S.FILLED)
    desk.fills(0, "1", S.FILLED)

    answer_all(desk)

    assert could_be_sold(desk) == 2
    assert desk.actor.inspect()["leaving"] == []


def test_a_part_that_waits_is_to_leave_as_much_whichever_incarnation_looks(desk: Stopped) -> None:
    two_exits(desk)
    before = to_leave(desk)

    begin_anew(desk)
    begin_anew(desk)

    assert to_leave(desk) == before


def to_leave(desk: Stopped) -> Decimal:
    leaving = desk.actor.inspect()["leaving"]
    return sum((one["to_leave"] for one in leaving), start=Decimal(0))


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("brings", "then"), [("1", [("1", S.SENT)]), ("0", [])])
def test_what_waited_survives_the_commit_that_failed(
    tmp_path: Path, brings: str, then: list[tuple[str, S]], is_late: bool
) -> None:
    """It was in no row and waited no more, and nobody else would have left it."""
    where = tmp_path / "ledger.db"
    desk = path(tmp_path, open_ledger=lambda: Failing(where))
    desk.tell(desk.intent(0))
    leave(desk)
    Failing.left, Failing.is_late = 2, is_late

    desk.fills(0, brings, S.FILLED if brings != "0" else S.CANCELED)
    desk.start()
    for asked in desk.gateway.asked:
        if asked.key == key_of(1):
            desk.tell(desk.answer(asked, None))

    assert sold(desk) == then
    assert desk.order(1).state is (S.SENT if then else S.REFUSED)
    assert desk.actor.inspect()["leaving"] == []


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_one_that_waits_is_not_told_to_have_come_to_nothing(tmp_path: Path, is_late: bool) -> None:
    """Its executor died as it noted that it waits; it waits all the same, and is sent."""
    where = tmp_path / "ledger.db"
    desk = path(tmp_path, open_ledger=lambda: Failing(where))
    desk.tell(desk.intent(0))
    Failing.left, Failing.is_late = 1, is_late

    leave(desk)
    desk.start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(0, S.FILLED, "1")))

    assert S.REFUSED not in told(desk, 1)
    assert sold(desk) == [("1", S.SENT)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_comes_in_whatever_order_no_more_is_sold_than_was_bought(
    tmp_path: Path, seed: int
) -> None:
    """And all of it is, where no exit fails; the executor may begin anew at any moment."""
    chance = Random(seed)
    desk = path(tmp_path, chance.choice([SPOT, MARGIN]))
    with_most(desk, chance.choice(["0.3", "10"]))
    bought, fails, last = Decimal(0), seed % 4 == 0, False
    desk.tell(desk.intent(0))
    leaving = chance.randrange(6)
    for step in range(12):
        if step == leaving:
            leave(desk)
        if not last and chance.random() < 0.5:
            bought = min(bought + Decimal(chance.randint(1, 5)) / 10, Decimal(1))
            last = bought == 1 or chance.random() < 0.1
            state = S.FILLED if bought == 1 else S.CANCELED if last else S.PARTIALLY_FILLED
            desk.fills(0, f"{bought}", state)
        else:
            answer_one(desk, chance, fails=fails)
        if chance.random() < 0.1:
            begin_anew(desk)
        assert could_be_sold(desk) <= bought
    desk.fills(0, f"{bought}", S.CANCELED)
    while answer_one(desk, chance, fails=False):
        pass

    assert could_be_sold(desk) == bought or (fails and "counts as left" in desk.cell.problem)
