"""Everything that can go wrong between a client and an exchange, each by a name.

A plan says which fault, on which operation, at which of its calls, and how often. Plans are
data: they can be armed in process or over the control port, and a seed decides the chances.
"""

from enum import StrEnum
from random import Random

import msgspec

from exchanges.local.faults_streams import STREAM_SENTENCES


class Fault(StrEnum):
    """The catalogue. What each one does is said in `SENTENCES`."""

    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    CLOSE_BEFORE = "close_before"
    CLOSE_AFTER = "close_after"
    TRUNCATED_LENGTH = "truncated_length"
    TRUNCATED_CHUNKED = "truncated_chunked"
    HALF_JSON = "half_json"
    EMPTY_BODY = "empty_body"
    EMPTY_OBJECT = "empty_object"
    HTML_BODY = "html_body"
    SERVER_ERROR_BEFORE = "server_error_before"
    SERVER_ERROR_AFTER = "server_error_after"
    GATEWAY_TIMEOUT_BEFORE = "gateway_timeout_before"
    GATEWAY_TIMEOUT_AFTER = "gateway_timeout_after"
    TIMEOUT_CODE_BEFORE = "timeout_code_before"
    TIMEOUT_CODE_AFTER = "timeout_code_after"
    UNEXPECTED_RESPONSE_BEFORE = "unexpected_response_before"
    UNEXPECTED_RESPONSE_AFTER = "unexpected_response_after"
    DISCONNECTED_BEFORE = "disconnected_before"
    DISCONNECTED_AFTER = "disconnected_after"
    UNKNOWN_CODE_AFTER = "unknown_code_after"
    SERVER_BUSY = "server_busy"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_ORDERS = "too_many_orders"
    IP_BANNED = "ip_banned"
    FIREWALL = "firewall"
    KEY_REVOKED = "key_revoked"
    MAINTENANCE = "maintenance"
    CLOCK_REFUSED = "clock_refused"
    DELAYED_DELIVERY = "delayed_delivery"
    DELAYED_ENGINE = "delayed_engine"
    DELAYED_REPLY = "delayed_reply"
    DELIVERED_TWICE = "delivered_twice"
    STALE_READ = "stale_read"
    LAGGING_READ = "lagging_read"
    RESET_IDLE_KEEP_ALIVE = "reset_idle_keep_alive"
    PARTIAL_FILL = "partial_fill"
    NO_FILL = "no_fill"
    CANCEL_FILL_RACE = "cancel_fill_race"
    CANCEL_PARTIAL_RACE = "cancel_partial_race"


_LOST_BEFORE = "the engine never sees the request; "
_LOST_AFTER = "the engine does what was asked; then "

SENTENCES: dict[Fault, str] = {
    Fault.HANG_BEFORE: _LOST_BEFORE + "no reply comes and the connection stays open",
    Fault.HANG_AFTER: _LOST_AFTER + "no reply comes and the connection stays open",
    Fault.RESET_BEFORE: _LOST_BEFORE + "the connection is reset",
    Fault.RESET_AFTER: _LOST_AFTER + "the connection is reset",
    Fault.CLOSE_BEFORE: _LOST_BEFORE + "the connection is closed without a reply",
    Fault.CLOSE_AFTER: _LOST_AFTER + "the connection is closed without a reply",
    Fault.TRUNCATED_LENGTH: _LOST_AFTER + "half of the promised Content-Length arrives",
    Fault.TRUNCATED_CHUNKED: _LOST_AFTER + "a chunked reply ends without its last chunk",
    Fault.HALF_JSON: _LOST_AFTER + "a complete 200 holds the first half of the JSON",
    Fault.EMPTY_BODY: _LOST_AFTER + "a complete 200 holds nothing",
    Fault.EMPTY_OBJECT: _LOST_AFTER + "a complete 200 holds {}",
    Fault.HTML_BODY: _LOST_AFTER + "a complete 200 holds a page of HTML",
    Fault.SERVER_ERROR_BEFORE: _LOST_BEFORE + "a 5xx says so, or says nothing (`status`)",
    Fault.SERVER_ERROR_AFTER: _LOST_AFTER + "a 5xx claims that it failed (`status`)",
    Fault.GATEWAY_TIMEOUT_BEFORE: _LOST_BEFORE + "504 from a gateway",
    Fault.GATEWAY_TIMEOUT_AFTER: _LOST_AFTER + "504 from a gateway",
    Fault.TIMEOUT_CODE_BEFORE: _LOST_BEFORE + "-1007: status unknown",
    Fault.TIMEOUT_CODE_AFTER: _LOST_AFTER + "-1007: status unknown",
    Fault.UNEXPECTED_RESPONSE_BEFORE: _LOST_BEFORE + "-1006: status unknown",
    Fault.UNEXPECTED_RESPONSE_AFTER: _LOST_AFTER + "-1006: status unknown",
    Fault.DISCONNECTED_BEFORE: _LOST_BEFORE + "-1001: internal error",
    Fault.DISCONNECTED_AFTER: _LOST_AFTER + "-1001: internal error",
    Fault.UNKNOWN_CODE_AFTER: _LOST_AFTER + "500 with a code that nobody documents",
    Fault.SERVER_BUSY: _LOST_BEFORE + "503 and -1008: overloaded",
    Fault.TOO_MANY_REQUESTS: _LOST_BEFORE + "429 with Retry-After",
    Fault.TOO_MANY_ORDERS: _LOST_BEFORE + "429 and -1015, without Retry-After",
    Fault.IP_BANNED: _LOST_BEFORE + "418 with Retry-After: this address is banned",
    Fault.FIREWALL: _LOST_BEFORE + "403 and HTML from the firewall",
    Fault.KEY_REVOKED: _LOST_BEFORE + "401 and -2015: the key is not valid any more",
    Fault.MAINTENANCE: _LOST_BEFORE + "503: the system is under maintenance",
    Fault.CLOCK_REFUSED: _LOST_BEFORE + "-1021: the timestamp is outside of the window",
    Fault.DELAYED_DELIVERY: "the request arrives `delay_ms` late; its window decides its fate",
    Fault.DELAYED_ENGINE: "the request waits `delay_ms` before the engine, which checks it again",
    Fault.DELAYED_REPLY: _LOST_AFTER + "the reply comes `delay_ms` late",
    Fault.DELIVERED_TWICE: "the network delivers the request twice; the second answer is lost",
    Fault.STALE_READ: "orders younger than `delay_ms` are not found yet",
    Fault.LAGGING_READ: "orders that traded or ended in the last `delay_ms` are shown as before",
    Fault.RESET_IDLE_KEEP_ALIVE: "after the reply the idle connection is reset at its next use",
    Fault.PARTIAL_FILL: "half of the order finds a counterparty; the rest rests or expires",
    Fault.NO_FILL: "nobody is there to trade: the order rests, or expires unfilled",
    Fault.CANCEL_FILL_RACE: "the order fills just before its cancel, which is refused",
    Fault.CANCEL_PARTIAL_RACE: "half of the order fills just before its cancel, which succeeds",
}

CONDITIONS = {
    "advance": "the market plays on for some seconds",
    "set_price": "the market jumps to a price and stays there",
    "set_liquidity": "the book is thin or deep; a market order that finds too little expires",
    "fill_order": "somebody trades with a resting order now, wholly or in part",
    "expire_order": "the exchange takes an open order out",
    "halt": "a symbol does not trade; its open orders stay",
    "delist": "a symbol is gone and its open orders expire",
    "set_tick": "the price step of a symbol changes under its open orders",
    "set_max_orders": "MAX_NUM_ORDERS of a symbol changes",
    "set_minimum": "the smallest order of a symbol changes, in quantity or in money",
    "deposit": "money comes or, negative, goes, without any order",
    "skew_clock": "the exchange's clock differs from the machine's",
    "set_maintenance": "everything is refused until it is over",
    "set_page": "everything is answered with a page of HTML, under a status, until it is over",
    "revoke_key": "the key is refused until it is restored",
    "restrict_key": "the key may read and not trade until it is restored",
    "let_key_withdraw": "the key may withdraw, it is told, until that is taken back",
}
"""What lasts until it is undone, by the name of its control method."""

CATALOGUE: dict[str, str] = (
    {fault.value: text for fault, text in SENTENCES.items()}
    | {fault.value: text for fault, text in STREAM_SENTENCES.items()}
    | CONDITIONS
)

ANY = "any"
OPERATIONS = (
    "place", "test_order", "cancel", "query", "open_orders", "all_orders", "my_trades", "account",
    "cancel_replace", "cancel_all", "time", "exchange_info", "klines", "depth", "trades",
    "agg_trades", "ticker", "book_ticker", "price", "ping", "subscribe",
    "key_rights",
)  # fmt: skip
"""What a plan can aim at, whatever the venue calls it."""


USUAL_DELAY_MS = 1_000


class Plan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One armed fault. Without `nth` and `probability` it strikes at once."""

    fault: Fault
    operation: str = "place"
    """One of `OPERATIONS`, or ``any``."""
    nth: int = 1
    """The first matching call that is struck, from 1."""
    times: int | None = 1
    """How often it strikes; None is for ever."""
    client_order_id: str | None = None
    """Strike only requests about this order."""
    probability: float = 1.0
    delay_ms: int | None = None
    """For delays, and how young a stale or lagging read does not see: 1000 unless given. With any
    other fault that answers, the answer comes so much later."""
    status: int = 503
    """For server errors."""
    retry_after_s: int = 2

    @property
    def delay_s(self) -> float:
        """How long a delay lasts."""
        return (USUAL_DELAY_MS if self.delay_ms is None else self.delay_ms) / 1000

    def __post_init__(self) -> None:
        if self.operation != ANY and self.operation not in OPERATIONS:
            raise ValueError(f"{self.operation!r} is none of: {', '.join((ANY, *OPERATIONS))}")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("nth and times count from 1")


class Armed(msgspec.Struct, kw_only=True):
    """A plan at work, and what it has seen and done so far."""

    plan_id: int
    plan: Plan
    seen: int = 0
    struck: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether it will never strike again."""
        return self.plan.times is not None and self.struck >= self.plan.times


class Faults:
    """The plans that are armed; the oldest that matches strikes."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"faults:{seed}").random  # noqa: S311 - prices and faults, not secrets
        self._armed: dict[int, Armed] = {}
        self._last_id = 0

    def arm(self, plan: Plan) -> int:
        """Add a plan and give its number."""
        self._last_id += 1
        self._armed[self._last_id] = Armed(plan_id=self._last_id, plan=plan)
        return self._last_id

    def disarm(self, plan_id: int | None = None) -> None:
        """Take one plan out, or all of them."""
        if plan_id is None:
            self._armed.clear()
        else:
            self._armed.pop(plan_id, None)

    def armed(self) -> list[Armed]:
        """Give every plan, also those that are spent."""
        return list(self._armed.values())

    def strike(self, operation: str, client_order_id: str | None) -> Plan | None:
        """Count a call, and give the plan that strikes it."""
        for armed in self._armed.values():
            plan = armed.plan
            if armed.is_spent or plan.operation not in (ANY, operation):
                continue
            if plan.client_order_id is not None and plan.client_order_id != client_order_id:
                continue
            armed.seen += 1
            if armed.seen >= plan.nth and self._random() < plan.probability:
                armed.struck += 1
                return plan
        return None
