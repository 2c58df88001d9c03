"""What an account should hold, what it is said to hold, and whether that is the same. Pure.

What was there before a run is nobody's business here: the balances at one moment are the
baseline, and from then on what the run's executions moved is added to them. Whatever else moves
a balance (a deposit, somebody's own trade, a fee nobody told of) is a difference, which is
reported and never made to fit: only a person's word moves the baseline.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from decisions.spoken import spoken_quantity
from messages.exact import EXACT, NOTHING, is_sane, is_sane_signed
from messages.ids import StrategyId, Symbol, TimestampNs, base_of, quote_of
from messages.learning import learn
from messages.orders import Fill
from messages.values import Side

Amounts = Mapping[str, Decimal]
"""By currency."""

GRAIN = Decimal("0.00000001")
"""To how much venues round a balance and a fee; each execution may be off by so much."""

UNLIKE_MAX = 5
"""How many consecutive, mutually different readings are tolerated before a difference is
reported."""


class Flows(msgspec.Struct, kw_only=True):
    """What executions have moved so far. One owner, one thread; each trade id comes once."""

    amounts: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """By currency: positive when it came in. Fees are in it, in whatever currency."""
    bought: dict[Symbol, Decimal] = msgspec.field(default_factory=dict)
    """Base currency, signed, without fees: what the ledger's filled quantities sum up to, less
    what `write_off` counted."""
    base_fees: dict[Symbol, Decimal] = msgspec.field(default_factory=dict)
    """Base currency: what was taken out of the very coins that were traded, less what
    `write_off` counted. Below 0: less than a step of coins is there that counts as nobody's."""
    fees_of: dict[tuple[StrategyId, Symbol], Decimal] = msgspec.field(default_factory=dict)
    """The same, by whose orders they were taken of: nobody's exit is made smaller, or filled up
    with somebody else's coins, for fees that are not its own."""
    fills: int = 0
    without_fee: int = 0
    """Executions of which it is not known what they cost."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What the account held at a moment, and what the run had moved by then."""

    at_ns: TimestampNs
    balances: dict[str, Decimal]
    """Free and locked together."""
    moved: dict[str, Decimal]
    fills: int
    why: str
    """What began it: the first start, or a person's words."""


learn(Baseline)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One currency, compared."""

    currency: str
    baseline: Decimal
    traded: Decimal
    """What the run has moved since the baseline."""
    expected: Decimal
    told: Decimal
    """What the venue says."""
    difference: Decimal
    """What the venue has more than expected; 0 within the rounding."""


class Verdict(StrEnum):
    """What a reading of the account comes to."""

    CONFIRM = "confirm"
    """Read it once more: an execution may be on its way to us."""
    BEGIN = "begin"
    """There is no baseline: this reading is one."""
    SAME = "same"
    DIFFERS = "differs"


class Seen(msgspec.Struct, frozen=True):
    """One reading that waits to be confirmed."""

    differences: dict[str, Decimal]
    """Without a baseline, the balances themselves."""
    fills: int


def record(
    symbol: Symbol, side: Side, fill: Fill, flows: Flows, strategy_id: StrategyId | None = None
) -> None:
    """Count one execution: base one way, quote the other, the fee out of its own currency.

    One with numbers that make no sense is passed over, and so is missing: see `untold`.
    """
    if not (is_sane(fill.price) and is_sane(fill.quantity) and is_sane_signed(fill.fee)):
        return
    base, quote = base_of(symbol), quote_of(symbol)
    signed = EXACT.multiply(Decimal(side.sign), fill.quantity)
    _add(base, signed, flows.amounts)
    _add(quote, EXACT.minus(EXACT.multiply(signed, fill.price)), flows.amounts)
    if fill.fee_currency:
        _add(fill.fee_currency, EXACT.minus(fill.fee), flows.amounts)
    else:
        flows.without_fee += 1
    if fill.fee_currency == base:
        _charge(strategy_id, symbol, fill.fee, flows)
    flows.bought[symbol] = EXACT.add(flows.bought.get(symbol, NOTHING), signed)
    flows.fills += 1


def write_off(strategy_id: StrategyId, symbol: Symbol, fees: Decimal, flows: Flows) -> None:
    """Count what fees had taken of an exit, once that has filled: of that nothing is left to sell.

    What moved in the account is not touched: the fees are in it since they were told.
    """
    flows.bought[symbol] = EXACT.subtract(flows.bought.get(symbol, NOTHING), fees)
    _charge(strategy_id, symbol, fees.copy_negate(), flows)


def begin(balances: Amounts, flows: Flows, at_ns: TimestampNs, why: str) -> Baseline:
    """Give the baseline that a reading makes."""
    return Baseline(
        at_ns=at_ns,
        balances=dict(balances),
        moved=dict(flows.amounts),
        fills=flows.fills,
        why=why,
    )


def compare(
    baseline: Baseline, flows: Flows, told: Amounts, symbols: Iterable[Symbol]
) -> list[Row]:
    """Give a row for each currency that this run trades or has paid fees in, by name.

    What else the account holds is not looked at.
    """
    rounding = EXACT.multiply(GRAIN, Decimal(flows.fills - baseline.fills + 1))
    rows = []
    for currency in sorted(currencies_of(symbols) | set(flows.amounts)):
        before = baseline.balances.get(currency, NOTHING)
        moved = flows.amounts.get(currency, NOTHING)
        traded = EXACT.subtract(moved, baseline.moved.get(currency, NOTHING))
        expected = EXACT.add(before, traded)
        has = told.get(currency, NOTHING)
        off = EXACT.subtract(has, expected)
        rows.append(
            Row(
                currency=currency,
                baseline=before,
                traded=traded,
                expected=expected,
                told=has,
                difference=off if abs(off) > rounding else NOTHING,
            )
        )
    return rows


def watched(told: Amounts, flows: Flows, symbols: Iterable[Symbol]) -> dict[str, Decimal]:
    """Give what of a reading is this run's business: what it trades or has paid fees in."""
    known = currencies_of(symbols) | set(flows.amounts)
    return {currency: amount for currency, amount in told.items() if currency in known}


def judge(
    rows: Iterable[Row] | None,
    told: Amounts,
    flows: Flows,
    before: Seen | None,
    unlike: int = 0,
) -> Verdict:
    """Say what a reading comes to; `before` is the reading that it would confirm.

    A difference counts once it was seen twice in a row with no execution between, for an
    execution moves a balance before it is told. So does a baseline. Of what somebody else moves
    all the time no two readings are alike: `unlike` counts those before (see `still_unlike`).
    """
    seen = seen_of(rows, told, flows)
    if rows is not None and not seen.differences:
        return Verdict.SAME
    if before != seen and unlike < UNLIKE_MAX:
        return Verdict.CONFIRM
    return Verdict.BEGIN if rows is None else Verdict.DIFFERS


def still_unlike(unlike: int, seen: Seen, before: Seen | None) -> int:
    """Count a reading after which there is still something to be seen again; 0 begins anew."""
    lasts = before is not None and before.differences and seen.differences
    return unlike + 1 if lasts and before is not None and before.fills == seen.fills else 0


def seen_of(rows: Iterable[Row] | None, told: Amounts, flows: Flows) -> Seen:
    """Give what of a reading must be seen again."""
    if rows is None:
        return Seen(dict(told), flows.fills)
    return Seen({row.currency: row.difference for row in rows if row.difference}, flows.fills)


def untold(held: Mapping[Symbol, Decimal], flows: Flows) -> list[Symbol]:
    """Give the symbols in which more (or less) is filled than the known executions sum up to."""
    symbols = sorted({*held, *flows.bought})
    return [s for s in symbols if held.get(s, NOTHING) != flows.bought.get(s, NOTHING)]


def row_of(row: Row) -> dict[str, Any]:
    """Give it as JSON has it: the amounts are text, exact and without an exponent."""
    told: dict[str, Any] = msgspec.structs.asdict(row)
    return {name: f"{one:f}" if isinstance(one, Decimal) else one for name, one in told.items()}


def sentence(rows: Iterable[Row], flows: Flows, known: str = "") -> str:
    """Say in words what differs, and what a person does about it; empty when nothing does.

    `known` is what may be why.
    """
    parts = [
        f"{spoken_quantity(abs(row.difference))} {row.currency}"
        f" {'more' if row.difference > 0 else 'less'}"
        f" ({spoken_quantity(row.told)}, expected {spoken_quantity(row.expected)})"
        for row in rows
        if row.difference
    ]
    if not parts:
        return ""
    fees = f"; {flows.without_fee} executions came without their fee" if flows.without_fee else ""
    why = f"; {known}" if known else ""
    return (
        f"the account holds {', '.join(parts)} than this run's executions explain{fees}{why}:"
        ' find out why, then `watchkeeper account --accept "WHY"`'
    )


def currencies_of(symbols: Iterable[Symbol]) -> set[str]:
    """Give the bases and the quotes."""
    return {part for symbol in symbols for part in (base_of(symbol), quote_of(symbol))}


def _charge(strategy_id: StrategyId | None, symbol: Symbol, fee: Decimal, flows: Flows) -> None:
    flows.base_fees[symbol] = EXACT.add(flows.base_fees.get(symbol, NOTHING), fee)
    if strategy_id is not None:
        place = strategy_id, symbol
        flows.fees_of[place] = EXACT.add(flows.fees_of.get(place, NOTHING), fee)


def _add(currency: str, amount: Decimal, amounts: dict[str, Decimal]) -> None:
    amounts[currency] = EXACT.add(amounts.get(currency, NOTHING), amount)
