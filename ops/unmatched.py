"""What to say when nothing matches `--symbol` or `--strategy`: what there would have been."""

import contextlib
import sys
from pathlib import Path

from messages.errors import LedgerUnavailable
from messages.ids import StrategyId, Symbol
from messages.nearness import near_symbol
from ops.config_reader import did_you_mean
from persistence.reader import LedgerReader

_NAMED = 8


def tell_unmatched(ledger: Path, symbol: str | None, strategy: str | None) -> None:
    """Say on stderr which of the two no order of a ledger has; nothing where no ledger is."""
    if symbol is None and strategy is None:
        return
    with contextlib.suppress(LedgerUnavailable), LedgerReader(ledger) as reader:
        _tell(reader.traded(), symbol, strategy)


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
