"""After the search: what was chosen is run where it was not looked at, beside what was there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from research.optimise.figures import Figures
from research.optimise.protocol import Done, PartOver, Pool
from research.optimise.search import LOOK_S
from research.optimise.trial import Task
from research.optimise.windows import Window

Params = Mapping[str, Mapping[str, Any]]


def unseen_task(window: Window, params: Params) -> Task:
    """Give the trial of what was chosen on a window, on what comes after it."""
    return _task(params, window.end_ns, window.unseen_end_ns)


def seen_task(window: Window, params: Params) -> Task:
    """Give the trial of what was chosen, once more on the window that it was chosen on."""
    return _task(params, window.begin_ns, window.end_ns)


def run_all(
    pool: Pool, tasks: Sequence[Task], show: Callable[[int, int], object]
) -> list[Figures | None]:
    """Make these trials, none of them given up; None where one failed.

    `show` is told how many are over, and of how many.
    """
    found: dict[int, Figures] = {}
    waiting = [_numbered(task, number) for number, task in enumerate(tasks)]
    over, under_way = 0, 0
    while waiting or under_way:
        while waiting and pool.idle:
            pool.begin(waiting.pop(0))
            under_way += 1
        for told in pool.wait(LOOK_S):
            if isinstance(told, PartOver):
                pool.answer(told.ticket, go_on=True)
                continue
            if isinstance(told, Done):
                found[told.ticket] = told.figures
            over, under_way = over + 1, under_way - 1
        show(over, len(tasks))
    return [found.get(_ticket(number)) for number in range(len(tasks))]


def _task(params: Params, begin_ns: int, end_ns: int) -> Task:
    nested = {name: dict(values) for name, values in params.items()}
    return Task(ticket=0, params=nested, begin_ns=begin_ns, end_ns=end_ns)


def _numbered(task: Task, number: int) -> Task:
    return Task(
        ticket=_ticket(number),
        params=task.params,
        begin_ns=task.begin_ns,
        end_ns=task.end_ns,
    )


def _ticket(number: int) -> int:
    """Give a ticket that no trial of a search has."""
    return -1 - number
