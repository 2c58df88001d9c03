"""Stops in every ledger: with their orders in one commit, found again as they were."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from messages.errors import LedgerConflict, LedgerFenced
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.stops import Stop, StopState
from messages.values import Side
from persistence.ledger import Claim, Ledger, SqliteLedger, take_writing

ClaimOf = Callable[..., Claim]


def stop_for(claim: Claim) -> Stop:
    return Stop(
        entry_key=claim.intent.order_key,
        account=AccountId("main"),
        strategy_id=StrategyId("one"),
        symbol=Symbol("BTC/USDT"),
        side=Side.SELL,
        stop_loss=Decimal("105.10"),
        take_profit=None,
        trails_by=Decimal("1E+1"),
        reference_price=Decimal("100.00"),
        is_limit=True,
        placed_at_ns=TimestampNs(7),
        state=StopState.ARMED,
        best_price=Decimal("99.5"),
        looked_at_ns=TimestampNs(8),
    )


def test_a_stop_comes_back_field_by_field(ledger: Ledger, claim_of: ClaimOf) -> None:
    claim = claim_of(1)
    stop = stop_for(claim)
    ledger.write((), [claim], 7, {}, [stop])
    assert ledger.stops() == [stop]

    acted = msgspec.structs.replace(
        stop,
        state=StopState.ACTED,
        released=Decimal("0.5"),
        exits=(OrderKey("a" * 32), OrderKey("b" * 32)),
        failed=1,
        cause="trailing",
        acted_at_ns=TimestampNs(9),
        acted_price=Decimal("110.0"),
        is_inside=True,
        why="trailing at 110: the market was at 110",
    )
    ledger.write((), (), 8, {}, [acted])
    assert ledger.stops() == [acted]
    assert str(ledger.stops()[0].trails_by) == "1E+1"


def test_one_that_is_done_is_not_among_the_kept(ledger: Ledger, claim_of: ClaimOf) -> None:
    claims = [claim_of(1), claim_of(2)]
    first, second = map(stop_for, claims)
    done = msgspec.structs.replace(first, state=StopState.DONE)
    ledger.write((), claims, 7, {}, [first, second])
    ledger.write((), (), 7, {}, [done])

    assert ledger.stops() == [second]
    assert ledger.stops(done_too=True) == [done, second]


def test_what_cannot_be_claimed_leaves_no_stop(ledger: Ledger, claim_of: ClaimOf) -> None:
    ledger.claim([claim_of(1)], 7)
    with pytest.raises(LedgerConflict):
        ledger.write((), [claim_of(2), claim_of(1)], 8, {}, [stop_for(claim_of(2))])

    assert ledger.stops(done_too=True) == []


def test_who_was_taken_over_writes_no_stop(tmp_path: Path, claim_of: ClaimOf) -> None:
    path = tmp_path / "ledger.db"
    former = SqliteLedger(path, take_writing(path))
    former.write((), [claim_of(1)], 7, {}, [stop_for(claim_of(1))])
    take_writing(path)
    done = msgspec.structs.replace(stop_for(claim_of(1)), state=StopState.DONE)
    with pytest.raises(LedgerFenced, match="another process has taken"):
        former.write((), (), 8, {}, [done])
    former.close()

    with_new = SqliteLedger(path)
    assert [stop.state for stop in with_new.stops()] == [StopState.ARMED]
    with_new.close()
