"""Which bots a fleet has: by its file, by what was written down of them, by what runs of them.

All of it is written down as it changes, so that who comes after a killed orchestrator finds it.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from decisions.fleet import Do, drain
from decisions.fleet_bot import BotMemory, Phase, changed, started
from decisions.fleet_restarts import ending, recall
from ops.fleet.bot_files import fingerprint
from ops.fleet.bots import BotProcess, starting
from ops.fleet.config import BotSpec, FleetConfig
from ops.fleet.facts import BotEyes
from ops.fleet.standing import Seen, seen_of
from persistence.fleet import FleetStore, Kept

Say = Callable[..., object]
"""Called with the name of what happened, and its facts by name."""
_ON = (Phase.RUNNING, Phase.DRAINING)


class Bot:
    """One bot, all that is known of it."""

    def __init__(self, spec: BotSpec, memory: BotMemory | None = None) -> None:
        self.memory = BotMemory() if memory is None else memory
        self.take(spec)
        self.kept: Kept | None = None
        self.leaves = False
        """Taken out of the fleet file: forgotten once it has ended."""
        self.next_spec: BotSpec | None = None
        """Changed in the fleet file, or in a file of its own: taken up once it has ended."""

    def take(self, spec: BotSpec) -> None:
        """Be of this spec; nothing of it runs yet, as far as is known."""
        self.spec = spec
        self.process, self.eyes = BotProcess(spec), BotEyes(Path(spec.run_dir))
        self.process.before = self.eyes.before = self.memory.begun_after

    def note_files(self) -> None:
        """Note what its files have in them before its process reads them.

        With others it is another bot, of which what was before says nothing.
        """
        files = fingerprint(self.spec.config)
        if self.memory.begun_with not in ("", files):
            changed(self.memory)
        self.memory.begun_with = files

    def begin(self) -> None:
        """Note, as it is about to be started, what stands there: no word of it."""
        self.eyes.begin(is_new=True)
        self.memory.begun_after = self.process.before = self.eyes.before

    def differs(self, spec: BotSpec) -> bool:
        """Whether this spec, or what its files have in them now, is not what it was begun with."""
        return spec != self.spec or self.has_other_files(spec)

    def has_other_files(self, spec: BotSpec) -> bool:
        """Whether the files of this spec have something else in them than it was begun with."""
        return self.memory.begun_with not in ("", fingerprint(spec.config))

    def pid_seen(self) -> int | None:
        """Give its process; while it is to be off, who runs in its directory all the same."""
        if self._is_to_run or self.process.pid:
            return self.process.pid
        if pid := self.process.see():
            self.eyes.begin(is_new=False)
        return pid

    def find(self) -> int | None:
        """Give who runs in its directory: its own, with its limits, or another, left as it is."""
        return self.process.adopt() if self._is_to_run else self.process.see()

    @property
    def _is_to_run(self) -> bool:
        return self.is_on or self.memory.phase is Phase.WAITING

    @property
    def is_on(self) -> bool:
        """Whether a process of it runs, or is being ended."""
        return self.memory.phase in _ON

    @property
    def seen(self) -> Seen:
        """How it stands, to be given away: nothing of it changes any more."""
        code = self.process.exit_code
        how = None if code is None else ending(code)
        return seen_of(self.spec.bot, self.spec.run_dir, self.memory, self.process.pid, how)


class Roster:
    """The bots by name, in the order of the fleet's file. One thread uses it."""

    def __init__(self, store: FleetStore, say: Say) -> None:
        self._store, self._say = store, say
        self.bots: dict[str, Bot] = {}

    def __iter__(self) -> Iterator[Bot]:
        """Give those that there are now; while they are gone through some may go."""
        return iter(list(self.bots.values()))

    # ------------------------------------------------------------ after an orchestrator before

    def recall(self, fleet: FleetConfig, now_ns: int) -> None:
        """Take up what was written down of each bot, and what runs of it."""
        for kept in self._store.bots():
            if bot := self._recalled(kept, fleet):
                self.bots[kept.bot] = bot
                recall(bot.memory, fleet.policy, now_ns)
        self._find(now_ns)

    def _recalled(self, kept: Kept, fleet: FleetConfig) -> Bot | None:
        """Read what was noted of a bot; one of which that fails may have been parked."""
        try:
            return _bot_of(kept)
        except msgspec.DecodeError as error:
            why = f"what was known of it cannot be read: {error}"
        for spec in fleet.bots:
            if spec.bot == kept.bot:
                return Bot(spec, BotMemory(phase=Phase.PARKED, why=why))
        self._say("forgotten", bot=kept.bot, why=why)
        self._store.forget(kept.bot)
        return None

    def _find(self, now_ns: int) -> None:
        """Take over what runs of the bots: by its lock, or, before it has that, by its command."""
        lost = [bot for bot in self._by_place() if not bot.find()]
        begun = starting(bot.spec for bot in lost)
        for name, bot in self.bots.items():
            if name in begun:
                bot.process.take_up(begun[name])
            if pid := bot.process.pid:
                bot.eyes.begin(is_new=False)
                bot.memory.begun_with = bot.memory.begun_with or fingerprint(bot.spec.config)
                if bot.memory.phase is Phase.WAITING:  # its start was not noted any more
                    started(bot.memory, now_ns)
                self._say("adopted", bot=name, pid=pid)
                self.tell_unlimited(bot)
            elif bot.kept is not None:
                bot.process.left(bot.kept.pid)

    def tell_unlimited(self, bot: Bot) -> None:
        """Tell which of its limits the kernel does not keep; without them it runs all the same."""
        if bot.process.unlimited:
            self._say("unlimited", bot=bot.spec.bot, why=bot.process.unlimited)

    def _by_place(self) -> list[Bot]:
        """Give one bot for each run directory: whose process was on has what runs there."""
        found: dict[str, Bot] = {}
        for bot in sorted(self, key=lambda bot: not bot.is_on):
            found.setdefault(os.path.realpath(bot.spec.run_dir), bot)
        return list(found.values())

    # ------------------------------------------------------------ what is known

    def keep(self, bot: Bot) -> None:
        """Write down what has changed of it, and nothing else: mostly nothing has."""
        kept = Kept(
            bot=bot.spec.bot,
            place=list(self.bots).index(bot.spec.bot),
            spec=msgspec.json.encode(bot.spec).decode(),
            memory=msgspec.json.encode(bot.memory).decode(),
            pid=bot.process.pid,
            exit_code=bot.process.exit_code,
        )
        if kept != bot.kept:
            self._store.keep(kept)
            bot.kept = kept

    def waits(self, bot: Bot) -> str:
        """Say for whom a bot waits that is to be started; empty when for nobody."""
        others = [self.bots[name] for name in bot.spec.after if name in self.bots]
        late = [one.spec.bot for one in others if not one.eyes.is_ready(one.process.pid)]
        if late:
            return f"it waits until {' and '.join(late)} can trade"
        before = self._before_it(bot)
        return f"it waits until {before} has left its directory" if before else ""

    def _before_it(self, bot: Bot) -> str:
        """Name the bot whose process still runs in this one's directory, as after a renaming."""
        place = os.path.realpath(bot.spec.run_dir)
        for other in self.bots.values():
            is_there = other is not bot and other.process.pid is not None
            if is_there and os.path.realpath(other.spec.run_dir) == place:
                return other.spec.bot
        return ""

    # ------------------------------------------------------------ the file, read anew

    def apply(self, fleet: FleetConfig, now_ns: int) -> list[tuple[Bot, Do]]:
        """Add, change and take out bots; give what is to be done with which.

        Those that are as they were are not touched.
        """
        wanted = {spec.bot: spec for spec in fleet.bots}
        found = []
        for name, bot in self.bots.items():
            if name not in wanted:
                bot.leaves = True
                why = "it is no more in the fleet file"
                found.append((bot, drain(bot.memory, Phase.STOPPED, why, now_ns)))
            else:
                found.append((bot, _changed(bot, wanted[name], now_ns)))
        for name, spec in wanted.items():
            bot = self.bots.setdefault(name, Bot(spec))
            if bot.leaves:
                bot.leaves = False
                drain(bot.memory, Phase.WAITING, "it is in the fleet file again", now_ns)
        names = [*wanted, *(name for name in self.bots if name not in wanted)]
        self.bots = {name: self.bots[name] for name in names}
        return found

    def settle(self, bot: Bot) -> bool:
        """Take up what the file says anew, once its process is gone; False: it has left."""
        if bot.is_on:
            return True
        if bot.leaves:
            del self.bots[bot.spec.bot]
            self._store.forget(bot.spec.bot)
            self._say("forgotten", bot=bot.spec.bot)
            return False
        if bot.next_spec is not None:
            bot.take(bot.next_spec)
            bot.next_spec = None
            changed(bot.memory)
        return True


def _changed(bot: Bot, spec: BotSpec, now_ns: int) -> Do:
    """Give what is to be done for it to be as the file says; one that a person stopped stays so."""
    memory = bot.memory
    bot.next_spec = spec if bot.differs(spec) else None  # it may be again what it was
    will_be = memory.then if memory.phase is Phase.DRAINING else memory.phase
    if bot.next_spec is None or will_be not in (Phase.RUNNING, Phase.PARKED):
        return Do.NOTHING
    return drain(memory, Phase.WAITING, "it was changed", now_ns)


def _bot_of(kept: Kept) -> Bot:
    spec = msgspec.json.decode(kept.spec, type=BotSpec)
    bot = Bot(spec, msgspec.json.decode(kept.memory, type=BotMemory))
    bot.kept = kept
    return bot
