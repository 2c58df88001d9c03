"""One strategy's incarnations: each made anew where the run did that, from the same memory."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from decisions.strategy import StrategyLike, StrategyMemory, StrategyRun, memory_of
from messages.ids import AccountId, StrategyId, Symbol
from messages.patience import Patience
from messages.values import Instrument, plain_instrument
from research.replay.found import state_of

Build = Callable[[Callable[[Symbol], Instrument]], StrategyLike]


class LineSettings(NamedTuple):
    """Who is replayed, and how. `build` asks for the grids each time."""

    id: StrategyId
    account: AccountId
    symbols: tuple[Symbol, ...]
    timeframe_ns: int
    build: Build
    is_what_if: bool
    """Whether it may go its own way: then it keeps its own memory where the run began anew."""
    is_replayed: bool
    """Whether its market is shown from the beginning by each process."""
    patience: Patience


class Life:
    """`begin` it; `made` gives the present incarnation, until it is to `restart` or to `end`."""

    def __init__(self, settings: LineSettings) -> None:
        self._settings = settings
        self.run: StrategyRun | None = None
        self._memory: StrategyMemory | None = None
        """With which the next run begins; None while that is not known."""
        self._grids: dict[Symbol, Instrument] = {}

    @property
    def is_known(self) -> bool:
        """Whether it is known how it stands."""
        return self.run is not None or self._memory is not None

    def begin(self, memory: StrategyMemory, grids: Iterable[Instrument]) -> None:
        """Let the next incarnation be one with this memory, on these grids."""
        self._grids = {grid.symbol: grid for grid in grids}
        self.run, self._memory = None, memory

    def rules(self, grid: Instrument) -> None:
        """Take new rules of a symbol."""
        self._grids[grid.symbol] = grid

    def restart(self) -> None:
        """Let the next incarnation inherit what the present one has survived."""
        assert self.run is not None, "only what was made can have failed"
        self._memory = self.run.memory.inherited()
        self.run = None

    def end(self) -> StrategyMemory | None:
        """Know nothing of it any more; give what it remembered."""
        memory = self.run.memory if self.run is not None else self._memory
        self.run = self._memory = None
        return memory

    def next_index(self) -> int | None:
        """Say at which event it is; None where none is made."""
        return None if self.run is None else self.run.memory.next_index

    def stands(self) -> tuple[int, int] | None:
        """Say at which event it is, and how often it was shown that; None where none is made."""
        memory = None if self.run is None else self.run.memory
        return None if memory is None else (memory.next_index, memory.tries)

    def state(self) -> dict[str, str]:
        """Say what it holds, as a person reads it."""
        assert self.run is not None, "asked of one that is made"
        return state_of(self.run.memory.positions(self._settings.symbols[0]), self.run.held)

    def made(self) -> StrategyRun:
        """Give the present incarnation; make it and warm it up where there is none."""
        if self.run is None:
            assert self._memory is not None, "asked only where it is known"
            settings = self._settings
            run = StrategyRun(
                lambda: settings.build(self._grid),
                self._roomy(self._memory),
                settings.account,
                settings.id,
                settings.symbols[0],
                symbols=settings.symbols,
                instrument_of=self._grid,
            )
            run.warm_up()
            self.run = run
        return self.run

    def _roomy(self, memory: StrategyMemory) -> StrategyMemory:
        """Keep as many events as a strategy with other settings may need for a warm-up."""
        if not self._settings.is_what_if:
            return memory
        fresh = self._settings.build(self._grid)
        room = memory_of(fresh, self._settings.timeframe_ns, self._settings.symbols).recent.maxlen
        if (room or 0) > (memory.recent.maxlen or 0):
            memory.recent = type(memory.recent)(memory.recent, maxlen=room)
        return memory

    def _grid(self, symbol: Symbol) -> Instrument:
        return self._grids.get(symbol) or plain_instrument(symbol)
