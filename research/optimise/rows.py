"""The rows of one window's study, as they are on disk: one for each trial, in Optuna's own tables.

A row is made in one transaction, with its values and its owner; it ends in two, the first of which
says all. Whatever dies in between leaves a row that another process can finish from what it says.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import optuna
from optuna.trial import TrialState

from research.optimise.guard import Guard
from research.optimise.outcome import FAILED, GIVEN_UP, REFUSED, UNJUDGED, Outcome, PassedOver
from research.optimise.space import Value

_OWNER, _END, _PASSED, _MANIFEST = "owner", "end", "passed_over", "watchkeeper"
_STATES = {
    GIVEN_UP: TrialState.PRUNED,
    UNJUDGED: TrialState.PRUNED,
    REFUSED: TrialState.PRUNED,
    FAILED: TrialState.FAIL,
}


class Row(msgspec.Struct, kw_only=True):
    """One trial. `outcome` None: somebody has it in hand."""

    key: int
    """Of the database."""
    number: int
    """In the study, from 0."""
    params: dict[str, Value]
    owner: str
    outcome: Outcome | None
    passed: PassedOver
    """What was proposed since the trial before it."""
    said: Outcome | None = None
    """Its end, where whoever had it died between saying it and closing the row."""


class Rows:
    """One thread uses it. What is not shared is read once; what is, whenever it is asked for."""

    def __init__(
        self, storage: Any, name: str, guard: Guard, distributions: Mapping[str, Any]
    ) -> None:
        self._storage, self._guard, self._distributions = storage, guard, distributions
        self.name = name
        with guard.alone():
            optuna.create_study(
                study_name=name, storage=storage, direction="maximize", load_if_exists=True
            )
        self._study = storage.get_study_id_from_name(name)
        self._known: dict[int, Row] = {}
        self._known = {row.number: row for row in self._read()}

    def agree(self, manifest: Mapping[str, str]) -> list[str]:
        """Give what of this the study was begun with otherwise; a new one takes it."""
        with self._guard.alone():
            begun = self._storage.get_study_user_attrs(self._study).get(_MANIFEST)
            if begun is None:
                self._storage.set_study_user_attr(self._study, _MANIFEST, dict(manifest))
                return []
        return [what for what, value in manifest.items() if begun.get(what) != value]

    def all(self) -> list[Row]:
        """Give all of them, in the order of their numbers."""
        if self._guard.is_shared:
            self._known = {row.number: row for row in self._read()}
        return list(self._known.values())

    def _read(self) -> Iterator[Row]:
        """Read what may have changed: a row that is closed stays as it is."""
        trials = self._storage.get_all_trials(self._study, deepcopy=False)
        for trial in sorted(trials, key=lambda one: one.number):
            known = self._known.get(trial.number)
            yield known if known is not None and known.outcome is not None else _row(trial)

    def claim(self, params: Mapping[str, Value], passed: PassedOver) -> Row:
        """Make a row for a set of values, and have it in hand; call it in the guard's `alone`."""
        owner = self._guard.token
        attributes = {_OWNER: owner, _PASSED: msgspec.to_builtins(passed)}
        template = frozen(self._distributions, params, TrialState.RUNNING, None, attributes)
        key = self._storage.create_new_trial(self._study, template_trial=template)
        if self._guard.is_shared:
            number = self._storage.get_trial_number_from_id(key)
        else:
            number = len(self._known)
        row = Row(
            key=key, number=number, params=dict(params), owner=owner, outcome=None, passed=passed
        )
        self._known[number] = row
        return row

    def adopt(self, row: Row) -> None:
        """Have in hand what was another's; call it in the guard's `alone`."""
        self._storage.set_trial_user_attr(row.key, _OWNER, self._guard.token)
        row.owner = self._guard.token

    def is_ours(self, row: Row) -> bool:
        """Whether a row is still in this process's hand; call it in the guard's `alone`."""
        if not self._guard.is_shared:
            return row.outcome is None
        now = _row(self._storage.get_trial(row.key))
        return now.outcome is None and now.owner == self._guard.token

    def finish(self, row: Row, outcome: Outcome) -> None:
        """Say how a trial ended, and close its row."""
        said = msgspec.to_builtins(outcome, str_keys=True)
        self._storage.set_trial_user_attr(row.key, _END, said)
        self.close(row, outcome)

    def close(self, row: Row, outcome: Outcome) -> None:
        """Close the row of a trial whose end is said already."""
        values = None if outcome.score is None else [outcome.score.value]
        self._storage.set_trial_state_values(row.key, state=state_of(outcome), values=values)
        row.outcome = outcome


def state_of(outcome: Outcome) -> Any:
    """Say what Optuna calls such an end."""
    if outcome.score is not None:
        return TrialState.COMPLETE
    return _STATES.get(outcome.how, TrialState.FAIL)


def frozen(
    distributions: Mapping[str, Any],
    params: Mapping[str, Value],
    state: Any,
    outcome: Outcome | None,
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """Give a trial as Optuna keeps it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    score = None if outcome is None else outcome.score
    return optuna.trial.FrozenTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=None if score is None else score.value,
        datetime_start=now,
        datetime_complete=now if state.is_finished() else None,
        params=dict(params),
        distributions=dict(distributions),
        user_attrs=dict(attributes or {}),
        system_attrs={},
        intermediate_values={} if outcome is None else dict(outcome.parts),
    )


def _row(trial: Any) -> Row:
    said = trial.user_attrs.get(_END)
    outcome = None if said is None else msgspec.convert(said, Outcome, strict=False)
    finished = trial.state.is_finished()
    return Row(
        key=trial._trial_id,
        number=trial.number,
        params=dict(trial.params),
        owner=trial.user_attrs.get(_OWNER, ""),
        outcome=(outcome or Outcome(how=FAILED)) if finished else None,
        passed=msgspec.convert(trial.user_attrs.get(_PASSED, {}), PassedOver),
        said=outcome,
    )
