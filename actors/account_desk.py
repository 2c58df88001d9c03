"""Compares the account with the ledger: asks, waits for a quiet moment, tells, and changes nothing.

One desk belongs to one incarnation of the executor and is used on its thread. The baseline lies
in the ledger as a note, so that it has the ledger's lock, flush and fence.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from actors.context import Context
from actors.gateway import Gateway
from actors.log import logger
from decisions.account import (
    Baseline,
    Flows,
    Row,
    Seen,
    Verdict,
    begin,
    compare,
    judge,
    record,
    row_of,
    seen_of,
    sentence,
    still_unlike,
    untold,
    watched,
    write_off,
)
from decisions.risk import RiskState
from decisions.risk_exit import taken_by_fees
from decisions.risk_state import filled
from messages.account import AcceptAccount, AccountRead
from messages.ids import MINUTE_NS, NS_PER_S, Symbol
from messages.lifecycle import TimerFired
from messages.order_states import RESTING_STATES
from messages.orders import OrderReport
from persistence.ledger import Ledger

ACCOUNT = "account"
"""The note under which the baselines lie in the ledger, and what health calls a difference."""

COMPARE = TimerFired(name="compare the account")
CONFIRM_NS = 2 * NS_PER_S
"""The pause before a reading is confirmed, and while orders are under way."""
UNCOMPARED_NS = 10 * MINUTE_NS
"""After this long without a moment that is quiet enough to compare in, health says so."""
UNTOLD_MAX = 30
"""After this many readings in a row (over a minute) that show an unreported order change, health
says so."""
FIRST_START = "the first start of this run directory"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared, and how often."""

    symbols: tuple[Symbol, ...]
    interval_ns: int
    halts: bool
    """Whether a difference halts trading; else it is reported and trading goes on."""


class AccountView:
    """The last comparison, for the control socket: replaced as a whole, read by any thread."""

    def __init__(self) -> None:
        self.latest: dict[str, Any] = {
            "state": "not compared yet",
            "rows": [],
            "foreign_orders": [],
        }


class AccountDesk:
    """`show` gets the difference in words, empty when there is none; `halt` the same to halt for.

    `keep` writes a note, durably, unless this incarnation was given up. `known` says what is known
    already that may be why.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        risk: RiskState,
        settings: AccountSettings,
        view: AccountView,
        keep: Callable[[Mapping[str, str]], object],
        show: Callable[[str], object],
        halt: Callable[[str], object],
        known: Callable[[], str],
    ) -> None:
        self._ctx, self._ledger, self._gateway, self._risk = ctx, ledger, gateway, risk
        self._settings, self._view = settings, view
        self._keep, self._show, self._halt, self._known = keep, show, halt, known
        self._baselines, self._lost = baselines_in(ledger.note(ACCOUNT))
        self._flows = risk.flows = flows_of(ledger)
        self._seen: Seen | None = None
        self._unlike = 0
        """How many readings in a row were not confirmed, with no execution between them."""
        self._untold = 0
        """How many readings in a row showed an order that has moved, and nobody told of it."""
        self._accepting: str | None = None
        self._asked_fills: int | None = None
        """How many executions were known when the question under way was asked."""
        self._foreign: frozenset[str] = frozenset()
        self._log = logger.bind(actor=ctx.path)
        if self._lost:
            self._view.latest = {**self._view.latest, "state": "differs", "difference": self._lost}
            self._log.error("the account: {}", self._lost)
        self._due_ns: int | None = None
        self._quiet_ns = ctx.monotonic_ns()
        """When it was compared last, or the venue was away."""
        self._cannot_said = ""
        self._later(0)

    # ------------------------------------------------------------ when

    def due(self) -> None:
        """A timer came: ask, if it is the one that counts."""
        if self._due_ns is not None and self._ctx.monotonic_ns() >= self._due_ns:
            self._due_ns = None
            self.ask()

    def ask(self) -> None:
        """Ask the venue, now if it is quiet: a stream is back, or a person wants to know."""
        if self._lost and self._accepting is None:
            self._show(self._lost)
            return
        if self._asked_fills is not None:
            return
        if why := self._not_quiet():
            self._skip(why)
            return
        self._asked_fills = self._flows.fills
        self._gateway.ask_account(self._ctx.epoch)

    def away(self, why: str) -> None:
        """Show that the venue is away: the last reading is from before."""
        self._view.latest = self._view.latest | {"away": why}

    def accept(self, order: AcceptAccount) -> None:
        """Make the next reading the baseline, in a person's words."""
        self._accepting, self._seen, self._unlike = order.reason, None, 0
        self.ask()

    def _not_quiet(self) -> str:
        """Say why a reading would prove nothing; resting orders do not matter."""
        under_way = [e for e in self._ledger.open_entries() if e.state not in RESTING_STATES]
        if under_way:
            return f"{len(under_way)} orders are under way"
        # A position that is wholly on sale is no exposure: after a restart it would be missing.
        symbols = {*self._risk.exposure, *self._flows.bought}
        held = {symbol: filled(symbol, self._risk) for symbol in symbols}
        if lacking := untold(held, self._flows):
            return f"not all executions of {', '.join(lacking)} are known"
        return ""

    def _skip(self, why: str) -> None:
        self._log.debug("the account is not compared now: {}", why)
        self._view.latest = self._view.latest | {"skipped": why}
        self._later(CONFIRM_NS)
        if not self._cannot_said and self._ctx.monotonic_ns() - self._quiet_ns >= UNCOMPARED_NS:
            self._cannot(f"for {UNCOMPARED_NS // MINUTE_NS} minutes {why}")

    def _later(self, after_ns: int) -> None:
        """Ask again after that time, unless it is due sooner anyway."""
        due_ns = self._ctx.monotonic_ns() + after_ns
        if self._due_ns is None or due_ns < self._due_ns:
            self._due_ns = due_ns
            self._ctx.after(after_ns, COMPARE)

    # ------------------------------------------------------------ what the venue says

    def read(self, answer: AccountRead) -> None:
        """Compare, unless something moved since it was asked for."""
        if answer.epoch != self._ctx.epoch or self._asked_fills is None:
            return
        asked_fills, self._asked_fills = self._asked_fills, None
        self.away(answer.problem)
        if answer.problem:  # which is said as what it is
            self._quiet_ns = self._ctx.monotonic_ns()
        why = answer.problem or self._not_quiet()
        if not why and asked_fills != self._flows.fills:
            why = "an execution came meanwhile"
        if not why:
            why = self._not_told(answer.open_orders)
            self._count_untold(why)
        if why:
            self._skip(why)
            return
        ours = {entry.client_order_id for entry in self._ledger.open_entries()}
        foreign = [one for one in answer.open_orders if one.client_order_id not in ours]
        self._see_foreign(foreign)
        baseline = self._baselines[-1] if self._baselines and self._accepting is None else None
        rows = None
        if baseline is not None:
            rows = compare(baseline, self._flows, answer.balances, self._settings.symbols)
        told = watched(answer.balances, self._flows, self._settings.symbols)
        before, self._seen = self._seen, seen_of(rows, told, self._flows)
        self._unlike = still_unlike(self._unlike, self._seen, before)
        verdict = judge(rows, told, self._flows, before, self._unlike)
        if verdict is Verdict.CONFIRM:
            self._later(CONFIRM_NS)
            return
        if verdict is Verdict.BEGIN:
            self._begin(answer)
            rows = compare(
                self._baselines[-1], self._flows, answer.balances, self._settings.symbols
            )
        self._tell(rows or [], foreign)
        self._later(self._settings.interval_ns)

    def _not_told(self, shown: Sequence[OrderReport]) -> str:
        """Say which order has moved at the venue and not here, as it may while the stream is mute.

        Its executions are in the balances already. Orders of other symbols are not listed.
        """
        by_name = {one.client_order_id: one for one in shown}
        by_number = {one.venue_order_id: one for one in shown}
        for entry in self._ledger.open_entries():
            if entry.symbol not in self._settings.symbols:
                continue
            one = by_name.get(entry.client_order_id) or by_number.get(entry.venue_order_id)
            if one is None or one.filled_quantity != entry.filled_quantity:
                return f"order {entry.order_key} has moved, and nobody told of it"
        return ""

    def _count_untold(self, why: str) -> None:
        """Let health say what does not pass: until it does, nothing of the account is compared."""
        self._untold = self._untold + 1 if why else 0
        if self._untold == UNTOLD_MAX:
            self._cannot(
                f"{why}. Check that order at the venue, then run `watchkeeper orders resolve`"
            )

    def _cannot(self, why: str) -> None:
        """Say that nothing is compared; once for each reason."""
        text = f"the account cannot be compared: {why}"
        if text != self._cannot_said:
            self._log.warning("{}", text)
        self._cannot_said = text
        self._show(text)

    def _begin(self, answer: AccountRead) -> None:
        why = self._accepting or FIRST_START
        baseline = begin(answer.balances, self._flows, self._ctx.utc_ns(), why)
        baselines = [*self._baselines, baseline]
        self._keep({ACCOUNT: msgspec.json.encode(baselines).decode()})
        tell = self._log.warning if self._accepting else self._log.info
        tell("the account's baseline is that of now: {}", why)
        self._baselines, self._accepting, self._seen, self._lost = baselines, None, None, ""
        self._unlike = 0

    def _tell(self, rows: Sequence[Row], foreign: Sequence[OrderReport]) -> None:
        self._quiet_ns, self._cannot_said = self._ctx.monotonic_ns(), ""
        text = sentence(rows, self._flows, self._known())
        before = self._view.latest.get("difference", "")
        self._view.latest = {
            "state": "differs" if text else "same",
            "difference": text,
            "read_at_ns": self._ctx.utc_ns(),
            "interval_s": self._settings.interval_ns // NS_PER_S,
            "away": "",
            "baseline_at_ns": self._baselines[-1].at_ns,
            "baseline_why": self._baselines[-1].why,
            "rows": [row_of(row) for row in rows],
            "foreign_orders": [_shown(order) for order in foreign],
        }
        if text != before:
            (self._log.error if text else self._log.info)(
                "the account: {}", text or "as this run's executions explain it"
            )
        self._show(text)
        if text and self._settings.halts:
            self._halt(text)

    def _see_foreign(self, orders: Sequence[OrderReport]) -> None:
        """Log what is open and not of this run; it is left alone."""
        foreign = frozenset(f"{order.symbol} {order.venue_order_id}" for order in orders)
        if foreign - self._foreign:
            self._log.warning(
                "{} open orders are not of this run, seen and left alone: {}",
                len(foreign),
                ", ".join(sorted(foreign)),
            )
        self._foreign = foreign


def baselines_in(text: str | None) -> tuple[list[Baseline], str]:
    """Read the note of the baselines, oldest first; or say that it cannot be read.

    Then nothing is compared, and no baseline is made up, until a person says what is right.
    """
    try:
        return (msgspec.json.decode(text, type=list[Baseline]) if text else []), ""
    except msgspec.MsgspecError:
        lost = "what the account held at the beginning cannot be read from the ledger: look at it"
        return [], f'{lost}, then `watchkeeper account --accept "WHY"`'


def flows_of(ledger: Ledger) -> Flows:
    """Give what all executions of a ledger have moved. Cold: walks over every order."""
    flows = Flows()
    for entry, fills in ledger.executed():
        for fill in fills:
            record(entry.symbol, entry.side, fill, flows, entry.strategy_id)
        if fees := taken_by_fees(entry):
            write_off(entry.strategy_id, entry.symbol, fees, flows)
    return flows


def _shown(order: OrderReport) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "venue_order_id": order.venue_order_id,
        "client_order_id": order.client_order_id,
        "state": str(order.state),
        "filled_quantity": f"{order.filled_quantity:f}",
        "note": order.reason,
    }
