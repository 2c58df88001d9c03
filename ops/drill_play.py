"""Plays the cases of the crash rehearsal; one that chance kept off its point is played again."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

import msgspec

from decisions.drill_cancel import CancelCase
from decisions.drill_exit import ExitCase
from decisions.drill_replace import ReplaceCase
from decisions.drill_stop import StopCase

if TYPE_CHECKING:
    from ops.drill_cases import AnyCase
    from ops.drill_setting import Baseline, Result, Setting

TRIES = 3


def play(
    setting: "Setting", baseline: "Baseline", cases: "Sequence[AnyCase]", jobs: int
) -> "Iterator[Result]":
    """Play some cases at once, each at an exchange of its own; give each when it has ended.

    `baseline` is for the cases of an order's life: those of other roads have their own.
    """
    rehearse = until_rehearsed(_rehearser(setting, baseline, cases), setting.over)
    shuffled = list(cases)  # those that wait long are spread among those that do not
    random.Random(setting.seed or 0).shuffle(shuffled)  # noqa: S311 - the same for one seed
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(rehearse, case) for case in shuffled]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:  # Ctrl-C above all
            setting.over.set()
            for future in futures:
                future.cancel()
            raise


def until_rehearsed(
    rehearse: "Callable[[AnyCase], Result]", over: threading.Event
) -> "Callable[[AnyCase], Result]":
    """Give what plays a case again where chance has kept the order off its point.

    What is wrong otherwise is so at the first try, and a case that never comes to its point fails.
    """

    def one(case: "AnyCase") -> "Result":
        tries, result = 1, rehearse(case)
        while result.was_in_vain and tries < TRIES and not over.is_set():
            tries, result = tries + 1, rehearse(case)
        return msgspec.structs.replace(result, tries=tries)

    return one


def _rehearser(
    setting: "Setting", baseline: "Baseline", cases: "Sequence[AnyCase]"
) -> "Callable[[AnyCase], Result]":
    """Give what plays one case, of any kind."""
    from ops.drill_cancel_case import cancel_setting, rehearse_cancel
    from ops.drill_case import find_baseline, rehearse
    from ops.drill_exit_case import exit_setting, rehearse_exit
    from ops.drill_replace_case import rehearse_replace, replace_setting
    from ops.drill_stop_case import rehearse_stop, stop_setting

    with_cancels = any(isinstance(case, CancelCase) for case in cases)
    canceling, stopping = cancel_setting(setting), stop_setting(setting)
    replacing, leaving = replace_setting(setting), exit_setting(setting)
    resting = find_baseline(canceling) if with_cancels else baseline

    def one(case: "AnyCase") -> "Result":
        match case:
            case CancelCase():
                return rehearse_cancel(canceling, resting, case)
            case StopCase():
                return rehearse_stop(stopping, case)
            case ReplaceCase():
                return rehearse_replace(replacing, case)
            case ExitCase():
                return rehearse_exit(leaving, case)
        return rehearse(setting, baseline, case)

    return one
