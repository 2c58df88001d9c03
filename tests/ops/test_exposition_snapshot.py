"""What Prometheus is told of a snapshot: everything that `health` and the alerts judge."""

from collections.abc import Callable
from typing import Any

import pytest

from ops.exposition_snapshot import of_snapshot

Make = Callable[..., dict[str, Any]]


def samples(snapshot: dict[str, Any]) -> dict[str, float]:
    lines = (line for line in "".join(of_snapshot(snapshot)).splitlines() if line[0] != "#")
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_help_says_since_when_the_profit_is(snapshot: Make) -> None:
    text = "".join(of_snapshot(snapshot(pnl={"USDT": {"equity": "1", "drawdown": "2"}})))

    assert "equity_quote_units Profit of the run directory since its beginning" in text
    assert "drawdown_quote_units How far that is below its highest since this start" in text


def test_all_that_health_judges_is_told_in_base_units(actor: Make, snapshot: Make) -> None:
    late = {
        "progress_age_s": 3.5,
        "progress_limit_s": 60.0,
        "oldest_ms": 250.0,
        "restarts_in_window": 2,
    }
    told = samples(
        snapshot(
            actor("x", **late),
            open_orders=4,
            unknown={"count": 2, "oldest_s": 41.5},
            stuck_stops=[{"entry_key": "k", "problem": "its exit failed 3 times"}],
            matters=[{"kind": "account", "problem": "it differs"}],
            market_age_s={"BTC/USDT": 7.25},
            pnl={"USDT": {"equity": "-3.5", "drawdown": "12.25"}},
            disk={"free_mb": 700},
            pulse={"late_ms": 1500.0},
            journal={"problem": "the disk is full"},
            errors={"logged": 3},
            lease={"expires_in_s": 8.5, "barred": "", "problem": "locked"},
            alerts={"firing": [{"rule": "stale", "severity": "critical"}], "undelivered": 5},
        )
    )

    assert told == {
        "watchkeeper_open_orders": 4,
        "watchkeeper_unknown_orders": 2,
        "watchkeeper_unknown_orders_oldest_seconds": 41.5,
        "watchkeeper_stuck_stops": 1,
        "watchkeeper_matters": 1,
        'watchkeeper_market_age_seconds{symbol="BTC/USDT"}': 7.25,
        'watchkeeper_equity_quote_units{quote="USDT"}': -3.5,
        'watchkeeper_drawdown_quote_units{quote="USDT"}': 12.25,
        "watchkeeper_disk_free_bytes": 7e8,
        "watchkeeper_pulse_late_seconds": 1.5,
        "watchkeeper_journal_failing": 1,
        "watchkeeper_log_errors_total": 3,
        "watchkeeper_lease_left_seconds": 8.5,
        "watchkeeper_lease_barred": 0,
        "watchkeeper_lease_failing": 1,
        'watchkeeper_actor_progress_age_seconds{actor="x"}': 3.5,
        'watchkeeper_actor_progress_limit_seconds{actor="x"}': 60,
        'watchkeeper_actor_oldest_wait_seconds{actor="x"}': 0.25,
        'watchkeeper_actor_window_restarts{actor="x"}': 2,
        'watchkeeper_actor_allowed_restarts{actor="x"}': 3,
        'watchkeeper_firing_alerts{rule="stale",severity="critical"}': 1,
        "watchkeeper_undelivered_alerts": 5,
    }


@pytest.mark.parametrize("key", ["lease", "journal", "disk", "pulse"])
def test_what_is_not_there_has_no_sample(snapshot: Make, key: str) -> None:
    told = samples(snapshot(lease=None, journal=None, disk={"free_mb": None}, market_age_s={}))

    assert not [name for name in told if name.startswith(f"watchkeeper_{key}")]


@pytest.mark.parametrize("lost", [0, 7])
def test_what_the_journal_lacks_is_counted(snapshot: Make, lost: int) -> None:
    told = samples(snapshot(journal={"problem": "", "lost": lost}))

    assert told["watchkeeper_journal_lost_messages_total"] == lost
