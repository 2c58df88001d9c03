"""The lease in the ledger: one holder, by the database's clock, whatever the hosts' clocks show."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from playhouse.migrations import Runner

from messages.errors import LeaseUnavailable, LedgerFenced
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lease import Lease
from persistence.ledger import Claim
from persistence.ledger_place import LedgerPlace
from persistence.postgres.lease import PostgresLeases
from persistence.postgres.ledger import PostgresLedger
from persistence.postgres.migrate import MIGRATIONS
from persistence.postgres.session import Session
from tests.persistence.lease_model import lease

pytestmark = pytest.mark.slow
Open = Callable[..., PostgresLeases]


@pytest.fixture
def opened(place: LedgerPlace) -> Iterator[Open]:
    stores: list[PostgresLeases] = []

    def make(boot_ns: int = 0, clock: str = "boot", **more: Any) -> PostgresLeases:
        stores.append(PostgresLeases(place, lambda: boot_ns, clock, **more))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def who(found: Lease | None) -> tuple[object, ...]:
    assert found is not None
    return found.token, found.renewals, found.holder, found.returned, found.term_ns


def test_an_account_that_was_never_held_has_no_lease(opened: Open) -> None:
    assert opened().read() is None


def test_who_only_looks_makes_nothing(opened: Open, postgres: Any, place: LedgerPlace) -> None:
    assert opened(makes=None).read() is None
    assert postgres.say(f"SELECT 1 FROM pg_namespace WHERE nspname = '{place.schema}'") == []


def test_who_takes_it_is_seen_by_everybody(opened: Open) -> None:
    one, other = opened(), opened()
    assert one.take(lease(), None)
    assert who(other.read()) == who(lease())


def test_who_waits_for_a_ledger_of_an_earlier_version_leaves_it_to_who_writes_it(
    opened: Open, postgres: Any, place: LedgerPlace
) -> None:
    def applied() -> list[str]:
        found = postgres.say(f'SELECT name FROM "{place.schema}".schema_migration ORDER BY name')
        return [name for (name,) in found]

    opened().take(lease(1), None)
    with closing(Session(place, "a test", writes=True)) as session:
        Runner(session.database, str(MIGRATIONS)).down()
    earlier = applied()

    waits = opened(makes=False)
    seen = waits.read()
    assert applied() == earlier
    assert who(seen) == who(lease(1))
    assert waits.take(lease(2), seen)
    assert applied() == [path.stem for path in sorted(MIGRATIONS.glob("0*.py"))] != earlier


def test_two_that_saw_the_same_do_not_both_take_it(opened: Open) -> None:
    one, other = opened(), opened()
    assert one.take(lease(1), None)
    assert not other.take(lease(1), None)
    assert one.take(lease(2), one.read())
    assert not other.take(lease(2), lease(1))
    assert who(other.read()) == who(lease(2))


def test_what_was_renewed_after_it_was_judged_is_not_taken(opened: Open) -> None:
    one, other = opened(), opened()
    one.take(lease(), None)
    judged = other.read()
    assert one.renew(1, 0)
    assert not other.take(lease(2), judged)


def test_who_was_replaced_neither_renews_nor_gives_back(opened: Open) -> None:
    one, other = opened(), opened()
    one.take(lease(1), None)
    assert other.take(lease(2), other.read())
    assert not one.renew(1, 0)
    assert not one.give_back(1)
    assert other.renew(2, 0)
    assert other.give_back(2)
    assert not other.renew(2, 0)
    assert who(one.read()) == who(msgspec.structs.replace(lease(2), renewals=1, returned=True))


def test_of_many_that_take_it_at_once_one_has_it(opened: Open, place: LedgerPlace) -> None:
    opened().close()
    start, won = threading.Barrier(6), []

    def race(number: int) -> None:
        with closing(PostgresLeases(place, lambda: 0, "boot")) as store:
            start.wait(30)
            if store.take(lease(1, renewals=number), None):
                won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = opened().read()
    assert found is not None
    assert won == [found.renewals]


def test_what_is_left_is_told_by_the_database_and_put_on_the_lookers_own_clock(
    opened: Open,
) -> None:
    """One host has been up for a year, the other for a second, and both see the same."""
    year_ns = 365 * 86_400 * NS_PER_S
    holder, looker = opened(year_ns, "boot a"), opened(NS_PER_S, "boot b")
    holder.take(lease(term_ns=12 * NS_PER_S, expires_ns=5, clock="boot a"), None)

    for store, now_ns, clock in ((holder, year_ns, "boot a"), (looker, NS_PER_S, "boot b")):
        found = store.read()
        assert found is not None
        assert found.clock == clock
        assert 10 * NS_PER_S < found.expires_ns - now_ns <= 12 * NS_PER_S


def test_one_that_is_not_renewed_is_over_and_a_renewal_is_for_the_whole_term(
    opened: Open, postgres: Any
) -> None:
    store = opened(1_000)
    store.take(lease(term_ns=200 * NS_PER_MS), None)
    postgres.say("SELECT pg_sleep(0.3)")
    over = store.read()
    assert over is not None
    assert over.expires_ns <= 1_000
    assert store.renew(1, 0)  # nobody has taken it
    again = store.read()
    assert again is not None
    assert again.expires_ns > 1_000


def test_with_the_lease_goes_the_right_to_write(
    opened: Open, place: LedgerPlace, claim_of: Callable[..., Claim]
) -> None:
    store = opened()
    store.take(lease(1), None)
    with closing(PostgresLedger(place, 1)) as former:
        former.claim([claim_of(1)], 1)
        store.renew(1, 0)
        former.claim([claim_of(2)], 1)
        assert store.take(lease(2), store.read())
        with pytest.raises(LedgerFenced):
            former.claim([claim_of(3)], 1)
        assert len(list(former.entries())) == 2
    for token in (1, None):
        with pytest.raises(LedgerFenced):
            PostgresLedger(place, token)


def test_a_renewal_waits_for_no_claim(
    opened: Open, place: LedgerPlace, claim_of: Callable[..., Claim]
) -> None:
    store = opened()
    store.take(lease(1), None)
    with closing(PostgresLedger(place, 1)) as ledger:
        ledger.claim([claim_of(1)], 1)
        ledger._session.say("BEGIN")
        ledger._session.run("UPDATE orders SET reason = ?", ("slow",))
        assert store.renew(1, 0)
        ledger._session.say("COMMIT")


def test_a_server_that_is_gone_is_not_known_to_be_anybodys(
    opened: Open, place: LedgerPlace, postgres: Any
) -> None:
    store = opened()
    store.take(lease(1), None)
    postgres.kill()
    try:
        for ask in (store.read, lambda: store.renew(1, 0), lambda: store.give_back(1), opened):
            with pytest.raises(LeaseUnavailable):
                ask()
    finally:
        postgres.start()
    assert opened().renew(1, 0)
