"""What metrics_summary.json says: a fold over the messages that Metrics receives.

``allowed`` counts claims, ``rejected`` refusals by risk, by age and by the venue, ``filled``
complete orders, ``errors`` incarnations that ended badly, ``retries`` second sends of an
order that was proved not sent, ``dupes_filtered`` decisions made again.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from decisions.histogram import LatencyHistogram
from decisions.money_fold import MoneyFold
from decisions.portfolio import Holding, Portfolio
from decisions.stages import StageFold
from messages.exact import NOTHING
from messages.ids import ActorPath, OrderKey
from messages.lifecycle import ExitReason, Supervision
from messages.market import FeedEnded, FeedReport
from messages.order_states import ABSENT_STATES
from messages.orders import DuplicateFiltered, OrderUpdate, PriceMark
from messages.values import OrderState

MetricsInput = FeedReport | FeedEnded | OrderUpdate | DuplicateFiltered | Supervision | PriceMark

_FAILURES = (ExitReason.CRASHED, ExitReason.INIT_FAILED, ExitReason.KILLED)
_STAGES = {
    OrderState.CLAIMED: "claim",
    OrderState.REFUSED: "claim",
    OrderState.SENT: "send",
    OrderState.NOT_SENT: "send",
    OrderState.UNKNOWN: "send",
}
_CLAIMED, _FILLED, _NOT_SENT = OrderState.CLAIMED, OrderState.FILLED, OrderState.NOT_SENT
_LEAVING = (OrderState.CLAIMED, OrderState.SENT)
_NONE: Counter[str] = Counter()
_REFUSALS = (OrderState.REFUSED, OrderState.REJECTED)


class Keeping(msgspec.Struct):
    """How the keeping of metrics itself goes; `problem` says what the disk refuses now."""

    dropped_lines: int = 0
    lines: int = 0
    problem: str = ""


class MetricsFold:
    """The counters of one process, and the `money` of its run directory since the beginning.

    The same messages in the same order give the same summary.
    """

    def __init__(self) -> None:
        self.keeping = Keeping()
        self.money = MoneyFold()
        self.allowed = self.rejected = self.filled = 0
        self.errors = self.retries = self.dupes_filtered = 0
        self.errors_by_reason: Counter[str] = Counter()
        self.rejects_by_reason: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self._stages: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.stages = StageFold()
        """What the stages of decisions took; another's where somebody else folds them."""
        self._feeds: dict[ActorPath, FeedReport] = {}
        self._ended: dict[ActorPath, int] = {}
        self.claim_latency = LatencyHistogram()
        """From a decision to its durable claim."""
        self.sent = 0
        """How often an order was handed to the venue, as its answer, or the lack of one, tells."""
        self._leaving: set[OrderKey] = set()
        """Claimed or sent again by this process, and nothing is known of it since."""
        self._not_sent: set[OrderKey] = set()

    @property
    def portfolio(self) -> Portfolio:
        """Positions and profit of the run directory; read only, on any thread."""
        return self.money.portfolio

    @property
    def processed(self) -> int:
        """How many market events the feeds have delivered, by their newest word."""
        delivered = {path: report.delivered for path, report in self._feeds.items()}
        return sum((delivered | self._ended).values())

    @property
    def accepted(self) -> int:
        """How many orders the venue has said to have accepted."""
        return self._stages.get("venue", _NONE)[OrderState.ACCEPTED.value]

    def feeds(self) -> dict[ActorPath, FeedReport]:
        """Give the newest report of each feed; any thread."""
        return self._feeds.copy()

    def fold(self, message: MetricsInput) -> None:
        """Take one message."""
        match message:
            case OrderUpdate():
                self._order(message)
            case FeedReport():
                self._feeds[message.feed] = message
            case FeedEnded():
                self._ended[message.feed] = message.delivered
            case DuplicateFiltered():
                self.dupes_filtered += 1
                self._stages["claim"]["duplicate"] += 1
            case Supervision():
                self._supervision(message)
            case PriceMark():
                self.money.mark(message.symbol, message.price)

    def summary(self) -> dict[str, Any]:
        """Give all of it as JSON has it, keys sorted; money as strings, amounts per currency."""
        self.money.take_up()
        return {
            "allowed": self.allowed,
            "dupes_filtered": self.dupes_filtered,
            "earlier": {
                "executions": self.money.executions,
                "orders": self.money.orders,
                "pending": self.money.is_pending,
                "problem": self.money.problem,
            },
            "errors": self.errors,
            "errors_by_reason": _sorted(self.errors_by_reason),
            "feeds": {path: _feed(self._feeds[path]) for path in sorted(self._feeds)},
            "filled": self.filled,
            "latency_ns": {"decision_to_claim": self.claim_latency.summary()},
            "metrics": msgspec.structs.asdict(self.keeping),
            "outcomes_by_stage": self._outcomes(),
            "pnl": {quote: _pnl(self.money, quote) for quote in self.portfolio.quotes()},
            "positions": {
                symbol: _position(holding)
                for symbol, holding in sorted(self.portfolio.holdings.items())
            },
            "processed": self.processed,
            "rejected": self.rejected,
            "rejects_by_reason": _sorted(self.rejects_by_reason),
            "restarts": _sorted(self.restarts),
            "retries": self.retries,
            "stages": self.stages.summary(),
        }

    def _outcomes(self) -> dict[str, dict[str, int]]:
        """Those of claim, send and venue are states; of the other stages how they went."""
        noted = {stage: n for stage, n in self.stages.outcomes.items() if n}
        return {stage: _sorted(n) for stage, n in sorted({**noted, **self._stages}.items())}

    def _order(self, update: OrderUpdate) -> None:
        if update.late_fills:
            self.money.order(update)
            return
        state = update.state
        self._stages[_STAGES.get(state, "venue")][state._value_] += 1
        if state is _CLAIMED:
            self.allowed += 1
        elif state is _FILLED:
            self.filled += 1
        elif state in _REFUSALS:
            self.rejected += 1
            self.rejects_by_reason[_slug(update.reason, state.value)] += 1
        if update.claim_latency_ns is not None:
            self.claim_latency.record(update.claim_latency_ns)
        self._follow_leaving(update.order_key, state)
        if self._not_sent or state is _NOT_SENT:
            self._follow_sends(update)
        self.money.order(update)

    def _follow_leaving(self, key: OrderKey, state: OrderState) -> None:
        if state in _LEAVING:
            self._leaving.add(key)
        elif key in self._leaving:
            self._leaving.discard(key)
            self.sent += state not in ABSENT_STATES

    def _follow_sends(self, update: OrderUpdate) -> None:
        if update.state is _NOT_SENT:
            self._not_sent.add(update.order_key)
        elif update.order_key in self._not_sent:
            self._not_sent.discard(update.order_key)
            self.retries += update.state is OrderState.SENT

    def _supervision(self, report: Supervision) -> None:
        reason = _slug(report.reason, "unknown")
        if report.event == "restarted":
            self.restarts[report.child] += 1
        elif report.event == "exited" and reason in _FAILURES:
            self.errors += 1
            self.errors_by_reason[reason] += 1


def money(amount: Decimal) -> str:
    """Give an amount for a person: no exponent, no zeros at the end, no minus zero."""
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _slug(reason: str, otherwise: str) -> str:
    # Reasons begin with a word for machines: "max_order_notional: 2 at 900 is more than 1000".
    return reason.partition(":")[0].strip() or otherwise


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _feed(report: FeedReport) -> dict[str, int | bool]:
    return {
        "delivered": report.delivered,
        "duplicate": report.duplicate,
        "ended": report.ended,
        "gaps": report.gaps,
        "malformed": report.malformed,
        "missing": report.missing,
        "out_of_order": report.out_of_order,
    }


def _pnl(all_money: MoneyFold, quote: str) -> dict[str, str]:
    portfolio = all_money.portfolio
    holdings = portfolio.of_quote(quote)
    return {
        "equity": money(portfolio.equity(quote)),
        "fees": money(sum((one.fees for one in holdings), start=NOTHING)),
        "max_drawdown_since_start": money(portfolio.max_drawdown(quote)),
        "realized": money(sum((one.realized for one in holdings), start=NOTHING)),
        "since_start": money(all_money.since_start(quote)),
        "unrealized": money(sum((one.unrealized for one in holdings), start=NOTHING)),
    }


def _position(holding: Holding) -> dict[str, str | None]:
    mark = holding.mark_price
    return {
        "average_cost": money(holding.average_cost),
        "mark_price": None if mark is None else money(mark),
        "quantity": money(holding.quantity),
        "realized": money(holding.realized),
        "unrealized": money(holding.unrealized),
    }
