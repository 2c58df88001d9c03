"""A real exchange tells more than this process did: of orders of others, and of old ones."""

import json
import shutil
from pathlib import Path

import pytest

from messages.values import OrderState
from tests.cli.audit_journal.journals import answer, checks, filled, journal_of, stream
from tests.cli.conftest import Ask
from tests.cli.runs import book, differing, edit, fill


def test_an_account_has_orders_of_others_too(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        at_ns = filled(ledger, 1, fill("t1", "2"))
    others = stream(answer(9, at_ns, fill("t9", "1"), client_order_id="theirs"))
    ours = stream(answer(1, at_ns, fill("t1", "2")))
    journal_of(tmp_path, others, ours, ends_ns=at_ns + 9)

    found = checks(ask("audit", tmp_path))
    assert (found["journal"]["checked"], found["reports"]["checked"]) == (1, 1)

    altered = stream(answer(1, at_ns, fill("t1", "1")))
    shutil.rmtree(tmp_path / "journal")
    journal_of(tmp_path, altered, ends_ns=at_ns + 9)
    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}


def test_what_was_settled_without_a_process_after_its_end_has_no_journal(
    tmp_path: Path, ask: Ask
) -> None:
    """A halt of a run that ended in order, with an order open that had filled meanwhile."""
    with book(tmp_path) as ledger:
        key = ledger.claim(1)
        ledger.step(key, OrderState.ACCEPTED)
        ended_ns = ledger.tick()
        ledger.step(key, OrderState.FILLED, fill("t1", "2"))
    journal_of(tmp_path, ends_ns=ended_ns)
    assert differing(ask("audit", tmp_path, code=1)) == {"reports"}, "it does not say when it ended"

    status = tmp_path / "status.json"
    word = json.loads(status.read_bytes())
    word["ended"]["at_ns"] = ended_ns
    status.write_text(json.dumps(word))

    found = checks(ask("audit", tmp_path))
    assert found["reports"]["note"] == "1 more are of a time that the journal does not cover"


def test_what_a_person_settled_is_the_persons_word(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        key = ledger.claim(1)
        ledger.step(key, OrderState.UNKNOWN)
        ledger.step(key, OrderState.FILLED, fill("person-wk1", "2"))
        at_ns = ledger.tick()
    journal_of(tmp_path, answer(1, at_ns - 1, fill("t7", "2")), ends_ns=at_ns)
    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}

    edit(
        tmp_path / "ledger.db",
        f"UPDATE order_events SET evidence = 'person: seen there' WHERE order_key = '{key}'"
        " AND to_state = 'filled'",
    )
    assert differing(ask("audit", tmp_path)) == set()


def test_two_words_for_one_end_agree(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        key = ledger.claim(1)
        ledger.step(key, OrderState.ACCEPTED)
        ledger.step(key, OrderState.CANCELED)
        at_ns = ledger.tick()
    journal_of(tmp_path, answer(1, at_ns - 1, state=OrderState.EXPIRED), ends_ns=at_ns)
    assert differing(ask("audit", tmp_path)) == set()

    shutil.rmtree(tmp_path / "journal")
    journal_of(tmp_path, answer(1, at_ns - 1, state=OrderState.REJECTED), ends_ns=at_ns)
    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}


def test_what_was_refused_here_and_is_at_the_venue_is_caught(tmp_path: Path, ask: Ask) -> None:
    with book(tmp_path) as ledger:
        ledger.claim(1, refused="max_open_orders: 1")
        at_ns = ledger.tick()
    journal_of(tmp_path, answer(1, at_ns - 1, state=OrderState.ACCEPTED), ends_ns=at_ns)

    assert differing(ask("audit", tmp_path, code=1)) == {"journal"}


@pytest.mark.parametrize("told", [0, 1])
def test_an_order_that_an_earlier_process_filled_is_not_counted_again(
    tmp_path: Path, ask: Ask, told: int
) -> None:
    """It was asked for again, because executions were owed."""
    with book(tmp_path) as ledger:
        before_ns = filled(ledger, 1, fill("t1", "2"))
    begun_ns = before_ns + 100
    process = {"begun_ns": begun_ns, "ends_ns": begun_ns + 9}
    summary = {"started_at_ns": begun_ns, "filled": told}
    (tmp_path / "metrics_summary.json").write_text(json.dumps(summary))
    journal_of(tmp_path, answer(1, begun_ns + 5, fill("t1", "2")), **process)

    assert differing(ask("audit", tmp_path, code=told)) == ({"journal"} if told else set())
