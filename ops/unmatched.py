"""What to say when nothing matches `--symbol`, `--strategy` or `--since`: what there is."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from messages.errors import LedgerUnavailable
from messages.ids import StrategyId, Symbol
from messages.nearness import near_symbol
from ops.config_reader import did_you_mean, printable
from ops.moments import utc_with_zone
from persistence.reader import LedgerReader

_NAMED = 8


def tell_unmatched(ledger: Path, symbol: str | None, strategy: str | None) -> None:
    """Say on stderr which of the two no order of a ledger has; nothing where no ledger is."""
    if symbol is None and strategy is None:
        return
    with contextlib.suppress(LedgerUnavailable), LedgerReader(ledger) as reader:
        _tell(reader.traded(), symbol, strategy)


def tell_older(ledger: Path, what: str, since: str | None, from_ns: int) -> None:
    """Say on stderr which moment a `since` was, where even the newest of a ledger is before it.

    `what`: ``order`` or ``execution``. A span goes back from now, and a recording is of then.
    """
    if since is None:
        return
    with contextlib.suppress(LedgerUnavailable), LedgerReader(ledger) as reader:
        newest_ns = _NEWEST[what](reader)
        if newest_ns is not None and newest_ns < from_ns:
            sys.stderr.write(
                f"watchkeeper: --since {printable(since)} is {utc_with_zone(from_ns)}, and the"
                f" newest {what} of this run is of {utc_with_zone(newest_ns)}, on its market's"
                " clock\n"
            )


def _newest_order(reader: LedgerReader) -> int | None:
    return next((one.decided_at_ns for one in reader.newest_orders()), None)


def _newest_execution(reader: LedgerReader) -> int | None:
    return next((one.fill.ts_event_ns for one in reader.newest_executions(limit=1)), None)


_NEWEST: dict[str, Callable[[LedgerReader], int | None]] = {
    "order": _newest_order,
    "execution": _newest_execution,
}


def _tell(traded: set[tuple[StrategyId, Symbol]], symbol: str | None, strategy: str | None) -> None:
    for option, wanted, names in (
        ("--symbol", symbol, {str(name) for _, name in traded}),
        ("--strategy", strategy, {str(name) for name, _ in traded}),
    ):
        if wanted is not None and wanted not in names:
            sys.stderr.write(f"watchkeeper: {_sentence(option, wanted, sorted(names))}\n")


def _sentence(option: str, wanted: str, names: list[str]) -> str:
    if not names:
        return f"{option} {wanted}: there is no order at all in this run"
    close = _did_you_mean(option, wanted, names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    there = close or f"; there is {', '.join(names[:_NAMED])}{more}"
    return f"{option} {wanted}: no order of this run has it{there}"


def _did_you_mean(option: str, wanted: str, names: list[str]) -> str:
    if option != "--symbol":
        return did_you_mean(wanted, names)
    near = near_symbol(wanted, names)
    return f'; did you mean "{near}"?' if near else ""
