"""Which config a start uses: the file with the flags over it, or the demo."""

import re
import time
from pathlib import Path

import msgspec

import strategies
from messages.errors import ConfigError
from ops.config import Config, IdempotencyBackend, demo_config, live_config, load
from ops.config_window import check_window
from ops.options import StartOptions
from ops.secret_values import secret_variables
from persistence.secret_files import take_secret_files


def config_for(options: StartOptions) -> Config:
    """Give the config of a start; the secrets that it names are in the environment then.

    Without a file: the demo, in a run directory of its own each time, because its market
    begins anew and an old ledger would rightly refuse to decide it twice. With an exchange: its
    live market, in a run directory that a next start goes on in.

    Raises:
        ConfigError: every mistake in the file and the flags.
    """
    config = _config(options)
    if options.database_url_env and config.idempotency.backend is not IdempotencyBackend.POSTGRES:
        text = "--database-url-env is for PostgreSQL: say --idempotency-backend postgres too"
        raise ConfigError([text])
    check_window(config)
    take_secret_files(secret_variables(config))
    return config


def placed(config: Config, options: StartOptions) -> Config:
    """Give a demo that names no run directory one that no other has, of this very second even."""
    if any((options.config_path, options.exchange, options.run_dir)):
        return config
    return msgspec.structs.replace(config, run_dir=_made_anew(config.run_dir))


def _made_anew(first: Path) -> Path:
    """Make it, or the first numbered one that is not there: who makes it has it to himself."""
    place, number = first, 1
    while True:
        try:
            place.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            number += 1
            place = first.with_name(f"{first.name}-{number}")
        except OSError:
            return place  # what is wrong with it is told as of any other
        else:
            return place


def _config(options: StartOptions) -> Config:
    given = options.overrides()
    if options.exchange is not None:
        return _live(options, given)
    if options.symbol is not None or options.timeframe is not None:
        raise ConfigError(["--symbol and --timeframe go with --exchange, such as binance"])
    if options.config_path is None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        given.setdefault("run_dir", str(Path("runs") / f"demo-{stamp}"))
        return demo_config(given, strategies.check_params)
    return load(options.config_path, given, strategies.check_params)


def _live(options: StartOptions, given: dict[str, object]) -> Config:
    if options.config_path is not None:
        raise ConfigError(
            [f"--exchange goes without a file: write venue.exchange into {options.config_path}"]
        )
    exchange, symbol = str(options.exchange), options.symbol or "BTC/USDT"
    words = re.findall(r"[a-z0-9]+", f"{exchange} {symbol}".lower())
    given.setdefault("name", "-".join(words)[:64] or "live")
    given.setdefault("run_dir", str(Path("runs") / str(given["name"])))
    return live_config(given, strategies.check_params)
