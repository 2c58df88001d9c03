"""What the command line asks of a run, beyond its file."""

from pathlib import Path

import msgspec


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `start`; None where the command line says nothing."""

    config_path: Path | None = None
    """None is the demo."""
    run_dir: Path | None = None
    duration_s: float | None = None
    max_events: int | None = None
    idempotency_backend: str | None = None
    database_url_env: str | None = None
    """The name of an environment variable."""
    metrics_enabled: bool | None = None
    chaos: bool = True
    """Whether the demo may crash an actor to show what happens then."""
    i_understand_live: bool = False
    """A person's word, once for a run directory, that real orders are sent."""
    standby: bool = False
    """Whether to wait for an account that another process trades, and take it over from it."""
    wait_for_services_s: int | None = None
    """How long a start waits for what is only away; see `ops.waiting`."""
    json_lines: bool = False
    speed: float | None = None
    exchange: str | None = None
    """Without a file: this exchange's live market on the paper venue, instead of the demo."""
    symbol: str | None = None
    timeframe: str | None = None

    def overrides(self) -> dict[str, object]:
        """Give what goes over the file, in the form that `ops.config.load` takes."""
        asked = {
            "run_dir": self.run_dir,
            "idempotency.backend": self.idempotency_backend,
            "idempotency.database_url_env": self.database_url_env,
            "metrics.enabled": self.metrics_enabled,
            "runtime.wait_for_services_s": self.wait_for_services_s,
            "feed.speed": self.speed,
            "venue.exchange": self.exchange,
            "feed.symbols": None if self.symbol is None else [self.symbol],
            "feed.timeframe": self.timeframe,
        }
        return {key: value for key, value in asked.items() if value is not None}
