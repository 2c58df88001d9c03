"""What claiming promises, on every backend."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from messages.errors import LedgerConflict, LedgerUnavailable
from messages.ids import OrderKey
from messages.values import OrderState, Side
from persistence.ledger import Claim, Ledger, Step, fingerprint

ClaimOf = Callable[..., Claim]

_NOT_KEPT = {"ts_created_ns", "leaves", "protection", "replaces"}


def test_a_key_that_was_never_claimed_is_not_found(ledger: Ledger) -> None:
    assert ledger.lookup([OrderKey("0" * 32)]) == {}


def test_a_claimed_order_comes_back_field_by_field(ledger: Ledger, claim_of: ClaimOf) -> None:
    claim = claim_of(1, limit_price=None)
    ledger.claim([claim], 77)
    entry = ledger.lookup([claim.intent.order_key])[claim.intent.order_key]
    for name in set(claim.intent.__struct_fields__) - _NOT_KEPT:
        assert getattr(entry, name) == getattr(claim.intent, name)
    assert (entry.fingerprint, entry.client_order_id) == (claim.fingerprint, "wk1")
    assert (entry.state, entry.filled_quantity) == (OrderState.CLAIMED, Decimal(0))
    assert entry.updated_at_ns == 77


def test_a_refused_decision_is_kept_under_its_key_with_the_reason(
    ledger: Ledger, claim_of: ClaimOf
) -> None:
    claim = claim_of(1, refused="max_position")
    ledger.claim([claim], 1)
    entry = ledger.lookup([claim.intent.order_key])[claim.intent.order_key]
    assert (entry.state, entry.state_reason) == (OrderState.REFUSED, "max_position")
    assert ledger.open_entries() == []


def test_a_key_claimed_twice_is_a_conflict(ledger: Ledger, claim_of: ClaimOf) -> None:
    ledger.claim([claim_of(1)], 1)
    with pytest.raises(LedgerConflict, match=r"already claimed$"):
        ledger.claim([claim_of(1)], 2)


def test_a_key_claimed_with_another_intent_is_a_conflict_that_says_so(
    ledger: Ledger, claim_of: ClaimOf
) -> None:
    ledger.claim([claim_of(1)], 1)
    with pytest.raises(LedgerConflict, match="with another intent"):
        ledger.claim([claim_of(1, quantity=Decimal(2))], 2)


def test_a_key_that_is_twice_in_one_batch_is_a_conflict(ledger: Ledger, claim_of: ClaimOf) -> None:
    with pytest.raises(LedgerConflict, match="already claimed by the same batch"):
        ledger.claim([claim_of(1), claim_of(1)], 1)
    with pytest.raises(LedgerConflict, match="with another intent"):
        ledger.claim([claim_of(1), claim_of(1, side=Side.SELL)], 1)


def test_a_conflict_takes_the_whole_batch_back(ledger: Ledger, claim_of: ClaimOf) -> None:
    ledger.claim([claim_of(2)], 1)
    with pytest.raises(LedgerConflict):
        ledger.claim([claim_of(1), claim_of(2), claim_of(3)], 2)
    assert [entry.client_order_id for entry in ledger.open_entries()] == ["wk2"]
    assert ledger.states() == {OrderState.CLAIMED: 1}
    assert ledger.exposure() == {"BTC/USDT": Decimal("1.5")}
    ledger.claim([claim_of(1), claim_of(3)], 2)


def test_claiming_nothing_changes_nothing(ledger: Ledger) -> None:
    ledger.claim([], 1)
    assert list(ledger.entries()) == []


def test_many_keys_are_looked_up_at_once(
    ledger: Ledger, claim_of: ClaimOf, step_of: Callable[..., Step]
) -> None:
    claims = [claim_of(number) for number in range(1201)]
    ledger.claim(claims, 1)
    ledger.record([step_of(number, OrderState.REFUSED) for number in range(0, 1201, 2)])
    keys = [claim.intent.order_key for claim in claims]
    assert sorted(ledger.lookup([*keys, OrderKey("f" * 32), keys[0]])) == keys


def test_entries_come_in_the_order_of_their_keys(ledger: Ledger, claim_of: ClaimOf) -> None:
    ledger.claim([claim_of(number) for number in (5, 1, 3)], 1)
    assert [entry.client_order_id for entry in ledger.entries()] == ["wk1", "wk3", "wk5"]
    assert [entry.client_order_id for entry in ledger.open_entries()] == ["wk1", "wk3", "wk5"]


def test_entries_can_begin_at_a_moment(ledger: Ledger, claim_of: ClaimOf) -> None:
    claims = [claim_of(number) for number in range(4)]
    ledger.claim(claims, 1)
    since = claims[2].intent.decided_at_ns
    assert [entry.client_order_id for entry in ledger.entries(since)] == ["wk2", "wk3"]
    assert [entry.client_order_id for entry in ledger.entries(since + 1)] == ["wk3"]


@pytest.mark.parametrize(
    "text", ["0.123456789012345678", "1E-18", "98765432109876543210.123456789012345678", "1E+3"]
)
def test_money_comes_back_to_the_last_digit(ledger: Ledger, claim_of: ClaimOf, text: str) -> None:
    claim = claim_of(1, quantity=Decimal(text), reference_price=Decimal(text))
    ledger.claim([claim], 1)
    entry = next(iter(ledger.entries()))
    assert (str(entry.quantity), str(entry.reference_price)) == (text, text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_key", "f" * 32),
        ("account", "other"),
        ("strategy_id", "other"),
        ("symbol", "ETH/USDT"),
        ("side", "sell"),
        ("order_type", "market"),
        ("time_in_force", "ioc"),
        ("quantity", Decimal("1.50001")),
        ("limit_price", None),
        ("decided_at_ns", 5),
    ],
)
def test_the_fingerprint_covers_what_makes_the_order(
    claim_of: ClaimOf, name: str, value: Any
) -> None:
    intent = claim_of(1).intent
    assert fingerprint(msgspec.structs.replace(intent, **{name: value})) != fingerprint(intent)


def test_the_fingerprint_is_blind_to_words_and_to_when_the_message_was_made(
    claim_of: ClaimOf,
) -> None:
    intent = claim_of(1).intent
    same = msgspec.structs.replace(
        intent, reason="x", ts_created_ns=1, reference_price=Decimal(1), quantity=Decimal("1.500")
    )
    assert fingerprint(same) == fingerprint(intent)


def test_a_claim_that_goes_out_at_once_is_sent_in_the_same_commit(
    ledger: Ledger, claim_of: ClaimOf
) -> None:
    ledger.claim([msgspec.structs.replace(claim_of(1), sent=True)], 5)
    (entry,) = ledger.open_entries()
    assert entry.state is OrderState.SENT
    assert ledger.states() == {OrderState.SENT: 1}


def test_steps_and_claims_are_taken_together_or_not_at_all(
    ledger: Ledger, claim_of: ClaimOf, step_of: Callable[..., Step]
) -> None:
    ledger.claim([claim_of(1), claim_of(2)], 1)
    with pytest.raises(LedgerConflict):
        ledger.write([step_of(1, OrderState.SENT)], [claim_of(2), claim_of(3)], 2)
    assert ledger.states() == {OrderState.CLAIMED: 2}
    after = ledger.write([step_of(1, OrderState.SENT)], [claim_of(3)], 2)
    assert [entry.state for entry in after] == [OrderState.SENT]
    assert ledger.states() == {OrderState.CLAIMED: 2, OrderState.SENT: 1}


def test_a_decision_older_than_the_newest_is_found_all_the_same(
    ledger: Ledger, claim_of: ClaimOf, step_of: Callable[..., Step]
) -> None:
    ledger.claim([claim_of(5), claim_of(3)], 1)
    ledger.record([step_of(3, OrderState.REFUSED)])
    keys = [claim_of(number).intent.order_key for number in (3, 4, 5, 6)]
    assert sorted(ledger.lookup(keys)) == [keys[0], keys[2]]


def test_tidying_changes_nothing(ledger: Ledger, claim_of: ClaimOf) -> None:
    ledger.claim([claim_of(1)], 1)
    before = list(ledger.entries())
    ledger.tidy()
    assert list(ledger.entries()) == before


def test_a_closed_ledger_refuses_and_may_be_closed_again(ledger: Ledger, claim_of: ClaimOf) -> None:
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerUnavailable):
        ledger.claim([claim_of(1)], 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda it: it.stops(),
        lambda it: it.note("a"),
        lambda it: it.lacking(1),
        lambda it: it.halt_reason(),
        lambda it: it.set_halt("a"),
        lambda it: it.clear_halt(),
    ],
)
def test_a_closed_ledger_says_nothing(ledger: Ledger, ask: Callable[[Ledger], object]) -> None:
    ledger.close()

    with pytest.raises(LedgerUnavailable):
        ask(ledger)


def test_a_halt_stays_until_it_is_cleared(ledger: Ledger) -> None:
    assert ledger.halt_reason() is None
    ledger.set_halt("first")
    ledger.set_halt("max daily loss")
    assert ledger.halt_reason() == "max daily loss"
    ledger.clear_halt()
    ledger.clear_halt()
    assert ledger.halt_reason() is None
