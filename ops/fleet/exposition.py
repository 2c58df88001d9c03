"""One `/metrics` for a fleet: how each bot stands, and what it says, by the label `bot`.

The families of a bot have the names that it tells itself, so one rule watches a bot alone and a
bot of a fleet.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from decisions.fleet_bot import Phase
from ops.exposition_snapshot import of_snapshot
from ops.fleet.standing import Row
from ops.prometheus_text import NO_LABELS, Labels, counter, gauge

Samples = list[tuple[Labels, float]]
Snapshot = Mapping[str, Any]
PREFIX = "watchkeeper_"
_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_COUNTERS = (
    ("events_processed_total", "processed", "Market events that the feeds have delivered."),
    ("decisions_allowed_total", "allowed", "Decisions that were claimed."),
    ("orders_filled_total", "filled", "Orders that were filled completely."),
    ("duplicates_filtered_total", "dupes_filtered", "Decisions that were made again."),
)


def fleet_text(standing: Mapping[str, Any], snapshots: Mapping[str, Snapshot]) -> str:
    """Give everything, in the text format 0.0.4. `snapshots` are the bots' own, by their ids."""
    own = {bot: _own_text(snapshot) for bot, snapshot in snapshots.items()}
    understood = {bot: text for bot, text in own.items() if text is not None}
    parts = [
        _of_fleet(standing),
        _not_understood(bot for bot in own if bot not in understood),
        _counted(standing["bots"]),
        merged(understood),
    ]
    return "".join(line for part in parts for line in part)


def merged(texts: Mapping[str, str]) -> Iterator[str]:
    """Put the families of several bots together: each once, its samples with the label `bot`."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for bot, text in texts.items():
        family = ""
        for line in text.split("\n"):  # and nowhere else: a label may hold what ends other lines
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                if len(heads.setdefault(family, [])) < 2:
                    heads[family].append(line)
            elif found := _SAMPLE.match(line):
                name, labels, value = found.groups()
                inner = f'bot="{bot}"' + (f",{labels}" if labels else "")
                samples.setdefault(family, []).append(f"{name}{{{inner}}} {value}")
    for family, head in heads.items():
        yield "\n".join([*head, *samples.get(family, [])]) + "\n"


def _own_text(snapshot: Snapshot) -> str | None:
    """Give what a bot tells; None where its file makes no sense, which keeps no other away."""
    try:
        text = "".join(_of_bot(snapshot))
        text.encode()  # a half of a character would be found out when all of it is sent
    except Exception:  # noqa: BLE001 - whatever stands there, the other bots are told of
        return None
    return text


def _not_understood(bots: Iterable[str]) -> Iterator[str]:
    yield from gauge(
        f"{PREFIX}fleet_bot_unreadable",
        "A bot whose last word makes no sense here, as one of another version may: 1.",
        [({"bot": bot}, 1.0) for bot in bots],
    )


def _of_bot(snapshot: Snapshot) -> Iterator[str]:
    """Give what a bot tells of itself, as far as its last word has it."""
    ready = snapshot.get("ready")
    is_ready: Samples = [] if ready is None else [(NO_LABELS, bool(ready))]
    yield from gauge(f"{PREFIX}ready", "Whether decisions are taken: 1 or 0.", is_ready)
    is_halted: Samples = [(NO_LABELS, bool(snapshot.get("halt")))] if snapshot else []
    yield from gauge(f"{PREFIX}halted", "Whether trading is halted: 1 or 0.", is_halted)
    yield from of_snapshot(snapshot)


def _of_fleet(standing: Mapping[str, Any]) -> Iterator[str]:
    rows: list[Row] = standing["bots"]
    name = {"fleet": str(standing["fleet"])}
    yield from gauge(
        f"{PREFIX}fleet_bots",
        "Bots by where they stand.",
        [({**name, "phase": phase}, count) for phase, count in standing["phases"].items()],
    )
    yield from gauge(
        f"{PREFIX}fleet_bot_up",
        "Whether a bot's process runs: 1 or 0.",
        _each(rows, lambda row: row["pid"] is not None),
    )
    yield from gauge(
        f"{PREFIX}fleet_bot_parked",
        "Whether a bot is left to a person: 1 or 0.",
        _each(rows, lambda row: row["phase"] == Phase.PARKED),
    )
    yield from counter(
        f"{PREFIX}fleet_bot_restarts_total",
        "How often a bot was started again.",
        _each(rows, lambda row: row["restarts"]),
    )
    yield from gauge(
        f"{PREFIX}fleet_bot_warnings",
        "Rules of the fleet that a bot breaks now.",
        _each(rows, lambda row: len(row["warnings"])),
    )
    yield from gauge(
        f"{PREFIX}fleet_bot_resident_memory_bytes",
        "Resident memory of a bot's process.",
        _each(rows, lambda row: None if row["rss_mb"] is None else row["rss_mb"] * 1e6),
    )
    yield from counter(
        f"{PREFIX}fleet_bot_cpu_seconds_total",
        "User and system CPU time of a bot's process.",
        _each(rows, lambda row: row["cpu_s"]),
    )


def _counted(rows: Iterable[Row]) -> Iterator[str]:
    known = [row for row in rows if row["counts"]]
    for name, key, help_text in _COUNTERS:
        samples: Samples = [({"bot": row["bot"]}, row["counts"][key]) for row in known]
        yield from counter(PREFIX + name, help_text, samples)


def _each(rows: Iterable[Row], value: Any) -> Samples:
    found = (({"bot": row["bot"]}, value(row)) for row in rows)
    return [(labels, float(number)) for labels, number in found if number is not None]
