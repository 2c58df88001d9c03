"""All cases of the crash rehearsal, of every road: the full and the quick choice, one by name."""

from decisions import drill_cancel, drill_exit, drill_replace, drill_stop
from decisions.drill import (
    Case,
    full_cases,
    lost_ledger_cases,
    parse_case,
    quick_cases,
    quick_lost_ledger_cases,
)
from decisions.drill_cancel import CancelCase, full_cancel_cases, quick_cancel_cases
from decisions.drill_exit import ExitCase, full_exit_cases, lost_ledger_exit_cases, quick_exit_cases
from decisions.drill_replace import ReplaceCase, full_replace_cases, quick_replace_cases
from decisions.drill_stop import (
    StopCase,
    full_stop_cases,
    lost_ledger_stop_cases,
    quick_lost_ledger_stop_cases,
    quick_stop_cases,
)

AnyCase = Case | CancelCase | StopCase | ReplaceCase | ExitCase


def chosen_cases(*, full: bool, in_database: bool) -> list[AnyCase]:
    """Give all cases, or the quick ones; with those of a ledger that is lost where one can be."""
    lost: list[AnyCase] = []
    if full:
        if in_database:
            lost = [*lost_ledger_cases(), *lost_ledger_stop_cases(), *lost_ledger_exit_cases()]
        return [*_full(), *lost]
    if in_database:
        lost = [*quick_lost_ledger_cases(), *quick_lost_ledger_stop_cases()]
    return [*_quick(), *lost]


def _full() -> list[AnyCase]:
    return [
        *full_cases(),
        *full_cancel_cases(),
        *full_stop_cases(),
        *full_replace_cases(),
        *full_exit_cases(),
    ]


def _quick() -> list[AnyCase]:
    return [
        *quick_cases(),
        *quick_cancel_cases(),
        *quick_stop_cases(),
        *quick_replace_cases(),
        *quick_exit_cases(),
    ]


def parse_any(text: str) -> AnyCase:
    """Read a case of any kind.

    Raises:
        ValueError: the sentence says which part is wrong and what it may be.
    """
    match text.split("/")[0]:
        case drill_stop.ROAD:
            return drill_stop.parse_stop_case(text)
        case drill_replace.ROAD:
            return drill_replace.parse_replace_case(text)
        case drill_exit.ROAD:
            return drill_exit.parse_exit_case(text)
    return drill_cancel.parse_cancel_case(text) if text.count("/") == 3 else parse_case(text)
