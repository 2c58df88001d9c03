"""A snapshot as a person reads it: a verdict, a tree of actors. Standard library only."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

Snapshot = Mapping[str, Any]

_HEADINGS = (
    "PATH", "STATE", "UP", "RST", "MBOX", "OLDEST", "MSGS", "P50/P99", "PROGRESS", "LAST ERROR"
)  # fmt: skip
_COLOURS = {
    "OK": "32", "WARNING": "33", "CRITICAL": "1;31", "UNKNOWN": "35",
    "running": "32", "backoff": "33", "degraded": "33", "starting": "33", "reconciling": "33",
    "hung": "1;31", "halted": "1;31", "stopped": "2",
}  # fmt: skip
_LOUD = ("hung", "halted")
_LONG_MS = 100
"""One message for longer is worth a word."""


def render(snapshot: Snapshot, previous: Snapshot | None = None, *, colour: bool = False) -> str:
    """Give the page. With an earlier snapshot of the same process MSGS becomes a rate."""
    rows = [_row(a, name, previous, snapshot) for a, name in _tree(snapshot.get("actors") or [])]
    headings = list(_HEADINGS)
    if _comparable(snapshot, previous):
        headings[headings.index("MSGS")] = "MSG/S"
    lines = [
        _header(snapshot, colour),
        *(_aligned([headings, *rows], colour) if rows or not snapshot.get("standby") else ()),
        *_footer(snapshot, previous),
    ]
    return "\n".join(lines)


def wants_colour(stream: TextIO | None = None) -> bool:
    """Whether a person with a capable terminal looks on, and did not say NO_COLOR."""
    stream = stream or sys.stdout  # as it is now: it may have been another at the import
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def duration(seconds: float) -> str:
    """Give a span in its two largest units: ``3d04h``, ``12m07s``, ``0.4s``."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d{h:02}h"
    if hours:
        return f"{hours}h{m:02}m"
    return f"{minutes}m{s:02}s" if minutes else f"{s}s"


def moment(ts_ns: int) -> str:
    """Give a time of day and its date, UTC."""
    # Without datetime, which takes a probe four milliseconds to import.
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ts_ns // 1_000_000_000))


def one_line(text: object) -> str:
    """Give the text without anything that would move or colour a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def painted(text: str, word: str, *, colour: bool) -> str:
    """Give the text in the colour of a verdict or a state."""
    code = _COLOURS.get(word.lower() if word.lower() in _COLOURS else word)
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def _header(snapshot: Snapshot, colour: bool) -> str:
    judged = str(snapshot.get("verdict") or "UNKNOWN")
    parts = [
        painted(judged, judged, colour=colour),
        one_line(snapshot.get("name", "?")),
        one_line(snapshot.get("mode", "?")),
        f"up {duration(snapshot.get('uptime_s') or 0)}",
        f"pid {snapshot.get('pid', '?')}",
    ]
    why = one_line(snapshot.get("why") or "")
    return "  ".join(parts) + (f"  why: {why}" if why else "")


def _tree(actors: Iterable[Snapshot]) -> Iterator[tuple[Snapshot, str]]:
    """Give each actor with its drawn name, parents before children, in the order they came."""
    by_path = {str(actor.get("path", "")): actor for actor in actors}
    children: dict[str | None, list[str]] = {}
    for path in by_path:
        children.setdefault(_parent(path, by_path), []).append(path)
    yield from _branch(None, "", children, by_path)


def _branch(
    parent: str | None,
    margin: str,
    children: Mapping[str | None, list[str]],
    by_path: Mapping[str, Snapshot],
) -> Iterator[tuple[Snapshot, str]]:
    ours = children.get(parent, [])
    for path in ours:
        last = path == ours[-1]
        twig = "" if parent is None else ("'- " if last else "|- ")
        name = path.removeprefix(f"{parent}/") or "root"
        yield by_path[path], margin + twig + one_line(name)
        deeper = "" if parent is None else ("   " if last else "|  ")
        yield from _branch(path, margin + deeper, children, by_path)


def _parent(path: str, by_path: Mapping[str, Snapshot]) -> str | None:
    above = path
    while "/" in above:
        above = above.rpartition("/")[0]
        if above in by_path:
            return above
    roots = [root for root in ("root", "") if root in by_path and root != path]
    return roots[0] if roots and path not in ("root", "") else None


def _row(actor: Snapshot, name: str, previous: Snapshot | None, snapshot: Snapshot) -> list[str]:
    state = str(actor.get("state") or "?")
    return [
        name,
        _state(actor, state),
        duration(actor.get("uptime_s") or 0),
        _restarts(actor),
        f"{actor.get('mailbox') or 0}/{_thousands(actor.get('capacity') or 0)}",
        _oldest(actor),
        _messages(actor, previous, snapshot),
        f"{_ms(actor.get('p50_us'))}/{_ms(actor.get('p99_us'))}ms",
        _progress(actor),
        _trouble(actor),
    ]


def _state(actor: Snapshot, state: str) -> str:
    if state == "backoff" and actor.get("retry_in_s") is not None:
        return f"backoff {duration(actor['retry_in_s'])}"
    if state == "running" and actor.get("problem"):
        return "degraded"
    return state.upper() if state in _LOUD else state


def _restarts(actor: Snapshot) -> str:
    window, limit = actor.get("restarts_in_window") or 0, actor.get("restart_limit") or 0
    if not window:
        return str(actor.get("restarts") or 0)
    return f"{window}/{limit}" + ("!" if limit and window >= limit else "")


def _oldest(actor: Snapshot) -> str:
    oldest = actor.get("oldest_ms") or 0
    if not oldest:
        return "-"
    return duration(oldest / 1000) if oldest >= 1000 else f"{oldest:.0f}ms"


def _messages(actor: Snapshot, previous: Snapshot | None, snapshot: Snapshot) -> str:
    now = actor.get("processed") or 0
    if previous is None or not _comparable(snapshot, previous):
        return str(now)
    before = {a.get("path"): a.get("processed") or 0 for a in previous.get("actors") or ()}
    seconds = (snapshot["captured_at_ns"] - previous["captured_at_ns"]) / 1e9
    return f"{(now - before.get(actor.get('path'), 0)) / seconds:.0f}"


def _comparable(snapshot: Snapshot, previous: Snapshot | None) -> bool:
    """Counters of another process say nothing about this one's rate."""
    if previous is None or previous.get("started_at_ns") != snapshot.get("started_at_ns"):
        return False
    return bool((snapshot.get("captured_at_ns") or 0) > (previous.get("captured_at_ns") or 0))


def _progress(actor: Snapshot) -> str:
    age, limit = actor.get("progress_age_s"), actor.get("progress_limit_s")
    if age is None or limit is None:
        return ""
    on = f" ({one_line(actor['progress_on'])})" if actor.get("progress_on") else ""
    return f"{duration(age)}/{duration(limit)} {'ok' if age <= limit else 'LATE'}{on}"


def _trouble(actor: Snapshot) -> str:
    parts = [one_line(actor.get("problem") or "")]
    if actor.get("last_error"):
        at = actor.get("last_error_at_ns")
        parts.append(one_line(actor["last_error"]) + (f" ({moment(at)[11:19]})" if at else ""))
    if actor.get("handling") and (actor.get("handling_ms") or 0) >= _LONG_MS:
        parts.append(f"in {one_line(actor['handling'])} for {actor.get('handling_ms', 0):.0f}ms")
    if actor.get("waiting_on"):
        parts.append(f"waits for {one_line(actor['waiting_on'])}")
    if actor.get("dead_letters"):
        parts.append(f"{actor['dead_letters']} dead letters")
    return "; ".join(dict.fromkeys(part for part in parts if part))


def _ms(microseconds: float | None) -> str:
    return f"{(microseconds or 0) / 1000:.1f}"


def _thousands(number: int) -> str:
    return f"{number // 1000}k" if number >= 1000 else str(number)


def _aligned(rows: list[list[str]], colour: bool) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    limit = _terminal_width()
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = "  ".join(cells).rstrip()[:limit]
        yield line.replace(cells[1], painted(cells[1], row[1], colour=colour), 1)


def _terminal_width() -> int | None:
    """Lines are cut where a person looks on, and nowhere else."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _market_link(snapshot: Snapshot) -> Iterator[str]:
    for path, link in (snapshot.get("link") or {}).items():
        skew = link.get("skew_ms")
        clock = "" if skew is None else f", the exchange's clock {skew:+} ms"
        reason = f": {one_line(link.get('reason'))}" if link.get("reason") else ""
        phase, since = one_line(link.get("phase")), duration(link.get("for_s") or 0)
        holes = f", gaps since the start: {gaps}" if (gaps := link.get("gaps")) else ""
        yield f"{'link':<9}{one_line(path)} {phase} for {since}{reason}{clock}{holes}"


def recording_lines(snapshot: Snapshot) -> Iterator[str]:
    """Give a line for each recording of which not every row was used, and for each with gaps."""
    of_feeds = snapshot.get("dropped")
    for path, dropped in of_feeds.items() if isinstance(of_feeds, Mapping) else ():
        from decisions.dropped_rows import dropped_text  # of a recording, where something is wrong

        yield f"{'dropped':<9}{one_line(path)} {one_line(dropped_text(dropped))}"
    of_feeds = snapshot.get("gaps")
    for path, gaps in of_feeds.items() if isinstance(of_feeds, Mapping) else ():
        from ops.gaps_text import gaps_text  # which has its words from here

        yield f"{'gaps':<9}{one_line(path)} {one_line(gaps_text(gaps))}"


def _warm(snapshot: Snapshot) -> Iterator[str]:
    """Say what a standby has seen."""
    for name, (seen, wanted) in (snapshot.get("strategies") or {}).items():
        yield f"{'warm':<9}{one_line(name)}: has seen {seen} events, needs {wanted}"
    ledger = snapshot.get("ledger") or {}
    if ledger:
        yield f"{'ledger':<9}{ledger.get('orders')} orders, {ledger.get('open')} open"


def _footer(snapshot: Snapshot, previous: Snapshot | None) -> Iterator[str]:
    lease = snapshot.get("lease")
    if isinstance(lease, Mapping):
        left = duration(lease.get("expires_in_s") or 0)
        who = f"pid {lease.get('pid', '?')} on {one_line(lease.get('host', '?'))}"
        account, token = one_line(lease.get("account", "?")), lease.get("token", "?")
        yield f"{'lease':<9}{account}, token {token}, {who}, ends in {left} unless renewed"
    waiting = snapshot.get("standing_by")
    if isinstance(waiting, Mapping):
        yield f"{'standby':<9}pid {waiting.get('pid', '?')}: {one_line(waiting.get('why'))}"
    if snapshot.get("standby"):
        yield from _warm(snapshot)
    yield from _market_link(snapshot)
    yield from recording_lines(snapshot)
    for name, strategy in (snapshot.get("trading") or {}).items():
        reasons = "; ".join(one_line(reason) for reason in strategy.get("why") or ())
        yield f"{'trading':<9}{one_line(name)} {one_line(strategy.get('symbol'))}: {reasons}"
    from decisions.spoken import spoken_price  # a probe shows nothing

    firing = (snapshot.get("alerts") or {}).get("firing") or ()
    for alert in firing:
        since = moment(alert["since_ns"]) if alert.get("since_ns") else "?"
        yield f"{'alert':<9}{one_line(alert.get('sentence'))} (since {since})"
    notes = {
        "market": {key: f" ({text} ago)" for key, text in _ages(snapshot).items()},
        "counters": _rates(snapshot, previous),
    }
    for title in ("halt", "market", "orders", "counters"):
        values, noted = (snapshot.get(title) or {}).items(), notes.get(title, {})
        how = spoken_price if title == "market" else str
        pairs = [f"{one_line(k)} {one_line(how(str(v)))}{noted.get(k, '')}" for k, v in values if v]
        if pairs:
            yield f"{title:<9}" + ", ".join(pairs)
    yield from _sums(snapshot)
    lost = (snapshot.get("journal") or {}).get("lost")
    if lost:
        yield f"{'journal':<9}{lost} message(s) are missing from it"


def _ages(snapshot: Snapshot) -> dict[str, str]:
    ages = snapshot.get("market_age_s") or {}
    return {symbol: duration(age) for symbol, age in ages.items()}


def _rates(snapshot: Snapshot, previous: Snapshot | None) -> dict[str, str]:
    """Give how much each counter rose a second, where two snapshots tell."""
    if previous is None or not _comparable(snapshot, previous):
        return {}
    now, before = snapshot.get("counters") or {}, previous.get("counters") or {}
    seconds = (snapshot["captured_at_ns"] - previous["captured_at_ns"]) / 1e9
    return {key: f" ({(now[key] - before.get(key, 0)) / seconds:.1f}/s)" for key in now}


def _sums(snapshot: Snapshot) -> Iterator[str]:
    """Say what is open, what was made and what is held, and whether threads get their turn."""
    from decisions.spoken import spoken_money, spoken_quantity  # a probe shows nothing

    if snapshot.get("open_orders") is not None:
        unknown = snapshot.get("unknown") or {}
        oldest = duration(unknown.get("oldest_s") or 0)
        count = unknown.get("count")
        doubt = f", {count} of unknown outcome, the oldest for {oldest}" if count else ""
        yield f"{'open':<9}{snapshot['open_orders']} orders{doubt}"
    parts = [
        f"{one_line(quote)} {one_line(spoken_money(str(one.get('equity'))))},"
        f" {one_line(spoken_money(str(one.get('drawdown'))))} below its highest since the start"
        for quote, one in (snapshot.get("pnl") or {}).items()
    ]
    traded = (snapshot.get("traded") or {}).items()
    parts += [
        f"net {one_line(spoken_quantity(str(quantity)))} {one_line(symbol)}"
        for symbol, quantity in traded
    ]
    earlier = snapshot.get("earlier") or {}
    if earlier.get("pending"):
        yield f"{'money':<9}not known yet: what was executed before this start is being read"
    elif problem := earlier.get("problem"):
        yield f"{'money':<9}not whole ({one_line(problem)}): " + "; ".join(parts or ["nothing"])
    elif parts:
        yield f"{'money':<9}of this run directory: " + "; ".join(parts)
    if snapshot.get("pulse"):
        yield f"{'pulse':<9}{snapshot['pulse'].get('late_ms') or 0:.0f} ms late"
