"""How often an order that is proved absent goes out again, and when it is given up. Pure."""

import msgspec

from messages.ids import NS_PER_S, TimestampNs

PAUSES_NS = (0, NS_PER_S, 5 * NS_PER_S)
"""Before the second, third and fourth send of one order in one process, each proved absent by
asking, which took its time already."""

REFUSED_PAUSES_NS = (NS_PER_S, 5 * NS_PER_S, 15 * NS_PER_S)
"""The same where the order could not even be sent: no connection, or no leave to send."""


STALE = "stale"
"""The code of a decision that is too old."""


class Again(msgspec.Struct, frozen=True):
    """Send it once more, under the same id, after a pause."""

    after_ns: int


class GiveUp(msgspec.Struct, frozen=True):
    """Refuse the decision for good: the venue does not have it and will not get it."""

    reason: str


def too_old(created_ns: TimestampNs, now_ns: TimestampNs, max_age_ns: int) -> bool:
    """Whether a decision waited longer than it is good for; asked just before a send."""
    return now_ns - created_ns > max_age_ns


def stale_text(created_ns: int, now_ns: int) -> str:
    """Say how old a decision is."""
    return f"decided {(now_ns - created_ns) / NS_PER_S:.1f} s ago"


def after_absence(
    sends: int,
    created_ns: TimestampNs,
    now_ns: TimestampNs,
    max_age_ns: int | None,
    pauses_ns: tuple[int, ...] = PAUSES_NS,
) -> Again | GiveUp:
    """Say what becomes of an order of which it is proved that the venue does not have it.

    `sends` counts those of this process. `max_age_ns` is None where decisions do not age.
    Each send was proved absent before the next, so this is not about doubling: a venue that
    loses every order is not helped by more of them.
    """
    if max_age_ns is not None and too_old(created_ns, now_ns, max_age_ns):
        return GiveUp(f"{STALE}: {stale_text(created_ns, now_ns)}")
    if sends > len(pauses_ns):
        return GiveUp(f"not_sent: given up after {sends} sends, each proved absent at the venue")
    return Again(pauses_ns[sends - 1] if sends else 0)
