"""The `venue` command: a local exchange as a process, until Ctrl-C."""

import asyncio
import errno
import importlib.util
import json
import re
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from messages.errors import ConfigError
from messages.exit_codes import EXIT_INTERRUPTED, EXIT_OK
from messages.extras import how_to_install
from ops.bounds import most_of
from ops.config_write import to_toml

if TYPE_CHECKING:
    from exchanges.local.server import RunningExchange
    from exchanges.local.settings import Settings

KEY_ENV, SECRET_ENV, PASSWORD_ENV = "LOCAL_KEY", "LOCAL_SECRET", "LOCAL_PASSWORD"

_REHEARSED_S = 7 * 86_400
"""So long may a rehearsal take, in seconds of the machine's clock."""


class VenueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    port: int
    control_port: int
    seed: int
    symbols: tuple[str, ...]
    state: Path | None
    profile: str
    speed: float
    candles: Path | None
    balances: tuple[str, ...]
    """Each ``ASSET=AMOUNT``."""
    fees_in_bnb: bool
    write: Path | None
    """Where its part of a configuration goes, beside stdout."""
    as_json: bool


def venue(options: VenueOptions) -> int:
    """Serve until somebody ends it, and give the exit code.

    Raises:
        ConfigError: aiohttp is missing, an option means nothing, a port is taken, or the file to
            write is there.
        DataError: the state file or the recording cannot be used.
    """
    if importlib.util.find_spec("aiohttp") is None:
        raise ConfigError([f"the local exchange needs aiohttp: {how_to_install('exchange')}"])
    from exchanges.local.server import serve_until

    settings = _settings(options)
    if options.write is not None and options.write.exists():
        raise ConfigError([_is_there(options.write)])
    over, codes = asyncio.Event(), [EXIT_OK]

    def end(code: int) -> None:
        codes.append(code)
        over.set()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, end, EXIT_OK)
        loop.add_signal_handler(signal.SIGINT, end, EXIT_INTERRUPTED)
        await serve_until(settings, options.port, options.control_port, _tell(options), over)

    try:
        asyncio.run(serve())
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            ports = f"--port {options.port} or --control-port {options.control_port}"
            raise ConfigError([f"{ports} cannot be had: choose another, or 0"]) from error
        raise
    return codes[-1]


def _settings(options: VenueOptions) -> "Settings":
    from exchanges.local.settings import DEFAULT_BALANCES, Profile, Settings

    wrong = [
        f"--symbols: {symbol} is not a pair like BTC/USDT"
        for symbol in options.symbols
        if not all(part.isalnum() and part.isupper() for part in symbol.split("/", 1))
        or symbol.count("/") != 1
    ]
    balances, nonsense = _balances(options.balances)
    wrong += nonsense
    if wrong:
        raise ConfigError(wrong)
    return Settings(
        seed=options.seed,
        symbols=options.symbols,
        speed=options.speed,
        profile=Profile(options.profile),
        state=options.state,
        candles=options.candles,
        balances=DEFAULT_BALANCES | balances,
        fees_in_bnb=options.fees_in_bnb,
    )


def _balances(texts: tuple[str, ...]) -> tuple[dict[str, Decimal], list[str]]:
    balances, wrong = {}, []
    for text in texts:
        asset, _, amount = text.partition("=")
        if asset.isalnum() and re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,8})?", amount, re.ASCII):
            balances[asset] = Decimal(amount)
        else:
            wrong.append(f"--balance: {text} is not like USDT=1000")
    return balances, wrong


def _tell(options: VenueOptions) -> Any:
    def tell(run: "RunningExchange") -> None:
        facts = _facts(run)
        if options.write is not None:
            _write(options.write, _part_of_a_config(facts))
        text = json.dumps(facts) + "\n" if options.as_json else _text(facts)
        sys.stdout.write(text)
        sys.stdout.flush()

    return tell


def _facts(run: "RunningExchange") -> dict[str, Any]:
    settings = run.exchange.settings
    config = run.ccxt_config()
    named = {"apiKey": KEY_ENV, "secret": SECRET_ENV, "password": PASSWORD_ENV}
    environment = {named[name]: config.pop(name) for name in named if name in config}
    keys = {"api_key_env": KEY_ENV, "api_secret_env": SECRET_ENV}
    if PASSWORD_ENV in environment:
        keys["api_password_env"] = PASSWORD_ENV
    section = {"type": "ccxt", "exchange": settings.profile.value} | keys | {"ccxt": config}
    return {
        "event": "venue",
        "profile": settings.profile.value,
        "http": run.urls.http,
        "ws": run.urls.ws,
        "control": run.urls.control,
        "seed": settings.seed,
        "symbols": [*run.exchange.engine.markets],
        "environment": environment,
        "toml": _risk(settings.speed) + to_toml({"venue": section}),
    }


def _risk(speed: float) -> str:
    """Give what a bot there needs whose market does not keep the time of the machine's clock."""
    if speed == 1:
        return ""
    how = f"runs {speed:g} times as fast as" if speed else "stands, and does not keep up with"
    most_ms = int(min(max(speed, 1) * _REHEARSED_S * 1000, most_of("max_market_age_ms")))
    return (
        f"# The market {how} this machine's clock: with less, every entry would be refused.\n"
        f"[risk]\nmax_market_age_ms = {most_ms}\n\n"
    )


def _text(facts: dict[str, Any]) -> str:
    return (
        f"A local {facts['profile']} at {facts['http']} ({', '.join(facts['symbols'])});"
        f" its control port is {facts['control']}. Ctrl-C ends it.\n\n{_part_of_a_config(facts)}"
    )


def _part_of_a_config(facts: dict[str, Any]) -> str:
    exports = " ".join(f"{name}={value}" for name, value in facts["environment"].items())
    return f"# export {exports}\n{facts['toml']}"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError([_is_there(path)]) from None


def _is_there(path: Path) -> str:
    return f"--write: {path} is there, and is not replaced: name another file, or remove it"
