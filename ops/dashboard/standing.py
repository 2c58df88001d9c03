"""How a run stands: one word, why, and what speaks for it. Pure."""

from collections.abc import Mapping
from typing import Any

from ops.health_text import duration, moment, one_line

Standing = dict[str, Any]
_UNSETTLED = ("sent", "unknown", "claimed", "not_sent")
_WORDS = {"OK": "ok", "WARNING": "warning", "CRITICAL": "critical"}


def standing(
    status: Mapping[str, Any],
    *,
    is_alive: bool,
    states: Mapping[str, int],
    halted: str,
    ledger_problem: str,
    firing: int,
    now_ns: int,
) -> Standing:
    """Give `level` (ok, warning, critical, unknown), `word`, `why` and the list `evidence`."""
    level, word, why = _of_process(status, is_alive=is_alive, now_ns=now_ns)
    evidence = [("warning" if halted else "ok", _halt(halted))]
    evidence.append(_orders(states, ledger_problem, is_alive=is_alive))
    if firing:
        evidence.append(("warning", _alerts(firing, is_alive=is_alive)))
    evidence += _actors(status)
    worst = max((_RANK[one[0]] for one in evidence), default=0)
    if level == "ok" and worst:
        level = "warning"
        why = f"{why} {next(text for grade, text in evidence if _RANK[grade] == worst)}".strip()
    return {"level": level, "word": word, "why": why, "evidence": [list(e) for e in evidence]}


def _of_process(status: Mapping[str, Any], *, is_alive: bool, now_ns: int) -> tuple[str, str, str]:
    seen, ended = status.get("captured_at_ns"), status.get("ended")
    if is_alive:
        word = str(status.get("verdict") or "UNKNOWN")
        level = _WORDS.get(word, "unknown")
        why = one_line(status.get("why") or "") or "Every actor runs and makes progress."
        return level, f"Running, {word}" if level != "ok" else "Running", _sentence(why)
    if isinstance(ended, Mapping):
        code, reason = ended.get("exit_code"), one_line(ended.get("reason") or "no reason given")
        if code == 0:
            return "ok", "Ended in order", _sentence(reason)
        return "critical", "Ended by itself", _sentence(f"{reason} (exit code {one_line(code)})")
    if isinstance(seen, int) and 0 < seen < 10**19:
        ago = duration(max(now_ns - seen, 0) / 1e9)
        why = f"Last seen {_moment(seen)}, {ago} ago; it said no goodbye."
        return "critical", "Killed", why
    return "unknown", "Unknown", "No status.json says how this run is, and no process answers."


def _moment(ts_ns: int) -> str:
    try:
        return moment(ts_ns)
    except (ValueError, OverflowError, OSError):
        return f"{ts_ns} ns"


def _halt(halted: str) -> str:
    return f"Trading is halted: {one_line(halted)}" if halted else "Trading is not halted."


def _orders(states: Mapping[str, int], problem: str, *, is_alive: bool) -> tuple[str, str]:
    if problem:
        return "warning", f"Orders: {_sentence(one_line(problem))}"
    total = sum(states.values())
    if not total:
        return "ok", "No order was decided."
    unsettled = {state: states[state] for state in _UNSETTLED if states.get(state)}
    if unsettled:
        many = ", ".join(f"{count} {state}" for state, count in unsettled.items())
        grade = "warning" if not is_alive or states.get("unknown") else "ok"
        return grade, f"Not settled by evidence yet: {many}."
    at_venue = sum(states.get(state, 0) for state in ("accepted", "partially_filled"))
    rest = f"; {_count(at_venue, 'is', 'are')} open at the venue" if at_venue else ""
    return "ok", f"{_count(total, 'order', 'orders')}, every outcome known by evidence{rest}."


def _alerts(firing: int, *, is_alive: bool) -> str:
    """Nothing watches a process that has ended: its alerts are what it was ended with."""
    if is_alive:
        return f"{_count(firing, 'alert is', 'alerts are')} firing."
    return f"{_count(firing, 'alert was', 'alerts were')} firing when it was last seen."


def _actors(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    actors = [a for a in _list(status.get("actors")) if isinstance(a, Mapping)]
    if not actors:
        return []
    counts = [a["restarts"] for a in actors if isinstance(a.get("restarts"), int)]
    # A sum of what JSON may hold can have more digits than Python writes.
    restarts = sum(count for count in counts if 0 <= count < 2**63)
    text = f"{_count(len(actors), 'actor', 'actors')}, {_count(restarts, 'restart', 'restarts')}."
    return [("ok", text)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _sentence(text: str) -> str:
    text = text.strip()
    whole = text if text.endswith((".", "!", "?")) else f"{text}."
    return whole[:1].upper() + whole[1:]


_RANK = {"ok": 0, "warning": 1, "critical": 2}
