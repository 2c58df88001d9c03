"""The schema: the scripts lead to what the models say, and newer files are left alone."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest
from peewee import SqliteDatabase
from playhouse.migrations import Runner

from messages.errors import LedgerUnavailable
from messages.orders import Fill
from messages.values import OrderState
from persistence.database import open_ledger_database
from persistence.entries import LedgerEntry, claimed_entry
from persistence.ledger import Claim, SqliteLedger, Step, read_events, read_orders
from persistence.migrate import MIGRATIONS, upgrade
from persistence.schema import NAMES
from persistence.statements import order_row
from persistence.tables import TABLES


def schema_of(path: Path) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE tbl_name <> 'schema_migration' AND sql IS NOT NULL"
            " AND type IN ('table', 'index')"
        )
        return {(kind, name, in_one_line(sql)) for kind, name, sql in rows}


def in_one_line(sql: str) -> str:
    return " ".join(sql.split())


def migrated_by_the_scripts(path: Path) -> Path:
    with closing(SqliteDatabase(str(path))) as database:
        Runner(database, str(MIGRATIONS)).up()
    return path


def test_the_migrations_lead_to_the_schema_of_the_models(tmp_path: Path) -> None:
    migrated, fresh = migrated_by_the_scripts(tmp_path / "migrated.db"), tmp_path / "fresh.db"
    with closing(SqliteDatabase(str(fresh))) as database, database.bind_ctx(TABLES):
        database.create_tables(TABLES)
    assert schema_of(migrated) == schema_of(fresh) != set()


def test_a_new_file_is_what_the_scripts_lead_to(tmp_path: Path) -> None:
    def content(path: Path) -> tuple[list[tuple[str, ...]], list[str]]:
        with closing(sqlite3.connect(path)) as raw:
            master = raw.execute(
                "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
            )
            names = raw.execute("SELECT name FROM schema_migration ORDER BY id")
            return (
                sorted((*row[:3], in_one_line(row[3])) for row in master),
                [name for (name,) in names],
            )

    open_ledger_database(tmp_path / "new.db").close()

    assert content(tmp_path / "new.db") == content(migrated_by_the_scripts(tmp_path / "old.db"))
    assert content(tmp_path / "new.db")[1] == [*NAMES]


def test_a_script_that_is_newer_than_the_schema_is_run_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripts = tmp_path / "scripts"
    shutil.copytree(MIGRATIONS, scripts)
    (scripts / "0100_more.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE more (x)')\n"
    )
    monkeypatch.setattr("persistence.migrate.MIGRATIONS", scripts)

    with closing(open_ledger_database(path)) as database:
        assert upgrade(database, time.time_ns) == []

    assert ("table", "more", "CREATE TABLE more (x)") in schema_of(path)
    assert ("table", "orders") in {entry[:2] for entry in schema_of(path)}


@pytest.mark.parametrize("back_to", [None, "0004_claims_once"])
def test_when_a_script_was_applied_is_by_the_clock_of_who_opens(
    path: Path, back_to: str | None
) -> None:
    """Or a run in virtual time could not leave the same bytes twice."""
    with closing(open_ledger_database(path, lambda: 1_700_000_000_123_456_789)) as database:
        applied = Runner(database, str(MIGRATIONS)).applied()
        if back_to is not None:
            Runner(database, str(MIGRATIONS)).down(back_to)
    with closing(open_ledger_database(path, lambda: 1_800_000_000 * 10**9)) as database:
        now = Runner(database, str(MIGRATIONS)).applied()

    assert {str(at) for at in applied.values()} == {"2023-11-14 22:13:20.123000"}
    again = [name for name in NAMES if now[name] != applied[name]]
    assert again == [name for name in NAMES if back_to is not None and name >= back_to]
    assert {str(now[name]) for name in again} <= {"2027-01-15 08:00:00"}


def test_the_verbs_of_the_ledger_are_part_of_the_file(path: Path) -> None:
    open_ledger_database(path).close()
    with closing(sqlite3.connect(path)) as raw:
        names = raw.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')")
        assert {name for (name,) in names} == {
            "order_claimed",
            "order_steps",
            "order_stepped",
            "order_history",
        }


@pytest.mark.parametrize(
    "back_to", ["0002_verbs", "0003_decided_quantity", "0004_claims_once", "0005_fill_of_an_order"]
)
def test_a_ledger_of_an_earlier_version_is_upgraded_and_goes_on(
    path: Path, claim_of: Callable[..., Claim], step_of: Callable[..., Step], back_to: str
) -> None:
    with closing(open_ledger_database(path)) as database:
        Runner(database, str(MIGRATIONS)).down(back_to)
    with closing(sqlite3.connect(path)) as raw, raw:
        columns = [row[1] for row in raw.execute("PRAGMA table_info(orders)")]
        names = (*LedgerEntry.__struct_fields__, "claimed_at_ns")
        known = dict(zip(names, order_row(claimed_entry(claim_of(1), 7)), strict=True))
        marks = ", ".join("?" * len(columns))
        raw.execute(f"INSERT INTO orders VALUES ({marks})", [known[name] for name in columns])
        if back_to == "0002_verbs":
            raw.execute("INSERT INTO state_counts VALUES ('claimed', 1)")
    with closing(SqliteLedger(path)) as ledger:
        ledger.write([step_of(1, OrderState.SENT)], [claim_of(2)], 8)
        assert ledger.states() == {OrderState.SENT: 1, OrderState.CLAIMED: 1}
    if back_to != "0002_verbs":  # before, the program wrote the history, and here none did
        keys = [claim_of(number).intent.order_key for number in (1, 2)]
        upgraded, new = (read_events(path, key) for key in keys)
        assert [event.to_state for event in upgraded] == [OrderState.CLAIMED, OrderState.SENT]
        assert [event.to_state for event in new] == [OrderState.CLAIMED]


def test_what_was_executed_is_kept_over_the_change_of_its_key(
    path: Path,
    claim_of: Callable[..., Claim],
    step_of: Callable[..., Step],
    fill_of: Callable[..., Fill],
) -> None:
    keys = [claim_of(number).intent.order_key for number in range(3)]
    with closing(SqliteLedger(path)) as ledger:
        ledger.write([], [claim_of(number) for number in range(3)], 7)
        ledger.record([step_of(number, OrderState.SENT) for number in range(3)])
        fills = [fill_of("t1", "1.5"), fill_of("t2", "1.5"), fill_of("t3", "1.5")]
        for number, fill in enumerate(fills):
            ledger.record([step_of(number, OrderState.FILLED, "1.5", fills=(fill,))])
    with closing(open_ledger_database(path)) as database:
        Runner(database, str(MIGRATIONS)).down("0005_fill_of_an_order")
    with closing(SqliteLedger(path)) as ledger:
        assert [ledger.fills_of(key) for key in keys] == [[fill] for fill in fills]


def test_a_way_back_that_would_lose_an_execution_is_refused_and_changes_nothing(
    path: Path,
    claim_of: Callable[..., Claim],
    step_of: Callable[..., Step],
    fill_of: Callable[..., Fill],
) -> None:
    """Two of our own orders met: one trade id, two executions."""
    with closing(SqliteLedger(path)) as ledger:
        ledger.write([], [claim_of(1), claim_of(2)], 7)
        for number in (1, 2):
            ledger.record([step_of(number, OrderState.SENT)])
            fills = (fill_of("t1", "1.5"),)
            ledger.record([step_of(number, OrderState.FILLED, "1.5", fills=fills)])
    with closing(open_ledger_database(path)) as database:
        Runner(database, str(MIGRATIONS)).down("0006_stops")
    before = schema_of(path)
    with (
        closing(SqliteDatabase(str(path))) as database,
        pytest.raises(LedgerUnavailable, match="1 executions have the trade id of another"),
    ):
        Runner(database, str(MIGRATIONS)).down("0005_fill_of_an_order")
    assert schema_of(path) == before
    with closing(SqliteLedger(path)) as ledger:
        fills_of = [ledger.fills_of(claim_of(number).intent.order_key) for number in (1, 2)]
    assert [len(fills) for fills in fills_of] == [1, 1]


def test_a_ledger_that_somebody_reads_is_upgraded_and_the_reader_goes_on(
    path: Path,
    claim_of: Callable[..., Claim],
    step_of: Callable[..., Step],
    fill_of: Callable[..., Fill],
) -> None:
    with closing(SqliteLedger(path)) as ledger:
        ledger.write([], [claim_of(1)], 7)
        ledger.record([step_of(1, OrderState.SENT)])
        ledger.record([step_of(1, OrderState.FILLED, "1.5", fills=(fill_of("t1", "1.5"),))])
    with closing(open_ledger_database(path)) as database:
        Runner(database, str(MIGRATIONS)).down("0005_fill_of_an_order")
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        count = "SELECT count(*) FROM fills"
        assert reader.execute(count).fetchone() == (1,)
        SqliteLedger(path).close()
        assert reader.execute(count).fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute(count).fetchone() == (1,)


def test_every_migration_can_be_taken_back(path: Path) -> None:
    with closing(open_ledger_database(path)) as database:
        runner = Runner(database, str(MIGRATIONS))
        while runner.applied():
            runner.down()
    assert schema_of(path) == set()


def test_an_up_to_date_file_is_not_touched(path: Path) -> None:
    with closing(open_ledger_database(path)) as database:
        assert upgrade(database, time.time_ns) == []
        assert database.pragma("foreign_keys") == 1


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            "INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2099-01-01')"
        )
    before = path.read_bytes()
    for opening in (SqliteLedger, read_orders):
        with pytest.raises(LedgerUnavailable, match=r"newer version .*9999_later"):
            opening(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_no_half_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "0001_half.py").write_text(
        "def up(migrator, db):\n"
        "    db.execute_sql('CREATE TABLE half (x)')\n"
        "    db.execute_sql('nonsense')\n"
    )
    monkeypatch.setattr("persistence.migrate.MIGRATIONS", scripts)
    with pytest.raises(LedgerUnavailable, match="nonsense"):
        open_ledger_database(path)
    assert schema_of(path) == set()


def test_the_scripts_belong_to_a_package_and_so_to_the_wheel() -> None:
    package = import_module("persistence.migrations")
    assert Path(str(package.__file__)).parent == MIGRATIONS
    assert sorted(MIGRATIONS.glob("[0-9]*.py"))
