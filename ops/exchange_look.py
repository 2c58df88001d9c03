"""Opens the exchange of a run that has ended, to look: no lease, no order, no cancel."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as TookTooLong
from pathlib import Path
from random import Random

import msgspec

from exchanges.capabilities import Capability, capability_of
from exchanges.ccxt_shown import Shown, Wanted
from exchanges.ccxt_venue import CcxtVenue
from exchanges.venue_loop import VenueLoop
from messages.errors import ConfigError
from messages.ids import Symbol
from ops.config import Config, VenueType, load
from ops.lease_place import place_of
from ops.live_consent import check_same_money
from ops.live_venue import venue_settings
from ops.one_account import check_one_account, check_one_key
from ops.rate_budgets import budget_for
from ops.run_files import EFFECTIVE_CONFIG, LEDGER
from ops.wiring_execution import account_of
from persistence.secret_files import take_secret_files

LOOK_LIMIT_S = 120.0
_CLOSE_S = 5.0


def live_config_of(run_dir: Path, path: Path | None) -> Config:
    """Give the config that a run traded an exchange with, its keys in the environment.

    Raises:
        ConfigError: it cannot be read, is of another account or of none, or a key is missing.
    """
    path = path or run_dir / EFFECTIVE_CONFIG
    if not path.exists():
        raise ConfigError([f"there is no {path}: name the run's config by --config CONFIG"])
    config = load(path, {"run_dir": str(run_dir)})
    if config.venue.type is not VenueType.CCXT:
        raise ConfigError([f"{path} trades on paper, at no exchange"])
    take_secret_files(config.venue.secret_variables)
    missing = [name for name in config.venue.secret_variables if not os.environ.get(name)]
    if missing:
        raise ConfigError([f"no key: export {', '.join(missing)}, then audit again"])
    check_one_account(run_dir / LEDGER, account_of(config, is_live=True))
    check_same_money(run_dir, config.venue)
    check_one_key(run_dir / LEDGER, place_of(config).account)
    return config


class Look(msgspec.Struct, frozen=True):
    """What an exchange showed, and what it can show at all."""

    shown: Shown
    capability: Capability


def look_at(config: Config, wanted: Mapping[Symbol, Sequence[Wanted]]) -> Look:
    """Pass the gate as one who looks, and ask; see `Looker.look`. Blocks, for two minutes at most.

    The process's rate budget holds, and what the exchange says of when to come back. What was
    shown within the time is given, with a problem that says that it is not all.

    Raises:
        VenueRefused: the gate's one sentence.
        TimeoutError: the gate took all of the time.
    """
    settings, shown = venue_settings(config), Shown()
    venue = CcxtVenue(
        settings,
        list(wanted),
        rng=Random(),  # noqa: S311 - spreads reconnects
        budget=budget_for(settings.exchange, settings.config),
        to_trade=False,
    )
    loop = VenueLoop("audit")
    loop.start()
    is_open = False

    async def ask() -> None:
        nonlocal is_open
        try:
            facts = await venue.open()
            is_open = True
            listed = {symbol: wanted[symbol] for symbol in wanted if symbol in facts.markets}
            gone = sorted(set(wanted) - set(listed))
            shown.problems.extend(f"{symbol}: it is not listed any more" for symbol in gone)
            await venue.looker().look(listed, shown)
        finally:
            await venue.close()

    asking = loop.submit(ask())
    try:
        asking.result(LOOK_LIMIT_S)
    except TookTooLong:
        asking.cancel()
        if not is_open:
            raise
        shown.problems.append(f"what is left after {LOOK_LIMIT_S:g} s")
    finally:
        loop.close(_CLOSE_S)
    return Look(shown, capability_of(settings.exchange))
