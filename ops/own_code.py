"""A person's own code on the main thread, before a run: loaded and made in time, or refused.

While a run goes on its actors are looked after by their supervisors; before it nobody would be.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from messages.errors import ConfigError
from messages.exit_codes import EXIT_USAGE
from messages.own_lines import line_of, line_of_stack
from messages.patience import LIMIT_S, Hung, Patience, is_watched, last_line

Given = TypeVar("Given")


class DidNotEnd(ConfigError):
    """A strategy's own code loops or waits."""


def in_time(work: Callable[[], Given], uses: str, was: str, hang_after_s: int) -> Given:
    """Do what runs a strategy's file: as it `was` "loaded", or "made".

    It may take a minute, or `hang_after_s` where that is longer: an import may be slow. Under
    somebody else's limit, a backtest's, that one holds.

    Raises:
        DidNotEnd: it loops or waits; or what `work` raises.
    """
    if is_watched():
        return work()
    file = str(Path(uses.rpartition(":")[0] or uses).resolve())
    patience = Patience(
        max(LIMIT_S, hang_after_s), work="command", last_word=_say, exit_code=EXIT_USAGE
    )
    with patience.watching():
        try:
            return patience.over(
                work, lambda: None, lambda: _stuck(uses, line_of_stack(sys._getframe(), file))
            )
        except Hung as error:
            line = line_of(error, file) or last_line(error)
            raise DidNotEnd([_told(uses, was, patience.limit_s, line)]) from None


def _told(uses: str, was: str, limit_s: float, line: str) -> str:
    return (
        f"{uses} did not come back within {limit_s:g} s as it was {was} ({line}): end what goes on"
        f" for ever there, or, if it is only slow, set supervision.hang_after_s above {limit_s:g}"
    )


def _stuck(uses: str, line: str) -> str:
    return f"{uses} ({line or 'in what it has called'})"


def _say(text: str) -> None:
    sys.stderr.write(f"watchkeeper: {text}\n")
    sys.stderr.flush()
