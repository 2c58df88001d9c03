"""From the command line to the local exchange and the rehearsal of crashes."""

import argparse
from collections.abc import Callable


def _venue(arguments: argparse.Namespace) -> int:
    from ops.venue import VenueOptions, venue

    options = VenueOptions(
        port=arguments.port,
        control_port=arguments.control_port,
        seed=arguments.seed,
        symbols=tuple(arguments.symbols.split(",")),
        state=arguments.state,
        profile=arguments.profile,
        speed=arguments.speed,
        candles=arguments.candles,
        balances=tuple(arguments.balance),
        fees_in_bnb=arguments.fees_in_bnb,
        write=arguments.write,
        as_json=arguments.json,
    )
    return venue(options)


def _drill(arguments: argparse.Namespace) -> int:
    from ops.drill import DrillOptions, drill

    options = DrillOptions(
        config_path=arguments.config,
        full=arguments.full,
        cases=tuple(arguments.case),
        seed=arguments.seed,
        candles=arguments.candles,
        jobs=arguments.jobs,
        keep=arguments.keep,
        database_url_env=arguments.database_url_env,
        as_json=arguments.json,
    )
    return drill(options)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "drill": _drill,
    "venue": _venue,
}
