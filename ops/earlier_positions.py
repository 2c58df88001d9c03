"""What the strategies of earlier processes hold, read from the ledger before theirs begin.

Only where the market is live, or a strategy manages its orders. A recording is shown again from its
beginning, and any other strategy comes to its position by deciding again; a live market is not, and
what it decided while another process ran is in the ledger alone. Without it a strategy would
believe itself flat: it would never leave what it holds, and buy it a second time. One that manages
its orders decides by what became of them, so that it would not decide the same again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from actors.log import logger
from actors.noted_wishes import waiting
from actors.order_records import update_of
from actors.strategy import Kept
from decisions.risk_exit import fees_in
from decisions.stop_exits import left_to_protect
from decisions.unfinished_exits import LEAVING, waiting_in
from decisions.who_leaves import who_leaves
from messages.exact import EXACT, NOTHING
from messages.ids import EXECUTOR, NS_PER_S, StrategyId, Symbol
from messages.orders import OrderIntent
from messages.stops import Stop
from ops.config import StrategyConfig
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.ledger import Ledger
from persistence.reader import LedgerReader

_SPARE_NS = 600 * NS_PER_S
"""For clocks that differ."""

Held = dict[tuple[StrategyId, Symbol], Decimal]


class EarlierPositions:
    """Of one process. Strategies start after the executor, so theirs is settled by then.

    `max_age_ns`: older events decide nothing, so that older decisions need not be known; None where
    they do.
    """

    def __init__(
        self,
        path: Path,
        kept: Mapping[StrategyId, Kept],
        strategies: tuple[StrategyConfig, ...],
        utc_ns: Callable[[], int],
        max_age_ns: int | None,
    ) -> None:
        self._path, self._kept, self._strategies = path, kept, strategies
        self._utc_ns, self._max_age_ns = utc_ns, max_age_ns
        self._begun = False

    def opening(self, open_ledger: Callable[[], Ledger]) -> Callable[[], Ledger]:
        """Give what opens the ledger and, the first time, tells the strategies what they hold.

        Raises, when it is called, what the ledger raises: without it nothing may be decided.
        """

        def opened() -> Ledger:
            ledger = open_ledger()
            if not self._begun:
                try:
                    self._begin(ledger)
                except BaseException:
                    ledger.close()
                    raise
                self._begun = True
            return ledger

        return opened

    def _begin(self, ledger: Ledger) -> None:
        held, until = self._held(ledger), self._decided_until(ledger)
        stops = ledger.stops()
        entries = {stop.entry_key for stop in stops}
        exits = {key for stop in stops for key in stop.exits}
        for one in self._strategies:
            strategy = StrategyId(one.id)
            mine = {symbol: held.get((strategy, symbol), NOTHING) for symbol in one.symbols}
            left = [
                update_of(entry, (), entry.updated_at_ns)
                for entry in ledger.open_entries()
                if entry.strategy_id == strategy and entry.order_key not in exits
            ]
            memory = self._kept[strategy].memory
            decided = until.get(strategy, {})
            memory.begin_with(one.symbols, mine, decided, left, entries)
            memory.from_ledger = True
            self._say_ahead(one.id, max(decided.values(), default=-1))
            if told := ", ".join(f"{much} of {symbol}" for symbol, much in mine.items() if much):
                text = "begins with what its earlier decisions hold: {}"
                logger.bind(actor=f"execution/strategies/{one.id}").info(text, told)
        self._say_left_behind(held, ledger, stops)

    def _say_ahead(self, strategy: str, decided_until_ns: int) -> None:
        """Tell where an earlier process decided by a clock that was ahead of this one."""
        ahead_s = (decided_until_ns - self._utc_ns()) / NS_PER_S
        if self._max_age_ns is not None and ahead_s > 0:
            text = "decides nothing before the market is {:.0f} s ahead of this machine's clock,"
            text += " where an earlier process has decided last"
            logger.bind(actor=f"execution/strategies/{strategy}").info(text, ahead_s)

    def _say_left_behind(self, held: Held, ledger: Ledger, stops: Sequence[Stop]) -> None:
        """Tell of what strategies hold, or have open, that this config has not, and who leaves it.

        Not where a recording is shown again: there what was held is no money.
        """
        if self._max_age_ns is None:
            return
        ours = {(StrategyId(one.id), symbol) for one in self._strategies for symbol in one.symbols}
        open_here = Counter((one.strategy_id, one.symbol) for one in ledger.open_entries())
        for who, symbol in sorted({place for place, much in held.items() if much} | {*open_here}):
            if (who, symbol) in ours:
                continue
            much, count = held.get((who, symbol), NOTHING), open_here[who, symbol]
            who_does = who_leaves(much, self._protected(who, symbol, ledger, stops))
            text = (
                "strategy {} holds or may yet hold {} of {}, with {} orders open, and does not"
                " trade that by this config: {} (give it its id and symbol back, or"
                " end it by hand and `watchkeeper account --accept` that)"
            )
            logger.bind(actor=EXECUTOR).warning(text, who, f"{much:f}", symbol, count, who_does)

    def _protected(
        self, who: StrategyId, symbol: Symbol, ledger: Ledger, stops: Sequence[Stop]
    ) -> Decimal:
        """Give what stops leave of it: they act where some strategy of this config trades that."""
        if not any(symbol in one.symbols for one in self._strategies):
            return NOTHING
        left = NOTHING
        for stop in stops:
            if (stop.strategy_id, stop.symbol) == (who, symbol):
                known = ledger.lookup([stop.entry_key, *stop.exits])
                left = EXACT.add(left, max(left_to_protect(stop, known), NOTHING))
        return left

    def _held(self, ledger: Ledger) -> Held:
        """Give what is filled and may yet be, less what fees have taken from exits.

        An exit is of all that was bought, and is sent as what fees have left of it: the rest is
        nobody's position.
        """
        held: Held = ledger.strategy_exposure()
        if not held:
            return held
        with LedgerReader(self._path) as reader:
            fitted = reader.rows(sql.SELECT_FITTED)
        for strategy, symbol, reason in fitted:
            place = StrategyId(strategy), Symbol(symbol)
            held[place] = EXACT.subtract(held.get(place, NOTHING), fees_in(reason))
        return held

    def _decided_until(self, ledger: Ledger) -> dict[StrategyId, dict[Symbol, int]]:
        since_ns = 0
        if self._max_age_ns is not None:
            since_ns = self._utc_ns() - self._max_age_ns - _SPARE_NS
        until: dict[StrategyId, dict[Symbol, int]] = {}
        # What waits for another order is no entry yet, and would be decided once more.
        no_entries = [*waiting(ledger), *waiting_in(ledger.note(LEAVING))]
        decided: list[OrderIntent | LedgerEntry] = [*no_entries, *ledger.entries(max(since_ns, 0))]
        for one in decided:
            mine = until.setdefault(one.strategy_id, {})
            mine[one.symbol] = max(mine.get(one.symbol, -1), one.decided_at_ns)
        return until
