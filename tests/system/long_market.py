"""A market of hours, compressed, with everything in processes of their own: a local exchange and
the bot as a user starts it, in live mode. A seeded plan breaks requests, streams and processes.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from messages.order_states import FINAL_STATES
from messages.values import OrderState
from tests.system.market_config import Pace
from tests.system.market_processes import Bot, Venue, both, resident_mb
from tests.system.market_settled import problems_in

SETTLE_S = 180.0
QUIET_S = 3.0
"""How often the plan does something."""
MORE_TIMES, MORE_S = 2, 120.0
"""How much longer than planned a market may last, to have its least number of orders."""
NOT_ARRIVING = ("reset_before", "server_error_before", "delayed_delivery", "too_many_requests")
"""What keeps an order from the exchange keeps its symbol waiting until that is proved: 15 s."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "reset_after", "probability": 0.04},
    {"fault": "reset_before", "probability": 0.02},
    {"fault": "empty_body", "probability": 0.02},
    {"fault": "html_body", "probability": 0.02},
    {"fault": "server_error_after", "probability": 0.02},
    {"fault": "server_error_before", "probability": 0.01},
    {"fault": "delayed_delivery", "probability": 0.03, "delay_ms": 1500},
    {"fault": "delayed_reply", "probability": 0.03, "delay_ms": 700},
    {"fault": "too_many_requests", "probability": 0.01, "retry_after_s": 1},
    {"fault": "partial_fill", "probability": 0.1},
    {"fault": "reset_before", "operation": "query", "probability": 0.1},
    {"fault": "html_body", "operation": "query", "probability": 0.05},
    {"fault": "stale_read", "operation": "query", "probability": 0.2, "delay_ms": 500},
    {"fault": "server_error_before", "operation": "my_trades", "probability": 0.1},
    {"fault": "reset_before", "operation": "open_orders", "probability": 0.1},
    {"fault": "reset_after", "operation": "cancel", "probability": 0.1},
    {"fault": "reset_before", "operation": "cancel", "probability": 0.1},
    {"fault": "html_body", "operation": "cancel", "probability": 0.1},
    {"fault": "cancel_fill_race", "operation": "cancel", "probability": 0.1},
    {"fault": "cancel_partial_race", "operation": "cancel", "probability": 0.1},
)
HANGS: tuple[dict[str, Any], ...] = (
    {"fault": "hang_after", "probability": 0.004},
    {"fault": "hang_before", "probability": 0.002},
    {"fault": "hang_after", "operation": "cancel", "probability": 0.05},
    {"fault": "hang_before", "operation": "query", "probability": 0.02},
    {"fault": "hang_before", "operation": "my_trades", "probability": 0.02},
)
"""Each keeps a symbol waiting for the longest that a request may take."""
EVENT_FAULTS = ("duplicate_event", "dropped_event", "out_of_order", "late_event")
STRIKES, STALLS = ("drop", "close", "server_shutdown"), ("stall", "stall_with_pongs")
RESTARTS = ((0.04, signal.SIGKILL), (0.08, signal.SIGTERM), (0.12, signal.SIGKILL))
"""At which part of the time; the life that is measured begins with the last of these."""
LOOKS = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Report(msgspec.Struct, kw_only=True):
    """What was measured. Memory is the resident set in MB, at each tenth of the time."""

    market_s: float
    seconds: float = 0.0
    lives: int = 0
    kills: int = 0
    bot_mb: dict[str, float] = msgspec.field(default_factory=dict)
    orders: dict[str, int] = msgspec.field(default_factory=dict)
    """How many decisions there had been then."""
    venue_late_mb: float = 0.0
    decisions: int = 0
    states: dict[str, int] = msgspec.field(default_factory=dict)
    at_exchange: int = 0
    struck: int = 0
    stream_faults: int = 0
    handled: int = 0
    """Messages, by all actors of all lives but the killed ones' last moments."""
    dead_letters: dict[str, int] = msgspec.field(default_factory=dict)
    failed_starts: list[int] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)


def play(folder: Path, seed: int, pace: Pace) -> Report:
    """Play a market; see what is left when all is settled."""
    report, rng = Report(market_s=pace.market_s), random.Random(seed)
    with both(folder, seed, pace) as (venue, bot):
        _arm(venue, pace)
        began = time.monotonic()
        bot.start()
        _play(venue, bot, pace, report, rng)
        report.venue_late_mb = resident_mb(venue.process.pid)
        report.struck = sum(one["struck"] for one in venue.ask("armed"))
        _settle(venue, bot, report)
        report.seconds = round(time.monotonic() - began, 1)
        _compare(venue, bot, report)
    return report


def _arm(venue: Venue, pace: Pace) -> None:
    for plan in (*FAULTS, *(HANGS if pace.hangs else ())):
        is_order = plan["fault"] in NOT_ARRIVING and "operation" not in plan
        share = pace.not_arriving if is_order else 1.0
        more = {"times": None, "probability": plan["probability"] * share}
        venue.do("arm", plan=plan | more)


def _play(venue: Venue, bot: Bot, pace: Pace, report: Report, rng: random.Random) -> None:
    restarts, looks = list(RESTARTS), list(LOOKS)
    while (part := bot.ready_for_s / pace.span_s) < 1 or _has_few(bot, pace):
        if restarts and part >= restarts[0][0]:
            _restart(bot, restarts.pop(0)[1], report)
        elif looks and part >= looks[0]:
            _look(bot, f"{looks.pop(0):.0%}", report)
        else:
            _break_a_stream(venue, rng, pace)
            report.stream_faults += 1
            bot.lives_for(min(QUIET_S, 0.02 * pace.span_s))
    _look(bot, "100%", report)


def _has_few(bot: Bot, pace: Pace) -> bool:
    """Whether a busy machine has kept too much from happening, and there is time for more."""
    if bot.ready_for_s > MORE_TIMES * pace.span_s + MORE_S:
        return False
    filled = sum(entry.state is OrderState.FILLED for entry in bot.ledger())
    return filled < pace.least_filled


def _look(bot: Bot, when: str, report: Report) -> None:
    report.bot_mb[when] = round(bot.resident_mb(), 1)
    report.orders[when] = len(bot.ledger())


def _restart(bot: Bot, how: signal.Signals, report: Report) -> None:
    _note(bot.health(), report)
    report.kills += how is signal.SIGKILL
    bot.end(how)
    bot.start()


def _break_a_stream(venue: Venue, rng: random.Random, pace: Pace) -> None:
    if rng.random() < 0.15:
        how = rng.choice((*STRIKES, *STALLS) if pace.hangs else STRIKES)
        venue.do("strike_streams", fault=how, stream=rng.choice(["user", "*"]))
    else:
        times = rng.randint(1, 3)
        venue.do(
            "arm_stream",
            plan={"fault": rng.choice(EVENT_FAULTS), "stream": "user", "times": times},
        )


def _note(health: Mapping[str, Any], report: Report) -> None:
    """Add up what one life tells of its messages."""
    report.lives += 1
    for actor in health.get("actors", ()):
        if actor["dead_letters"]:
            path = actor["path"]
            report.dead_letters[path] = report.dead_letters.get(path, 0) + actor["dead_letters"]
        report.handled += actor["processed"]


def _settle(venue: Venue, bot: Bot, report: Report) -> None:
    """Nothing is broken any more: the last decisions are settled, and the bot ends in order.

    No new start is needed for that, which would ask for each order.
    """
    venue.do("disarm")
    calm_ns = time.time_ns()
    bot.until(lambda: _is_settled(bot, calm_ns), SETTLE_S, "settling")
    _note(bot.health(), report)
    bot.end(signal.SIGTERM)


def _is_settled(bot: Bot, calm_ns: int) -> bool:
    """Whether every decision from before the calm has ended, and some from after it are there."""
    ledger = bot.ledger()
    has_new = any(entry.decided_at_ns > calm_ns for entry in ledger)
    return has_new and all(
        entry.state in FINAL_STATES for entry in ledger if entry.decided_at_ns <= calm_ns
    )


def _compare(venue: Venue, bot: Bot, report: Report) -> None:
    ledger, orders = bot.ledger(), venue.ask("orders")
    report.failed_starts = bot.failed_starts
    report.decisions, report.at_exchange = len(ledger), len(orders)
    report.states = dict(Counter(str(entry.state) for entry in ledger))
    report.problems += problems_in(bot, venue, ledger, orders)
