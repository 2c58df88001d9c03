"""A ledger that lacks what it held is told from one that never held it, whatever took it away."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from messages.errors import LedgerUnavailable
from messages.ids import TimestampNs
from messages.lineage import ACCEPTED, COPIED, RESUMED, UNKNOWN, Accepted, text_of
from messages.orders import OrderUpdate
from messages.values import OrderState
from ops.doctor import ledger_findings
from ops.lost_ledger import RESUMING_NS, check_not_lost, names_orders
from ops.run_facts import RunFacts
from persistence.ledger import SqliteLedger
from tests.ops.test_order_log import KEY, update
from tests.persistence.conftest import make_claim

LAST = make_claim(3)
SEEN_NS = 5_000


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """What a killed process left: three orders in the file, a fourth in the log beside it."""
    living, left = tmp_path / "living", tmp_path / "left"
    living.mkdir()
    with closing(SqliteLedger(living / "ledger.db")) as ledger:
        ledger.claim([make_claim(number) for number in range(3)], 7)
    with closing(SqliteLedger(living / "ledger.db")) as ledger:
        ledger.claim([LAST], 8)
        shutil.copytree(living, left)
    said = {"newest_claim": LAST.intent.order_key, "captured_at_ns": SEEN_NS}
    (left / "status.json").write_text(json.dumps(said))
    return left


def note(run_dir: Path, **notes: str) -> None:
    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        ledger.write((), (), 0, notes)


def accepted(at_ns: int) -> str:
    at = TimestampNs(at_ns)
    return text_of(
        Accepted(copied_at_ns=None, accepted_at_ns=at, not_before_ns=at, evidence="looked")
    )


def delete(ledger: Path) -> None:
    ledger.unlink()


def empty(ledger: Path) -> None:
    ledger.write_bytes(b"")


def lose_the_log(ledger: Path) -> None:
    ledger.with_name("ledger.db-wal").unlink()


def put_an_older_copy(ledger: Path) -> None:
    older = ledger.with_name("older.db")
    with closing(SqliteLedger(older)) as copy:
        copy.claim([make_claim(0)], 7)
    lose_the_log(ledger)
    older.replace(ledger)


def make_another_database(ledger: Path) -> None:
    delete(ledger)
    lose_the_log(ledger)
    with closing(sqlite3.connect(ledger)) as other:
        other.execute("PRAGMA journal_mode = wal")


def halted(run_dir: Path, *, seen_ns: int = SEEN_NS) -> Path:
    """As a process leaves it that has halted: what it says, and not yet its ledger."""
    halt = {"on_disk": True, "reason": "the price looks wrong"}
    said = json.loads((run_dir / "status.json").read_text())
    told = said | {"halt": halt, "captured_at_ns": seen_ns}
    (run_dir / "status.json").write_text(json.dumps(told))
    return run_dir


def test_a_halt_that_its_ledger_does_not_know_any_more_is_refused_too(run_dir: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=r"does not know the halt, which it held"):
        check_not_lost(halted(run_dir))


def test_where_no_order_ever_was_a_halt_went_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{}")

    with pytest.raises(LedgerUnavailable, match=r"does not know the halt"):
        check_not_lost(halted(tmp_path))


def test_one_that_is_there_or_that_a_person_has_ended_since_is_no_loss(run_dir: Path) -> None:
    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        ledger.set_halt("the price looks wrong")
    assert check_not_lost(halted(run_dir)) == LAST.intent.order_key

    with closing(SqliteLedger(run_dir / "ledger.db")) as ledger:
        ledger.clear_halt({RESUMED: str(SEEN_NS)})
    assert check_not_lost(halted(run_dir)) == LAST.intent.order_key
    with pytest.raises(LedgerUnavailable, match="the halt"):
        check_not_lost(halted(run_dir, seen_ns=SEEN_NS + RESUMING_NS + 1))


def test_what_a_killed_process_left_is_whole(run_dir: Path) -> None:
    assert check_not_lost(run_dir) == LAST.intent.order_key
    assert names_orders(run_dir)


@pytest.mark.parametrize(
    "lose", [delete, empty, lose_the_log, put_an_older_copy, make_another_database]
)
def test_what_it_has_lost_is_refused_with_what_to_do(
    run_dir: Path, lose: Callable[[Path], None]
) -> None:
    lose(run_dir / "ledger.db")

    with pytest.raises(LedgerUnavailable, match=f"does not know order {LAST.intent.order_key}"):
        check_not_lost(run_dir)


def test_a_copy_that_is_marked_starts_and_is_halted(run_dir: Path) -> None:
    lose_the_log(run_dir / "ledger.db")
    note(run_dir, **{COPIED: text_of(UNKNOWN)})

    assert check_not_lost(run_dir) == LAST.intent.order_key, "who deletes it takes the mark, too"


@pytest.mark.parametrize(("at_ns", "passes"), [(SEEN_NS + 1, True), (SEEN_NS - 1, False)])
def test_a_persons_word_holds_for_what_was_lost_before_it(
    run_dir: Path, at_ns: int, passes: bool
) -> None:
    lose_the_log(run_dir / "ledger.db")
    note(run_dir, **{ACCEPTED: accepted(at_ns), COPIED: ""})

    if passes:
        assert check_not_lost(run_dir) == make_claim(2).intent.order_key, "the newest that is left"
    else:
        with pytest.raises(LedgerUnavailable):
            check_not_lost(run_dir)


@pytest.mark.parametrize(
    "status", ["{}", "rubbish", '{"newest_claim": null}', '{"newest_claim": 3}']
)
def test_where_nothing_is_known_nothing_is_refused(run_dir: Path, status: str) -> None:
    (run_dir / "ledger.db").unlink()
    (run_dir / "status.json").write_text(status)

    assert check_not_lost(run_dir) is None


def test_a_ledger_that_is_damaged_is_left_to_its_writer(run_dir: Path) -> None:
    lose_the_log(run_dir / "ledger.db")
    (run_dir / "ledger.db").write_bytes(b"rubbish" * 1_000)

    assert check_not_lost(run_dir) == LAST.intent.order_key


def test_where_nobody_has_named_any_the_ledger_itself_says_what_it_holds(run_dir: Path) -> None:
    (run_dir / "status.json").unlink()

    assert check_not_lost(run_dir) == LAST.intent.order_key


@pytest.mark.parametrize("odd", ['"\\ud800"', "[]", "7", '""'])
def test_a_strange_name_names_nothing(run_dir: Path, odd: str) -> None:
    (run_dir / "status.json").write_text(f'{{"newest_claim": {odd}, "captured_at_ns": "soon"}}')

    assert not names_orders(run_dir)
    assert check_not_lost(run_dir) == LAST.intent.order_key


@pytest.mark.parametrize("state", [s for s in OrderState if s is not OrderState.REFUSED])
def test_an_order_that_was_told_of_is_durable_and_is_named(state: OrderState) -> None:
    facts = RunFacts(lambda: 0)
    facts.observe(update(state))

    assert facts.newest_claim == KEY


def told(facts: RunFacts, number: int, state: OrderState) -> None:
    said, key = update(state), make_claim(number).intent.order_key
    assert isinstance(said, OrderUpdate)
    facts.observe(msgspec.structs.replace(said, order_key=key))


def test_what_an_older_order_does_last_hides_no_loss(run_dir: Path) -> None:
    facts = RunFacts(lambda: 0)
    for number in range(4):
        told(facts, number, OrderState.CLAIMED)
    told(facts, 0, OrderState.FILLED)
    said = {"newest_claim": facts.newest_claim, "captured_at_ns": SEEN_NS}
    (run_dir / "status.json").write_text(json.dumps(said))

    lose_the_log(run_dir / "ledger.db")

    with pytest.raises(LedgerUnavailable, match=f"does not know order {LAST.intent.order_key}"):
        check_not_lost(run_dir)


def test_an_order_that_is_told_of_without_its_claim_is_named_where_it_is_newer() -> None:
    facts = RunFacts(lambda: 0)
    told(facts, 0, OrderState.CLAIMED)
    told(facts, 1, OrderState.UNKNOWN)

    assert facts.newest_claim == make_claim(1).intent.order_key


def test_what_nobody_took_is_in_no_ledger_and_is_not_named() -> None:
    facts, refused = RunFacts(lambda: 0), update(OrderState.REFUSED)
    assert isinstance(refused, OrderUpdate)
    facts.observe(refused)

    assert facts.newest_claim is None


def test_the_doctor_says_it_too(run_dir: Path) -> None:
    delete(run_dir / "ledger.db")

    (found,) = ledger_findings(run_dir)

    assert found.level == "problem"
    assert "does not know order" in found.text
