"""Which steps one order may take: the table of every legal transition, and its check.

::

    CLAIMED -> SENT -> ACCEPTED -> PARTIALLY_FILLED -> FILLED | CANCELED | REJECTED | EXPIRED
       |        |'-> UNKNOWN ---^  (settled by asking the venue)
       |        '--> NOT_SENT ---> SENT  (proved absent: the only road back)
       '-> REFUSED

A fill can be seen before the acceptance, so SENT and UNKNOWN may go straight to any
state that the venue can report. Final states have no way out.
"""

from messages.errors import IllegalTransition
from messages.values import OrderState as S

RESTING_STATES = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED})
"""Open at the venue, and known to be."""

REPORTED_STATES = RESTING_STATES | {S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED}
"""What a venue can say of an order."""

UNSENT_STATES = frozenset({S.CLAIMED, S.NOT_SENT})
"""Not handed over yet, or proved absent: it may still be sent."""

ABSENT_STATES = UNSENT_STATES | {S.REFUSED}
"""No venue has the order."""

LEGAL_TRANSITIONS: dict[S, frozenset[S]] = {
    S.CLAIMED: frozenset({S.SENT, S.REFUSED, S.NOT_SENT}),
    S.SENT: REPORTED_STATES | {S.UNKNOWN, S.NOT_SENT},
    S.UNKNOWN: REPORTED_STATES | {S.NOT_SENT},
    S.NOT_SENT: frozenset({S.SENT, S.REFUSED}),
    S.ACCEPTED: REPORTED_STATES - {S.ACCEPTED},
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED}),
    S.FILLED: frozenset(),
    S.CANCELED: frozenset(),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
    S.REFUSED: frozenset(),
}

FINAL_STATES = frozenset(state for state, onward in LEGAL_TRANSITIONS.items() if not onward)

OPEN_STATES = frozenset({S.CLAIMED, S.SENT, S.UNKNOWN, S.NOT_SENT, S.ACCEPTED, S.PARTIALLY_FILLED})


def check_transition(before: S, after: S) -> None:
    """Pass a legal step.

    Raises:
        IllegalTransition: the table does not hold it; the caller must change nothing.
    """
    if after not in LEGAL_TRANSITIONS[before]:
        raise IllegalTransition(f"an order cannot go from {before} to {after}")
