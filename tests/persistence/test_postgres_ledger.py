"""What holds for the ledger in PostgreSQL besides the contract."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from messages.errors import Away, LedgerConflict, LedgerFenced, LedgerLost, LedgerUnavailable
from messages.values import OrderState as S
from persistence.ledger import Claim
from persistence.ledger_place import LedgerPlace
from persistence.postgres.ledger import PostgresLedger, open_writing
from persistence.postgres.session import Session, refused
from persistence.reader import LedgerReader
from persistence.tables import TABLES
from tests.persistence.wire import Wire
from tests.persistence.writes import WRITES, ClaimOf, StepOf

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


# ---------------------------------------------------------------- how it is opened


def test_a_session_is_set_so_that_a_commit_is_durable_and_a_lost_client_is_found(
    place: LedgerPlace,
) -> None:
    with closing(open_writing(place, None)) as session:
        for name, wanted in {
            "synchronous_commit": "on",
            "statement_timeout": "5s",
            "lock_timeout": "3s",
            "idle_in_transaction_session_timeout": "5s",
            "transaction_isolation": "read committed",
            "client_connection_check_interval": "2s",
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }.items():
            assert session.say(f"SHOW {name}") == [(wanted,)]


@pytest.mark.parametrize("found", ["off", "local"])
def test_a_server_that_answers_before_it_has_written_is_refused(found: str) -> None:
    assert "synchronous_commit stays" in refused(found, 180_000, is_direct=True)
    assert refused("on", 180_000, is_direct=True) == ""
    assert "14 is the least" in refused("on", 130_000, is_direct=True)


def test_a_pooler_that_could_hand_a_session_to_another_ledger_is_refused(
    place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a one is known by this: the number it gives is not that of the process that answers."""
    from psycopg import ConnectionInfo

    open_writing(place, None).close()
    monkeypatch.setattr(ConnectionInfo, "backend_pid", 1)
    with pytest.raises(LedgerUnavailable, match="a pooler stands between"):
        open_writing(place, None)
    with pytest.raises(LedgerUnavailable, match="a pooler stands between"):
        LedgerReader(place)


def test_the_tables_are_those_of_the_models(place: LedgerPlace) -> None:
    with closing(open_writing(place, None)) as session:
        for model in TABLES:
            meta: Any = model._meta
            found = session.say(
                "SELECT column_name, is_nullable = 'YES', data_type, collation_name"
                " FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND table_name = $1"
                " ORDER BY ordinal_position",
                (meta.table_name,),
            )
            fields = meta.sorted_fields
            assert {(one.column_name, one.null) for one in fields} == {row[:2] for row in found}
            assert {row[3] for row in found if row[2] == "text"} <= {"C"}


def test_two_that_open_a_new_ledger_at_once_make_it_once(place: LedgerPlace) -> None:
    problems: list[Exception] = []

    def open_it() -> None:
        try:
            open_writing(place, None).close()
        except LedgerUnavailable as error:
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []


def test_a_ledger_that_was_dropped_is_not_begun_anew_under_the_same_lease(
    postgres: Any, place: LedgerPlace
) -> None:
    open_writing(place, None).close()
    postgres.say(f'DROP SCHEMA "{place.schema}" CASCADE')
    with pytest.raises(LedgerUnavailable, match="is gone"):
        PostgresLedger(place, 1)


def test_one_of_a_newer_version_is_refused(place: LedgerPlace) -> None:
    with closing(open_writing(place, None)) as session:
        session.say("INSERT INTO schema_migration (name, applied) VALUES ('9999_x', now())")
    with pytest.raises(LedgerUnavailable, match="newer version of watchkeeper"):
        PostgresLedger(place)


def test_two_ledgers_in_one_database_know_nothing_of_each_other(
    postgres: Any, place: LedgerPlace, claim_of: ClaimOf
) -> None:
    with (
        closing(PostgresLedger(place)) as one,
        closing(PostgresLedger(postgres.place())) as other,
    ):
        one.claim([claim_of(1)], 1)
        other.claim([claim_of(1)], 1)
        assert one.states() == other.states() == {S.CLAIMED: 1}


def test_without_an_address_the_sentence_names_the_variable(
    place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(place.url_env)
    with pytest.raises(LedgerUnavailable, match=f"environment variable {place.url_env}"):
        PostgresLedger(place)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bot:hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:hunter2secret@127.0.0.1:notaport/x",
        "postgresql://bot:hunter2secret@[::1/x",
        "mysql://bot:hunter2secret@127.0.0.1/x",
        "host=127.0.0.1 port=1 user=bot password=hunter2secret",
        "hunter2secret",
        "postgresql://bot:x@hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:x/hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:1/hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:x#hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:x?hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:x%hunter2secret@127.0.0.1:1/x",
        "postgresql://bot:x hunter2secret@127.0.0.1:1/x",
    ],
)
def test_no_refusal_shows_the_password(
    place: LedgerPlace, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(place.url_env, url)
    with pytest.raises(LedgerUnavailable) as told:
        PostgresLedger(place, patience_s=0)
    shown: BaseException | None = told.value
    while shown is not None:
        assert "hunter2secret" not in str(shown)
        shown = shown.__cause__


def test_a_wrong_password_is_told_and_not_shown(
    postgres: Any, place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(place.url_env, f"postgresql://bot:hunter2@127.0.0.1:{postgres.port}/x")
    with pytest.raises(LedgerUnavailable, match="password authentication failed") as told:
        PostgresLedger(place, patience_s=0)
    assert "hunter2" not in str(told.value)
    assert not isinstance(told.value, Away), "nobody would ever wait for a password to change"


# ---------------------------------------------------------------- one writer


def content(place: LedgerPlace) -> list[Any]:
    with LedgerReader(place) as reader:
        tables = ("orders", "order_events", "fills", "positions", "state_counts", "flags", "stops")
        return [sorted(reader.rows(f"SELECT * FROM {name}")) for name in tables]


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


# ---------------------------------------------------------------- what is lost


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


def test_text_that_the_database_cannot_hold_stops_nothing(
    place: LedgerPlace, claim_of: ClaimOf, step_of: StepOf
) -> None:
    with closing(PostgresLedger(place)) as ledger:
        ledger.claim([claim_of(1, reason="a\0b")], 1)
        ledger.record([step_of(1, S.SENT, reason="\0")])
        (entry,) = ledger.entries()
        assert (entry.reason, entry.state_reason) == ("a␀b", "␀")


# ---------------------------------------------------------------- reading beside it


def test_a_reader_can_not_write_and_sees_one_moment(place: LedgerPlace, claim_of: ClaimOf) -> None:
    with closing(PostgresLedger(place)) as ledger, LedgerReader(place) as reader:
        ledger.claim([claim_of(1)], 1)
        with reader.one_moment():
            assert len(reader.open_keys()) == 1
            ledger.claim([claim_of(2)], 1)
            assert len(reader.open_keys()) == 1
        assert len(reader.open_keys()) == 2
        assert reader.problems() == []
        with pytest.raises(LedgerLost, match="read-only"):
            reader.rows("DELETE FROM flags RETURNING key")


def test_reading_where_no_run_has_been_says_so(place: LedgerPlace) -> None:
    with pytest.raises(LedgerUnavailable, match="is not there"):
        LedgerReader(place)


def test_a_fence_that_was_taken_away_is_a_problem(postgres: Any, place: LedgerPlace) -> None:
    open_writing(place, None).close()
    postgres.say(f'ALTER TABLE "{place.schema}".orders DISABLE TRIGGER fence')
    with LedgerReader(place) as reader:
        assert reader.problems() == ["orders has lost its fence"]
