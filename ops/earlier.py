"""What earlier processes executed, read from the ledger beside the run: nobody waits for it.

The moment that is read is the one in which the executor has opened its ledger and not written to
it yet; so what is read and what is told from then on are two parts, and nothing is in both.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from actors.log import logger
from actors.open_orders import LACKING_MAX
from actors.runtime import Runtime
from decisions.money_fold import Earlier, MoneyFold, SidedExecution, earlier_of
from messages.errors import LedgerError, LedgerUnavailable
from messages.ids import NS_PER_S, OrderKey
from ops.decided_order import in_decided_order
from persistence import statements as sql
from persistence.ledger import Ledger
from persistence.reader import Execution, LedgerReader
from persistence.stored_ledger import StoredLedger

WORKER = "earlier executions"
_MOMENT_NS = 5 * NS_PER_S
"""So long the executor waits at most for the moment to be held; it takes milliseconds."""
_SETTLE_NS = 2 * NS_PER_S
"""So long the last summary waits."""


class EarlierExecutions:
    """Of one process. `money` is told once, from a worker's thread or the executor's."""

    def __init__(self, path: Path, runtime: Runtime, money: MoneyFold) -> None:
        self._path, self._runtime, self._money = path, runtime, money
        self._begun = self._is_told = False
        self._reader: LedgerReader | None = None
        self._executions: Iterator[Execution] = iter(())
        self._told_again: set[OrderKey] = set()
        if path.exists():  # until the executor has opened it, nobody knows what it holds
            money.expect()

    def opening(self, open_ledger: Callable[[], Ledger]) -> Callable[[], Ledger]:
        """Give what opens the ledger and, the first time, begins to read it."""

        def opened() -> Ledger:
            ledger = open_ledger()
            if not self._begun:
                self._begun = True
                self._begin(ledger)
            return ledger

        return opened

    def settle(self) -> None:
        """Wait a little for what is being read."""
        if self._money.is_pending:
            self._runtime.flush(WORKER, _SETTLE_NS)

    def _begin(self, ledger: Ledger) -> None:
        with suppress(LedgerError):  # then reading it says what is wrong
            orders = self._money.orders = sum(ledger.states().values())
            if not orders:
                self._offer(Earlier())
                return
        if not isinstance(ledger, StoredLedger):
            self._without("this ledger cannot be read beside its writer")
            return
        self._money.expect()
        submit = self._runtime.worker(WORKER)
        submit(self._hold_moment)
        if self._runtime.flush(WORKER, _MOMENT_NS):
            submit(self._read)
        else:
            self._without("the ledger was too slow to read")
            submit(self._close)  # it may have been held just after it was looked whether to

    def _hold_moment(self) -> None:
        try:
            reader = self._reader = LedgerReader(self._path)
            rows = [*reader.rows(sql.SELECT_OPEN), *reader.rows(sql.SELECT_LACKING, (LACKING_MAX,))]
            self._told_again = {row[0] for row in rows}
            _, self._executions = reader.holdings()
        except LedgerUnavailable as error:
            self._close()
            self._without(str(error))
        if self._is_told:  # nobody has waited for it: it may be of any moment
            self._close()

    def _read(self) -> None:
        if self._reader is None:
            return
        try:
            executions = in_decided_order(self._executions)
            earlier = earlier_of(map(_sided, executions), self._told_again)
        except (LedgerUnavailable, ValueError, ArithmeticError) as error:
            self._without(str(error))
        else:
            self._offer(earlier)
        self._close()

    def _close(self) -> None:
        reader, self._reader, self._executions = self._reader, None, iter(())
        if reader is not None:
            with suppress(LedgerUnavailable):
                reader.close()

    def _offer(self, earlier: Earlier) -> None:
        self._is_told = True
        self._money.offer(earlier)

    def _without(self, problem: str) -> None:
        if self._is_told:
            return
        self._offer(Earlier(problem=problem))
        logger.bind(actor="metrics").warning(
            "positions and profit are of this process only: {}; `watchkeeper positions` reads all",
            problem,
        )


def _sided(one: Execution) -> SidedExecution:
    return one.order_key, one.symbol, one.side, one.fill
