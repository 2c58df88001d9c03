"""An order's life as a person reads it, from what `explain --json` gives."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from decisions.spoken import spoken_price, spoken_quantity
from messages.order_states import FINAL_STATES
from ops.exit_rests import line_of_follower
from ops.health_text import one_line
from ops.moments import span, utc
from ops.order_ends_text import line_of_first, lines_of_end
from ops.stops import lines_of_stop

_WIDTH = 17
Story = dict[str, Any]


def lines_of(story: Story) -> Iterator[str]:
    """Give the lines."""
    order = story["order"]
    yield f"order {order['order_key']}"
    yield f"  {_wanted(order)}, by {one_line(order['strategy_id'])} on account {order['account']}"
    yield f"  here {order['client_order_id']}, at the venue {order['venue_order_id'] or '-'}"
    yield f"  now {order['state']}{_why(order)}{_done(order)}"
    yield ""
    yield _line("tick", (story["tick"] or {}).get("ts_event_ns"), _tick(story))
    yield _line("decided", order["decided_at_ns"], f"{_said(order['reason'])} (market's clock)")
    yield _line("", None, f"reference price {order['reference_price']}")
    for name, text in line_of_first(story["replaces"]):
        yield _line(name, None, text)
    for name, text in lines_of_stop(story):
        yield _line(name, None, text)
    yield _line("risk", None, _risk(story))
    for text in _checked(story["risk_check"]):
        yield _line("", None, text)
    yield from _life(story)
    for name, text in lines_of_end(order, story["end"]):
        yield _line(name, None, text)
    for follower in story["followed_by"]:
        yield _line("followed by", None, line_of_follower(follower))
    yield ""
    yield _line("still open", None, _open(story))
    yield _line("next", None, story["next"])
    yield _line("duplicates", None, _duplicates(story))


def _life(story: Story) -> Iterator[str]:
    """The steps on our clock, and before the last one the fills on the venue's."""
    steps = story["steps"]
    is_closed = story["order"]["state"] in FINAL_STATES
    last = len(steps) - 1
    for place, step in enumerate(steps):
        if place == last and is_closed:
            yield from _fills(story)
        yield _line(step["to_state"], step["at_ns"], _step(story, step, is_first=place == 0))
    if not is_closed:
        yield from _fills(story)
    elif last > 0:
        whole_ns = steps[last]["at_ns"] - steps[0]["at_ns"]
        yield _line("closed", None, f"{span(whole_ns)} after the claim")


def _step(story: Story, step: dict[str, Any], *, is_first: bool) -> str:
    parts = []
    if is_first and story["decision_to_claim_ns"] is not None:
        parts.append(f"durable {span(story['decision_to_claim_ns'])} after the decision")
    if step["after_ns"] is not None:
        parts.append(f"{span(step['after_ns'])} later")
    reason, evidence = step["reason"] or "", step["evidence"] or ""
    # The claim repeats the decision's reason, which stands above, and some evidence its own.
    if reason and reason != story["order"]["reason"] and reason not in evidence:
        parts.append(one_line(reason))
    evidence = f" [{one_line(evidence)}]" if evidence else ""
    return (", ".join(parts) + evidence).lstrip()


def _fills(story: Story) -> Iterator[str]:
    for number, fill in enumerate(story["fills"], 1):
        text = (
            f"{spoken_quantity(fill['quantity'])} at {spoken_price(fill['price'])},"
            f" fee {spoken_quantity(fill['fee'])} {fill['fee_currency']},"
            f" {fill['liquidity']} (venue's clock) [trade {one_line(fill['trade_id'])}]"
        )
        yield _line(f"  fill {number}", fill["ts_event_ns"], text)
    missing = Decimal(story["filled_without_executions"])
    if missing:
        yield _line("  fills", None, f"of {missing} that are filled no execution is known")


def _risk(story: Story) -> str:
    risk = story["risk"]
    if risk["passed"] is None:
        return "not known: the order has no history"
    return "passed" if risk["passed"] else f"refused: {one_line(risk['reason'])}"


def _tick(story: Story) -> str:
    tick = story["tick"]
    if tick is None:
        gone = "the journal does not hold it (any more)"
        return f"not known: {gone if story['journal_is_kept'] else 'the run keeps no journal'}"
    at = f" (market's clock), taken at {utc(tick['taken_at_ns'])}"
    symbol = tick["symbol"]
    if tick["type"] == "candle":
        prices = f"{tick['open']}, {tick['high']}, {tick['low']}, {tick['close']}"
        return f"candle of {symbol}: open, high, low, close {prices}{at}"
    if tick["type"] == "trade":
        return f"trade of {symbol}: {tick['quantity']} at {tick['price']}{at}"
    return f"quote of {symbol}: bid {tick['bid_price']}, ask {tick['ask_price']}{at}"


def _checked(check: dict[str, Any]) -> Iterator[str]:
    """The numbers that were compared, and where they are from."""
    if "compared" in check:
        of = "as judged" if check["source"] == "journal" else "recomputed from the ledger"
        adds = f"{check['adds']} of it adds risk" if Decimal(check["adds"]) else "an exit"
        count = check["open_orders"]
        is_open = "open orders not counted" if count is None else f"{count} orders open"
        yield f"{of}: position {check['position']} before it, {adds}, {is_open}"
        for one in check["compared"]:
            yield f"{one['limit']} {one['value']} of {one['allowed']} ({one['about']})"
    if check["note"]:
        yield one_line(check["note"])


def _wanted(order: dict[str, Any]) -> str:
    price = f"at {order['limit_price']}" if order["limit_price"] else "at the market"
    return f"{order['side']} {order['quantity']} {order['symbol']} {price}"


def _why(order: dict[str, Any]) -> str:
    return f" ({one_line(order['state_reason'])})" if order["state_reason"] else ""


def _done(order: dict[str, Any]) -> str:
    if not Decimal(order["filled_quantity"]):
        return ""
    at = f" at {spoken_price(order['average_price'])}" if order["average_price"] else ""
    return f", {order['filled_quantity']} of {order['quantity']} filled{at}"


def _open(story: Story) -> str:
    left = Decimal(story["open_quantity"])
    return f"{left} of {story['order']['quantity']}" if left else "nothing"


def _duplicates(story: Story) -> str:
    found = story["duplicates_filtered"]
    if not story["metrics_are_kept"]:
        return "not known: the run kept no metrics"
    if not found:
        return "none in the metrics that are kept"
    when = utc(found[-1]["at_ns"]) if isinstance(found[-1]["at_ns"], int) else "?"
    times = "once" if len(found) == 1 else f"{len(found)} times"
    return f"decided again {times}, last at {when}: the key was known, nothing was sent"


def _said(reason: str) -> str:
    return one_line(reason) if reason else "for no reason given"


def _line(name: str, at_ns: int | None, text: str) -> str:
    moment = utc(at_ns) if at_ns is not None else ""
    return f"{name.ljust(_WIDTH)} {moment.ljust(24)}{text}".rstrip()
