"""Whether a snapshot of the process is well, and why not. Pure, standard library only."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Verdict = Literal["OK", "WARNING", "CRITICAL"]
_ALERTS_OF_THEIR_OWN = ("stale", "drawdown", "errors", "disk")
"""Rules whose condition nothing else here looks at."""
_WRITERS = {
    "journal": "the journal is",
    "metrics": "metrics are",
    "prometheus": "the file for prometheus is",
    "status": "status.json is",
}
"""Who writes down what the run does: looked at here, for alerts may be off."""
_STARVED_MS = 2_000
"""A busy machine makes a thread wait for tenths; for seconds, the process is starved."""
Snapshot = Mapping[str, Any]
"""Schema 1: the header, `actors`, `market`, `orders`, `counters`, `ended`."""


def verdict(snapshot: Snapshot, previous: Snapshot | None = None) -> tuple[Verdict, str]:
    """Give the worst that is known and every reason for it; no reason when all is well.

    With an earlier snapshot of the same process only new dead letters are a warning.
    """
    critical = [*_critical_of_process(snapshot), *_each(snapshot, _critical_of_actor)]
    if critical:
        return "CRITICAL", "; ".join(critical)
    warnings = [*_each(snapshot, _warnings_of_actor), *_lost(snapshot, previous)]
    warnings += _warnings_of_process(snapshot)
    return ("WARNING", "; ".join(warnings)) if warnings else ("OK", "")


def _each(snapshot: Snapshot, reasons: Any) -> Iterator[str]:
    for actor in snapshot.get("actors") or ():
        for reason in reasons(actor):
            yield f"{actor.get('path') or 'root'} {reason}"


def _critical_of_process(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.get("root_alive", True):
        yield what_of_root(snapshot)
    barred = (snapshot.get("lease") or {}).get("barred")
    if barred:
        yield f"nothing may be sent: {barred}"


def what_of_root(snapshot: Snapshot) -> str:
    """Say why the root supervisor is not alive."""
    states = [one.get("state") for one in snapshot.get("actors") or () if one.get("path") == "root"]
    is_hung = states in (["running"], ["hung"])
    return f"the root supervisor {'does no rounds' if is_hung else 'is not running'}"


def _critical_of_actor(actor: Snapshot) -> Iterator[str]:
    state, problem = actor.get("state"), actor.get("problem")
    if state in ("halted", "hung"):
        yield f"{state}: {problem}" if problem else f"is {state}"
    age, limit = actor.get("progress_age_s"), actor.get("progress_limit_s")
    if age is not None and limit is not None and age > limit:
        yield f"made no progress for {age:.0f} s (limit {limit:.0f} s)"


def _warnings_of_actor(actor: Snapshot) -> Iterator[str]:
    state, problem = actor.get("state"), actor.get("problem")
    if state in ("backoff", "starting", "reconciling"):
        yield f"is {state}" + (f": {problem}" if problem else "")
    elif state == "running" and problem:
        yield f"says: {problem}"
    restarts, limit = actor.get("restarts_in_window") or 0, actor.get("restart_limit") or 0
    if restarts:
        yield f"was restarted recently ({restarts} of {limit})"
    if actor.get("zombies"):
        yield f"left {actor['zombies']} abandoned thread(s)"
    if actor.get("capacity") and (actor.get("mailbox") or 0) >= actor["capacity"]:
        yield "has a full mailbox"


def _lost(snapshot: Snapshot, previous: Snapshot | None) -> Iterator[str]:
    before = {a.get("path"): a.get("dead_letters") or 0 for a in (previous or {}).get("actors", ())}
    for actor in snapshot.get("actors") or ():
        lost = (actor.get("dead_letters") or 0) - before.get(actor.get("path"), 0)
        if lost > 0:
            yield f"{actor.get('path') or 'root'} lost {lost} message(s)"


def _warnings_of_process(snapshot: Snapshot) -> Iterator[str]:
    unknown = (snapshot.get("orders") or {}).get("unknown", 0)
    if unknown:
        yield f"{unknown} order(s) with an unknown outcome"
    problem = (snapshot.get("lease") or {}).get("problem")
    if problem:
        yield f"the lease is not renewed: {problem}"
    if snapshot.get("rate"):
        yield snapshot["rate"]
    for name, what in _WRITERS.items():
        unwritten = (snapshot.get(name) or {}).get("problem")
        if unwritten:
            yield f"{what} not written: {unwritten}"
    late_ms = (snapshot.get("pulse") or {}).get("late_ms") or 0
    if late_ms > _STARVED_MS:
        yield f"a thread that wakes twice a second came {late_ms / 1_000:.1f} s late: starved"
    for dropped in (snapshot.get("dropped") or {}).values():
        yield from dropped.get("cut_off") or ()
    yield from _warnings_of_alerts(snapshot.get("alerts") or {})
    if not snapshot.get("ready", True):
        yield "not ready"


def _warnings_of_alerts(alerts: Snapshot) -> Iterator[str]:
    if alerts.get("rules_problem"):
        yield f"alerts judge nothing: {alerts['rules_problem']}"
    if alerts.get("problem"):
        yield f"{alerts.get('undelivered') or 0} alert(s) not delivered: {alerts['problem']}"
    elif alerts.get("undelivered"):
        yield f"{alerts['undelivered']} alert(s) were never delivered"
    for alert in alerts.get("firing") or ():
        of_a_writer = str(alert.get("key")).startswith("disk:")
        if alert.get("rule") in _ALERTS_OF_THEIR_OWN and not of_a_writer:
            yield str(alert.get("sentence"))
