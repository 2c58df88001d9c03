"""What a replay finds: how much was compared, what was not and why, and where it differs."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from messages.ids import OrderKey, StrategyId, Symbol
from messages.orders import CancelIntent, Intent
from messages.values import Protection

_LONGEST = 200
_REASONS_KEPT = 5
_PLAIN: Any = object.__repr__
RECORDED_ONLY = "recorded only"
REPLAYED_ONLY = "replayed only"
OTHER = "another"
RAISED = "raised"
HUNG = "hung"
JUDGED = "judged otherwise"


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, or judgement, that is not the recorded one; with what it came from."""

    who: str
    """The strategy's id, or ``executor``."""
    kind: str
    at_ns: int
    """UTC, when the message was taken that it was decided on."""
    place: str
    """Of that message in the journal."""
    event: str
    """What was decided on."""
    order_key: OrderKey | None
    recorded: str
    """Empty where nothing was."""
    replayed: str
    state: dict[str, str]
    """Of the replay, right after it had been shown the event."""


class Compared(msgspec.Struct, kw_only=True):
    """How much of one strategy was compared."""

    events: int = 0
    decisions: int = 0
    """Recorded ones that a replayed one was looked for."""
    replayed: int = 0
    same: int = 0
    other_words: int = 0
    """The same decisions for reasons that are worded in another way."""
    from_ns: int | None = None
    until_ns: int | None = None
    is_warmed: bool = False
    """Whether it was begun in the middle: with a warm-up where the run had none."""

    def took(self, at_ns: int, events: int) -> None:
        """Count a message that was replayed."""
        self.from_ns = at_ns if self.from_ns is None else self.from_ns
        self.until_ns = at_ns
        self.events += events


class Unreadable(msgspec.Struct, kw_only=True):
    """Records with a right checksum that are no messages of this version."""

    first: str
    count: int = 0


class Findings(msgspec.Struct, kw_only=True):
    """All that a replay has to tell, but for the divergences themselves."""

    strategies: dict[StrategyId, Compared] = msgspec.field(default_factory=dict)
    judged: Counter[str] = msgspec.field(default_factory=Counter)
    """Judgements that were made again, by their recorded verdict."""
    divergences: Counter[str] = msgspec.field(default_factory=Counter)
    """By kind."""
    not_compared: Counter[str] = msgspec.field(default_factory=Counter)
    """So many recorded decisions and judgements, by why."""
    breaks: list[str] = msgspec.field(default_factory=list)
    """Where something is missing, the first of them."""
    more_breaks: int = 0
    unreadable: dict[str, Unreadable] = msgspec.field(default_factory=dict)
    """By why."""
    notes: list[str] = msgspec.field(default_factory=list)

    def cannot_read(self, why: str, place: str) -> None:
        """Count what cannot be read; of a whole journal that is one sentence, not a thousand."""
        if why not in self.unreadable and len(self.unreadable) >= _REASONS_KEPT:
            why = "others"
        self.unreadable.setdefault(why, Unreadable(first=place)).count += 1

    def note(self, text: str) -> None:
        """Tell it once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def is_nothing(self) -> bool:
        """Whether no strategy could be compared, and nothing else differs."""
        strategies = self.strategies.values()
        return not self.differs and all(one.from_ns is None for one in strategies)

    @property
    def differs(self) -> int:
        """How many divergences there are."""
        return self.divergences.total()


def said(intent: Intent) -> str:
    """Say a decision in a line."""
    if isinstance(intent, CancelIntent):
        return f"end {intent.cancels} on {intent.symbol}: {intent.reason}"
    limit = "" if intent.limit_price is None else f" at {intent.limit_price}"
    kind = f"{intent.order_type} {intent.time_in_force}".lower()
    reason = f": {intent.reason}" if intent.reason else ""
    stops = _stops(intent.protection)
    return f"{intent.side} {intent.quantity} {intent.symbol}{limit} ({kind}{stops}){reason}"


def _stops(kept: Protection | None) -> str:
    if kept is None:
        return ""
    parts = ((name.replace("_", "-"), getattr(kept, name)) for name in kept.__struct_fields__)
    return "".join(f", {name} {value}" for name, value in parts if value is not None)


def said_apart(one: Intent, other: Intent) -> tuple[str, str]:
    """Say two decisions that differ; what differs is in the texts of both."""
    texts = said(one), said(other)
    if texts[0] != texts[1]:
        return texts
    if type(one) is not type(other):
        return texts
    names = differing(one, other)
    mine, others = (
        ", ".join(f"{name} {getattr(intent, name)}" for name in names) for intent in (one, other)
    )
    return f"{texts[0]} [{mine}]", f"{texts[1]} [{others}]"


def differing(one: Intent, other: Intent, unknown: frozenset[str] = frozenset()) -> list[str]:
    """Name what of two decisions differs; when they were made, and their words, do not count.

    Nor does what is unknown of the recorded one.
    """
    left_out = {"ts_created_ns", "reason", *unknown}
    if type(one) is not type(other):
        return ["kind"]
    names = [name for name in one.__struct_fields__ if name not in left_out]
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def state_of(positions: Mapping[Symbol, Decimal], held: Mapping[str, Any]) -> dict[str, str]:
    """Put together what a strategy's driver and the strategy itself hold, in short texts."""
    told = {f"position {name}": str(value) for name, value in positions.items()}
    return told | {name.lstrip("_"): _shown(value) for name, value in sorted(held.items())}


def _shown(value: Any) -> str:
    """Show an object without a text of its own by what it holds; an address tells nobody."""
    try:
        if type(value).__repr__ is _PLAIN:
            inner = {name: getattr(value, name) for name in _names(value)}
            pairs = ", ".join(f"{name.lstrip('_')}={one!r}" for name, one in inner.items())
            return f"{type(value).__name__}({pairs})"[:_LONGEST]
        return repr(value)[:_LONGEST]
    except Exception:  # noqa: BLE001 - a user's object may raise anything
        return f"a {type(value).__name__}"


def _names(value: object) -> list[str]:
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    return [*slots, *getattr(value, "__dict__", {})]
