"""The `[alerts]` of a configuration: what is told to a person, and through which variable."""

from messages.ids import Symbol, quote_of
from ops.config_reader import TableReader
from ops.config_risk import read_loss
from ops.config_schema import AlertsConfig
from ops.secret_names import is_variable_name

URLS_ENV = "WATCHKEEPER_ALERT_URLS"


def read_alerts(reader: TableReader, symbols: tuple[Symbol, ...]) -> AlertsConfig:
    """Give what is told; what is wrong with it is noted with the reader."""
    quotes = tuple(dict.fromkeys(quote_of(symbol) for symbol in symbols))
    urls_env = reader.text("urls_env", URLS_ENV)
    if not is_variable_name(urls_env):
        text = "expected the name of an environment variable, not an address"
        reader.problem("urls_env", text)
    alerts = AlertsConfig(
        enabled=reader.flag("enabled", default=True),
        urls_env=urls_env,
        unknown_after_s=reader.integer("unknown_after_s", 30, least=0),
        stale_after_s=reader.optional_integer("stale_after_s", least=1),
        drawdown=read_loss(reader, "drawdown", quotes),
        errors_per_minute=reader.integer("errors_per_minute", 10, least=0),
        disk_free_mb=reader.integer("disk_free_mb", 500, least=0),
        per_hour=reader.integer("per_hour", 30, least=1),
        per_key_per_hour=reader.integer("per_key_per_hour", 6, least=1),
        calm_s=reader.integer("calm_s", 30, least=0),
    )
    reader.finish()
    return alerts
