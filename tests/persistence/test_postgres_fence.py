"""One process writes a ledger in PostgreSQL: the one that took it last."""

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from messages.errors import LedgerFenced, LedgerUnavailable
from messages.values import OrderState as S
from persistence.ledger_place import LedgerPlace
from persistence.postgres.ledger import PostgresLedger, open_writing
from persistence.reader import LedgerReader
from tests.persistence.postgres_rows import content
from tests.persistence.writes import WRITES, ClaimOf, StepOf

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_who_was_taken_over_writes_nothing_more(
    write: Callable[..., object], place: LedgerPlace, claim_of: ClaimOf, step_of: StepOf
) -> None:
    with closing(PostgresLedger(place)) as former:
        former.claim([claim_of(0)], 1)
        former.set_halt("for a while")
        open_writing(place, None).close()
        before = content(place)

        with pytest.raises(LedgerFenced, match="another process has taken this ledger over"):
            write(former, claim_of, step_of)

        assert content(place) == before


def test_who_does_not_say_its_number_writes_nothing(postgres: Any, place: LedgerPlace) -> None:
    """A person at a terminal, or a pooler that forgets what a session was told."""
    import psycopg

    open_writing(place, None).close()
    with pytest.raises(psycopg.Error, match="does not say who writes"):
        postgres.say(f"INSERT INTO \"{place.schema}\".flags VALUES ('halt', 'x')")


def test_taking_over_waits_for_the_claim_that_is_under_way_and_sees_it(
    place: LedgerPlace, claim_of: ClaimOf
) -> None:
    with closing(PostgresLedger(place)) as former:
        former.claim([claim_of(0)], 1)
        session = former._session
        session.say("BEGIN")
        session.run("UPDATE orders SET reason = ?", ("slow",))
        seen: list[Any] = []

        def take_over() -> None:
            with closing(PostgresLedger(place)) as ledger:
                seen.extend(ledger.open_entries())

        thread = threading.Thread(target=take_over)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it did not wait"
        session.say("COMMIT")
        thread.join(30)
        assert [entry.reason for entry in seen] == ["slow"]


def test_an_order_that_somebody_else_moved_is_not_moved_from_memory(
    place: LedgerPlace, claim_of: ClaimOf, step_of: StepOf
) -> None:
    with closing(PostgresLedger(place)) as ledger:
        ledger.claim([claim_of(1), claim_of(2)], 1)
        ledger._session.run("UPDATE orders SET state = 'sent' WHERE client_order_id = 'wk1'")
        with pytest.raises(LedgerUnavailable, match="another process writes"):
            ledger.record([step_of(2, S.SENT), step_of(1, S.SENT)])
        assert [entry.state for entry in ledger.entries()] == [S.SENT, S.CLAIMED]
        ledger.record([step_of(2, S.SENT)])


def test_a_fence_that_was_taken_away_is_a_problem(postgres: Any, place: LedgerPlace) -> None:
    open_writing(place, None).close()
    postgres.say(f'ALTER TABLE "{place.schema}".orders DISABLE TRIGGER fence')
    with LedgerReader(place) as reader:
        assert reader.problems() == ["orders has lost its fence"]
