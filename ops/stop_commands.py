"""`orders end-stop`: a stop at a person's word, in a living process or without one."""

import os
import pwd
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from messages.errors import ConfigError, NotFound
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE
from messages.halting import EndStop
from messages.ids import OrderKey, TimestampNs
from messages.stops import Stop
from ops.halt import say
from ops.operator_client import NoAnswer, OperatorClient, Refused
from ops.order_view import find_order
from ops.run_files import LEDGER
from persistence.reader import LedgerReader


def end_stop(run_dir: Path, name: str, reason: str, *, as_json: bool, timeout_s: float) -> int:
    """End the stop of an order, which is its entry or an exit of it; give the exit code.

    Raises:
        NotFound: no order, or several, bear this name, or it has no stop.
        LedgerUnavailable: there is no ledger to read, or it cannot be written.
        RunDirBusy: a process has the directory and does not answer.
        ConfigError: there is no reason.
    """
    if not reason.strip():
        raise ConfigError(["--reason: say why, for the record"])
    key = _entry_of(run_dir, name)
    wish = EndStop(request="", order_key=key, by=_who(), reason=reason)
    client = OperatorClient(run_dir, timeout_s)
    try:
        fields = {"order_key": key, "by": wish.by, "reason": reason}
        answer = client.answer(client.order("end_stop", **fields))
    except Refused as problem:
        return _failed(str(problem), EXIT_FAILED)
    except NoAnswer as problem:
        if not problem.gone:
            text = f"the process of {run_dir} does not answer: {problem}"
            return _failed(text, EXIT_NOTHING_THERE)
        answer = _without_process(run_dir, wish, timeout_s)
    if answer is None:
        text = f"the executor gave no answer within {timeout_s:g} s: ask again"
        return _failed(text, EXIT_FAILED)
    return say({"order_key": key, **answer}, as_json=as_json)


def _without_process(run_dir: Path, wish: EndStop, timeout_s: float) -> dict[str, Any]:
    """Hold the run directory, and its ledger's lease, and write it down oneself."""
    from actors.stop_hand import end_in, no_such, told
    from ops.halt_offline import held_run
    from ops.last_word import note_ended_stop

    with (
        held_run(run_dir, time.monotonic() + timeout_s) as held,
        closing(held.open_ledger()) as ledger,
    ):
        now_ns = TimestampNs(time.time_ns())
        kept = [stop for stop in ledger.stops() if stop.entry_key == wish.order_key]
        ended = end_in(ledger, kept[0], wish, now_ns) if kept else no_such(ledger, wish)
        if isinstance(ended, Stop):
            ledger.write((), (), now_ns, {}, [ended])
            note_ended_stop(held.run_dir)
            ended = told(ended)
    answer: dict[str, Any] = msgspec.to_builtins(ended)
    return answer


def _entry_of(run_dir: Path, name: str) -> OrderKey:
    with LedgerReader(run_dir / LEDGER) as ledger:
        order = find_order(ledger, name)
        stop = ledger.stop_of(order.order_key)
    if stop is None:
        raise NotFound(
            f"{order.order_key} has no stop: list them with `watchkeeper orders --stops`"
        )
    return stop.entry_key


def _who() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, perhaps
        return f"user {os.getuid()}"


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"watchkeeper: {text}\n")
    return code
