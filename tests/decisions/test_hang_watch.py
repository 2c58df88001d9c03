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


def test_who_comes_on_within_a_message_begins_anew() -> None:
    """A batch of events takes as long as all of them; that one of them takes is what counts."""
    watch = HangWatch(LOOK)

    told = [watch.look(1_000, 1_000 + spent, spent // 1_000) for spent in range(0, 9_000, 500)]

    assert set(told) == {0, 500}


def test_to_have_come_on_is_told_once_and_not_of_another_message() -> None:
    watch = HangWatch(LOOK)

    came_on = []
    for since, now, place in ((0, 100, 1), (0, 600, 2), (0, 900, 2), (950, 990, 3), (None, 995, 4)):
        watch.look(since, now, place)
        came_on.append(watch.came_on)

    assert came_on == [False, True, False, False, False]


def test_at_one_place_of_a_message_it_hangs_as_on_any_other() -> None:
    watch = HangWatch(LOOK)
    watch.look(1_000, 1_500, 1)

    assert [watch.look(1_000, now, 2) for now in (2_000, 2_500, 3_000)] == [0, 500, 1_000]
