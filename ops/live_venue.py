"""The real venue of a run: made from config and environment, opened before anything else."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from random import SystemRandom
from typing import Any

import msgspec

from actors.log import logger
from decisions.order_keys import client_order_id
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from exchanges.ccxt_withdrawal import ADVICE
from exchanges.facts import RightState, VenueFacts, WithdrawalRight
from exchanges.venue_loop import VenueLoop
from messages.errors import ConfigError, VenueAway
from messages.ids import ClientOrderId, OrderKey, Symbol
from messages.values import Instrument
from ops.config import Config
from ops.lease_keeper import LeaseKeeper
from ops.rate_budgets import budget_for

OPEN_LIMIT_S = 60.0
CLOSE_LIMIT_S = 10.0


class LiveVenue(msgspec.Struct, frozen=True):
    """An open venue, the loop that owns it, and what its gate found."""

    venue: CcxtVenue
    loop: VenueLoop
    facts: VenueFacts
    may_send: Callable[[], None] = lambda: None
    """Raises where this process may not trade the account now; see `LeaseKeeper.may_send`."""

    def name_of(self, key: OrderKey) -> ClientOrderId:
        """Give how an order is called at this exchange: in its alphabet, as long as it allows."""
        row = self.facts.capability
        return client_order_id(key, row.id_prefix, row.id_length_max, row.id_alphabet)

    def instrument(self, symbol: Symbol) -> Instrument:
        """Give the venue's grid of a symbol, as it was read last."""
        return (self.venue.markets().get(symbol) or self.facts.markets[symbol]).instrument

    def close(self) -> bool:
        """Let go of connections and of the loop; open orders stay as they are.

        False when something may still be under way: the loop did not end in time.
        """
        closed = wait([self.loop.submit(self.venue.close())], CLOSE_LIMIT_S)
        if closed.not_done or not self.loop.close(CLOSE_LIMIT_S):
            logger.warning("the venue's loop did not end within {} s", CLOSE_LIMIT_S)
            return False
        return True


def open_live_venue(
    config: Config,
    keeper: LeaseKeeper,
    listing: Sequence[dict[str, Any]] = (),
    *,
    to_trade: bool = True,
) -> LiveVenue:
    """Make the client and pass the gate, off every actor; `keeper` holds the account's lease.

    `listing` is what the exchange lists, where a market feed of this process has asked it. Without
    `to_trade` it is to look and to cancel.

    Raises:
        ConfigError: an environment variable that the config names is not set.
        VenueRefused: the gate's one sentence.
    """
    symbols = config.traded_symbols
    check_variables(config)
    settings = venue_settings(config)
    budget = budget_for(settings.exchange, settings.config)
    venue = CcxtVenue(
        settings,
        symbols,
        rng=SystemRandom(),
        budget=budget,
        may_call=keeper.may_call,
        listing=listing,
        comparing=keeper.comparing,
        to_trade=to_trade,
    )
    loop = VenueLoop("venue", lambda text: logger.error("the venue's loop: {}", text))
    loop.start()
    try:
        facts = loop.submit(venue.open()).result(OPEN_LIMIT_S)
    except TimeoutError:
        loop.close(CLOSE_LIMIT_S)
        raise VenueAway(
            f"{config.venue.exchange} did not answer within {OPEN_LIMIT_S:.0f} s: check the network"
        ) from None
    except BaseException:
        loop.close(CLOSE_LIMIT_S)
        raise
    keeper.on_clock_set = partial(loop.call, venue.doubt_clock)
    return LiveVenue(venue, loop, facts, keeper.may_send)


def check_right(live: LiveVenue) -> None:
    """Refuse a key that may not trade, before anything is started; no order is placed.

    Where the exchange does not tell, that is logged, and the first order will show it.

    Raises:
        VenueRefused: it may not; the sentence says what to do.
    """
    right = live.loop.submit(live.venue.trading_right()).result(OPEN_LIMIT_S)
    if right.state is RightState.UNANSWERED:
        logger.warning("{}; the first order shows it", right.text)


def warn_of_withdrawal(live: LiveVenue) -> None:
    """Ask whether the key may withdraw, beside everything else, and log it where it may."""

    def tell(asked: "Future[WithdrawalRight]") -> None:
        right = None if asked.cancelled() or asked.exception() else asked.result()
        if right is not None and right.may_withdraw:
            logger.warning("{}: {}", right.text, ADVICE)

    live.loop.submit(live.venue.withdrawal_right()).add_done_callback(tell)


def check_variables(config: Config) -> None:
    """Pass a config whose secrets are all in the environment.

    Raises:
        ConfigError: one sentence for each that is not.
    """
    problems = [
        f"venue: the environment variable {name} is not set: export it before the start"
        for name in config.venue.secret_variables
        if not os.environ.get(name)
    ]
    if problems:
        raise ConfigError(problems)


def venue_settings(config: Config) -> CcxtSettings:
    """Give how to make the client, with the secrets of the environment; none is ""."""
    venue = config.venue
    return CcxtSettings(
        exchange=venue.exchange,
        api_key=os.environ.get(venue.api_key_env or "", ""),
        secret=os.environ.get(venue.api_secret_env or "", ""),
        password=os.environ.get(venue.api_password_env or "", ""),
        config=venue.ccxt,
    )
