"""What a config's exchange can do, whether its keys are set, and, online, whether it lets us in."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as TookTooLong
from random import Random

from exchanges.capabilities import Capability, capability_of
from exchanges.ccxt_venue import CcxtVenue
from exchanges.ccxt_withdrawal import ADVICE
from exchanges.facts import RightState, TradingRight, VenueFacts, WithdrawalRight
from exchanges.venue_loop import VenueLoop
from messages.errors import VenueError
from ops.config_schema import Config, FeedType, VenueType
from ops.doctor_finding import Finding, ok, problem, warning
from ops.live_venue import venue_settings
from ops.moments import span

_GATE_S = 75.0
_CLOSE_S = 5.0


def venue_findings(config: Config, *, online: bool) -> Iterator[Finding]:
    """Look at the venue; the network is used only when `online`."""
    venue = config.venue
    if venue.type is not VenueType.CCXT:
        yield _on_paper(config)
        return
    try:
        row = capability_of(venue.exchange)
    except VenueError as error:
        yield problem("exchange", str(error), "choose another exchange")
        return
    yield _capability(row)
    keys = list(_keys(config, row, os.environ))
    yield from keys
    if not online:
        yield ok("gate", "not asked; --online asks the exchange, and places no order")
    elif any(finding.todo for finding in keys):
        yield problem("gate", "not asked, for a key is missing", "set it, then ask again")
    else:
        yield from _online(config)


def _on_paper(config: Config) -> Finding:
    """Say what a run would meet that sends its orders where its market is; it sends none."""
    if config.feed.type is not FeedType.CCXT:
        return ok("venue", "the run trades on paper and asks no exchange")
    text = f"the run trades on paper, and only its market is {config.venue.exchange}'s"
    try:
        capability_of(config.venue.exchange)
    except VenueError as error:
        text += f"; it could not trade there, for {error}"
    return ok("venue", text)


def _capability(row: Capability) -> Finding:
    proof = "absence can be proved" if row.proves_absence else "absence can never be proved"
    notes = f"; {row.notes}" if row.notes else ""
    text = f"{row.exchange} finds an order by {row.lookup}, {proof}{notes}"
    if row.tested:
        return ok("exchange", text)
    return warning(
        "exchange", f"{text}; read, not tested", "begin with the smallest orders, and watch them"
    )


def _keys(config: Config, row: Capability, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look which variables are set; what they hold is never shown."""
    venue = config.venue
    named = {"api_key_env": venue.api_key_env, "api_secret_env": venue.api_secret_env}
    if venue.api_password_env or row.wants_password:
        named["api_password_env"] = venue.api_password_env
    for key, name in named.items():
        if name is None:
            yield problem("key", f"venue.{key} is not set", "name an environment variable there")
        elif not environment.get(name):
            yield problem("key", f"{name} is not set", f"export {name} (venue.{key} names it)")
        else:
            yield ok("key", f"{name} is set")


def _online(config: Config) -> Iterator[Finding]:
    """Pass the gate as a start does, and see whether the key may trade."""
    todo = "correct it: a start would be refused"
    found: list[Finding] = []
    loop = VenueLoop("doctor")
    loop.start()
    try:
        loop.submit(_ask(config, found.append)).result(_GATE_S)
    except VenueError as error:
        found.append(problem("trading right" if found else "gate", str(error), todo))
    except TookTooLong:
        text = f"no answer within {_GATE_S:g} s"
        found.append(problem("gate", text, "check the network and urls"))
    finally:
        loop.close(_CLOSE_S)
    yield from found


async def _ask(config: Config, tell: Callable[[Finding], object]) -> None:
    symbols = sorted(config.traded_symbols)
    venue = CcxtVenue(venue_settings(config), symbols, rng=Random())  # noqa: S311 - spreads reconnects
    try:
        tell(_passed(await venue.open()))
        tell(_right(await venue.trading_right()))
        tell(_withdrawal(await venue.withdrawal_right()))
    finally:
        await venue.close()


def _passed(facts: VenueFacts) -> Finding:
    return ok(
        "gate",
        f"{facts.exchange} takes the key and lists {', '.join(sorted(facts.markets))}; its clock"
        f" is {span(facts.skew_ns)} from ours, a round trip takes {span(facts.round_trip_ns)}",
    )


def _right(right: TradingRight) -> Finding:
    if right.state is not RightState.UNANSWERED:
        return ok("trading right", right.text)
    todo = "a start is not stopped by it: ask again, and watch the first order"
    return warning("trading right", right.text, todo)


def _withdrawal(right: WithdrawalRight) -> Finding:
    if right.may_withdraw:
        return warning("withdrawal", f"{right.text}, which trading does not need", ADVICE)
    if right.is_unanswered:
        return warning("withdrawal", right.text, "ask again, or look at the key there")
    return ok("withdrawal", right.text)
