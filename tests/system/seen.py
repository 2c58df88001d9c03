"""What goes wrong in a run, and what each place says of it: docs/seen.md holds it as a table.

In a saying ``N`` stands for a number that must be above zero, ``...`` for anything within a line.
"""

import re
from collections.abc import Mapping

import msgspec

Surfaces = Mapping[str, str]
"""What each place says, as text."""

PLACES = {
    "health": "`watchkeeper health`",
    "summary": "`metrics_summary.json`",
    "ndjson": "`metrics.ndjson`",
    "prometheus": "Prometheus",
    "dashboard": "the dashboard's data",
    "log": "the log",
    "alert": "an alert",
}


class Untold(msgspec.Struct, frozen=True):
    """Why a place says nothing of an event: these words are not there."""

    because: str
    words: str


Sayings = tuple[str, ...] | Untold

_CRASH = "RuntimeError: a planted crash"
_HALT = "a planted halt"
_STALE = "shows no market event for"
_REFUSAL = "max_order_notional"
_REJECT = "insufficient funds"

SEEN: Mapping[str, Mapping[str, Sayings]] = {
    "A strategy crashes": {
        "health": ("crasher", _CRASH),
        "summary": ('"crashed": N', '"execution/strategies/crasher": N'),
        "ndjson": (_CRASH,),
        "prometheus": (
            'watchkeeper_actor_restarts_total{actor="execution/strategies/crasher"} N',
            'watchkeeper_actor_failures_total{reason="crashed"} N',
        ),
        "dashboard": (_CRASH,),
        "log": (_CRASH,),
        "alert": (_CRASH,),
    },
    "Risk refuses a decision": {
        "health": (f"trading...greedy BTC/USDT...{_REFUSAL}", "orders... refused N"),
        "summary": (f'"{_REFUSAL}": N',),
        "ndjson": (f'"reason":"{_REFUSAL}..."state":"refused"',),
        "prometheus": (f'watchkeeper_decisions_rejected_total{{reason="{_REFUSAL}"}} N',),
        "dashboard": (f'"{_REFUSAL}": N',),
        "log": (f"is refused: {_REFUSAL}",),
        "alert": Untold(
            "none: a limit that holds is no fault, and a strategy runs into it at every candle",
            _REFUSAL,
        ),
    },
    "The venue rejects an order": {
        "health": ("orders... rejected N",),
        "summary": (f'"{_REJECT}": N',),
        "ndjson": (f'"reason":"{_REJECT}"..."state":"rejected"',),
        "prometheus": (f'watchkeeper_decisions_rejected_total{{reason="{_REJECT}"}} N',),
        "dashboard": (f'"{_REJECT}": N',),
        "log": (f"WARNING ... is rejected: {_REJECT}",),
        "alert": Untold(
            "none: the outcome is known, nothing was traded and nothing is sent again", _REJECT
        ),
    },
    "A decision is made again": {
        "health": ("counters... dupes_filtered N",),
        "summary": ('"dupes_filtered": N', '"duplicate": N'),
        "ndjson": ('"DuplicateFiltered"',),
        "prometheus": (
            "watchkeeper_duplicates_filtered_total N",
            'watchkeeper_actor_messages_total{actor="execution/executor",outcome="duplicate"} N',
        ),
        "dashboard": ('"duplicates": N',),
        "log": ("decided again, and it is ...: nothing is sent",),
        "alert": Untold(
            "none: it is the promise kept; every restart replays decisions", "decided again"
        ),
    },
    "A person halts": {
        "health": ("HALTED", _HALT, "halted by person"),
        "summary": (_HALT,),
        "ndjson": (_HALT,),
        "prometheus": ("watchkeeper_halted N",),
        "dashboard": (_HALT,),
        "log": (_HALT,),
        "alert": (_HALT,),
    },
    "A feed falls silent": {
        "health": ("WARNING", _STALE),
        "summary": (_STALE,),
        "ndjson": (_STALE,),
        "prometheus": ('watchkeeper_firing_alerts{rule="stale"...} N',),
        "dashboard": (_STALE,),
        "log": (_STALE,),
        "alert": (_STALE,),
    },
}


def lacking(event: str, surfaces: Surfaces) -> list[str]:
    """Give what the places do not say of an event, and what one says that it should not."""
    missing: list[str] = []
    for place, sayings in SEEN[event].items():
        if isinstance(sayings, Untold):
            missing += [f"{place}: not {sayings.words}"] * (sayings.words in surfaces[place])
        else:
            missing += [f"{place}: {one}" for one in sayings if not says(surfaces[place], one)]
    return missing


def says(text: str, saying: str) -> bool:
    """Whether it is there, with every number above zero."""
    pattern = re.escape(saying).replace(r"\.\.\.", r"[^\n]*?")
    pattern = re.sub(r"\bN\b", r"(\\d+(?:\\.\\d+)?)\\b", pattern)
    return any(all(float(n) > 0 for n in one.groups()) for one in re.finditer(pattern, text))


def table() -> str:
    """Give the table of the document."""
    rows = ["| What happens | Where | What it says |", "|---|---|---|"]
    for event, places in SEEN.items():
        assert list(places) == list(PLACES), "every event is looked for in every place"
        for place, sayings in places.items():
            told = (
                sayings.because
                if isinstance(sayings, Untold)
                else ", ".join(f"`{one}`" for one in sayings)
            )
            rows.append(f"| {event} | {PLACES[place]} | {told} |")
    return "\n".join(rows) + "\n"
