"""From when on, and until when, it is proof that an exchange does not show an order."""

import pytest

from exchanges.absence import Absence
from exchanges.capabilities import CAPABILITIES, Capability
from exchanges.protocol import NEVER_PROOF, SEND_WITHIN_MS
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, NS_PER_S, ClientOrderId

BINANCE, HTX, GATE = (CAPABILITIES[name] for name in ("binance", "htx", "gate"))
NAME = ClientOrderId("wk1")
SENT_NS = 1_800_000_000 * NS_PER_S
WINDOW_MS = 2_500
HOUR_NS = 3_600 * NS_PER_S


def absence(row: Capability = BINANCE, now_ns: int = SENT_NS) -> Absence:
    return Absence(row, WINDOW_MS, lambda: now_ns)


def test_it_is_proof_once_the_exchange_would_refuse_the_request_as_late() -> None:
    orders = absence(now_ns=SENT_NS + 7)
    unsigned_ns = orders.provable_ns(NAME, SENT_NS)
    orders.signed(NAME)
    signed_ns = orders.provable_ns(NAME, SENT_NS)

    assert signed_ns == BINANCE.visible_after_ns(SENT_NS + 7, WINDOW_MS)
    assert unsigned_ns == BINANCE.visible_after_ns(SENT_NS + SEND_WITHIN_MS * NS_PER_MS, WINDOW_MS)


def test_an_exchange_whose_clock_is_ahead_takes_it_for_longer_by_ours() -> None:
    orders = absence()
    before_ns = orders.provable_ns(NAME, SENT_NS)
    orders.ahead_ns = 300 * NS_PER_MS

    assert orders.provable_ns(NAME, SENT_NS) == before_ns + 300 * NS_PER_MS


@pytest.mark.parametrize("after_ms", [0, -1])
def test_before_that_it_is_none_yet(after_ms: int) -> None:
    orders = absence()
    provable_ns = orders.provable_ns(NAME, SENT_NS)
    now_ns = provable_ns + after_ms * NS_PER_MS
    if not after_ms:
        orders.check(now_ns, provable_ns, SENT_NS, still_sending=False)
        return
    with pytest.raises(OutcomeUnknown, match="no proof yet") as raised:
        orders.check(now_ns, provable_ns, SENT_NS, still_sending=False)

    assert raised.value.ask_again_ns == provable_ns


def test_an_exchange_that_told_no_time_proves_nothing() -> None:
    with pytest.raises(OutcomeUnknown, match="ask again later"):
        absence().check(0, SENT_NS, SENT_NS, still_sending=False)


def test_while_it_is_being_sent_it_is_none() -> None:
    orders = absence()
    orders.leaves(NAME)
    orders.leaves(NAME)
    orders.landed(NAME)
    assert orders.is_sending(NAME)

    with pytest.raises(OutcomeUnknown, match="is being sent right now"):
        orders.check(SENT_NS + HOUR_NS, SENT_NS, SENT_NS, still_sending=True)
    orders.landed(NAME)
    assert not orders.is_sending(NAME)


def test_where_an_id_is_forgotten_it_is_none_any_more() -> None:
    """HTX finds an order by our id for some hours after its end: it may have filled since."""
    orders = absence(HTX)
    provable_ns = orders.provable_ns(NAME, SENT_NS)

    orders.check(SENT_NS + HOUR_NS, provable_ns, SENT_NS, still_sending=False)
    with pytest.raises(OutcomeUnknown, match=f"{NEVER_PROOF} so long after it was sent"):
        orders.check(SENT_NS + HOUR_NS + 1, provable_ns, SENT_NS, still_sending=False)


def test_where_lists_are_searched_it_never_is() -> None:
    with pytest.raises(OutcomeUnknown, match=f"which is {NEVER_PROOF} there"):
        absence(GATE).check(SENT_NS + HOUR_NS, SENT_NS, SENT_NS, still_sending=False)


def test_a_mark_that_is_newer_than_the_signature_counts() -> None:
    """Our clock was set between both, or the same name is marked as sent once more."""
    orders = absence(now_ns=SENT_NS - HOUR_NS)
    orders.signed(NAME)

    assert orders.provable_ns(NAME, SENT_NS) == BINANCE.visible_after_ns(SENT_NS, WINDOW_MS)
