"""Looks at every bot once a second, asks `decisions.fleet` what to do, and does it.

One thread. All that it must know again after its own death is in `fleet.db`; that no bot runs
twice rests on the bots' own locks. Nothing here is waited for: a bot is started or signalled, and
what became of it is seen at the next look.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Self

import msgspec

from decisions.fleet import Do, drain, judge, person_starts
from decisions.fleet_bot import BotMemory, Phase, started
from decisions.fleet_restarts import cannot_start
from decisions.fleet_warnings import kind_of
from messages.errors import ConfigError, WatchkeeperError
from messages.ids import NS_PER_S
from ops.fleet.config import FleetConfig, load_fleet
from ops.fleet.fleet_lock import FleetLock
from ops.fleet.reloading import compare, mistakes
from ops.fleet.roster import Bot, Roster, Say
from ops.fleet.standing import Seen
from persistence.fleet import FleetStore, Request

STATE = "fleet.db"
OK = "done"
"""Of `reload` with what it did behind it, as JSON."""
_LEFT = "the orchestrator left before all had ended"
_BEFORE = "it was asked for before this orchestrator began: ask again"


class Orchestrator:
    """Holds the fleet's lock from `open` to `close`.

    `say` is told what is done; `clock` gives UTC nanoseconds that never go back.
    """

    def __init__(self, fleet: FleetConfig, say: Say, rng: Random | None = None) -> None:
        self.fleet, self._say = fleet, say
        self._rng = rng or Random()  # noqa: S311 - jitter, not a secret
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._lock: FleetLock | None = None
        self._last_start_ns = 0
        self._is_ending = False
        self.is_over = False
        """Whether all was ended, is gone, and is written down so."""
        self._looked_ns = time.monotonic_ns()
        self._answers: dict[int, str] = {}
        """To wishes that were carried out; one is here for longer only where it cannot be kept."""
        self._failures: dict[str, str] = {}

    def open(self) -> Self:
        """Take the fleet's lock, read what was left, find the bots that run.

        Raises:
            FleetBusy: another orchestrator holds it.
            FleetStateUnavailable: the state cannot be read.
        """
        run_dir = self.fleet.run_dir
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = FleetLock(run_dir)
        self._store = FleetStore(run_dir / STATE)
        self._answer_downs(_BEFORE)
        self._roster = Roster(self._store, self._say)
        self._roster.recall(self.fleet, self._now_ns())
        self._apply(self.fleet)
        return self

    def close(self) -> None:
        """Give the fleet back. The bots that still run go on."""
        self._answer_downs(OK if self.is_over else _LEFT)
        self._store.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _answer_downs(self, answer: str) -> None:
        """Take up what would end another orchestrator than the one that it was asked of."""
        with self._telling_failures("requests"):
            for request in self._store.open_requests():
                if request.verb == "down":
                    self._store.answer(request.number, answer)
            self._store.tidy()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def memories(self) -> dict[str, BotMemory]:
        """How each bot stands; to be read only."""
        return {bot.spec.bot: bot.memory for bot in self._roster}

    @property
    def seen(self) -> list[Seen]:
        """How each bot stands, to be given away: nothing of it changes any more."""
        return [bot.seen for bot in self._roster]

    def end(self) -> None:
        """Begin to end every bot in order; `step` goes on until all are gone."""
        self._is_ending = True

    def step(self) -> None:
        """Look at everything once and do what follows.

        Raises:
            FleetGone: another orchestrator may run the fleet by now.
        """
        if self._lock is not None:
            self._lock.look()
        now_ns = self._now_ns()
        with self._telling_failures("requests"):
            for request in [] if self._is_ending else self._store.open_requests():
                self._attend_to(request, now_ns)
        may_start = not self._is_ending
        for bot in self._roster:
            with self._telling_failures(bot.spec.bot):
                may_start = self._look_at(bot, now_ns, may_start=may_start) and may_start
        # What was not written down would be `stopped` for the next: it ended in order, unasked.
        left = any(bot.is_on or bot.spec.bot in self._failures for bot in self._roster)
        self.is_over = self._is_ending and not left

    def _now_ns(self) -> int:
        """Give UTC, less the time in which this process was stopped and could not look."""
        now_ns = time.monotonic_ns()
        looked_ns, self._looked_ns = self._looked_ns, now_ns
        away_ns = now_ns - looked_ns - int(max(2 * self.fleet.look_s, 1.0) * NS_PER_S)
        if away_ns > 0:
            self._offset_ns -= away_ns
            for bot in self._roster:
                bot.eyes.away(away_ns)
        return self._offset_ns + now_ns

    @contextmanager
    def _telling_failures(self, what: str) -> Iterator[None]:
        """One bot that cannot be looked at, or a full disk, keeps nobody from the others."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the next bot is looked at
            said = f"{type(error).__name__}: {error}"
            if self._failures.get(what) != said:
                self._say("failed", what=what, why=said)
            self._failures[what] = said
        else:
            self._failures.pop(what, None)

    # ------------------------------------------------------------ one bot

    def _look_at(self, bot: Bot, now_ns: int, *, may_start: bool) -> bool:
        """Do what is due for one bot; give whether another may be started in this look."""
        if not self._roster.settle(bot):  # before a start, which is to be of the spec as it is now
            return True
        pid, memory = bot.pid_seen(), bot.memory
        bot.process.trim_output()
        if self._is_ending:
            self._do(bot, self._ended_with_fleet(bot, now_ns), now_ns)
        before = _standing(memory)
        facts = bot.eyes.look(pid=pid, exit_code=bot.process.exit_code)
        do = judge(memory, facts, self.fleet.policy, now_ns, self._rng)
        is_started = do is Do.START and may_start and self._is_its_turn(bot, now_ns)
        if do is not Do.START or is_started:
            self._do(bot, do, now_ns)
        elif may_start and (waits := self._roster.waits(bot)):
            memory.why = waits
        if before != _standing(memory):
            self._tell(bot)
        self._roster.keep(bot)
        return not is_started

    def _ended_with_fleet(self, bot: Bot, now_ns: int) -> Do:
        """What runs is to run again with the next `up`; what was stopped or parked stays so."""
        runs = bot.memory.phase is Phase.RUNNING
        return (
            drain(bot.memory, Phase.WAITING, "the fleet went down", now_ns) if runs else Do.NOTHING
        )

    def _is_its_turn(self, bot: Bot, now_ns: int) -> bool:
        if now_ns - self._last_start_ns < self.fleet.stagger_s * NS_PER_S:
            return False
        return not self._roster.waits(bot)

    def _do(self, bot: Bot, do: Do, now_ns: int) -> None:
        match do:
            case Do.START:
                self._start(bot, now_ns)
            case Do.DRAIN:
                # First: who finds its end must know what was to follow, were we killed between.
                with self._telling_failures(bot.spec.bot):
                    self._roster.keep(bot)
                bot.process.drain()
            case Do.KILL:
                self._end_hard(bot, now_ns)

    def _end_hard(self, bot: Bot, now_ns: int) -> None:
        """End what did not end; whom this process has not asked, nobody may have: ask first."""
        if not bot.process.was_told:
            bot.memory.since_ns = now_ns
            bot.process.drain()
            return
        if not bot.process.was_killed:
            self._say("killed", bot=bot.spec.bot, why="its orderly end took too long")
        bot.process.kill()

    def _start(self, bot: Bot, now_ns: int) -> None:
        self._last_start_ns = now_ns
        bot.note_files()
        if pid := bot.process.adopt():
            self._say("adopted", bot=bot.spec.bot, pid=pid)
            bot.eyes.begin(is_new=False)
        else:
            bot.begin()
            try:
                bot.process.start()
            except WatchkeeperError as error:
                cannot_start(bot.memory, str(error), self.fleet.policy, now_ns, self._rng)
                return
        self._roster.tell_unlimited(bot)
        started(bot.memory, now_ns)

    def _tell(self, bot: Bot) -> None:
        memory = bot.memory
        facts: dict[str, Any] = {"bot": bot.spec.bot, "pid": bot.process.pid, "why": memory.why}
        if memory.warnings:
            facts["warnings"] = list(memory.warnings)
        self._say(str(memory.phase), **facts)

    # ------------------------------------------------------------ what persons want

    def _attend_to(self, request: Request, now_ns: int) -> None:
        """Carry out one wish, once, though its answer may have to wait for room on the disk."""
        if request.verb == "down":  # answered by `close`
            self.end()
            return
        if request.number not in self._answers:
            self._answers[request.number] = self._carry_out(request, now_ns)
        self._store.answer(request.number, self._answers[request.number])
        del self._answers[request.number]
        self._store.tidy()

    def _carry_out(self, request: Request, now_ns: int) -> str:
        if request.verb == "reload":
            return self._reload()
        bot = self._roster.bots.get(request.bot)
        if bot is None:
            known = ", ".join(self._roster.bots) or "none"
            return f"there is no bot {request.bot} (there are: {known})"
        if not bot.is_on and bot.pid_seen():  # started by hand, and now a person wants it ended
            started(bot.memory, now_ns)
        if request.verb == "restart":
            self._do(bot, person_starts(bot.memory, now_ns), now_ns)
            return OK
        if request.verb == "drain":
            stopped = drain(bot.memory, Phase.STOPPED, "a person drained it", now_ns)
            self._do(bot, stopped, now_ns)
            return OK
        return f"{request.verb} is nothing that can be asked for"

    def _reload(self) -> str:
        try:
            fleet = load_fleet(self.fleet.path)
        except ConfigError as error:
            return "; ".join(error.problems)
        if (fleet.name, fleet.run_dir) != (self.fleet.name, self.fleet.run_dir):
            return "name and run_dir cannot change while the fleet is up: take it down first"
        if problems := mistakes(self._roster.bots, fleet):
            return "; ".join(problems)
        self.fleet = fleet
        told = msgspec.json.encode(compare(self._roster.bots, fleet)).decode()
        self._apply(fleet)
        return f"{OK} {told}"

    def _apply(self, fleet: FleetConfig) -> None:
        now_ns = self._now_ns()
        for bot, do in self._roster.apply(fleet, now_ns):
            self._do(bot, do, now_ns)


def _standing(memory: BotMemory) -> tuple[object, ...]:
    """Give what is told when it changes: of a warning which it is, not its figure now."""
    return memory.phase, memory.why, *map(kind_of, memory.warnings)
