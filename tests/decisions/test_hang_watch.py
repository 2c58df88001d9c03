"""How long one message takes, as far as its process ran: a stopped one hangs on nothing."""

from decisions.supervisor import HangWatch

LOOK = 500


def test_between_looks_in_time_all_of_it_counts() -> None:
    watch = HangWatch(LOOK)

    assert [watch.look(1_100, now) for now in (1_200, 1_700, 2_400)] == [100, 600, 1_300]


def test_of_a_look_that_comes_late_only_twice_its_distance_counts() -> None:
    watch = HangWatch(LOOK)
    watch.look(1_000, 1_200)

    assert watch.look(1_000, 61_200) == 1_200
    assert watch.look(1_000, 61_700) == 1_700


def test_a_message_that_was_begun_just_before_a_stop_is_not_old() -> None:
    assert HangWatch(LOOK).look(1_000, 61_000) == 1_000


def test_another_message_begins_anew() -> None:
    watch = HangWatch(LOOK)
    watch.look(1_000, 1_900)

    assert watch.look(None, 2_400) == 0
    assert watch.look(2_500, 2_900) == 400


def test_looks_that_always_come_late_find_a_hang_all_the_same() -> None:
    watch = HangWatch(LOOK)

    assert max(watch.look(0, now) for now in range(0, 100_000, 5_000)) > 10_000
