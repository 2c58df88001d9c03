"""What `health` shows and the alerts judge, for Prometheus: a machine may ask the same. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ops.prometheus_text import NO_LABELS, Labels, counter, gauge

Snapshot = Mapping[str, Any]
Samples = list[tuple[Labels, float]]
_BYTES_PER_MB = 1_000_000
_P = "watchkeeper_"


def of_snapshot(snapshot: Snapshot) -> Iterator[str]:
    """Give the families of one snapshot; what it does not know has no sample."""
    yield from _orders(snapshot)
    yield from _market(snapshot)
    yield from _money(snapshot.get("pnl") or {})
    yield from _machine(snapshot)
    yield from _lease(snapshot.get("lease") or {})
    yield from _actors(snapshot)
    yield from _alerts(snapshot.get("alerts") or {})


def _orders(snapshot: Snapshot) -> Iterator[str]:
    unknown = snapshot.get("unknown") or {}
    yield from gauge(
        f"{_P}open_orders", "Orders that have not ended.", _one(snapshot.get("open_orders"))
    )
    yield from gauge(
        f"{_P}unknown_orders", "Orders with an unknown outcome.", _one(unknown.get("count"))
    )
    yield from gauge(
        f"{_P}unknown_orders_oldest_seconds",
        "For how long the oldest of these is unknown; 0 when none is.",
        _one(unknown.get("oldest_s")),
    )
    stuck = snapshot.get("stuck_stops")
    yield from gauge(
        f"{_P}stuck_stops",
        "Stops that do not protect their positions by themselves any more.",
        _one(None if stuck is None else len(stuck)),
    )
    matters = snapshot.get("matters")
    yield from gauge(
        f"{_P}matters",
        "What of orders, positions, account and venue a person must look at.",
        _one(None if matters is None else len(matters)),
    )


def _market(snapshot: Snapshot) -> Iterator[str]:
    ages = sorted((snapshot.get("market_age_s") or {}).items())
    yield from gauge(
        f"{_P}market_age_seconds",
        "Since the last price of a symbol.",
        [({"symbol": symbol}, age_s) for symbol, age_s in ages],
    )


def _money(pnl: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for key, help_text in (
        ("equity", "Profit of the run directory since its beginning, in quote currency."),
        ("drawdown", "How far that is below its highest since this start, in quote currency."),
    ):
        samples: Samples = [({"quote": q}, float(one[key])) for q, one in sorted(pnl.items())]
        yield from gauge(f"{_P}{key}_quote_units", help_text, samples)


def _machine(snapshot: Snapshot) -> Iterator[str]:
    free_mb = (snapshot.get("disk") or {}).get("free_mb")
    free_bytes = None if free_mb is None else free_mb * _BYTES_PER_MB
    yield from gauge(f"{_P}disk_free_bytes", "Room on the disk of the run.", _one(free_bytes))
    late_ms = (snapshot.get("pulse") or {}).get("late_ms")
    yield from gauge(
        f"{_P}pulse_late_seconds",
        "By how much a thread that wakes twice a second came late in the last ten seconds.",
        _one(None if late_ms is None else late_ms / 1_000),
    )
    journal = snapshot.get("journal")
    yield from gauge(
        f"{_P}journal_failing",
        "Whether the journal is not written: 1 or 0.",
        _one(None if journal is None else bool(journal.get("problem"))),
    )
    yield from counter(
        f"{_P}journal_lost_messages_total",
        "Messages from outside that the journal of this process lacks.",
        _one(None if journal is None else journal.get("lost")),
    )
    yield from counter(
        f"{_P}log_errors_total",
        "Lines of an error or worse in the log.",
        _one((snapshot.get("errors") or {}).get("logged")),
    )


def _lease(lease: Mapping[str, Any]) -> Iterator[str]:
    yield from gauge(
        f"{_P}lease_left_seconds",
        "When the lease of the account ends, unless it is renewed.",
        _one(lease.get("expires_in_s")),
    )
    for name, key, help_text in (
        ("barred", "barred", "Whether the lease lets nothing be sent: 1 or 0."),
        ("failing", "problem", "Whether the lease is not renewed: 1 or 0."),
    ):
        is_so = bool(lease[key]) if key in lease else None
        yield from gauge(f"{_P}lease_{name}", help_text, _one(is_so))


def _actors(snapshot: Snapshot) -> Iterator[str]:
    actors = snapshot.get("actors") or ()
    for name, key, unit, help_text in (
        ("progress_age_seconds", "progress_age_s", 1, "Since an actor's last useful work."),
        ("progress_limit_seconds", "progress_limit_s", 1, "How old that may be."),
        ("oldest_wait_seconds", "oldest_ms", 1_000, "How long the oldest message waits; 0: none."),
        ("window_restarts", "restarts_in_window", 1, "Restarts that count against its limit now."),
        ("allowed_restarts", "restart_limit", 1, "That limit: one more, and it is given up."),
    ):
        samples: Samples = [
            ({"actor": actor["path"]}, actor[key] / unit)
            for actor in actors
            if actor.get(key) is not None
        ]
        yield from gauge(f"{_P}actor_{name}", help_text, samples)


def _alerts(alerts: Mapping[str, Any]) -> Iterator[str]:
    rules = Counter((one["rule"], one["severity"]) for one in alerts.get("firing", ()))
    yield from gauge(
        f"{_P}firing_alerts",
        "Faults that alerts tell of, by rule.",
        [({"rule": rule, "severity": level}, n) for (rule, level), n in sorted(rules.items())],
    )
    yield from gauge(
        f"{_P}undelivered_alerts",
        "Notices that no address has taken.",
        [(NO_LABELS, alerts.get("undelivered", 0))],
    )


def _one(value: float | None) -> Samples:
    return [] if value is None else [(NO_LABELS, float(value))]
