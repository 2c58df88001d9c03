"""`audit` of a run that traded at an exchange asks it, read-only, once the run has ended."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

import cli
from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import OrderKind, Placement
from exchanges.local.server import RunningExchange, running_exchange
from messages.ids import NS_PER_S
from messages.values import OrderState, Side
from ops.run_files import EFFECTIVE_CONFIG, LEDGER, STATUS
from persistence.ledger import read_orders
from tests.cli.runs import differing, edit, objects
from tests.system.bots import Bot
from tests.system.live_bots import ENVIRONMENT, SPEED, live_config, until_orders

pytestmark = pytest.mark.slow

ASKED = ("exchange", "exchange_ids", "executions")
FIRST = "(SELECT min(order_key) FROM orders WHERE state = 'filled')"
NOBODY = "UPDATE orders SET client_order_id = 'wknobody'"
Audit = Callable[..., dict[str, dict[str, Any]]]

FAULTS: dict[str, tuple[str, set[str]]] = {
    "the other side": (
        f"UPDATE orders SET side = iif(side = 'buy', 'sell', 'buy') WHERE order_key = {FIRST}",
        {"exchange"},
    ),
    "more filled than at the exchange": (
        f"UPDATE orders SET filled_quantity = '9' WHERE order_key = {FIRST}",
        {"exchange"},
    ),
    "ended where it was filled": (
        f"UPDATE orders SET state = 'canceled', filled_quantity = '0' WHERE order_key = {FIRST}",
        {"exchange"},
    ),
    "the id of another order": (
        f"UPDATE orders SET venue_order_id = '999' WHERE order_key = {FIRST}",
        {"exchange"},
    ),
    "an order under a name that never was sent": (
        f"{NOBODY}, venue_order_id = NULL WHERE order_key = {FIRST}",
        {"exchange", "exchange_ids"},
    ),
    "an order gone from the ledger": (
        f"DELETE FROM orders WHERE order_key = {FIRST}",
        {"exchange_ids"},
    ),
    "an execution at another price": (
        f"UPDATE fills SET price = '1' WHERE order_key = {FIRST}",
        {"executions"},
    ),
    "an execution that never was": (
        f"UPDATE fills SET trade_id = 'x' WHERE order_key = {FIRST}",
        {"executions"},
    ),
}


@pytest.fixture(scope="module")
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=SPEED) as running:
        yield running


@pytest.fixture(scope="module")
def ended(run: RunningExchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that traded and ended in order. Neither it nor its exchange is to be changed."""
    return traded(tmp_path_factory.mktemp("live"), run)


def traded(folder: Path, run: RunningExchange) -> Path:
    bot = Bot(str(live_config(folder, run)), "--i-understand-live", environment=ENVIRONMENT)
    try:
        until_orders(run, 5)
        bot.end(signal.SIGTERM)
    finally:
        bot.kill()
    return folder / "run"


@pytest.fixture
def copy(ended: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ended, tmp_path / "run", ignore=shutil.ignore_patterns("*.sock")))


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Run it as it is typed, with the keys; give its checks by their name."""
    for name in ("LOCAL_KEY", "LOCAL_SECRET"):
        monkeypatch.setenv(name, ENVIRONMENT[name])

    def asked(run_dir: Path, *arguments: str) -> dict[str, dict[str, Any]]:
        code = cli.main(["audit", str(run_dir), "--json", *arguments])
        rows = objects(capsys.readouterr().out)
        assert code == bool(differing(rows))
        return {row["check"]: row for row in rows}

    return asked


def found(checks: dict[str, dict[str, Any]]) -> set[str]:
    return differing(list(checks.values())) & set(ASKED)


def last(run: RunningExchange) -> int:
    return max(request.number for request in run.exchange.requests())


def placed(run: RunningExchange, name: str) -> None:
    run.exchange.place(
        Placement(
            symbol="BTC/USDT",
            client_order_id=name,
            side=Side.BUY,
            kind=OrderKind.MARKET,
            quantity=Decimal("0.001"),
        )
    )


@contextmanager
def struck(run: RunningExchange, operation: str) -> Iterator[None]:
    """Let one kind of question go unanswered."""
    run.exchange.arm(Plan(fault=Fault.SERVER_BUSY, operation=operation, times=None))
    try:
        yield
    finally:
        run.exchange.disarm()


def test_what_the_exchange_shows_agrees_and_it_is_only_asked(
    run: RunningExchange, ended: Path, audit: Audit
) -> None:
    before, orders = last(run), run.exchange.orders()
    files = {path.name: path.read_bytes() for path in ended.iterdir() if path.is_file()}

    checks = audit(ended)

    assert differing(list(checks.values())) == set()
    known = list(read_orders(ended / LEDGER))
    filled = [order for order in known if order.state is OrderState.FILLED]
    assert checks["exchange"]["checked"] == len(known) >= 5
    assert checks["exchange_ids"]["checked"] == len(known)
    assert checks["executions"]["checked"] == len(filled) >= 4
    asked = [one for one in run.exchange.requests() if one.number > before]
    assert {one.method for one in asked} == {"GET"}
    assert len(asked) <= 12, "two lists, the executions and the gate"
    assert run.exchange.orders() == orders
    assert {path.name: path.read_bytes() for path in ended.iterdir() if path.is_file()} == files


@pytest.mark.parametrize("fault", FAULTS)
def test_a_ledger_that_the_exchange_contradicts(fault: str, copy: Path, audit: Audit) -> None:
    statement, checks = FAULTS[fault]
    edit(copy / LEDGER, statement)
    assert found(audit(copy)) == checks


def test_an_order_that_is_open_here_and_ended_there_is_no_difference(
    copy: Path, audit: Audit
) -> None:
    """The next start asks for it; until then the exchange may be ahead."""
    edit(copy / LEDGER, f"UPDATE orders SET state = 'sent', filled_quantity = '0'"
         f" WHERE order_key = {FIRST}")  # fmt: skip
    assert found(audit(copy)) == set()


def test_an_order_that_no_list_shows_is_asked_for_by_name(
    run: RunningExchange, copy: Path, audit: Audit
) -> None:
    edit(copy / LEDGER, f"{NOBODY}, venue_order_id = '999' WHERE order_key = {FIRST}")
    before = last(run)
    checks = audit(copy)
    asked = [one.params for one in run.exchange.requests(operation="query") if one.number > before]
    assert [one.get("origClientOrderId") for one in asked] == ["wknobody", None]
    assert asked[1]["orderId"] == "999", "and by the exchange's id, where the name tells nothing"
    assert "it is filled, and the venue has no such order" in checks["exchange"]["examples"][0]


def test_an_order_that_the_exchange_does_not_answer_for_is_told_and_no_difference(
    run: RunningExchange, copy: Path, audit: Audit
) -> None:
    edit(copy / LEDGER, f"{NOBODY}, venue_order_id = NULL WHERE order_key = {FIRST}")
    with struck(run, "query"):
        checks = audit(copy)
    assert "not asked or not answered: wknobody: no_answer" in checks["exchange"]["note"]
    assert checks["exchange"]["ok"]
    assert found(checks) == {"exchange_ids"}, "the list shows it under its own name"


def test_executions_that_are_not_listed_are_told_and_no_difference(
    run: RunningExchange, copy: Path, audit: Audit
) -> None:
    with struck(run, "my_trades"):
        checks = audit(copy)
    assert "the executions of BTC/USDT: no_answer" in checks["exchange"]["note"]
    assert (found(checks), checks["executions"]["checked"]) == (set(), 0)


def test_orders_that_are_not_listed_are_told_and_no_difference(
    run: RunningExchange, copy: Path, audit: Audit
) -> None:
    with struck(run, "open_orders"):
        checks = audit(copy)
    assert "the orders of BTC/USDT: no_answer" in checks["exchange"]["note"]
    assert (found(checks), checks["exchange"]["checked"]) == (set(), 0)


def test_only_the_newest_are_asked_about_and_that_is_said(ended: Path, audit: Audit) -> None:
    checks = audit(ended, "--newest", "2")
    count = len(list(read_orders(ended / LEDGER)))
    assert checks["exchange"]["checked"] == 2
    assert checks["exchange"]["note"] == f"the newest 2 of {count} orders"
    assert checks["exchange_ids"]["checked"] == count, "the ledger is looked through to its end"


@pytest.mark.parametrize(
    ("spoil", "arguments", "why"),
    [
        (lambda at, env: env.delenv("LOCAL_SECRET"), (), "no key: export LOCAL_SECRET"),
        (lambda at, env: env.setenv("LOCAL_KEY", "another"), (), "sent with another key"),
        (lambda at, env: (at / EFFECTIVE_CONFIG).unlink(), (), "by --config CONFIG"),
        (lambda at, env: None, ("--offline",), "--offline"),
    ],
)
def test_why_it_is_not_asked_is_one_line_and_no_failure(
    spoil: Callable[[Path, pytest.MonkeyPatch], object],
    arguments: tuple[str, ...],
    why: str,
    run: RunningExchange,
    copy: Path,
    audit: Audit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(copy, monkeypatch)
    before = last(run)
    checks = audit(copy, *arguments)
    assert (checks["exchange"]["made"], checks["exchange"]["ok"]) == (False, True)
    assert checks["exchange"]["note"].startswith("not asked: ")
    assert why in checks["exchange"]["note"]
    assert checks.keys().isdisjoint(ASKED[1:])
    assert last(run) == before


def test_a_config_that_is_named_leads_to_the_exchange(copy: Path, audit: Audit) -> None:
    config = (copy / EFFECTIVE_CONFIG).rename(copy.parent / "named.toml")
    assert audit(copy, "--config", str(config))["exchange"]["checked"] >= 5


def test_while_the_run_lives_it_is_not_asked_beside_it(
    ended: Path, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.run_state._is_alive", lambda _: True)
    assert "the run lives" in audit(ended)["exchange"]["note"]


def test_orders_at_the_exchange_that_the_ledger_does_not_explain(
    tmp_path: Path, audit: Audit
) -> None:
    with running_exchange(seed=6, speed=SPEED) as run:
        run_dir = traded(tmp_path, run)
        status = json.loads((run_dir / STATUS).read_text())
        placed(run, "web-1")
        assert found(audit(run_dir)) == set(), "others' orders are nothing of ours"

        placed(run, "wkunknown")
        checks = audit(run_dir)
        assert found(checks) == {"exchange_ids"}
        [told] = checks["exchange_ids"]["examples"]
        assert told.startswith(
            "wkunknown: is at the exchange without a decision: buy 0.00100000 BTC"
        )

        early_ns = status["started_at_ns"] - 1_000 * NS_PER_S
        (run_dir / STATUS).write_text(json.dumps(status | {"captured_at_ns": early_ns}))
        checks = audit(run_dir)
        assert found(checks) == set(), "it was placed long after this run's last sign of life"
        assert "1 under ids of ours were placed before" in checks["exchange_ids"]["note"]

        placed(run, next(read_orders(run_dir / LEDGER)).client_order_id)
        checks = audit(run_dir)
        assert found(checks) == {"exchange_ids"}
        assert "is at the exchange 2 times" in checks["exchange_ids"]["examples"][0]
