"""Positions of strategies that the config has no more: none of them leaves these any more.

Of money alone: where the account of a real venue is compared. One incarnation's, on the executor's
thread.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from decisions.risk import RiskState
from decisions.who_leaves import who_leaves
from messages.ids import StrategySymbol
from persistence.ledger import Ledger

ORPHANS = "orphans"
"""The note under which lies what a person has accepted of them."""


class Orphans:
    """`traded`: what the strategies of this config trade; empty where nobody looks.

    `keep` writes a note durably; `protects` gives how much of a position its stops would leave.
    """

    def __init__(
        self,
        ledger: Ledger,
        risk: RiskState,
        traded: Collection[StrategySymbol],
        keep: Callable[[Mapping[str, str]], Any],
        protects: Callable[[StrategySymbol], Decimal],
    ) -> None:
        self._protects = protects
        self._risk, self._traded, self._keep = risk, frozenset(traded), keep
        text = ledger.note(ORPHANS)
        self._accepted = msgspec.json.decode(text, type=list[list[str]]) if text else []

    def _held(self) -> list[tuple[StrategySymbol, Decimal]]:
        if not self._traded:
            return []
        places = sorted(place for place, held in self._risk.held_by.items() if held)
        return [(one, self._risk.held_by[one]) for one in places if one not in self._traded]

    def problem(self) -> str:
        """Say what is held, and what a person does about it; empty where he said that he knows."""
        found = [
            (place, held)
            for place, held in self._held()
            if _named(place, held) not in self._accepted
        ]
        if not found:
            return ""
        ((strategy_id, symbol), held), more = found[0], len(found) - 1
        others = f" (and {more} more)" if more else ""
        who = who_leaves(held, self._protects((strategy_id, symbol)))
        return (
            f"{strategy_id} holds or may yet hold {held.normalize():f} {symbol} and does not trade"
            f" that by this config{others}: {who}; give it its id and symbol back, or"
            ' end it by hand, then `watchkeeper account --accept "WHY"`'
        )

    def accepted(self) -> None:
        """A person knows of what is held now. What changes of it is told again."""
        held = [_named(place, much) for place, much in self._held()]
        if held != self._accepted:
            self._accepted = held
            self._keep({ORPHANS: msgspec.json.encode(held).decode()})


def _named(place: StrategySymbol, held: Decimal) -> list[str]:
    return [*place, f"{held.normalize():f}"]
