"""The `ledger` command: copies of a ledger, taken online, put back, accepted by a person.

What a copy lacks is what its original sent after it was taken. It therefore trades nothing until
the venue was asked and a person has said what became of the rest: see `messages.lineage`.
"""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from os.path import lexists
from pathlib import Path
from typing import Any

from decisions import halting
from decisions.halting import HaltRecord, HaltState, OrderedBy
from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from messages.ids import TimestampNs
from messages.lineage import COPIED, MARGIN_NS, UNKNOWN, Accepted, Copied, copied_in, reason
from messages.stops import Stop
from ops.halt_offline import Held, Told, held_dir, held_run, proved, unproved
from ops.last_word import note_accepted, note_halt
from ops.lost_ledger import had_ledger
from ops.run_files import LEDGER, typed
from persistence.backup import accept_copy, back_up, mark_copy, put_back

_ASIDE = "before-a-copy"
_NAMED = 3
"""So many stops are told by name."""


def backup(run_dir: Path, to: Path, *, as_json: bool) -> int:
    """Copy the ledger of a run, alive or not, into one file; 0 done, 3 no such run."""
    ledger = run_dir / LEDGER
    if not lexists(ledger):
        return _no_run(run_dir)
    copied = back_up(ledger, to, _now_ns(), _halt_text)
    text = f"{to}: {copied.orders} orders, checked"
    return _say(text, as_json=as_json, file=str(to), orders=copied.orders)


def restore(copy: Path, run_dir: Path, *, replace: bool, as_json: bool) -> int:
    """Make a copy the ledger of a run that has no process; what was there is set aside.

    Raises:
        RunDirBusy: a process has the directory.
        ConfigError: there is no such copy; no directory was made.
        LedgerUnavailable: nothing was changed; the text says why.
    """
    if not lexists(copy) or copy.is_dir():
        then = "the copy is named first, as in watchkeeper ledger restore FILE RUN_DIR"
        raise ConfigError([f"there is no file {copy}: {then}"])
    with held_dir(run_dir, time.monotonic()) as place:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        aside = place.ledger.with_name(f"{LEDGER}.{_ASIDE}-{stamp}") if replace else None
        copied = put_back(copy, place.ledger, _halt_text, aside)
        note_halt(place, unproved(_record(copied)))
    left = f"; what was there is {aside.name}" if aside is not None and aside.exists() else ""
    text = (
        f"{run_dir} has the ledger of {copy}{left}. It is halted: {reason(copied)}. Next:"
        f" watchkeeper ledger accept {typed(run_dir)} --evidence TEXT"
    )
    return _say(text, as_json=as_json, aside=str(aside) if left else None)


def mark(run_dir: Path, *, as_json: bool) -> int:
    """Mark a ledger that was put back by other means, such as a database's; 3 no such run.

    One that was lost without a copy is begun anew, and marked: an empty one lacks the most.

    Raises:
        RunDirBusy: a process has the directory.
        LedgerUnavailable: it cannot be written.
    """
    if not (lexists(run_dir / LEDGER) or had_ledger(run_dir)):
        return _no_run(run_dir)
    with held_run(run_dir, time.monotonic()) as place, closing(place.open_ledger()) as ledger:
        mark_copy(ledger, UNKNOWN, _halt_text)
        note_halt(place.run_dir, unproved(_record(UNKNOWN)))
    text = (
        f"the ledger of {run_dir} is marked as a copy, and halted. Next:"
        f" watchkeeper ledger accept {typed(run_dir)} --evidence TEXT"
    )
    return _say(text, as_json=as_json)


def accept(
    run_dir: Path,
    evidence: str,
    *,
    config_path: Path | None,
    despite_open: bool,
    stops: str | None,
    as_json: bool,
    timeout_s: float,
) -> int:
    """Ask the venue, then take the mark of a copy away; 0 done, 1 not proved, 3 no such run.

    The halt stays: `resume` ends it. `stops`, `keep` or `end`, is a person's word on the stops
    of the copy: those that the lost ledger had seen act would act again.

    Raises:
        ConfigError: there is no evidence.
        RunDirBusy: a process has the directory.
        LedgerUnavailable: nothing changed.
    """
    if not evidence.strip():
        raise ConfigError(["--evidence: say what you have compared"])
    if not lexists(run_dir / LEDGER):
        return _no_run(run_dir)
    told: Told = (lambda _: None) if as_json else _progress
    deadline = time.monotonic() + timeout_s
    with held_run(run_dir, deadline) as place:
        copied = _copied(place)
        if copied is None:
            return _refuse(
                f"the ledger of {run_dir} is no copy: there is nothing to accept", as_json=as_json
            )
        record = _record(copied)
        view = proved(place, record, deadline, told, config_path)
        kept = _stops(place)
        if why := _why_not(view, despite_open=despite_open) or _unsaid(kept, stops):
            return _refuse(why, as_json=as_json)
        now_ns = _now_ns()
        accepted = Accepted(
            copied_at_ns=copied.copied_at_ns,
            accepted_at_ns=now_ns,
            not_before_ns=TimestampNs(now_ns + MARGIN_NS),
            evidence=evidence,
        )
        with closing(place.open_ledger()) as ledger:
            accept_copy(ledger, accepted, kept if stops == "end" else ())
        note_accepted(place.run_dir)
    config = f" --config {typed(config_path)}" if config_path else ""
    text = (
        "the ledger is accepted; no decision of before this moment is taken. Trading is still"
        f" halted: watchkeeper resume {typed(run_dir)}{config}"
    )
    return _say(text, as_json=as_json)


def _why_not(view: dict[str, Any], *, despite_open: bool) -> str:
    """Say why a copy cannot be accepted yet; empty when it can."""
    if view["state"] != HaltState.HALTED_PROVED:
        return f"{view['text']}; nothing is accepted before the venue says that nothing is open"
    foreign = view.get("foreign") or ()
    if foreign and not despite_open:
        return (
            f"the venue shows open orders that this ledger does not know: {', '.join(foreign)}."
            " Any of them may have been sent after the copy was taken: cancel it there, or say"
            " --despite-open of those that you know to be others'"
        )
    return ""


def _unsaid(kept: Sequence[Stop], word: str | None) -> str:
    """Say that nothing was said of a copy's stops; empty when that is so, or there are none."""
    if not kept or word is not None:
        return ""
    named = ", ".join(f"{one.symbol} of {one.strategy_id}" for one in kept[:_NAMED])
    more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
    return (
        f"the copy has {len(kept)} stops that would act again if they have acted since it was"
        f" taken ({named}{more}): look at the exchange, then say --stops keep where all that they"
        " protect is still held, or --stops end"
    )


def _stops(held: Held) -> list[Stop]:
    with closing(held.open_ledger()) as ledger:
        return ledger.stops()


def _copied(held: Held) -> Copied | None:
    with closing(held.open_ledger()) as ledger:
        return copied_in(ledger.note(COPIED))


def _halt_text(copied: Copied) -> str:
    return halting.text_of(_record(copied))


def _record(copied: Copied) -> HaltRecord:
    return HaltRecord(reason=reason(copied), ordered_by=OrderedBy.RULE, at_ns=_now_ns())


def _say(text: str, *, as_json: bool, **facts: object) -> int:
    if as_json:
        _line({"ok": True, "text": text, **facts})
    else:
        sys.stdout.write(f"{text}\n")
    return EXIT_OK


def _refuse(text: str, *, as_json: bool) -> int:
    if as_json:
        _line({"ok": False, "text": text})
    else:
        sys.stderr.write(f"watchkeeper: {text}\n")
    return EXIT_FAILED


def _line(facts: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(facts, sort_keys=True) + "\n")


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _no_run(run_dir: Path) -> int:
    sys.stderr.write(f"watchkeeper: there is no ledger in {run_dir}\n")
    return EXIT_NOTHING_THERE


def _now_ns() -> TimestampNs:
    return TimestampNs(time.time_ns())
