"""The honest part first, and a warning where the best is probably luck."""

import random
from decimal import Decimal

import pytest

pytest.importorskip("optuna", reason="the extra `optimize` is not installed")

from research.optimise.figures import Figures, Score
from research.optimise.outcome import DONE, FAILED, GIVEN_UP, REFUSED, UNJUDGED, Outcome, PassedOver
from research.optimise.progress import line
from research.optimise.report import About, Facts, Failed, Report, as_table, chosen, report_on
from research.optimise.search import State
from research.optimise.windows import windows_of

pytestmark = pytest.mark.slow  # only `slow` installs Optuna
DAY_NS = 86_400_000_000_000
CAPITAL = 10_000.0


def score(value: float, net: str = "10") -> Score:
    return Score(
        value=value,
        net=Decimal(net),
        fees=Decimal(1),
        orders=12,
        drawdown=3.0,
        daily_sharpe=value / 365**0.5,
    )


def figures(mean: float, days: int = 60, seed: int = 1, first: int = 1) -> Figures:
    """Daily profits with a mean, and a deviation of 10."""
    chance, profit, found = random.Random(seed), 0.0, {first - 1: 0.0}
    for day in range(first, first + days):
        profit += mean + chance.gauss(0, 10)
        found[day] = profit
    return Figures(net=Decimal(repr(profit)), fees=Decimal(1), orders=12, drawdown=3.0, days=found)


def report(
    *,
    unseen: Figures | None = None,
    again: Figures | None = None,
    others: tuple[Outcome, ...] = (),
    values: tuple[float, ...] = (1.0, 2.0, 3.0),
    windows: int = 1,
    asked: int = 3,
    failures: list[Failed] | None = None,
) -> Report:
    about = About(
        name="bot",
        study="bot",
        storage="studies/bot.db",
        objective="sharpe",
        quote="USDT",
        capital=Decimal(10_000),
        space=["s.fast=5:50"],
        seed=1,
        asked=asked,
    )
    done = [Outcome(how=DONE, score=score(value)) for value in values]
    best = chosen(2, {"s": {"fast": 7}}, score(max(values))) if values else None
    facts = [
        Facts(
            window=window,
            outcomes=[*done, *others],
            passed=PassedOver(refused=4, same=2, reason="slow must be greater"),
            best=best,
            unseen=unseen if window.has_unseen else None,
            as_configured=None,
            is_exhausted=False,
            failures=failures or [],
        )
        for window in windows_of(DAY_NS, 90 * DAY_NS, windows, 3.0)
    ]
    return report_on(about, facts, again)


def test_what_was_not_seen_is_told_first() -> None:
    lines = list(as_table(report(unseen=figures(2.0), again=figures(2.0))))

    assert lines[1].startswith("  unseen        ")
    assert lines.index(lines[1]) < next(n for n, text in enumerate(lines) if "chosen" in text)
    assert lines[-1].startswith("  no edge claimed")


def test_the_best_of_many_without_skill_is_called_luck() -> None:
    chance = random.Random(4)
    spread = tuple(chance.gauss(0, 2.5) for _ in range(100))

    found = report(unseen=figures(0.0), again=figures(0.3), values=spread, asked=100)

    assert found.deflated is not None
    assert found.deflated.probability < 0.5
    assert found.deflated.trials == 100
    assert any(
        text.startswith("the best is probably luck: the best of 100") for text in found.warnings
    )
    assert any(text.startswith("100 trials were made to find it") for text in found.warnings)


def test_what_is_far_above_luck_is_not() -> None:
    found = report(unseen=figures(5.0, 300), again=figures(5.0, 300))

    assert found.deflated is not None
    assert found.deflated.probability > 0.99
    assert found.warnings == []


def test_a_few_days_are_called_too_few() -> None:
    found = report(unseen=figures(9.0), again=figures(9.0, 12))

    assert any("has 12 daily returns" in text for text in found.warnings)


def test_trials_that_were_given_up_count_and_copies_and_refusals_do_not() -> None:
    others = tuple(Outcome(how=how) for how in (GIVEN_UP, UNJUDGED, FAILED, REFUSED))

    found = report(again=figures(1.0), others=others, windows=0)

    assert found.trials == 6
    assert found.deflated is not None
    assert found.deflated.trials == 6
    (window,) = found.windows
    assert window.trials["same"] == 2
    assert window.trials["refused"] == 5


def test_how_much_trials_differ_is_that_of_all_where_some_were_given_up() -> None:
    """Those that came to their end are the better ones, and differ less."""
    early = (-0.3, -0.2, -0.1, 0.0, 0.1)
    others = tuple(Outcome(how=GIVEN_UP, ratios={1: ratio}) for ratio in early)
    whole = tuple(Outcome(how=UNJUDGED, ratios={1: ratio, 2: 9.0}) for ratio in early)

    given_up = report(again=figures(1.0), others=others, windows=0).deflated
    to_the_end = report(again=figures(1.0), others=whole, windows=0).deflated

    assert given_up is not None
    assert to_the_end is not None
    assert given_up.variance == pytest.approx(0.025)
    assert to_the_end.variance == pytest.approx(1 / 365)
    assert given_up.threshold > 3 * to_the_end.threshold


def test_without_an_unseen_part_that_is_said() -> None:
    found = report(again=figures(5.0, 300), windows=0)

    assert found.unseen is None
    assert any(text.startswith("nothing was kept unseen") for text in found.warnings)


def test_who_won_where_it_was_chosen_and_lost_after_it_is_told() -> None:
    found = report(unseen=figures(-5.0), again=figures(5.0))

    assert (
        "what was chosen won where it was chosen, and lost on what it had not seen"
        in found.warnings
    )


def test_a_window_without_a_best_says_why() -> None:
    failed = (Outcome(how=FAILED, reason="ZeroDivisionError"),)

    found = report(values=(), others=failed, windows=0)

    (window,) = found.windows
    assert window.best is None
    assert window.problem is not None
    assert "the last refused: slow must be greater; the last failed: Zero" in window.problem
    assert any("ZeroDivisionError" in text for text in as_table(found))


@pytest.mark.parametrize(("asked", "complete"), [(3, True), (4, False)])
def test_it_is_complete_when_all_that_was_asked_for_was_tried(asked: int, complete: bool) -> None:
    assert report(asked=asked).is_complete is complete


def test_the_line_on_a_terminal_tells_how_far_how_good_and_how_long() -> None:
    state = State(over=30, wanted=120, window=2, windows=3, best="1.250 (fast = 7)", waiting_for=0)

    assert line(state, 10, 5.0) == (
        "[######                  ] 30 of 120 trials, window 2 of 3,"
        " 2.0 a second, 45 s left, best 1.250 (fast = 7)"
    )
    waiting = State(over=120, wanted=120, window=3, windows=3, best="", waiting_for=2)
    assert line(waiting, 10, 5.0).endswith("window 3 of 3, waiting for 2 of others")


def test_a_trial_that_failed_is_named_with_its_values_and_its_reason() -> None:
    failures = [
        Failed(trial=n, params={"s": {"fast": n}}, reason="strategy s did not come back")
        for n in range(5)
    ]

    found = report(windows=0, failures=failures, others=(Outcome(how=FAILED, reason="x"),) * 5)

    told = [text for text in as_table(found) if text.startswith("    failed")]
    assert told[0] == "    failed   fast = 0: strategy s did not come back"
    assert len(told) == 3, "the table tells the first, --json more"
    assert found.windows[0].failures == failures
