"""A full mailbox: who is refused, who makes room, and what the bound does not count."""

from tests.actors.mailbox.box import Bar, Box, Fact, Item, Order


def test_a_full_mailbox_rejects_and_says_so(small: Box) -> None:
    assert small.put(*(Item(n=n) for n in range(5))) == [True, True, True, False, False]
    assert small.rest() == [0, 1, 2]
    assert small.dead() == {"full": 2}


def test_facts_are_taken_beyond_the_bound(small: Box) -> None:
    assert all(small.put(*(Fact(n=n) for n in range(5))))
    assert small.rest() == [0, 1, 2, 3, 4]


def test_control_never_counts_towards_the_bound(small: Box) -> None:
    small.put(*(Order(n=n) for n in range(10)))

    assert small.put(*(Item(n=n) for n in range(10, 14))) == [True, True, True, False]


def test_the_oldest_of_the_same_class_makes_room(small: Box) -> None:
    assert all(small.put(*(Bar(n=n) for n in range(6))))
    assert small.mail.depth() == 3
    assert small.rest() == [3, 4, 5]
    assert small.dead() == {"oldest": 3}
    assert [letter.message.n for letter in small.letters.ring] == [0, 1, 2]


def test_making_room_takes_no_memory(small: Box) -> None:
    small.put(*(Bar(n=n) for n in range(10_000)))

    assert small.mail.depth() == 3
    assert small.mail.high_water == 3


def test_other_classes_do_not_make_room(small: Box) -> None:
    small.put(Item(n=1), Item(n=2), Item(n=3))

    small.put(Bar(n=4), Bar(n=5))

    assert small.rest() == [1, 2, 3, 5]
    assert small.dead() == {"oldest": 1}


def test_room_that_was_read_is_room_again(small: Box) -> None:
    small.put(*(Bar(n=n) for n in range(4)))
    assert small.next() == Bar(n=1)

    small.put(Bar(n=4))

    assert small.rest() == [2, 3, 4]
    assert small.dead() == {"oldest": 1}


def test_mail_kept_over_restarts_counts_towards_the_bound(small: Box) -> None:
    for _ in range(3):
        small.put(*(Item(n=n) for n in range(5)))
        small.restart()

    assert small.mail.depth() == 3


def test_the_high_water_mark_is_the_deepest_it_ever_was(box: Box) -> None:
    box.put(*(Item(n=n) for n in range(7)), *(Bar(n=n) for n in range(2)))
    box.rest()

    assert box.mail.high_water == 9
    assert box.mail.depth() == 0
