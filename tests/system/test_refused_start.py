"""A live start that is refused: exit 2, one line of what to do, and nothing in the way of the next.

Each through the real command, with the word given. The gate's sentences one by one are
`tests/exchanges/test_ccxt_gate.py`'s.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from ops.config import load
from ops.lease import hold_lease
from ops.run_files import LIVE_CONSENT
from tests.cli.runs import command
from tests.system.bots import Bot
from tests.system.conftest import STRESS
from tests.system.live_bots import ENVIRONMENT, SPEED, live_config, until_orders
from tests.waiting import until

pytestmark = pytest.mark.slow
Start = Callable[..., Bot]
WORD = "--i-understand-live"
WAIT = (WORD, "--wait-for-services", "300")
HERE = "binance's sandbox"
"""As a word names a local exchange."""
NOBODY_LISTENS = "http://127.0.0.1:1"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and a part of the line that says what to do."""

    name: str
    says: str
    exchange: str = "binance"
    variables: dict[str, str | None] = {}
    spoil: Callable[[RunningExchange], object] = lambda _run: None
    is_offline: bool = False


CASES = (
    Case(
        name="clock skew",
        says="ms behind binance's, more than 500: set it with NTP",
        spoil=lambda run: run.exchange.skew_clock(5_000),
    ),
    Case(
        name="missing capability",
        says="bybit cannot find an order by our own id",
        exchange="bybit",
    ),
    Case(
        name="unset key",
        says="the environment variable LOCAL_KEY is not set: export it before the start",
        variables={"LOCAL_KEY": None},
    ),
    Case(
        name="bad key",
        says="binance refuses the key (HTTP 401, code -2015): check key, secret",
        variables={"LOCAL_KEY": "another"},
    ),
    Case(
        name="bad secret",
        says="binance refuses the key (HTTP 400, code -1022): check key, secret",
        variables={"LOCAL_SECRET": "another"},
    ),
    Case(
        name="no trade right",
        says="the key may read at binance and not trade",
        spoil=lambda run: run.exchange.restrict_key(),
    ),
    Case(name="unknown exchange", says="atlantis", exchange="atlantis"),
    Case(name="no network", says="check the network", is_offline=True),
)
NOWHERE_ELSE = CASES[:3]
"""Of the others some process is refused in other files too; all of them are the long form."""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOCAL_KEY", "LOCAL_SECRET"):
        monkeypatch.setenv(variable, ENVIRONMENT[variable])


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=3, speed=SPEED) as running:
        yield running


def started(config: Path, *words: str) -> tuple[int, list[str]]:
    """Start for a second at most; give the exit code and the lines on stderr."""
    done = command("start", str(config), "--json", "--duration", "1", *words)
    return done.returncode, done.stderr.splitlines()


def word(tmp_path: Path) -> Path:
    return tmp_path / "run" / LIVE_CONSENT


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("case", CASES if STRESS else NOWHERE_ELSE, ids=lambda case: case.name)
def test_a_refused_start_says_what_to_do_and_a_corrected_one_goes_on_in_its_directory(
    tmp_path: Path, run: RunningExchange, case: Case
) -> None:
    wrong = live_config(tmp_path, run, exchange=case.exchange)
    if case.is_offline:
        wrong.write_text(wrong.read_text().replace(run.urls.http, NOBODY_LISTENS))
    with pytest.MonkeyPatch.context() as spoiled:
        for name, value in case.variables.items():
            spoiled.setenv(name, value) if value else spoiled.delenv(name)
        case.spoil(run)
        code, lines = started(wrong, WORD)

    assert code == 2, lines
    (line,) = lines
    assert line.startswith("watchkeeper: ")
    assert case.says in line
    assert run.exchange.orders() == []
    assert not word(tmp_path).exists()

    run.exchange.skew_clock(0)
    run.exchange.restrict_key(is_restricted=False)
    assert started(live_config(tmp_path, run), WORD) == (0, [])
    assert word(tmp_path).read_text().endswith(f"\non {HERE}\n")


@pytest.mark.usefixtures("keys")
def test_the_word_holds_for_later_starts_from_the_first_that_passes_and_not_before(
    tmp_path: Path, run: RunningExchange
) -> None:
    run.exchange.restrict_key()
    config = live_config(tmp_path, run)
    assert started(config, WORD)[0] == 2
    code, (line,) = started(config)
    assert (code, "start once with --i-understand-live" in line) == (2, True)

    run.exchange.restrict_key(is_restricted=False)
    assert started(config, WORD) == (0, [])
    assert started(config) == (0, [])


@pytest.mark.usefixtures("keys")
def test_one_that_is_killed_in_the_gate_leaves_no_word(
    tmp_path: Path, run: RunningExchange, start: Start
) -> None:
    run.exchange.arm(Plan(fault=Fault.HANG_BEFORE, operation="account", times=None))
    config = live_config(tmp_path, run)
    bot = start(config, WORD)
    until(lambda: run.exchange.requests(operation="account"))
    bot.kill()

    assert not word(tmp_path).exists()
    code, (line,) = started(config)
    assert (code, "start once with --i-understand-live" in line) == (2, True)


def write(path: Path, exchange: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"agreed at 2026-01-01 00:00:00 UTC\non {exchange}\n")


def test_a_word_that_was_given_to_one_who_waits_is_written_once_the_gate_has_passed(
    tmp_path: Path, start: Start
) -> None:
    with running_exchange(seed=3, speed=SPEED) as run:
        config, port = live_config(tmp_path, run), int(run.urls.http.rpartition(":")[2])
    bot = start(config, *WAIT, environment=ENVIRONMENT)
    bot.until_said("waiting for the exchange")
    assert not word(tmp_path).exists()
    with running_exchange(seed=3, speed=SPEED, port=port) as run:
        until_orders(run, 1)
        assert word(tmp_path).read_text().endswith(f"\non {HERE}\n")
        assert bot.end(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    ("before", "meanwhile", "says"),
    [
        (None, "binance", f"is of binance, and this run would trade {HERE}"),
        (HERE, None, "start once with --i-understand-live"),
    ],
    ids=["another start has written one for real money", "it was taken back"],
)
def test_what_stands_there_once_the_directory_is_held_is_what_counts(
    tmp_path: Path, start: Start, before: str | None, meanwhile: str | None, says: str
) -> None:
    """What the start was passed on before may be long ago."""
    with running_exchange(seed=3, speed=SPEED) as run:
        config, port = live_config(tmp_path, run), int(run.urls.http.rpartition(":")[2])
    if before:
        write(word(tmp_path), before)
    bot = start(config, *(WAIT[1:] if before else WAIT), environment=ENVIRONMENT)
    bot.until_said("waiting for the exchange")
    if meanwhile:
        write(word(tmp_path), meanwhile)
    else:
        word(tmp_path).unlink()
    with running_exchange(seed=3, speed=SPEED, port=port) as run:
        code, said = bot.end()
        assert run.exchange.orders() == []

    assert (code, says in said) == (2, True), said


@pytest.mark.usefixtures("keys")
def test_a_standby_keeps_its_word_as_soon_as_there_is_somebody_to_wait_for(
    tmp_path: Path, run: RunningExchange, start: Start
) -> None:
    """On a second host, whose run directory is its own: it may be started anew before its turn."""
    path = live_config(tmp_path, run)
    with hold_lease(load(path, {}), standby=False, on_lost=os.abort):  # type: ignore[arg-type]  # never called here
        first = start(path, WORD, "--standby")
        until(word(tmp_path).exists)
        assert first.end(signal.SIGTERM)[0] == 0
        again = start(path, "--standby")
        again.until_said("waiting until its lease is over")
        assert again.end(signal.SIGTERM)[0] == 0
    assert run.exchange.orders() == []
