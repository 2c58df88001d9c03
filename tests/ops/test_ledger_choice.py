"""Which ledger a run directory has, without a server: what is refused, written and hidden."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import cli
from messages.errors import ConfigError, LedgerUnavailable
from ops.config import Config, effective_toml, parse
from ops.config_write import to_toml
from ops.doctor_database import durable_findings
from ops.doctor_finding import Level
from ops.held_ledger import hold_of
from ops.ledger_choice import settle_place
from ops.ledger_copies import backup
from ops.options import StartOptions
from ops.run_config import config_for
from ops.run_dir import RunDir
from ops.secret_values import cleaner, secrets_of
from persistence.database import open_ledger_database
from persistence.ledger import SqliteLedger
from persistence.ledger_place import LedgerPlace, place_in, words_of
from persistence.reader import LedgerReader

PLACE = LedgerPlace(schema="wk_paper_x_1", url_env="WK_URL")
URL = "postgresql://bot:hunter2%40secret@db.example/x"


def config(run_dir: Path, **idempotency: Any) -> Config:
    document = {
        "name": "x",
        "run_dir": str(run_dir),
        "strategy": [{"id": "a", "uses": "sma_cross"}],
        "idempotency": idempotency,
    }
    return parse(document, Path())


def in_database(run_dir: Path) -> Config:
    return config(run_dir, backend="postgres", database_url_env="WK_URL")


def test_the_address_may_stand_in_a_file_which_is_read_anew_and_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WK_URL", raising=False)
    monkeypatch.setenv("WK_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(LedgerUnavailable, match=r"WK_URL_FILE: .* no such file"):
        assert PLACE.url
    for url in (URL, URL.replace("bot", "another")):
        (tmp_path / "url").write_text(f"{url}\n")
        assert PLACE.url == url

    hidden = secrets_of(in_database(tmp_path / "run"))

    assert {PLACE.url, "hunter2@secret"} <= set(hidden)


def test_a_ledger_is_held_offline_with_a_key_that_stands_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`halt` without a process: the key names the account, and with it the ledger."""
    (tmp_path / "key").write_text("a-key\n")
    monkeypatch.setenv("WK_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("WK_KEY", "")  # what is set for the process goes with the test
    venue = {
        "type": "ccxt",
        "exchange": "binance",
        "api_key_env": "WK_KEY",
        "api_secret_env": "WK_SECRET",
    }
    document = {
        "name": "x",
        "mode": "live",
        "feed": {"type": "ccxt", "symbols": ["BTC/USDT"]},
        "venue": venue,
        "risk": {"max_order_notional": "10"},
        "strategy": [{"id": "a", "uses": "sma_cross"}],
    }
    with RunDir(tmp_path / "run") as held:
        held.effective_config.write_text(to_toml(document))
        held.ledger.write_bytes(words_of(PLACE))
        with (
            pytest.raises(ConfigError, match="not for the ledger wk_binance"),
            hold_of(PLACE, held),
        ):
            pass


@pytest.mark.parametrize("backend", [None, "sqlite", "memory"])
def test_the_variable_of_a_database_that_is_not_used_is_a_mistake(backend: str | None) -> None:
    with pytest.raises(ConfigError, match="say --idempotency-backend postgres too"):
        config_for(StartOptions(idempotency_backend=backend, database_url_env="WK_URL"))
    config_for(StartOptions(idempotency_backend="postgres", database_url_env="WK_URL"))


@pytest.fixture
def run_dir(tmp_path: Path) -> Any:
    with RunDir(tmp_path / "run") as held:
        yield held


def test_what_stands_for_a_ledger_names_it_and_no_secret(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WK_URL", URL)
    run_dir.ledger.write_bytes(words_of(PLACE))

    assert place_in(run_dir.ledger) == PLACE
    assert b"hunter2" not in run_dir.ledger.read_bytes()
    assert settle_place(in_database(run_dir.path), run_dir) == PLACE


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 and more", b"{}", b'{"a":1}\n'])
def test_any_other_file_stands_for_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    assert place_in(tmp_path / "ledger.db") is None
    assert place_in(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"watchkeeper_ledger":"oracle","schema":"x","url_env":"Y"}', "does not know"),
        (b'{"watchkeeper_ledger":"postgres"', "cannot be read"),
        (b'{"watchkeeper_ledger":"postgres","schema":1,"url_env":"Y"}', "cannot be read"),
    ],
)
def test_what_a_newer_version_left_is_not_begun_anew(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerUnavailable, match=told):
        place_in(tmp_path / "ledger.db")


def test_a_start_on_a_ledger_of_a_newer_version_is_refused_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a way back: whoever starts it again and again mends nothing."""
    ledger = tmp_path / "run" / "ledger.db"
    with RunDir(ledger.parent):
        SqliteLedger(ledger).close()
    with closing(sqlite3.connect(ledger)) as raw, raw:
        raw.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '')")
    before = ledger.read_bytes()

    assert cli.main(["start", "--run-dir", str(tmp_path / "run")]) == 2

    assert capsys.readouterr().err == (
        f"watchkeeper: {ledger} was written by a newer version of watchkeeper (schema 9999_later):"
        " install that version to use this ledger\n"
    )
    assert ledger.read_bytes() == before


def test_it_is_not_taken_for_a_file_of_sqlites(run_dir: RunDir) -> None:
    run_dir.ledger.write_bytes(words_of(PLACE))
    before = run_dir.ledger.read_bytes()
    with pytest.raises(LedgerUnavailable, match="stands for the ledger wk_paper_x_1"):
        open_ledger_database(run_dir.ledger)
    assert run_dir.ledger.read_bytes() == before


def test_a_copy_of_it_is_not_taken_for_a_copy_of_the_ledger(
    run_dir: RunDir, tmp_path: Path
) -> None:
    run_dir.ledger.write_bytes(words_of(PLACE))
    with pytest.raises(LedgerUnavailable, match="the server's own means copy it"):
        backup(run_dir.path, tmp_path / "copy.db", as_json=False)
    assert not (tmp_path / "copy.db").exists()


def test_a_run_directory_whose_ledger_is_elsewhere_is_not_begun_with_a_file(
    run_dir: RunDir,
) -> None:
    run_dir.ledger.write_bytes(words_of(PLACE))
    for backend in ("sqlite", "memory"):
        with pytest.raises(ConfigError, match='start it with "postgres"'):
            settle_place(config(run_dir.path, backend=backend), run_dir)


def test_a_run_directory_with_a_file_is_not_begun_in_a_database(run_dir: RunDir) -> None:
    open_ledger_database(run_dir.ledger).close()
    with pytest.raises(ConfigError, match="ledger migrate"):
        settle_place(in_database(run_dir.path), run_dir)
    assert place_in(run_dir.ledger) is None


def test_a_reader_without_the_address_names_the_variable(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WK_URL", raising=False)
    run_dir.ledger.write_bytes(words_of(PLACE))
    with pytest.raises(LedgerUnavailable, match="environment variable WK_URL"):
        LedgerReader(run_dir.ledger)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"backend": "postgres"}, "idempotency.database_url_env: is needed"),
        ({"backend": "postgres", "database_url_env": URL}, "must name an environment variable"),
        ({"url": URL}, "put the address into the environment"),
    ],
)
def test_an_address_does_not_stand_in_the_file(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        config(tmp_path, **settings)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("address", [URL, "host=h user=u password='hunter2@secret'"])
def test_no_line_shows_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("WK_URL", address)
    clean = cleaner(secrets_of(in_database(tmp_path)))
    for text in (address, "it said hunter2@secret", "it said hunter2%40secret"):
        assert "hunter2" not in clean(text)
    assert "hunter2" not in effective_toml(in_database(tmp_path))


@pytest.mark.parametrize(
    ("address", "password"),
    [
        ("postgresql://bot:x#hunter2@db.example/x", "x#hunter2"),
        ("postgresql://bot:x:hunter2@db.example/x", "x:hunter2"),
        ("postgresql://bot:first@db.example/x?sslpassword=hunter%262", "hunter&2"),
        ("host=h user=u password='it\\'s hunter2'", "it's hunter2"),
    ],
)
def test_what_the_driver_takes_for_a_password_is_hidden_whatever_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, password: str
) -> None:
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    monkeypatch.setenv("WK_URL", address)
    clean = cleaner(secrets_of(in_database(tmp_path)))
    assert "hunter" not in clean(f"<{password}>")


GOOD = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_standby_names": "",
    "server_version": "18.4",
    "in_recovery": "false",
}


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, Level.OK),
        ({"fsync": "off"}, Level.PROBLEM),
        ({"full_page_writes": "off"}, Level.WARNING),
        ({"in_recovery": "true"}, Level.PROBLEM),
    ],
)
def test_a_server_that_does_not_flush_is_told_of(change: dict[str, str], level: Level) -> None:
    first, *_ = durable_findings({**GOOD, **change})
    assert first.level is level
