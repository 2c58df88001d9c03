"""Looks at every bot once a second, asks `decisions.fleet` what to do, and does it.

One thread. All that it must know again after its own death is in `fleet.db`; that no bot runs
twice rests on the bots' own locks. Nothing here is waited for: a bot is started or signalled, and
what became of it is seen at the next look.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Self

import msgspec

from decisions.fleet import (
    BotMemory,
    Do,
    Phase,
    cannot_start,
    drain,
    ending,
    judge,
    person_starts,
    recall,
    started,
)
from messages.errors import ConfigError, WatchkeeperError
from messages.ids import NS_PER_S
from ops.fleet.bots import BotProcess, starting
from ops.fleet.config import BotSpec, FleetConfig, load_fleet
from ops.fleet.facts import BotEyes
from ops.fleet.standing import Seen, seen_of
from persistence.fleet import FleetStore, Kept, Request

STATE, FLEET_LOCK = "fleet.db", "fleet.lock"
OK = "done"
_LEFT = "the orchestrator left before all had ended"

Say = Callable[..., object]
"""Called with the name of what happened, and its facts by name."""


class FleetBusy(WatchkeeperError):
    """Another orchestrator runs this fleet; the text names it."""


class Bot:
    """One bot, all that is known of it."""

    def __init__(self, spec: BotSpec, memory: BotMemory | None = None) -> None:
        self.spec = spec
        self.memory = BotMemory() if memory is None else memory
        self.process = BotProcess(spec)
        self.eyes = BotEyes(Path(spec.run_dir))
        self.kept: Kept | None = None
        self.leaves = False
        """Taken out of the fleet file: forgotten once it has ended."""
        self.next_spec: BotSpec | None = None
        """Changed in the fleet file: taken up once it has ended."""


class Orchestrator:
    """Holds the fleet's lock from `open` to `close`.

    `say` is told what is done; `clock` gives UTC nanoseconds that never go back.
    """

    def __init__(self, fleet: FleetConfig, say: Say, rng: Random | None = None) -> None:
        self.fleet, self._say = fleet, say
        self._rng = rng or Random()  # noqa: S311 - jitter, not a secret
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._bots: dict[str, Bot] = {}
        self._lock_fd: int | None = None
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
        self._lock_fd = _take(run_dir / FLEET_LOCK)
        self._store = FleetStore(run_dir / STATE)
        for kept in self._store.bots():
            if bot := self._recalled(kept):
                self._bots[kept.bot] = bot
                recall(bot.memory, self.fleet.policy, self._now_ns())
        self._find()
        self._apply(self.fleet)
        return self

    def _recalled(self, kept: Kept) -> Bot | None:
        """Read what was noted of a bot; one of which that fails may have been parked."""
        try:
            return _bot_of(kept)
        except msgspec.DecodeError as error:
            why = f"what was known of it cannot be read: {error}"
        for spec in self.fleet.bots:
            if spec.bot == kept.bot:
                return Bot(spec, BotMemory(phase=Phase.PARKED, why=why))
        self._say("forgotten", bot=kept.bot, why=why)
        self._store.forget(kept.bot)
        return None

    def _find(self) -> None:
        """Take over what runs of the bots: by its lock, or, before it has that, by its command."""
        lost = [bot for bot in self._bots.values() if not bot.process.adopt()]
        begun = starting(bot.spec for bot in lost)
        for name, bot in self._bots.items():
            if name in begun:
                bot.process.take_up(begun[name])
            if pid := bot.process.pid:
                bot.eyes.begin(is_new=False)
                if bot.memory.phase is Phase.WAITING:  # its start was not noted any more
                    started(bot.memory, self._now_ns())
                self._say("adopted", bot=name, pid=pid)
            elif bot.kept is not None:
                bot.process.left(bot.kept.pid)

    def close(self) -> None:
        """Give the fleet back. The bots that still run go on."""
        with self._telling_failures("requests"):
            for request in self._store.open_requests():
                if request.verb == "down":  # it would end the next one too
                    self._store.answer(request.number, OK if self.is_over else _LEFT)
            self._store.tidy()
        self._store.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def memories(self) -> dict[str, BotMemory]:
        """How each bot stands; to be read only."""
        return {name: bot.memory for name, bot in self._bots.items()}

    @property
    def seen(self) -> list[Seen]:
        """How each bot stands, to be given away: nothing of it changes any more."""
        return [
            seen_of(
                name, bot.spec.run_dir, bot.memory, bot.process.pid, _how(bot.process.exit_code)
            )
            for name, bot in self._bots.items()
        ]

    def end(self) -> None:
        """Begin to end every bot in order; `step` goes on until all are gone."""
        self._is_ending = True

    def step(self) -> None:
        """Look at everything once and do what follows."""
        now_ns = self._now_ns()
        with self._telling_failures("requests"):
            for request in [] if self._is_ending else self._store.open_requests():
                self._attend_to(request, now_ns)
        may_start = not self._is_ending
        for bot in list(self._bots.values()):
            with self._telling_failures(bot.spec.bot):
                may_start = self._look_at(bot, now_ns, may_start=may_start) and may_start
        on = [b for b in self._bots.values() if b.memory.phase in (Phase.RUNNING, Phase.DRAINING)]
        self.is_over = self._is_ending and not on

    def _now_ns(self) -> int:
        """Give UTC, less the time in which this process was stopped and could not look."""
        now_ns = time.monotonic_ns()
        looked_ns, self._looked_ns = self._looked_ns, now_ns
        away_ns = now_ns - looked_ns - int(max(2 * self.fleet.look_s, 1.0) * NS_PER_S)
        if away_ns > 0:
            self._offset_ns -= away_ns
            for bot in self._bots.values():
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
        self._settle(bot)  # before a start, which is to be of the spec as it is now
        if bot.spec.bot not in self._bots:
            return True
        pid, memory = bot.process.pid, bot.memory
        bot.process.trim_output()
        if self._is_ending:
            self._do(bot, self._ended_with_fleet(bot, now_ns), now_ns)
        before = _standing(memory)
        facts = bot.eyes.look(pid=pid, exit_code=bot.process.exit_code)
        do = judge(memory, facts, self.fleet.policy, now_ns, self._rng)
        is_started = do is Do.START and may_start and self._is_its_turn(bot, now_ns)
        if do is not Do.START or is_started:
            self._do(bot, do, now_ns)
        elif may_start and (awaited := self._awaited(bot)):
            memory.why = f"it waits until {' and '.join(awaited)} can trade"
        if before != _standing(memory):
            self._tell(bot)
        self._keep(bot)
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
        return not self._awaited(bot)

    def _awaited(self, bot: Bot) -> list[str]:
        others = [self._bots[name] for name in bot.spec.after if name in self._bots]
        return [one.spec.bot for one in others if not one.eyes.is_ready(one.process.pid)]

    def _do(self, bot: Bot, do: Do, now_ns: int) -> None:
        match do:
            case Do.START:
                self._start(bot, now_ns)
            case Do.DRAIN:
                # First: who finds its end must know what was to follow, were we killed between.
                with self._telling_failures(bot.spec.bot):
                    self._keep(bot)
                bot.process.drain()
            case Do.KILL:
                self._say("killed", bot=bot.spec.bot, why="its orderly end took too long")
                bot.process.kill()

    def _start(self, bot: Bot, now_ns: int) -> None:
        self._last_start_ns = now_ns
        if pid := bot.process.adopt():
            self._say("adopted", bot=bot.spec.bot, pid=pid)
            bot.eyes.begin(is_new=False)
        else:
            bot.eyes.begin(is_new=True)
            try:
                bot.process.start()
            except WatchkeeperError as error:
                cannot_start(bot.memory, str(error), self.fleet.policy, now_ns, self._rng)
                return
        started(bot.memory, now_ns)

    def _settle(self, bot: Bot) -> None:
        """Take up what the fleet file says anew, once its process is gone."""
        if bot.memory.phase in (Phase.RUNNING, Phase.DRAINING):
            return
        if bot.leaves:
            del self._bots[bot.spec.bot]
            self._store.forget(bot.spec.bot)
            self._say("forgotten", bot=bot.spec.bot)
        elif bot.next_spec is not None:
            bot.spec, bot.next_spec = bot.next_spec, None
            bot.process, bot.eyes = BotProcess(bot.spec), BotEyes(Path(bot.spec.run_dir))

    def _tell(self, bot: Bot) -> None:
        memory = bot.memory
        facts: dict[str, Any] = {"bot": bot.spec.bot, "pid": bot.process.pid, "why": memory.why}
        if memory.warnings:
            facts["warnings"] = list(memory.warnings)
        self._say(str(memory.phase), **facts)

    def _keep(self, bot: Bot) -> None:
        """Write down what has changed of it, and nothing else: mostly nothing has."""
        kept = Kept(
            bot=bot.spec.bot,
            place=list(self._bots).index(bot.spec.bot),
            spec=msgspec.json.encode(bot.spec).decode(),
            memory=msgspec.json.encode(bot.memory).decode(),
            pid=bot.process.pid,
            exit_code=bot.process.exit_code,
        )
        if kept != bot.kept:
            self._store.keep(kept)
            bot.kept = kept

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

    def _carry_out(self, request: Request, now_ns: int) -> str:
        if request.verb == "reload":
            return self._reload()
        bot = self._bots.get(request.bot)
        if bot is None:
            known = ", ".join(self._bots) or "none"
            return f"there is no bot {request.bot} (there are: {known})"
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
        self.fleet = fleet
        self._apply(fleet)
        return OK

    def _apply(self, fleet: FleetConfig) -> None:
        """Add, change and take out bots; those that are as they were are not touched."""
        now_ns = self._now_ns()
        wanted = {spec.bot: spec for spec in fleet.bots}
        for name, bot in list(self._bots.items()):
            if name not in wanted:
                bot.leaves = True
                why = "it is no more in the fleet file"
                self._do(bot, drain(bot.memory, Phase.STOPPED, why, now_ns), now_ns)
            elif wanted[name] != bot.spec:
                bot.next_spec = wanted[name]
                runs = bot.memory.phase is Phase.RUNNING
                if runs or bot.memory.phase is Phase.PARKED:
                    self._do(
                        bot, drain(bot.memory, Phase.WAITING, "it was changed", now_ns), now_ns
                    )
        for name, spec in wanted.items():
            bot = self._bots.setdefault(name, Bot(spec))
            if bot.leaves:
                bot.leaves = False
                drain(bot.memory, Phase.WAITING, "it is in the fleet file again", now_ns)
        names = [*wanted, *(name for name in self._bots if name not in wanted)]
        self._bots = {name: self._bots[name] for name in names}


def _how(exit_code: int | None) -> str | None:
    return None if exit_code is None else ending(exit_code)


def _standing(memory: BotMemory) -> tuple[object, ...]:
    """Give what is told when it changes: of a warning which it is, not its figure now."""
    return memory.phase, memory.why, *(said.partition(" ")[0] for said in memory.warnings)


def _bot_of(kept: Kept) -> Bot:
    spec = msgspec.json.decode(kept.spec, type=BotSpec)
    bot = Bot(spec, msgspec.json.decode(kept.memory, type=BotMemory))
    bot.kept = kept
    return bot


def _take(lock: Path) -> int:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = os.pread(fd, 20, 0).decode(errors="replace").strip()
        os.close(fd)
        raise FleetBusy(f"{lock.parent} is run by orchestrator {pid or '(unknown)'}") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
