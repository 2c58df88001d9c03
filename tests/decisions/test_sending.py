from hypothesis import given
from hypothesis import strategies as st

from decisions.sending import PAUSES_NS, Again, GiveUp, after_absence, too_old
from messages.ids import NS_PER_S, TimestampNs

NOW = TimestampNs(1_000 * NS_PER_S)


def test_a_decision_is_too_old_only_past_its_age() -> None:
    assert not too_old(TimestampNs(100), TimestampNs(150), 50)
    assert too_old(TimestampNs(100), TimestampNs(151), 50)


def test_what_was_never_sent_goes_out_at_once() -> None:
    assert after_absence(0, NOW, NOW, None) == Again(0)


def test_each_further_send_waits_longer_and_then_there_are_no_more() -> None:
    verdicts = [after_absence(sends, NOW, NOW, None) for sends in range(1, len(PAUSES_NS) + 2)]

    assert verdicts[:-1] == [Again(pause) for pause in sorted(PAUSES_NS)]
    assert isinstance(verdicts[-1], GiveUp)
    assert verdicts[-1].reason.startswith("not_sent: given up after 4 sends")


def test_a_stale_decision_is_given_up_however_seldom_it_was_sent() -> None:
    late = TimestampNs(NOW + 61 * NS_PER_S)

    assert after_absence(0, NOW, late, 60 * NS_PER_S) == GiveUp("stale: decided 61.0 s ago")


@given(sends=st.integers(0, 10**6), age=st.integers(0, 10**15), limit=st.integers(0, 10**15))
def test_a_process_sends_no_order_without_end(sends: int, age: int, limit: int) -> None:
    verdict = after_absence(sends, NOW, TimestampNs(NOW + age), limit)

    assert isinstance(verdict, GiveUp) == (sends > len(PAUSES_NS) or age > limit)
