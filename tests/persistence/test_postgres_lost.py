"""A connection, an answer or a server is lost: what was promised stands, and once only."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from messages.errors import LedgerConflict, LedgerLost
from messages.values import OrderState as S
from persistence.ledger import Claim
from persistence.ledger_place import LedgerPlace
from persistence.postgres.ledger import PostgresLedger, open_writing
from persistence.postgres.session import Session
from persistence.reader import LedgerReader
from tests.persistence.postgres_rows import content
from tests.persistence.wire import Wire
from tests.persistence.writes import ClaimOf, StepOf

pytestmark = pytest.mark.slow


@pytest.fixture
def wired(postgres: Any, place: LedgerPlace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The same ledger, by a network that can be cut."""
    open_writing(place, None).close()
    wire = Wire(postgres.port)
    url = postgres.url.replace(f":{postgres.port}/", f":{wire.port}/")
    monkeypatch.setenv(place.url_env, url)
    yield wire
    wire.close()


def keys(*claims: Claim) -> list[Any]:
    return [claim.intent.order_key for claim in claims]


def test_a_claim_whose_commit_was_not_answered_is_found_and_not_made_twice(
    wired: Wire, place: LedgerPlace, claim_of: ClaimOf
) -> None:
    claim = claim_of(1)
    ledger = PostgresLedger(place)
    ledger.claim([claim_of(0)], 1)  # a statement's first use is a question of its own
    wired.cuts_at_answer = True
    with pytest.raises(LedgerLost):
        ledger.claim([claim], 1)
    with pytest.raises(LedgerLost, match="the connection was lost"):
        ledger.lookup(keys(claim))
    wired.cuts_at_answer = False

    with closing(PostgresLedger(place)) as again:
        (found,) = again.lookup(keys(claim)).values()
        assert found.fingerprint == claim.fingerprint
        with pytest.raises(LedgerConflict, match=r"already claimed$"):
            again.claim([claim], 2)
        assert again.states() == {S.CLAIMED: 2}


def test_a_claim_that_was_lost_before_it_was_made_can_be_made(
    wired: Wire, place: LedgerPlace, claim_of: ClaimOf
) -> None:
    ledger = PostgresLedger(place)
    wired.cut()
    with pytest.raises(LedgerLost):
        ledger.claim([claim_of(1)], 1)

    with closing(PostgresLedger(place)) as again:
        assert again.lookup(keys(claim_of(1))) == {}
        again.claim([claim_of(1)], 2)


LATE: dict[str, Callable[[Any, ClaimOf, StepOf, int], object]] = {
    "one claim": lambda ledger, claim, step, at: ledger.claim([claim(at)], 1),
    "claims": lambda ledger, claim, step, at: ledger.claim([claim(at), claim(at + 1)], 1),
    "a transaction": lambda ledger, claim, step, at: ledger.write(
        [step(at - 10, S.SENT)], [claim(at), claim(at + 1)], 1, {"equity": "1"}
    ),
}


@pytest.mark.parametrize("write", LATE.values(), ids=list(LATE))
def test_what_the_network_kept_and_delivers_late_is_refused(
    wired: Wire, place: LedgerPlace, claim_of: ClaimOf, step_of: StepOf,
    write: Callable[..., object], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What was looked up and not found is not there afterwards either."""
    from persistence.postgres import driver

    ledger = PostgresLedger(place)
    ledger.claim([claim_of(number) for number in range(5)], 1)
    write(ledger, claim_of, step_of, 11)  # a statement's first use is a question of its own
    before = content(place)
    monkeypatch.setattr(driver, "ANSWER_S", 0.3)
    wired.hold()
    with pytest.raises(LedgerLost, match="no answer"):
        write(ledger, claim_of, step_of, 13)
    assert wired.held.is_set()
    monkeypatch.setattr(driver, "ANSWER_S", 8.0)
    ours = Wire(wired._to)
    monkeypatch.setenv(place.url_env, place.url.replace(f":{wired.port}/", f":{ours.port}/"))

    with closing(PostgresLedger(place)) as again:
        assert content(place) == before
        wired.release()
        _until_all_is_delivered(place)
        assert content(place) == before
        write(again, claim_of, step_of, 13)
    ours.close()


def _until_all_is_delivered(place: LedgerPlace) -> None:
    """Wait until the lost connection's backend has taken what was sent to it, and ended."""
    with closing(Session(place, "looks", writes=False)) as session:
        for _ in range(200):
            ((others,),) = session.say(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'watchkeeper writes ' || $1",
                (place.schema,),
            )
            if others <= 1:
                return
            session.say("SELECT pg_sleep(0.05)")
    raise AssertionError("the lost connection is still there")


def test_a_killed_server_loses_nothing_that_was_promised(
    postgres: Any, place: LedgerPlace, claim_of: ClaimOf
) -> None:
    ledger = PostgresLedger(place)
    ledger.claim([claim_of(number) for number in range(100)], 1)
    postgres.kill()
    with pytest.raises(LedgerLost):
        ledger.claim([claim_of(100)], 1)
    assert not ledger.answers()
    postgres.start()

    assert ledger.answers()
    with closing(PostgresLedger(place)) as again:
        assert again.states() == {S.CLAIMED: 100}
        again.claim([claim_of(100)], 1)


def test_a_server_that_is_paused_is_given_up(
    postgres: Any, place: LedgerPlace, claim_of: ClaimOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from persistence.postgres import driver

    ledger = PostgresLedger(place)
    monkeypatch.setattr(driver, "ANSWER_S", 0.3)
    postgres.pause()
    try:
        with pytest.raises(LedgerLost, match="no answer"):
            ledger.claim([claim_of(1)], 1)
    finally:
        postgres.resume()
    monkeypatch.setattr(driver, "ANSWER_S", 8.0)
    with closing(PostgresLedger(place)) as again:
        assert len(again.lookup(keys(claim_of(1)))) in (0, 1)


def test_a_server_that_takes_no_writes_is_away_and_can_be_read(
    postgres: Any, place: LedgerPlace, claim_of: ClaimOf
) -> None:
    """One that was started as a standby: nothing is claimed there, and everything can be told."""
    with closing(PostgresLedger(place)) as ledger:
        ledger.claim([claim_of(1)], 1)
    postgres.kill()
    signal = postgres.folder / "data" / "standby.signal"
    signal.touch()
    postgres.start()
    try:
        with pytest.raises(LedgerLost, match="read-only"):
            PostgresLedger(place, patience_s=0)
        with LedgerReader(place) as reader:
            assert reader.states() == {S.CLAIMED: 1}
    finally:
        postgres.kill()
        signal.unlink()
        postgres.start()
