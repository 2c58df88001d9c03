"""The crash rehearsal with its ledgers in PostgreSQL, whose server is killed and started again."""

import sys
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.drill import Case, full_cases, lost_ledger_cases, parse_case, quick_lost_ledger_cases
from decisions.drill_cancel import full_cancel_cases
from decisions.drill_exit import lost_ledger_exit_cases
from decisions.drill_stop import lost_ledger_stop_cases
from ops.config import demo_config
from ops.drill import CANDLES
from ops.drill_case import find_baseline
from ops.drill_cases import AnyCase, parse_any
from ops.drill_ledger import Database
from ops.drill_life import Nursery
from ops.drill_play import play
from ops.drill_setting import Baseline, Result, Setting
from persistence.ledger_place import LedgerPlace
from tests.persistence.postgres_server import URL_ENV, Server, running
from tests.system.conftest import STRESS
from tests.system.drilling import MUTANTS

AWAY_S = 0.5
MATRIX_JOBS = 8

pytestmark = pytest.mark.slow
only_long = pytest.mark.skipif(not STRESS, reason="the full matrix takes half an hour")


class KilledServer(Database):
    """A database whose server is killed, as by a loss of power, and started again."""

    def __init__(self, server: Server) -> None:
        super().__init__(URL_ENV)
        self._server = server

    def lose(self, place: LedgerPlace, went_on: Callable[[], object]) -> None:
        """See `Database.lose`."""
        self._server.kill()
        went_on()
        time.sleep(AWAY_S)  # the server's absence is the case
        self._server.start()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for server in running():
            patch.setenv(URL_ENV, server.url)
            yield server


@pytest.fixture(scope="module")
def setting(server: Server) -> Iterator[Setting]:
    with Nursery() as nursery:
        yield Setting(
            config_path=None,
            config=demo_config(),
            candles=CANDLES,
            seed=None,
            nursery=nursery,
            database=KilledServer(server),
        )


@pytest.fixture(scope="module")
def baseline(setting: Setting) -> Baseline:
    return find_baseline(setting)


def failed(results: list[Result]) -> dict[str, tuple[str, ...]]:
    """Give what failed, and print it: of many, pytest shows a few."""
    wrong = {result.case: result.problems for result in results if not result.passed}
    for case, problems in wrong.items():
        sys.stdout.write(f"FAILED --case {case}: {'; '.join(problems)}\n")
    return wrong


def test_a_server_that_dies_before_a_claim_or_after_an_outcome_doubles_and_loses_nothing(
    setting: Setting, baseline: Baseline, server: Server
) -> None:
    before, *_, after = quick_lost_ledger_cases()
    cases = [before, after]

    results = list(play(setting, baseline, cases, 1))

    assert failed(results) == {}
    assert {str(case) for case in cases} == {
        "before_claim/none/ledger_lost",
        "after_outcome/none/commit_unanswered",
    }
    assert {(result.at_exchange, result.state) for result in results} == {(1, "filled")}
    assert server.say("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'wk_drill_%'") == []


def test_a_server_that_dies_as_a_stop_acts_has_it_sold_once(
    setting: Setting, baseline: Baseline
) -> None:
    (result,) = play(setting, baseline, [parse_any("stop/before_claim/none/ledger_lost")], 1)

    assert result.passed, result.problems
    assert (result.at_exchange, result.state) == (1, "filled")


@only_long
@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    "cases",
    [lost_ledger_cases(), lost_ledger_stop_cases(), lost_ledger_exit_cases()],
    ids=["orders", "stops", "exits"],
)
def test_the_server_dies_at_every_point(
    cases: list[AnyCase], setting: Setting, baseline: Baseline
) -> None:

    results = list(play(setting, baseline, cases, 1))  # one server, so one at a time

    sys.stdout.write(f"{len(results)} cases of a lost ledger\n")
    assert failed(results) == {}


@only_long
@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cases", [full_cases(), full_cancel_cases()], ids=["orders", "cancels"])
def test_the_full_matrix_with_the_ledger_in_postgres(
    cases: list[Case], setting: Setting, baseline: Baseline
) -> None:
    results = list(play(setting, baseline, cases, MATRIX_JOBS))

    sys.stdout.write(f"{len(results)} cases\n")
    assert failed(results) == {}


def test_a_send_before_the_commit_is_seen_when_the_server_dies(
    setting: Setting, baseline: Baseline
) -> None:
    with Nursery((sys.executable, str(MUTANTS), "send_before_commit")) as nursery:
        hasty = msgspec.structs.replace(setting, nursery=nursery)
        (result,) = play(hasty, baseline, [parse_case("before_claim/none/ledger_lost")], 1)

    assert any("2 orders" in problem for problem in result.problems), result.problems
