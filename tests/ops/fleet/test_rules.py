"""Each rule, of the fleet file and of the house: a bot crosses it, and at the next look it is acted
on and told. The bot is a real process with real files; what it is sent is a real signal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from decisions.fleet_bot import BotMemory, Measure, Phase
from decisions.fleet_rules import Act
from ops.fleet.alerts import FleetAlerts
from ops.fleet.config import load_fleet
from ops.fleet.facts import BotEyes
from ops.fleet.orchestrator import Orchestrator
from ops.run_files import STATUS
from tests.ops.fleet.stubs import Stub, stub
from tests.system.bots import Bot

OVER = {
    Measure.ERROR_RATE: 0.25,
    Measure.CLAIM_P99_MS: 50.0,
    Measure.DRAWDOWN: 500.0,
    Measure.MARKET_AGE_S: 90.0,
    Measure.UNKNOWN_ORDERS: 2.0,
    Measure.UNKNOWN_S: 60.0,
}
BELOW: dict[Measure, dict[str, Any]] = {
    Measure.ERROR_RATE: {"processed": 200, "errors": 25},
    Measure.CLAIM_P99_MS: {"latency_ns": {"decision_to_claim": {"p99": 50_000_000}}},
    Measure.DRAWDOWN: {"pnl": {"USDT": {"drawdown": "500"}}},
    Measure.MARKET_AGE_S: {"market_age_s": {"BTC/USDT": 90.0, "ETH/USDT": 1}},
    Measure.UNKNOWN_ORDERS: {"unknown": {"count": 2, "oldest_s": 1.0}},
    Measure.UNKNOWN_S: {"unknown": {"count": 1, "oldest_s": 60.0}},
}
ABOVE: dict[Measure, dict[str, Any]] = {
    Measure.ERROR_RATE: {"processed": 300, "errors": 51},
    Measure.CLAIM_P99_MS: {"latency_ns": {"decision_to_claim": {"p99": 50_000_001}}},
    Measure.DRAWDOWN: {"pnl": {"USDT": {"drawdown": "500.01"}}},
    Measure.MARKET_AGE_S: {"market_age_s": {"BTC/USDT": 90.5, "ETH/USDT": 1}},
    Measure.UNKNOWN_ORDERS: {"unknown": {"count": 3, "oldest_s": 1.0}},
    Measure.UNKNOWN_S: {"unknown": {"count": 1, "oldest_s": 60.5}},
}
IN_SUMMARY = (Measure.ERROR_RATE, Measure.CLAIM_P99_MS)


class Desk:
    """A fleet of one bot that runs already, its orchestrator, and what people are told of it."""

    def __init__(self, bot: Stub, orchestrator: Orchestrator) -> None:
        self.bot, self._orchestrator = bot, orchestrator
        self._alerts = FleetAlerts("desk", Path("fleet.toml"), [], calm_s=0)

    def look(self) -> list[str]:
        """Look once, as is done each `look_s`; give what was told."""
        self._orchestrator.step()
        return [one.sentence for one in self._alerts.look(self._orchestrator.memories)]

    @property
    def memory(self) -> BotMemory:
        return self._orchestrator.memories["one"]


@contextmanager
def desk(folder: Path, more: str = "", *, is_deaf: bool = False) -> Iterator[Desk]:
    (folder / "one.toml").write_text('name = "one"\n')
    path = folder / "fleet.toml"
    path.write_text(
        f'name = "desk"\nrun_dir = "runs"\n{more}\n[[bot]]\nid = "one"\nconfig = "one.toml"\n'
    )
    orchestrator = Orchestrator(load_fleet(path), lambda *_, **__: None)
    with stub(folder / "runs" / "one", is_deaf=is_deaf) as bot:
        bot.says()
        with orchestrator:
            found = Desk(bot, orchestrator)
            assert [found.look(), found.look()] == [[], []]  # it is found, and it is heard
            assert found.memory.phase is Phase.RUNNING
            yield found


def says(bot: Stub, measure: Measure, facts: dict[str, Any]) -> None:
    if measure in IN_SUMMARY:
        bot.says()
        bot.counted(**facts)
    else:
        bot.says(**facts)


@pytest.mark.parametrize(
    ("measure", "act"),
    [
        *((measure, Act.PARK) for measure in Measure),
        (Measure.ERROR_RATE, Act.RESTART),
        (Measure.DRAWDOWN, Act.RESTART),
        *((measure, Act.WARN) for measure in (Measure.CLAIM_P99_MS, Measure.UNKNOWN_ORDERS)),
    ],
)
def test_a_bot_that_crosses_a_rule_is_acted_on_and_told_of_at_the_next_look(
    tmp_path: Path, measure: Measure, act: Act
) -> None:
    rule = f'[[rule]]\nmeasure = "{measure}"\nover = {OVER[measure]}\nact = "{act}"\n'
    with desk(tmp_path, rule) as here:
        says(here.bot, measure, BELOW[measure])
        assert here.look() == []
        says(here.bot, measure, ABOVE[measure])
        told = here.look()
        assert f"{measure} is " in told[0]
        assert f"over {OVER[measure]:g}" in told[0]
        if act is Act.WARN:
            assert here.memory.phase is Phase.RUNNING
            assert here.bot.process.poll() is None
            return
        assert here.bot.gone() == 0  # in order: it was asked to
        here.look()
        assert here.memory.phase is (Phase.PARKED if act is Act.PARK else Phase.WAITING)
        assert f"{measure} is " in here.memory.why


def test_a_rule_that_is_crossed_for_a_moment_only_is_not_acted_on(tmp_path: Path) -> None:
    rule = '[[rule]]\nmeasure = "drawdown"\nover = 500\nfor_s = 30\nact = "park"\n'
    with desk(tmp_path, rule) as here:
        says(here.bot, Measure.DRAWDOWN, ABOVE[Measure.DRAWDOWN])
        assert here.look() == []
        assert here.memory.phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("code", "phase", "why", "is_told"),
    [
        (0, Phase.STOPPED, "ended by itself (exit 0)", False),
        (1, Phase.WAITING, "its process ended: exit 1", True),
        (2, Phase.PARKED, "refused to start (exit 2)", True),
        (70, Phase.WAITING, "its process ended: exit 70", True),
        (75, Phase.PARKED, "taken its account over (exit 75)", True),
        (130, Phase.WAITING, "its process ended: exit 130", True),
        (None, Phase.WAITING, "its process ended: it left no word", True),
    ],
)
def test_how_a_bot_ended_decides_what_becomes_of_it(
    tmp_path: Path, code: int | None, phase: Phase, why: str, *, is_told: bool
) -> None:
    with desk(tmp_path) as here:
        here.bot.ends(code)
        told = here.look()
        assert (here.memory.phase, bool(told)) == (phase, is_told)
        assert why in here.memory.why
        assert all(why in sentence for sentence in told)


def test_one_end_too_many_parks_it(tmp_path: Path) -> None:
    with desk(tmp_path, "[restarts]\nmax = 0\n") as here:
        here.bot.ends(70)
        (told,) = here.look()
        assert here.memory.phase is Phase.PARKED
        assert told == "one is parked: more than 0 restarts in 300 s; the last: " + (
            "its process ended: exit 70"
        )


def test_a_bot_that_says_nothing_new_hangs_whatever_its_pid_says(tmp_path: Path) -> None:
    with desk(tmp_path, "silent_s = 0.05\n") as here:
        told = _until_told(here)
        assert "its last word is" in told
        assert here.bot.gone() == 0
        here.look()
        assert here.memory.phase is Phase.WAITING


def test_a_bot_that_never_says_anything_is_restarted(tmp_path: Path) -> None:
    with desk(tmp_path, "start_s = 0.05\n") as here:
        (here.bot.run_dir / STATUS).unlink()
        assert "it has said nothing" in _until_told(here)
        assert here.bot.gone() == 0


def test_a_bot_that_does_not_hear_is_killed_after_the_time_it_has(tmp_path: Path) -> None:
    rule = 'drain_s = 0.05\n[[rule]]\nmeasure = "drawdown"\nover = 500\nact = "park"\n'
    with desk(tmp_path, rule, is_deaf=True) as here:
        says(here.bot, Measure.DRAWDOWN, ABOVE[Measure.DRAWDOWN])
        here.look()
        while here.bot.process.poll() is None:
            here.look()
        assert here.bot.gone() == -9
        here.look()
        assert here.memory.phase is Phase.PARKED


def test_a_halt_is_shown_told_by_the_bot_itself_and_left_to_a_person(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        here.bot.says(halt={"state": "halted", "reason": "max_drawdown"})
        assert here.look() == []
        assert here.memory.warnings == ["halted: max_drawdown"]
        assert here.memory.phase is Phase.RUNNING


def test_a_full_disk_is_told_and_nobody_is_taken_for_hanging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path, "silent_s = 0.001\n") as here:
        eyes = here._orchestrator._roster.bots["one"].eyes
        here.bot.says()
        monkeypatch.setattr(eyes, "_room", lambda _: 0)
        told = _until_told(here)
        assert told == "one: disk full: it can say nothing of itself, and could not start again"
        assert here.memory.phase is Phase.RUNNING


@pytest.mark.slow
def test_every_measure_is_one_that_a_real_bot_tells(tmp_path: Path) -> None:
    """A rule on what no bot says would never be crossed, whatever happens."""
    config = tmp_path / "bot.toml"
    config.write_text(
        'name = "bot"\n[feed]\ntype = "demo"\nspeed = 0\nlimit = 400\n'
        '[[strategy]]\nid = "sma"\nuses = "sma_cross"\nparams = { fast = 3, slow = 6 }\n'
    )
    bot = Bot(str(config), "--run-dir", str(tmp_path / "run"))
    assert bot.end()[0] == 0
    found = BotEyes(tmp_path / "run").look(pid=bot.process.pid, exit_code=None).measures
    assert set(found) == set(Measure)
    assert found[Measure.DRAWDOWN] > 0
    assert found[Measure.CLAIM_P99_MS] > 0


def _until_told(here: Desk) -> str:
    for _ in range(100_000):
        if told := here.look():
            return told[0]
    raise AssertionError("nothing was told")
