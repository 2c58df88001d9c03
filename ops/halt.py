"""The `halt` and `resume` commands: a person stops trading, and lets it go on.

Exit codes: 0 proved (or resumed), 1 not proved in time (or refused), 2 wrong usage, 3 no such
run, or a process that does not answer.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from ops.client import NoAnswer, unanswered
from ops.operator_client import OperatorClient, Refused
from ops.run_files import LEDGER, typed

PROVED = "halted_proved"
TRADING = "trading"
_POLL_S = 0.1
_RESUMED = (
    "trading goes on: somebody resumed it before the halt was proved; halt again if that was not"
    " meant"
)

View = dict[str, Any]


def halt(
    run_dir: Path,
    reason: str,
    *,
    as_json: bool,
    timeout_s: float,
    config_path: Path | None = None,
) -> int:
    """Halt durably, cancel what is open, wait for the proof; with or without a process.

    `config_path` names the venue of a run that never started here.
    """
    client = OperatorClient(run_dir, timeout_s)
    told = _Progress(quiet=as_json)
    try:
        request = client.order("halt", reason=reason)
        answer = client.answer(request)
        if answer is None:
            return _failed(
                f"the executor has not taken the halt within {timeout_s:g} s: see health"
            )
        view = _followed(client.halt_state, lambda: client.left_s, told)
    except Refused as problem:
        return _failed(str(problem))
    except NoAnswer as problem:
        if not problem.gone:
            return _silent(run_dir, problem, verb="halt", ended="halted")
        from ops.halt_offline import halt_offline
        from ops.lost_ledger import had_ledger

        if not (run_dir / LEDGER).exists() and not had_ledger(run_dir):
            return _no_run(run_dir)
        view = halt_offline(
            run_dir, reason, timeout_s=timeout_s, told=told, config_path=config_path
        )
    return finish(view, run_dir, as_json=as_json)


def resume(
    run_dir: Path,
    *,
    despite_open: bool,
    as_json: bool,
    timeout_s: float,
    config_path: Path | None = None,
) -> int:
    """End a halt; a person's word. `config_path` names the venue of a run that never started."""
    client = OperatorClient(run_dir, timeout_s)
    try:
        request = client.order("resume", despite_open=despite_open)
        answer = client.answer(request)
    except Refused as problem:
        return _failed(str(problem))
    except NoAnswer as problem:
        if not problem.gone:
            return _silent(run_dir, problem, verb="resume", ended="resumed")
        if not (run_dir / LEDGER).exists():
            return _no_run(run_dir)
        from ops.halt_offline import resume_offline

        answer = resume_offline(
            run_dir,
            despite_open=despite_open,
            timeout_s=timeout_s,
            told=_Progress(quiet=as_json),
            config_path=config_path,
        )
    if answer is None:
        return _failed(f"the executor gave no answer within {timeout_s:g} s: see health")
    return say(answer, as_json=as_json)


def say(answer: View, *, as_json: bool) -> int:
    """Print what came of a request; give the exit code."""
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    elif answer["ok"]:
        sys.stdout.write(f"{answer['text']}\n")
    else:
        sys.stderr.write(f"watchkeeper: {answer['text']}\n")
    return EXIT_OK if answer["ok"] else EXIT_FAILED


def finish(view: View, run_dir: Path, *, as_json: bool) -> int:
    """Print how a halt ended; give the exit code."""
    is_proved = view["state"] == PROVED and view["on_disk"]
    if as_json:
        sys.stdout.write(json.dumps({"proved": is_proved, **view}) + "\n")
    else:
        stream = sys.stdout if is_proved else sys.stderr
        stream.write(f"{view['text']}\n")
        for order in view["foreign"]:
            stream.write(f"left alone, not ours: {order}\n")
        if is_proved:
            stream.write(f"to trade again: watchkeeper resume {typed(run_dir)}\n")
        else:
            stream.write(
                f"nothing is sent meanwhile; ask again: watchkeeper halt {typed(run_dir)}\n"
            )
    return EXIT_OK if is_proved else EXIT_FAILED


def _followed(look: Callable[[], View], left_s: Callable[[], float], told: "_Progress") -> View:
    """Wait for the proof; give how far it is then, or when the time is over.

    Raises:
        Refused: nobody is left to prove it, or somebody resumed.
    """
    was_seen = False
    while True:
        view = look()
        if view["state"] == TRADING and (was_seen or not left_s()):
            raise Refused(_RESUMED)
        was_seen = was_seen or view["state"] != TRADING
        if view["state"] != PROVED:  # which is the result, and is told as such
            told(view["text"])
        if view["given_up"] and view["state"] != PROVED:
            raise Refused(view["given_up"])
        if view["state"] == PROVED or not left_s():
            return view
        time.sleep(min(_POLL_S, left_s()))


class _Progress:
    """Tells a person what is new, on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last = ""

    def __call__(self, text: str) -> None:
        if text != self._last and not self._quiet:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        self._last = text


def _failed(text: str) -> int:
    sys.stderr.write(f"watchkeeper: {text}\n")
    return EXIT_FAILED


def _no_run(run_dir: Path) -> int:
    return _nobody(f"there is neither a process nor a ledger in {run_dir}")


def _silent(run_dir: Path, problem: NoAnswer, *, verb: str, ended: str) -> int:
    unknown, then = f"nothing is known to be {ended}", f"kill it, then {verb} again"
    return _nobody(unanswered(run_dir, problem, unknown, then))


def _nobody(text: str) -> int:
    sys.stderr.write(f"watchkeeper: {text}\n")
    return EXIT_NOTHING_THERE
