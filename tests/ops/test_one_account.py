"""A run directory is of one account: a played order is never a real one."""

from contextlib import closing
from pathlib import Path

import pytest

from messages.errors import ConfigError
from messages.ids import AccountId, TimestampNs
from ops.one_account import OPENED_BY, OpenedBy, check_one_account, check_one_key, note_key
from persistence.ledger import SqliteLedger
from tests.cli.runs import book, command

PAPER, BINANCE = AccountId("paper"), AccountId("binance")


def test_no_ledger_an_empty_one_and_one_of_the_same_account_pass(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    check_one_account(ledger, BINANCE)
    with book(tmp_path) as run:
        check_one_account(ledger, BINANCE)
        run.claim(1, account=BINANCE)

    check_one_account(ledger, BINANCE)


@pytest.mark.parametrize("accounts", [(PAPER,), (PAPER, BINANCE), (BINANCE, PAPER)])
def test_orders_of_another_account_are_a_mistake(
    tmp_path: Path, accounts: tuple[AccountId, ...]
) -> None:
    with book(tmp_path) as run:
        for number, account in enumerate(accounts):
            run.claim(number, account=account)

    with pytest.raises(ConfigError, match=r"another account \(paper\), .* would trade binance"):
        check_one_account(tmp_path / "ledger.db", BINANCE)


def test_a_file_that_is_no_ledger_is_left_to_who_opens_it(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no ledger at all" * 100)

    check_one_account(tmp_path / "ledger.db", BINANCE)


def test_a_start_in_the_run_directory_of_another_account_is_refused(tmp_path: Path) -> None:
    with book(tmp_path / "run") as run:
        run.claim(1, account=BINANCE)

    done = command("start", "--run-dir", str(tmp_path / "run"), "--max-events", "5")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "holds the orders of another account (binance)" in done.stderr


def test_a_ledger_is_of_the_key_that_is_noted_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert check_one_key(path, "binance-1"), "there is none yet"
    with closing(SqliteLedger(path)) as ledger:
        assert check_one_key(path, "binance-1"), "nothing is noted"
        note_key(ledger, OpenedBy(account="binance-1", since_ns=TimestampNs(1)))

    assert not check_one_key(path, "binance-1")
    with pytest.raises(ConfigError, match=r"another key \(binance-1; now binance-2\)"):
        check_one_key(path, "binance-2")


def test_a_note_that_nobody_can_read_is_of_no_key_at_all(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(SqliteLedger(path)) as ledger:
        ledger.write((), (), 0, {OPENED_BY: "{"})

    with pytest.raises(ConfigError, match=r"another key \(nobody can tell which;"):
        check_one_key(path, "binance-1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("why", "said"), [(" ", "--renewed-key: say why"), ("because", "is of no live run")]
)
def test_a_renewed_key_needs_a_reason_and_a_live_run(tmp_path: Path, why: str, said: str) -> None:
    run_dir = tmp_path / "run"
    assert command("start", "--run-dir", str(run_dir), "--max-events", "5").returncode == 0

    done = command("account", str(run_dir), "--renewed-key", why)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
