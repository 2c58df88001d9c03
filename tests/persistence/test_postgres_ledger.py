"""The ledger in PostgreSQL besides the contract: how it is opened, and read beside its writer."""

import threading
from contextlib import closing
from typing import Any

import pytest

from messages.errors import Away, LedgerLost, LedgerUnavailable
from messages.values import OrderState as S
from persistence.ledger_place import LedgerPlace
from persistence.postgres.ledger import PostgresLedger, open_writing
from persistence.postgres.session import refused
from persistence.reader import LedgerReader
from persistence.tables import TABLES
from tests.persistence.writes import ClaimOf, StepOf

pytestmark = pytest.mark.slow


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


def test_text_that_the_database_cannot_hold_stops_nothing(
    place: LedgerPlace, claim_of: ClaimOf, step_of: StepOf
) -> None:
    with closing(PostgresLedger(place)) as ledger:
        ledger.claim([claim_of(1, reason="a\0b")], 1)
        ledger.record([step_of(1, S.SENT, reason="\0")])
        (entry,) = ledger.entries()
        assert (entry.reason, entry.state_reason) == ("a␀b", "␀")


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
