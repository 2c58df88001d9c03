"""From a TOML document to a `Config`, or to every mistake in it at once."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from exchanges.paper_settings import DEFAULT_QUOTE_BALANCE
from messages.errors import ConfigError
from messages.ids import Symbol, currencies_of, quote_of
from ops.config_alerts import read_alerts
from ops.config_feed import check_exchange, read_feed
from ops.config_metrics import read_metrics
from ops.config_reader import TableReader, did_you_mean, is_integer, joined
from ops.config_records import read_journal_settings, read_logs
from ops.config_risk import check_defaults, read_risk
from ops.config_schema import (
    Config,
    FeedConfig,
    IdempotencyBackend,
    IdempotencyConfig,
    Mode,
    RuntimeConfig,
    SupervisionConfig,
    VenueConfig,
    VenueType,
)
from ops.config_strategies import NAME, NAME_RULE, CheckParams, Checks, read_strategies
from ops.secret_names import is_secret_name, is_variable_name

_BPS_BELOW = 10_000
_AUTO: Literal["auto"] = "auto"
_UNREAD = ("mode: got ", "venue.type: got ", "feed.type: got ")
_LIVE_KEYS = {
    "api_key_env": '"BINANCE_KEY"',
    "api_secret_env": '"BINANCE_SECRET"',
}


def parse(
    document: Mapping[str, Any], base: Path, check_params: CheckParams | None = None
) -> Config:
    """Give the configuration. Relative files are looked for in `base`, then where we are.

    Raises:
        ConfigError: with one sentence per mistake, each beginning with its key.
    """
    problems = _literal_secrets(document, "")
    root = TableReader(document, "", problems)
    name = root.matching("name", None, NAME, NAME_RULE)
    feed = read_feed(root.table("feed"), base)
    mode = _mode(root)
    venue = _venue(root.table("venue"), feed.symbols)
    _check_live(root, mode, venue, feed)
    supervision = _supervision(root.table("supervision"))
    config = Config(
        name=name,
        run_dir=Path(root.text("run_dir", f"runs/{name}")),
        mode=mode,
        feed=feed,
        venue=venue,
        strategies=read_strategies(
            root, feed, base, Checks(check_params, supervision.hang_after_s)
        ),
        risk=read_risk(root.table("risk"), feed.symbols),
        idempotency=_idempotency(root.table("idempotency")),
        metrics=read_metrics(root.table("metrics")),
        supervision=supervision,
        runtime=_runtime(root.table("runtime")),
        logs=read_logs(root.table("logs")),
        alerts=read_alerts(root.table("alerts"), feed.symbols),
        journal=read_journal_settings(root.table("journal")),
    )
    if mode is Mode.LIVE and not any(one.startswith(("strategy", "risk")) for one in problems):
        check_defaults(root, config.strategies)
    check_exchange(root, feed, config.venue.exchange)
    root.finish()
    if problems:
        raise ConfigError(problems)
    return config


def _literal_secrets(value: object, path: str) -> list[str]:
    if isinstance(value, list):
        items = [(f"{path}[{i}]", "", item) for i, item in enumerate(value)]
    elif isinstance(value, Mapping):
        items = [(joined(path, str(key)), str(key), item) for key, item in value.items()]
    else:
        return []
    problems = []
    for place, key, item in items:
        if is_secret_name(key) and (isinstance(item, str) or is_integer(item)):
            problems.append(
                f"{place}: a secret must not stand in the file; put it into the environment"
                ' and name the variable here, as in api_key_env = "BINANCE_KEY"'
            )
        problems += _literal_secrets(item, place)
    return problems


def _mode(root: TableReader) -> Mode:
    mode = root.choice("mode", Mode, Mode.PAPER)
    if mode is Mode.LIVE and not root.has("risk"):
        root.problem("risk", 'mode "live" needs a [risk] section: say what may be lost')
    return mode


def _check_live(root: TableReader, mode: Mode, venue: VenueConfig, feed: FeedConfig) -> None:
    """Refuse what would send made-up decisions to a real venue, or real ones to a played one.

    Where one of the three words could not be read, nobody has said what the others go with.
    """
    if any(one.startswith(_UNREAD) for one in root.problems):
        return
    is_live = mode is Mode.LIVE
    if (venue.type is VenueType.CCXT) is not is_live:
        wanted = 'venue.type = "ccxt"' if is_live else 'mode = "live"'
        root.problem("mode", f'got "{mode}" with venue.type "{venue.type}"; it goes with {wanted}')
    if is_live and not feed.is_live:
        known = '"ccxt", or with "nats" on the real clock'
        root.problem("mode", f'got "live" with feed.type "{feed.type}"; it goes with {known}')


def _venue(reader: TableReader, symbols: tuple[Symbol, ...]) -> VenueConfig:
    kind = reader.choice("type", VenueType, VenueType.PAPER)
    venue = VenueConfig(
        type=kind,
        exchange=reader.text("exchange", "paper"),
        api_key_env=_variable(reader, "api_key_env"),
        api_secret_env=_variable(reader, "api_secret_env"),
        api_password_env=_variable(reader, "api_password_env"),
        balances=_balances(reader, symbols),
        maker_fee_bps=_bps(reader, "maker_fee_bps", "10", least=None),
        taker_fee_bps=_bps(reader, "taker_fee_bps", "10", least=None),
        slippage_bps=_bps(reader, "slippage_bps", "1", least="0"),
        latency_ms=reader.integer("latency_ms", 50, least=0),
        account_interval_s=reader.integer("account_interval_s", 60, least=1),
        participation=_participation(reader),
        lease_dir=_lease_dir(reader),
        lease_ms=reader.optional_integer("lease_ms", least=1),
        ccxt=reader.table("ccxt").items(),
    )
    if kind is VenueType.CCXT:
        for key, example in _LIVE_KEYS.items():
            if not reader.has(key):
                reader.problem(key, f'is needed for type "ccxt", such as {example}')
    reader.finish()
    return venue


def _variable(reader: TableReader, key: str) -> str | None:
    name = reader.optional_text(key)
    if name is not None and not is_variable_name(name):
        reader.problem(key, "expected the name of an environment variable, not what it holds")
    return name


def _lease_dir(reader: TableReader) -> Path | None:
    """A relative one would be another place for each working directory, and lease nothing."""
    text = reader.optional_text("lease_dir")
    if text is not None and not Path(text).is_absolute():
        reader.expected("lease_dir", "an absolute path")
    return None if text is None else Path(text)


def _balances(reader: TableReader, symbols: tuple[Symbol, ...]) -> dict[str, Decimal]:
    """Give what is written, and what the paper venue adds where a quote currency is left out.

    A currency that no symbol has would be a slip: nothing could be bought with it.
    """
    table = reader.table("balances")
    known = list(currencies_of(symbols))
    given = {currency: table.money(currency, "10000") for currency in table.items()}
    for currency in given if known else ():
        if currency not in known:
            hint = did_you_mean(currency, known) or f" (known: {', '.join(known)})"
            table.problem(currency, f"no symbol has it{hint}")
    quotes = dict.fromkeys(map(quote_of, symbols), DEFAULT_QUOTE_BALANCE)
    return given | {quote: amount for quote, amount in quotes.items() if quote not in given}


def _bps(reader: TableReader, key: str, default: str, *, least: str | None) -> Decimal:
    value = reader.money(key, default, least=least)
    if abs(value) >= _BPS_BELOW:
        reader.expected(key, "less than 10000 bps, which is all of the notional")
    return value


def _participation(reader: TableReader) -> Decimal:
    value = reader.money("participation", "0.1", least=None)
    if not 0 < value <= 1:
        reader.expected("participation", 'a quoted decimal above "0" and at most "1"')
    return value


def _idempotency(reader: TableReader) -> IdempotencyConfig:
    backend = reader.choice("backend", IdempotencyBackend, IdempotencyBackend.SQLITE)
    is_there, key = backend is IdempotencyBackend.POSTGRES, "database_url_env"
    if reader.text("url", ""):
        reader.problem(
            "url", f"put the address into the environment and name its variable in {key}"
        )
    name = reader.optional_text(key)
    if name is None and is_there:
        reader.problem(key, f'is needed for the backend "postgres", as in {key} = "DATABASE_URL"')
    elif name is not None and not is_variable_name(name):
        reader.problem(key, "must name an environment variable, and never be the address itself")
        name = None
    reader.finish()
    return IdempotencyConfig(backend=backend, database_url_env=name)


def _supervision(reader: TableReader) -> SupervisionConfig:
    supervision = SupervisionConfig(
        strategy_max_restarts=reader.integer("strategy_max_restarts", 3, least=0),
        strategy_window_s=reader.integer("strategy_window_s", 60, least=1),
        backoff_min_ms=reader.integer("backoff_min_ms", 500, least=0),
        backoff_max_ms=reader.integer("backoff_max_ms", 30_000, least=0),
        hang_after_s=reader.integer("hang_after_s", 10, least=1),
    )
    if supervision.backoff_min_ms > supervision.backoff_max_ms:
        sentence = f"backoff_max_ms ({supervision.backoff_max_ms}) or less"
        reader.expected("backoff_min_ms", sentence)
    reader.finish()
    return supervision


def _runtime(reader: TableReader) -> RuntimeConfig:
    one_cpu = reader.raw("one_cpu", _AUTO)
    if one_cpu != _AUTO and not isinstance(one_cpu, bool):
        reader.expected("one_cpu", 'true, false or "auto"')
        one_cpu = _AUTO
    wait_s = reader.integer("wait_for_services_s", 0, least=0)
    reader.finish()
    return RuntimeConfig(one_cpu=one_cpu, wait_for_services_s=wait_s)
