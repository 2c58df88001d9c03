"""The risk check of one order, recomputed at read time from the ledger and the last config."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from decisions.risk_exit import done_by, taken_by_fees
from decisions.risk_limits import RiskLimits
from decisions.risk_recall import PastOrder, state_before_order
from decisions.risk_values import MARKET_ALONE, RiskView, risk_view
from messages.errors import ConfigError
from messages.exact import EXACT, NOTHING
from messages.ids import MINUTE_NS, NS_PER_MS, OrderKey
from messages.order_states import FINAL_STATES
from messages.orders import OrderIntent
from messages.values import OrderState
from ops.config import VenueType, load
from ops.config_risk import risk_limits
from ops.run_files import EFFECTIVE_CONFIG
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader
from persistence.transitions import Event

MOVED_MOST = 5_000
"""Of an order that lies further back nothing is recomputed: each order since must be looked at."""
_MOVED = (
    "SELECT order_key, claimed_at_ns FROM orders WHERE updated_at_ns >= ?"
    " ORDER BY order_key LIMIT ?"
)
_FITTED = (
    "SELECT order_key FROM orders"
    " WHERE symbol = ? AND decided_quantity IS NOT NULL AND state = 'filled'"
)
_PAGE = 1_000


class Recomputed(msgspec.Struct, frozen=True):
    """What was found, or why nothing was."""

    view: RiskView | None
    note: str


def recomputed(
    run_dir: Path, ledger: LedgerReader, entry: LedgerEntry, claimed_ns: int
) -> Recomputed:
    """Put it together; one scan of the orders, and a look at each that has changed since.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    note = "the loss limits and the market's age are not in a ledger"
    try:
        limits, is_replayed = _limits(run_dir)
    except ConfigError as error:
        return Recomputed(None, f"no limits are known: {'; '.join(error.problems)}")
    orders = _past(ledger, entry, claimed_ns)
    if orders is None:
        text = f"not recomputed: more than {MOVED_MOST} orders have changed since"
        return Recomputed(None, text)
    state = state_before_order(
        entry.symbol,
        entry.decided_at_ns,
        _kept(ledger, entry),
        orders.values(),
        _decided(ledger, entry, limits),
        follows_open=not is_replayed,
    )
    view = risk_view(_intent(entry), limits, state, None, knows_market=False)
    left_out = any(getattr(limits, name) for name in MARKET_ALONE)
    return Recomputed(view, note if left_out else "")


def _limits(run_dir: Path) -> tuple[RiskLimits, bool]:
    path = run_dir / EFFECTIVE_CONFIG
    if not path.exists():
        raise ConfigError([f"there is no {path}"])
    config = load(path)
    is_replayed, is_live = not config.feed.is_live, config.venue.type is VenueType.CCXT
    return risk_limits(config.risk, replayed=is_replayed, live=is_live), is_replayed


def _intent(entry: LedgerEntry) -> OrderIntent:
    names = set(OrderIntent.__struct_fields__) & set(LedgerEntry.__struct_fields__)
    known = {name: getattr(entry, name) for name in names}
    return OrderIntent(ts_created_ns=entry.decided_at_ns, **known)


def _kept(ledger: LedgerReader, entry: LedgerEntry) -> Decimal:
    """Give what is held of the symbol now, without what fees had taken of exits, as risk counts."""
    total = NOTHING
    for (_, symbol), text in ledger.positions().items():
        try:
            total = EXACT.add(total, Decimal(text)) if symbol == entry.symbol else total
        except InvalidOperation:
            continue  # `audit` tells of it
    fitted = [OrderKey(key) for (key,) in ledger.rows(_FITTED, (entry.symbol,))]
    for one in ledger.lookup(fitted).values():
        total = EXACT.add(total, one.side.signed(taken_by_fees(one)))
    return total


def _past(
    ledger: LedgerReader, entry: LedgerEntry, claimed_ns: int
) -> dict[OrderKey, PastOrder] | None:
    """Give what was open then or has changed since, the order itself among them; None: too many."""
    rows = ledger.rows(_MOVED, (claimed_ns, MOVED_MOST + 1))
    if len(rows) > MOVED_MOST:
        return None
    moved = {OrderKey(key): int(at_ns or 0) for key, at_ns in rows}
    resting = ledger.open_keys() - set(moved)
    found = {}
    for key, one in ledger.lookup([*moved, *sorted(resting)]).items():
        if key in resting:
            found[key] = _order(one, one.state, done_by(one))
            continue
        is_before = (moved[key], key) < (claimed_ns, entry.order_key)
        events = ledger.events(key) if is_before else []
        found[key] = _then(ledger, one, _before(events, claimed_ns), entry.decided_at_ns)
    return found


def _before(events: list[Event], claimed_ns: int) -> list[Event]:
    if not events or events[0].to_state is OrderState.REFUSED:
        return []
    return [event for event in events if event.at_ns <= claimed_ns]


def _then(
    ledger: LedgerReader, one: LedgerEntry, events: list[Event], decided_ns: int
) -> PastOrder:
    state = events[-1].to_state if events else None
    filled = NOTHING
    if state in FINAL_STATES:
        filled = done_by(one)
    elif state is OrderState.PARTIALLY_FILLED:
        for fill in ledger.fills(one.order_key):
            if fill.ts_event_ns <= decided_ns:
                filled = EXACT.add(filled, fill.quantity)
    return _order(one, state, filled)


def _order(one: LedgerEntry, state: OrderState | None, filled: Decimal) -> PastOrder:
    return PastOrder(
        order_key=one.order_key,
        strategy_id=one.strategy_id,
        symbol=one.symbol,
        side=one.side,
        quantity=one.quantity,
        filled_now=done_by(one),
        state_then=state,
        filled_then=filled,
    )


def _decided(ledger: LedgerReader, entry: LedgerEntry, limits: RiskLimits) -> Iterator[int]:
    """Walk back as far as a minute and the cooldown reach."""
    since_ns = entry.decided_at_ns - max(MINUTE_NS, limits.cooldown_ms * NS_PER_MS)
    before = entry.order_key
    while True:
        page = [sql.entry_of(row) for row in ledger.rows(sql.SELECT_BEFORE, (before, _PAGE))]
        for one in page:
            if one.decided_at_ns <= since_ns:
                return
            if one.symbol == entry.symbol and _was_counted(ledger, one):
                yield one.decided_at_ns
        if len(page) < _PAGE:
            return
        before = page[-1].order_key


def _was_counted(ledger: LedgerReader, one: LedgerEntry) -> bool:
    """Whether risk let it through; what was refused later had been counted."""
    if one.state is not OrderState.REFUSED:
        return True
    events = ledger.events(one.order_key)
    return bool(events) and events[0].to_state is not OrderState.REFUSED
