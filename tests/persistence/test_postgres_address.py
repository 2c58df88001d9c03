"""An address that nobody could ever answer at is refused at once, and nothing of it is shown."""

import pytest

pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

from messages.errors import LedgerUnavailable
from ops.lease_place import paper_place
from persistence.ledger_place import LedgerPlace
from persistence.postgres.address import parameters_of
from persistence.postgres.ledger import PostgresLedger

PLACE = LedgerPlace(schema="wk_trial", url_env="WATCHKEEPER_TEST_ADDRESS")
REFUSED = {
    "postgresql://bot:s3cret@127.0.0.1:notaport/x": "not with that port",
    "postgresql://bot:s3cret@127.0.0.1:99999/x": "not with that port",
    "postgresql://bot:s3cret/word@127.0.0.1/x": "not with that dbname",
    "postgresql://bot:pass@s3cret@127.0.0.1/x": "not with that host",
    "postgresql://bot:12/s3cret@127.0.0.1/x": "not with that dbname",
    "postgresql://bot:s3cret@127.0.0.1/x?sslmode=always": "not with that sslmode",
    "postgresql://bot:s3cret@[::1/x": "holds no address",
    "mysql://bot:s3cret@127.0.0.1/x": "holds no address",
    "s3cret": "holds no address",
}
TAKEN = {
    "postgresql://bot:p%40ss@127.0.0.1:1/x": "p@ss",
    "postgresql://bot:word@db.example,other.example:5433/x?target_session_attrs=primary": "word",
    "host=/var/run/postgresql user=bot dbname=x password=word": "word",
}


@pytest.mark.parametrize("url", REFUSED)
def test_what_the_library_refuses_is_not_waited_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(seconds: float) -> None:
        raise AssertionError(f"waits {seconds} s for a server that no address leads to")

    monkeypatch.setenv(PLACE.url_env, url)
    monkeypatch.setattr("persistence.postgres.ledger.time.sleep", wait)
    for act in (lambda: PostgresLedger(PLACE), paper_place(PLACE).prepare):
        with pytest.raises(LedgerUnavailable, match=REFUSED[url]) as told:
            act()
        assert PLACE.url_env in str(told.value)
        assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("url", TAKEN)
def test_what_may_be_answered_at_is_taken_apart(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLACE.url_env, url)
    assert parameters_of(PLACE)["password"] == TAKEN[url]
