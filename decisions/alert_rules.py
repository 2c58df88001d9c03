"""What of a run is worth a person's sleep: rules over the snapshot that `health` shows.

A rule gives a condition while something is wrong. One that measures lets go later than it
takes hold (`firing` says what it holds), so that a value at its limit is one fault.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from decisions.alerting import Condition, Severity
from decisions.spoken import spoken_money
from messages.ids import MINUTE_NS, NS_PER_S
from messages.lifecycle import Supervision

Snapshot = Mapping[str, Any]

PULSE_S = 60.0
"""How long something that happened, and does not last, counts as wrong."""
_CRASHES = ("crashed", "init_failed")
_CALMER = {"disk": Decimal("1.1"), "drawdown": Decimal("0.9"), "errors": Decimal("0.5")}
"""Where a rule that holds lets go, in parts of its limit."""
_SYMBOL = "stale:symbol:"
_WRITERS = {
    "journal": "the journal is",
    "metrics": "metrics are",
    "prometheus": "the file for prometheus is",
    "status": "status.json is",
}


class AlertLimits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on a measure is a fault; None is never."""

    unknown_after_s: int = 30
    stale_after_s: int | None = None
    """None: each feed's own limit of progress."""
    drawdown: dict[str, Decimal] = {}
    """By quote currency, from the highest equity of this process."""
    errors_per_minute: int = 10
    disk_free_mb: int = 500


class AlertRules:
    """The rules with what they remember; not for several threads."""

    def __init__(self, limits: AlertLimits) -> None:
        self._limits = limits
        self._pulses: dict[str, tuple[Condition, int]] = {}
        self._errors: deque[tuple[int, int]] = deque()

    def happened(self, condition: Condition, now_ns: int) -> None:
        """Take something that does not last: it is wrong for a while."""
        self._pulses[condition.key] = (condition, now_ns + int(PULSE_S * NS_PER_S))

    def supervision(self, event: Supervision, now_ns: int) -> None:
        """Take what a supervisor did: a snapshot a second could miss it."""
        reason = event.reason
        match event.event:
            case "exited" if reason.partition(":")[0] in _CRASHES:
                found = ("restart", Severity.WARNING, f"{event.child} {reason}")
            case "hung":
                found = ("hung", Severity.CRITICAL, f"{event.child} {reason}")
            case "gave_up":
                found = ("halt", Severity.CRITICAL, f"{event.supervisor} gave up: {reason}")
            case _:
                return
        rule, severity, said = found
        self.happened(Condition(rule, f"{rule}:{event.child}", severity, said), now_ns)

    def look(self, snapshot: Snapshot, now_ns: int, firing: Collection[str]) -> list[Condition]:
        """Give all that is wrong now; `firing` holds the keys of faults that are not over."""
        self._pulses = {k: pulse for k, pulse in self._pulses.items() if pulse[1] > now_ns}
        found = {key: condition for key, (condition, _) in self._pulses.items()}
        for actor in snapshot.get("actors") or ():
            found |= {c.key: c for c in _of_actor(actor, self._limits)}
        if any(key.startswith("stale:feeds/") for key in found):
            # Who waits for a market that shows nothing is not at fault.
            found = {k: c for k, c in found.items() if c.rule != "stale" or _is_feed(c.key[6:])}
        else:
            silent = {c.key: c for c in _silent_symbols(snapshot, self._limits)}
            found = {k: c for k, c in found.items() if k not in _waiting(snapshot, silent)}
            found |= silent
        for key in _of_the_halt(snapshot):
            found.pop(key, None)
        for rule in (_halt, _lease, _unknown, _stuck_stops, _matters, _drawdown, _disk, _writers):
            found |= {c.key: c for c in rule(snapshot, self._limits, firing)}
        found |= {c.key: c for c in self._error_rate(snapshot, now_ns, firing)}
        return list(found.values())

    def _error_rate(
        self, snapshot: Snapshot, now_ns: int, firing: Collection[str]
    ) -> Iterator[Condition]:
        total = (snapshot.get("errors") or {}).get("logged") or 0
        total += (snapshot.get("counters") or {}).get("errors") or 0
        while self._errors and self._errors[0][0] <= now_ns - MINUTE_NS:
            self._errors.popleft()
        before = self._errors[0][1] if self._errors else total
        self._errors.append((now_ns, total))
        limit = _limit("errors", self._limits.errors_per_minute, firing)
        if total - before > limit:
            sentence = (
                f"{total - before} error{'s' * (total - before != 1)} within a minute: see the log"
            )
            yield Condition("errors", "errors", Severity.WARNING, sentence)


def _of_actor(actor: Snapshot, limits: AlertLimits) -> Iterator[Condition]:
    path, state = actor.get("path") or "root", actor.get("state")
    problem = actor.get("problem") or actor.get("last_error") or ""
    if state in ("halted", "hung"):
        rule = "halt" if state == "halted" else "hung"
        said = f"{path} is {state}: {problem}".rstrip(": ")
        yield Condition(rule, f"{rule}:{path}", Severity.CRITICAL, said)
    yield from _restarts(actor, path)
    yield from _staleness(actor, path, limits)
    if state == "reconciling" and (actor.get("state_s") or 0) > limits.unknown_after_s:
        said = f"{path} still settles orders with the venue after {actor['state_s']:.0f} s"
        said = f"{said}: {problem}".rstrip(": ")
        yield Condition("unknown", "unknown:reconciling", Severity.CRITICAL, said)


def _restarts(actor: Snapshot, path: str) -> Iterator[Condition]:
    count, limit = actor.get("restarts_in_window") or 0, actor.get("restart_limit") or 0
    if not count:
        return
    error = str(actor.get("last_error") or "")
    if not error:
        return  # taken down with a sibling, whose window it shares
    if not error.startswith("hung on"):  # that has a rule of its own
        said = f"{path} was restarted ({count} of {limit} in its window): {error}"
        yield Condition("restart", f"restart:{path}", Severity.WARNING, said)
    if count >= max(1, limit - 1):
        left = limit - count
        more = f"{left} more and it is given up" if left > 0 else "the next one is one too many"
        if left <= 0 and actor.get("state") == "halted":
            more = "it is given up"
        said = f"{path} used {count} of {limit} restarts: {more}"
        yield Condition("intensity", f"intensity:{path}", Severity.CRITICAL, said)


def _staleness(actor: Snapshot, path: str, limits: AlertLimits) -> Iterator[Condition]:
    age, own_limit = actor.get("progress_age_s"), actor.get("progress_limit_s")
    if age is None or own_limit is None or actor.get("state") == "halted":
        return
    is_feed = _is_feed(path)
    limit = own_limit
    if is_feed and limits.stale_after_s is not None:
        limit = limits.stale_after_s
    if age > limit:
        what = "shows no market event" if is_feed else "made no progress"
        said = f"{path} {what} for {age:.0f} s (limit {limit:.0f} s)"
        yield Condition("stale", f"stale:{path}", Severity.CRITICAL, said)


def _silent_symbols(snapshot: Snapshot, limits: AlertLimits) -> Iterator[Condition]:
    """Give the symbols that show nothing while others of the same live market do.

    A market of which none does is stale as a whole, or nobody takes it: other rules say so.
    """
    silent_s = snapshot.get("silent_s") or {}
    for feed in snapshot.get("actors") or ():
        path, own_limit = feed.get("path") or "", feed.get("progress_limit_s")
        if not _is_feed(path) or own_limit is None or feed.get("state") != "running":
            continue
        limit = own_limit if limits.stale_after_s is None else limits.stale_after_s
        # What a feed that was away did not show is counted from its return.
        ages = {s: min(age, feed.get("state_s") or 0) for s, age in silent_s.items()}
        if all(age > limit for age in ages.values()):
            continue
        for symbol, age in ages.items():
            if age > limit:
                said = f"{path} shows nothing of {symbol} for {age:.0f} s (limit {limit:.0f} s)"
                key = f"{_SYMBOL}{symbol}"
                yield Condition("stale", key, Severity.WARNING, f"{said}; other symbols are live")


def _waiting(snapshot: Snapshot, silent: Collection[str]) -> set[str]:
    """Give the faults of strategies that wait for one of these symbols: it is not theirs."""
    trading = (snapshot.get("trading") or {}).items()
    return {
        f"stale:execution/strategies/{strategy}"
        for strategy, view in trading
        if f"{_SYMBOL}{view.get('symbol')}" in silent
    }


def _is_feed(path: str) -> bool:
    return path.startswith("feeds/")


def _halt(snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]) -> Iterator[Condition]:
    del limits, firing
    halt = snapshot.get("halt") or {}
    if halt:
        said = f"trading is halted ({halt.get('state')}): {halt.get('reason')}"
        yield Condition("halt", "halt:trading", Severity.CRITICAL, said)


def _of_the_halt(snapshot: Snapshot) -> Iterator[str]:
    """Give the faults of actors that stand still because trading is halted: that is one fault."""
    reason = (snapshot.get("halt") or {}).get("reason")
    for actor in snapshot.get("actors") or ():
        path, problem = actor.get("path") or "root", str(actor.get("problem"))
        if reason and actor.get("state") == "halted" and problem.endswith(reason):
            yield f"halt:{path}"


def _lease(snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]) -> Iterator[Condition]:
    del limits, firing
    lease = snapshot.get("lease") or {}
    if lease.get("barred"):
        said = f"nothing may be sent: {lease['barred']}"
        yield Condition("lease", "lease:barred", Severity.CRITICAL, said)
    if lease.get("problem"):
        said = f"the lease of the account is not renewed: {lease['problem']}"
        yield Condition("lease", "lease:problem", Severity.WARNING, said)


def _unknown(
    snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]
) -> Iterator[Condition]:
    unknown = snapshot.get("unknown") or {}
    count, oldest = unknown.get("count") or 0, unknown.get("oldest_s") or 0
    if count and (oldest > limits.unknown_after_s or "unknown:orders" in firing):
        said = f"{count} order(s) with an unknown outcome, the oldest for {oldest:.0f} s"
        yield Condition("unknown", "unknown:orders", Severity.CRITICAL, said)


def _stuck_stops(
    snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]
) -> Iterator[Condition]:
    """A position that nothing protects: each stop is a fault of its own."""
    del limits, firing
    for stop in snapshot.get("stuck_stops") or ():
        key = f"stop:{stop.get('entry_key')}"
        yield Condition("stop", key, Severity.CRITICAL, str(stop.get("problem")))


def _matters(
    snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]
) -> Iterator[Condition]:
    """What a person must look at: each kind is a fault of its own.

    What is wrong with the venue is mostly over soon; and where it halts trading that is told.
    """
    del firing
    reason = str((snapshot.get("halt") or {}).get("reason"))
    for matter in snapshot.get("matters") or ():
        kind, said = str(matter.get("kind")), str(matter.get("problem"))
        passes = kind.startswith("venue") and (matter.get("for_s") or 0) <= limits.unknown_after_s
        if said not in reason and not passes:
            yield Condition("matter", f"matter:{kind}", Severity.WARNING, said)


def _drawdown(
    snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]
) -> Iterator[Condition]:
    for quote, amount in limits.drawdown.items():
        fallen = _decimal(((snapshot.get("pnl") or {}).get(quote) or {}).get("drawdown"))
        key = f"drawdown:{quote}"
        if fallen is not None and fallen >= _limit("drawdown", amount, firing, key):
            said = (
                f"the equity is {spoken_money(fallen)} {quote} below its highest (limit {amount:f})"
            )
            yield Condition("drawdown", key, Severity.CRITICAL, said)


def _disk(snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]) -> Iterator[Condition]:
    free = (snapshot.get("disk") or {}).get("free_mb")
    if free is not None and free < _limit("disk", limits.disk_free_mb, firing):
        said = f"{free} MB are free on the disk of the run: a full one halts trading"
        yield Condition("disk", "disk", Severity.CRITICAL, said)


def _writers(
    snapshot: Snapshot, limits: AlertLimits, firing: Collection[str]
) -> Iterator[Condition]:
    """Whoever writes down what the run does and cannot: nobody else would say so."""
    del limits, firing
    for name, what in _WRITERS.items():
        problem = (snapshot.get(name) or {}).get("problem")
        if problem:
            said = f"{what} not written: {problem}"
            yield Condition("disk", f"disk:{name}", Severity.WARNING, said)


def _limit(rule: str, limit: Decimal | int, firing: Collection[str], key: str = "") -> Decimal:
    """Give the limit, or the calmer one where the rule holds already."""
    return limit * _CALMER[rule] if (key or rule) in firing else Decimal(limit)


def _decimal(text: object) -> Decimal | None:
    try:
        found = Decimal(str(text))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
