"""Which snapshot is worth a person's sleep, rule by rule."""

from decimal import Decimal
from typing import Any

import pytest

from decisions.alert_rules import PULSE_S, AlertLimits, AlertRules
from decisions.alerting import Condition, Severity
from messages.ids import NS_PER_S, ActorPath, Epoch, TimestampNs
from messages.lifecycle import Supervision

LIMITS = AlertLimits(
    unknown_after_s=30, drawdown={"USDT": Decimal(100)}, errors_per_minute=10, disk_free_mb=500
)
WELL: dict[str, Any] = {
    "actors": [
        {"path": "root", "state": "running", "restarts_in_window": 0, "restart_limit": 1},
        {"path": "feeds/feed:ccxt", "state": "running"},
    ],
    "halt": {},
    "lease": {"barred": "", "problem": ""},
    "unknown": {"count": 0, "oldest_s": 0.0},
    "pnl": {"USDT": {"equity": "-20", "drawdown": "99.99"}},
    "disk": {"free_mb": 500},
    "errors": {"logged": 3},
    "counters": {"errors": 2},
}


def actor(path: str = "execution/executor", **changes: Any) -> dict[str, Any]:
    return {"actors": [{"path": path, "state": "running", "restart_limit": 3, **changes}]}


def look(
    changes: dict[str, Any], firing: tuple[str, ...] = (), limits: AlertLimits = LIMITS
) -> dict[str, Condition]:
    found = AlertRules(limits).look({**WELL, **changes}, 0, firing)
    return {condition.key: condition for condition in found}


def test_a_healthy_run_wakes_nobody() -> None:
    assert look({}) == {}


@pytest.mark.parametrize("snapshot", [{}, {"actors": None, "pnl": None, "disk": {"free_mb": None}}])
def test_a_snapshot_that_says_little_wakes_nobody(snapshot: dict[str, Any]) -> None:
    assert AlertRules(LIMITS).look(snapshot, 0, ()) == []


@pytest.mark.parametrize(
    ("key", "changes", "part"),
    [
        (
            "restart:execution/executor",
            actor(restarts_in_window=1, last_error="Boom: x"),
            "was restarted (1 of 3 in its window): Boom: x",
        ),
        (
            "intensity:execution/executor",
            actor(restarts_in_window=2, last_error="Boom: x"),
            "used 2 of 3 restarts: 1 more and it is given up",
        ),
        (
            "intensity:root",
            actor("root", restarts_in_window=1, restart_limit=1, last_error="Boom: x"),
            "the next one is one too many",
        ),
        ("halt:execution", actor("execution", state="halted", problem="3 used up"), "3 used up"),
        ("hung:execution/executor", actor(state="hung"), "execution/executor is hung"),
        ("halt:trading", {"halt": {"state": "halted", "reason": "I said so"}}, "I said so"),
        ("unknown:orders", {"unknown": {"count": 2, "oldest_s": 31.0}}, "2 order(s)"),
        ("unknown:reconciling", actor(state="reconciling", state_s=31.0), "still settles"),
        (
            "intensity:a",
            actor("a", state="halted", restarts_in_window=3, last_error="Boom: x"),
            "a used 3 of 3 restarts: it is given up",
        ),
        (
            "stale:feeds/feed:ccxt",
            actor("feeds/feed:ccxt", progress_age_s=91.0, progress_limit_s=90.0),
            "no market event for 91 s",
        ),
        (
            "stale:execution/executor",
            actor(progress_age_s=91.0, progress_limit_s=90.0),
            "made no progress for 91 s",
        ),
        ("drawdown:USDT", {"pnl": {"USDT": {"drawdown": "100"}}}, "100.00 USDT below its highest"),
        ("disk", {"disk": {"free_mb": 499}}, "499 MB are free"),
        ("disk:metrics", {"metrics": {"problem": "no space"}}, "metrics are not written: no space"),
        ("disk:prometheus", {"prometheus": {"problem": "no space"}}, "prometheus is not written"),
        ("disk:status", {"status": {"problem": "no space"}}, "status.json is not written"),
        ("disk:journal", {"journal": {"problem": "no space"}}, "no space"),
        ("lease:barred", {"lease": {"barred": "it ran out"}}, "nothing may be sent: it ran out"),
        (
            "stop:k2",
            {"stuck_stops": [{"entry_key": k, "problem": f"{k} is stuck"} for k in ("k1", "k2")]},
            "k2 is stuck",
        ),
        (
            "matter:still_held",
            {"matters": [{"kind": k, "problem": f"{k}!"} for k in ("account", "still_held")]},
            "still_held!",
        ),
        (
            "matter:venue away",
            {"matters": [{"kind": "venue away", "problem": "it is closed", "for_s": 30.1}]},
            "it is closed",
        ),
        ("lease:problem", {"lease": {"problem": "locked"}}, "is not renewed: locked"),
    ],
)
def test_a_rule_says_what_is_wrong(key: str, changes: dict[str, Any], part: str) -> None:
    assert part in look(changes)[key].sentence


def test_a_sibling_that_was_taken_down_with_another_is_not_told_of() -> None:
    assert look(actor("execution/strategies", restarts_in_window=2, last_error="")) == {}


def test_a_limit_of_no_restarts_has_no_last_but_one() -> None:
    assert look(actor(restarts_in_window=0, restart_limit=0)) == {}


def test_the_age_of_a_feed_can_be_set_and_then_is_its_own() -> None:
    stale = actor("feeds/feed:ccxt", progress_age_s=11.0, progress_limit_s=90.0)

    assert look(stale) == {}
    assert "stale:feeds/feed:ccxt" in look(stale, limits=AlertLimits(stale_after_s=10))


def test_a_halt_of_trading_is_one_fault_and_an_executor_that_was_given_up_another() -> None:
    """The executor stands still for it and says why; a reason of its own is no part of the halt."""
    halt = {"state": "halted_proved", "reason": "I said so"}
    why = "proved: nothing open at 19:15:49 UTC: I said so"
    halted = actor(state="halted", problem=why)
    given_up = actor(state="halted", problem="3 restarts used up")

    assert look({**halted, "halt": halt}).keys() == {"halt:trading"}
    assert look({**given_up, "halt": halt}).keys() == {"halt:trading", "halt:execution/executor"}
    assert look(halted).keys() == {"halt:execution/executor"}


def test_a_venue_that_was_away_for_a_moment_is_no_fault() -> None:
    brief = {"kind": "venue away", "problem": "it is closed", "for_s": 30.0}
    assert look({"matters": [brief]}) == {}


def test_what_halts_trading_is_told_as_the_halt_alone() -> None:
    halt = {"state": "halted_open", "reason": "the account differs: 1 BTC more"}
    matters = [{"kind": "account", "problem": "1 BTC more", "for_s": 2.0}]
    assert look({"matters": matters, "halt": halt}).keys() == {"halt:trading"}


@pytest.mark.parametrize(
    ("state", "limit_s", "is_stale"),
    [("stopped", None, False), ("stopped", 90.0, True), ("halted", 90.0, False)],
)
def test_who_is_over_or_waits_for_a_person_need_not_progress(
    state: str, limit_s: float | None, *, is_stale: bool
) -> None:
    """Who is down, and has a limit all the same, should have been started again."""
    found = look(actor("x", state=state, progress_age_s=91.0, progress_limit_s=limit_s))

    assert ("stale:x" in found) is is_stale


@pytest.mark.parametrize(
    ("key", "between"),
    [
        ("disk", {"disk": {"free_mb": 549}}),
        ("drawdown:USDT", {"pnl": {"USDT": {"drawdown": "90"}}}),
        ("unknown:orders", {"unknown": {"count": 1, "oldest_s": 1.0}}),
    ],
)
def test_a_measure_lets_go_later_than_it_takes_hold(key: str, between: dict[str, Any]) -> None:
    assert key not in look(between)
    assert key in look(between, firing=(key,))
    assert look({}, firing=("disk",)).keys() == {"disk"}


def test_errors_are_counted_over_a_minute() -> None:
    rules = AlertRules(LIMITS)

    def errors_at(second: int, total: int) -> bool:
        snapshot = {**WELL, "errors": {"logged": total}}
        return any(c.key == "errors" for c in rules.look(snapshot, second * NS_PER_S, ()))

    assert not errors_at(0, 100)
    assert not errors_at(30, 110)
    assert errors_at(59, 111)
    assert not errors_at(91, 111)


def event(what: str, reason: str, child: str = "feeds/x") -> Supervision:
    return Supervision(
        supervisor=ActorPath("feeds"),
        child=ActorPath(child),
        event=what,
        reason=reason,
        epoch=Epoch(1),
        restarts_in_window=1,
        ts_ns=TimestampNs(1),
    )


@pytest.mark.parametrize(
    ("what", "reason", "key", "severity"),
    [
        ("exited", "crashed: Boom", "restart:feeds/x", Severity.WARNING),
        ("exited", "init_failed: Boom", "restart:feeds/x", Severity.WARNING),
        ("hung", "hung on Tick for 9 s", "hung:feeds/x", Severity.CRITICAL),
        ("gave_up", "5 restarts used up", "halt:feeds/x", Severity.CRITICAL),
    ],
)
def test_what_happened_between_two_looks_counts_for_a_while(
    what: str, reason: str, key: str, severity: Severity
) -> None:
    rules = AlertRules(LIMITS)
    rules.supervision(event(what, reason), 0)

    (found,) = rules.look(WELL, NS_PER_S, ())
    assert (found.key, found.severity) == (key, severity)
    assert reason in found.sentence
    assert rules.look(WELL, int(PULSE_S * NS_PER_S), ()) == []


@pytest.mark.parametrize(
    ("what", "reason"), [("exited", "normal"), ("exited", "shutdown"), ("started", "crashed: x")]
)
def test_an_orderly_end_wakes_nobody(what: str, reason: str) -> None:
    rules = AlertRules(LIMITS)
    rules.supervision(event(what, reason), 0)

    assert rules.look(WELL, 1, ()) == []


# ------------------------------------------------------------------ one symbol of a live market

FEED = "feeds/feed:ccxt"


def live(silent_s: dict[str, float], *more: dict[str, Any], **feed: Any) -> dict[str, Any]:
    well = {"progress_age_s": 1.0, "progress_limit_s": 240.0, "state_s": 9_000.0}
    there = {"path": FEED, "state": "running", "restart_limit": 3, **well, **feed}
    trading = {"slow": {"symbol": "ETH/USDT"}, "quick": {"symbol": "BTC/USDT"}}
    return {"actors": [there, *more], "silent_s": silent_s, "trading": trading}


def test_a_symbol_that_is_silent_while_others_live_is_a_fault_of_its_own() -> None:
    found = look(live({"BTC/USDT": 1.0, "ETH/USDT": 300.4, "XRP/USDT": 240.0}))

    assert list(found) == ["stale:symbol:ETH/USDT"]
    fault = found["stale:symbol:ETH/USDT"]
    assert (fault.rule, fault.severity) == ("stale", Severity.WARNING)
    assert fault.sentence == (
        "feeds/feed:ccxt shows nothing of ETH/USDT for 300 s (limit 240 s); other symbols are live"
    )


def test_two_silent_symbols_are_two_faults_and_each_is_over_by_itself() -> None:
    both = live({"BTC/USDT": 1.0, "ETH/USDT": 300.0, "XRP/USDT": 300.0})
    one = live({"BTC/USDT": 1.0, "ETH/USDT": 2.0, "XRP/USDT": 300.0})

    assert set(look(both)) == {"stale:symbol:ETH/USDT", "stale:symbol:XRP/USDT"}
    assert set(look(one, tuple(look(both)))) == {"stale:symbol:XRP/USDT"}


def test_a_limit_of_ones_own_is_that_of_a_symbol_too() -> None:
    limits = AlertLimits(stale_after_s=10)

    assert set(look(live({"A": 1.0, "B": 11.0}), limits=limits)) == {"stale:symbol:B"}


@pytest.mark.parametrize(
    "changes",
    [
        live({"ETH/USDT": 300.0}),  # the only one: the feed itself is stale, or about to be
        live({"BTC/USDT": 300.0, "ETH/USDT": 300.0}),  # all are: nobody takes what it shows
        live({"BTC/USDT": 1.0, "ETH/USDT": 9_000.0}, state_s=3.0),  # just back, or just begun
        live({"BTC/USDT": 1.0, "ETH/USDT": 300.0}, state="backoff"),
        live({}),
        {"silent_s": {"BTC/USDT": 1.0, "ETH/USDT": 300.0}, "actors": [{"path": FEED}]},
    ],
)
def test_what_is_wrong_with_the_whole_feed_is_not_told_of_each_symbol(
    changes: dict[str, Any],
) -> None:
    assert look(changes) == {}


def test_a_feed_that_is_stale_as_a_whole_is_one_fault() -> None:
    changes = live({"BTC/USDT": 1.0, "ETH/USDT": 300.0}, progress_age_s=241.0)

    assert set(look(changes)) == {f"stale:{FEED}"}


def test_a_strategy_that_waits_for_a_silent_symbol_is_not_at_fault() -> None:
    def waits(name: str) -> dict[str, Any]:
        path = f"execution/strategies/{name}"
        return {
            "path": path,
            "state": "running",
            "progress_age_s": 301.0,
            "progress_limit_s": 300.0,
        }

    found = look(live({"BTC/USDT": 1.0, "ETH/USDT": 300.0}, waits("slow"), waits("quick")))

    assert set(found) == {"stale:symbol:ETH/USDT", "stale:execution/strategies/quick"}
