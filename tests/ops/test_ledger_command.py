"""`ledger migrate`: every row goes over, or nothing does, wherever it is killed."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.errors import ConfigError, LedgerUnavailable, RunDirBusy
from messages.ids import TimestampNs
from messages.lineage import ACCEPTED, COPIED, Accepted, Copied, text_of
from messages.stops import Stop, StopState
from messages.values import OrderState as S
from ops import ledger_command
from ops.config import demo_config, effective_toml
from ops.ledger_choice import settle_place
from ops.ledger_command import FORMER, ledger_migrate
from ops.run_dir import RunDir
from persistence.ledger import SqliteLedger
from persistence.ledger_place import LedgerPlace, place_in
from persistence.postgres.ledger import PostgresLedger, open_writing
from persistence.reader import LedgerReader
from strategies import check_params
from tests.persistence import conftest as samples
from tests.persistence.postgres_server import URL_ENV, Server, running
from tests.persistence.test_ledger_stops import stop_for

pytestmark = pytest.mark.slow
only_long = pytest.mark.skipif(
    not os.environ.get("WATCHKEEPER_STRESS"), reason="a long proof: WATCHKEEPER_STRESS=1"
)
MANY = 3_000 if os.environ.get("WATCHKEEPER_STRESS") else 600


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


@pytest.fixture
def run_dir(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has ended: orders in every state, stops in every state, a halt, notes, marks."""
    monkeypatch.setenv(URL_ENV, server.url)
    run = tmp_path / "run"
    run.mkdir()
    config = demo_config({"run_dir": str(run)}, check_params)
    (run / "config.effective.toml").write_text(effective_toml(config))
    with closing(SqliteLedger(run / "ledger.db")) as ledger:
        fill(ledger)
    return run


def fill(ledger: Any) -> None:
    step, make_fill = samples.make_step, samples.make_fill
    ledger.claim([samples.make_claim(number) for number in range(MANY)], 7)
    ledger.record([step(number, S.SENT) for number in range(MANY - 500)])
    ledger.record(
        [step(n, S.FILLED, "1.5", fills=(make_fill("t"), make_fill("u"))) for n in range(9)]
    )
    ledger.record([step(number, S.UNKNOWN, reason="ünklar 'x'") for number in range(10, 20)])
    ledger.claim([samples.make_claim(5_000, refused="no", limit_price=None)], 8)
    ledger.set_halt("a person")
    copied = text_of(Copied(copied_at_ns=TimestampNs(6), orders=4, newest_key="k", run_dir="r"))
    accepted = text_of(Accepted(
        copied_at_ns=None, accepted_at_ns=TimestampNs(7), not_before_ns=TimestampNs(8),
        evidence="looked at 'it', ünd asked",
    ))  # fmt: skip
    notes = {"equity": '{"a":"1E-18"}', COPIED: copied, ACCEPTED: accepted}
    ledger.write((), (), 9, notes, stops())


def stops() -> list[Stop]:
    """In each state, with all that a stop may hold and with nothing of it."""
    armed, acted, done = (stop_for(samples.make_claim(number)) for number in (1, 2, 3))
    return [
        armed,
        msgspec.structs.replace(
            acted,
            state=StopState.ACTED,
            stop_loss=None,
            take_profit=Decimal("1E+3"),
            trails_by=None,
            released=Decimal("0.50"),
            exits=(samples.key_of(4), samples.key_of(5)),
            failed=2,
            cause="take_profit",
            acted_at_ns=TimestampNs(9),
            acted_price=Decimal("110.0"),
            is_inside=True,
            why="ein Grund mit 'Zeichen'",
        ),
        msgspec.structs.replace(done, state=StopState.DONE),
    ]


def told(where: Path) -> tuple[object, ...]:
    with LedgerReader(where / "ledger.db") as ledger:
        entries = list(ledger.newest_orders())
        return (
            entries,
            [ledger.events(one.order_key) for one in entries[-30:]],
            [ledger.fills(one.order_key) for one in entries[-30:]],
            ledger.states(),
            dict(ledger.positions()),
            ledger.halt_reason(),
            [ledger.note(name) for name in ("equity", COPIED, ACCEPTED)],
            ledger.all_stops(),
        )


def to_postgres(run: Path) -> int:
    return ledger_migrate(run, "postgres", URL_ENV, as_json=True)


def to_sqlite(run: Path) -> int:
    return ledger_migrate(run, "sqlite", None, as_json=False)


def place(run: Path) -> LedgerPlace:
    found = place_in(run / "ledger.db")
    assert found is not None
    return found


def begun(run: Path) -> LedgerPlace:
    found = place_in(run / "ledger.db.migrating")
    assert found is not None
    return found


def test_there_and_back_nothing_is_lost_and_nothing_changes(run_dir: Path) -> None:
    before = told(run_dir)
    assert before[-1] == stops()

    assert to_postgres(run_dir) == 0
    assert place_in(run_dir / "ledger.db") is not None
    assert told(run_dir) == before
    assert to_sqlite(run_dir) == 0
    assert place_in(run_dir / "ledger.db") is None
    assert told(run_dir) == before
    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        ledger.claim([samples.make_claim(9_000)], 1)


@only_long
def test_the_ledger_that_was_moved_goes_on_where_it_is_now(run_dir: Path) -> None:
    to_postgres(run_dir)

    with closing(PostgresLedger(place(run_dir))) as ledger:
        ledger.record([samples.make_step(MANY - 1, S.SENT)])
        ledger.clear_halt()
    assert to_sqlite(run_dir) == 0
    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        assert ledger.halt_reason() is None
        key = samples.key_of(MANY - 1)
        assert ledger.lookup([key])[key].state is S.SENT


@only_long
def test_the_file_of_before_stays_beside_it(run_dir: Path) -> None:
    content = (run_dir / "ledger.db").read_bytes()
    to_postgres(run_dir)
    assert (run_dir / FORMER).read_bytes() == content


def test_a_copy_in_the_database_that_was_left_is_of_no_use_any_more(run_dir: Path) -> None:
    to_postgres(run_dir)
    left = place(run_dir)
    to_sqlite(run_dir)
    with pytest.raises(LedgerUnavailable, match="is gone"):
        PostgresLedger(left, 1)


def killed(monkeypatch: pytest.MonkeyPatch, where: str, command: Callable[[], object]) -> None:
    """Give a command that dies where it calls that."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger_command, where, die)
        with pytest.raises(KeyboardInterrupt):
            command()


@only_long
@pytest.mark.parametrize("where", ["_fill_database", "compare", "_set_aside"])
def test_killed_anywhere_the_run_has_its_file_and_the_command_can_be_given_again(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = told(run_dir)

    killed(monkeypatch, where, lambda: to_postgres(run_dir))
    assert place_in(run_dir / "ledger.db") is None
    assert told(run_dir) == before

    assert to_postgres(run_dir) == 0
    assert told(run_dir) == before


@only_long
@pytest.mark.parametrize("where", ["copy", "compare", "_turn_to_file"])
def test_killed_on_the_way_back_the_run_has_its_database(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    to_postgres(run_dir)
    before = told(run_dir)

    killed(monkeypatch, where, lambda: to_sqlite(run_dir))
    assert place_in(run_dir / "ledger.db") is not None
    assert told(run_dir) == before

    assert to_sqlite(run_dir) == 0
    assert told(run_dir) == before


def test_killed_before_the_databases_copy_is_out_of_use_it_is_put_so_by_the_next_try(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The file has its place already: the command said "a file already", and both could trade."""
    to_postgres(run_dir)
    left, before = place(run_dir), told(run_dir)
    config = demo_config({"run_dir": str(run_dir)}, check_params)

    killed(monkeypatch, "_leave", lambda: to_sqlite(run_dir))
    assert (place_in(run_dir / "ledger.db"), told(run_dir)) == (None, before)
    once_more = pytest.raises(ConfigError, match=r"ledger migrate .* --to sqlite once more")
    with closing(RunDir(run_dir).open()) as held, once_more:
        settle_place(config, held)
    capsys.readouterr()

    killed(monkeypatch, "forget", lambda: to_sqlite(run_dir))
    assert to_sqlite(run_dir) == 0
    assert capsys.readouterr().out == f"the ledger of {run_dir} is {run_dir / 'ledger.db'}\n"
    with pytest.raises(LedgerUnavailable, match="is gone"):
        PostgresLedger(left, 1)
    with closing(RunDir(run_dir).open()) as held:
        assert settle_place(config, held) is None
    with pytest.raises(ConfigError, match="is a file already"):
        to_sqlite(run_dir)


def test_a_copy_in_the_database_that_went_on_is_not_put_out_of_use(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another host may have taken over there: its orders are in no file."""
    to_postgres(run_dir)
    left = place(run_dir)
    killed(monkeypatch, "_leave", lambda: to_sqlite(run_dir))
    with closing(PostgresLedger(left)) as ledger:
        ledger.claim([samples.make_claim(9_000)], 1)

    with pytest.raises(LedgerUnavailable, match="differ in orders at") as refused:
        to_sqlite(run_dir)

    words = re.search(r"it is the run's: mv (\S+) (\S+), and start with it", str(refused.value))
    assert words is not None
    Path(words[1]).replace(words[2])
    assert place(run_dir) == left
    before = told(run_dir)
    assert to_sqlite(run_dir) == 0
    assert told(run_dir) == before


def test_a_try_before_the_run_went_on_is_not_written_over_and_it_is_said_what_to_do(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(monkeypatch, "_set_aside", lambda: to_postgres(run_dir))
    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        ledger.claim([samples.make_claim(9_000)], 1)

    with pytest.raises(LedgerUnavailable, match="differ in orders at") as refused:
        to_postgres(run_dir)

    words = re.search(r"in the database \((ALTER .*)\), then try it again", str(refused.value))
    assert words is not None
    with closing(open_writing(begun(run_dir), None)) as session:
        session.say(words[1])
    before = told(run_dir)
    assert to_postgres(run_dir) == 0
    assert told(run_dir) == before


CHANGES = {
    "orders": "UPDATE orders SET reason = 'x' WHERE client_order_id = 'wk7'",
    "order_events": "UPDATE order_events SET at_ns = at_ns + 1 WHERE number = 2",
    "fills": "DELETE FROM fills WHERE trade_id = 'u'",
    "positions": "UPDATE positions SET filled = filled || '0'",
    "state_counts": "UPDATE state_counts SET orders = orders + 1",
    "flags": "DELETE FROM flags WHERE key = 'halt'",
    "stops": "UPDATE stops SET released = '0.5' WHERE state = 'acted'",
}


@only_long
@pytest.mark.parametrize("table", CHANGES)
def test_a_single_row_that_differs_is_found_and_the_run_keeps_its_file(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    def fill_and_change(held: RunDir, where: LedgerPlace, token: int) -> None:
        original(held, where, token)
        with closing(open_writing(where, token)) as session:
            session.say(CHANGES[table])

    original = ledger_command._fill_database
    monkeypatch.setattr(ledger_command, "_fill_database", fill_and_change)
    with pytest.raises(LedgerUnavailable, match=f"the two ledgers differ in {table} at"):
        to_postgres(run_dir)
    assert place_in(run_dir / "ledger.db") is None

    with pytest.raises(LedgerUnavailable, match="differ"):  # it is not written over
        to_postgres(run_dir)


def test_a_ledger_is_not_moved_while_its_run_goes_on(run_dir: Path) -> None:
    with closing(RunDir(run_dir).open()), pytest.raises(RunDirBusy):
        to_postgres(run_dir)


@only_long
def test_what_is_there_already_is_not_moved(run_dir: Path) -> None:
    with pytest.raises(ConfigError, match="is a file already"):
        to_sqlite(run_dir)
    to_postgres(run_dir)
    with pytest.raises(ConfigError, match="has its ledger there already"):
        to_postgres(run_dir)


@only_long
def test_a_file_that_is_still_written_is_not_moved(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one that nobody told of the run's lock."""
    original = ledger_command._fill_database

    def fill_and_go_on(*arguments: Any) -> None:
        original(*arguments)
        late.claim([samples.make_claim(8_000)], 1)

    with closing(SqliteLedger(run_dir / "ledger.db")) as late:
        monkeypatch.setattr(ledger_command, "_fill_database", fill_and_go_on)
        with pytest.raises(LedgerUnavailable, match=r"differ|still open"):
            to_postgres(run_dir)
    assert place_in(run_dir / "ledger.db") is None


@only_long
def test_what_json_tells_is_what_was_moved(run_dir: Path, capsys: Any) -> None:
    to_postgres(run_dir)
    found = msgspec.json.decode(capsys.readouterr().out)
    rows = {one["table"]: one["rows"] for one in found["tables"]}
    assert (rows["orders"], rows["fills"], rows["flags"]) == (MANY + 1, 18, 4)
