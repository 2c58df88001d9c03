"""On which CPU the threads of a run are kept, and when they are left to the kernel. Pure.

Python runs one of a process's threads at a time. On one CPU waking the next is cheaper, and who
gives the interpreter away for a moment has it back before a busy thread could take it. But the
kernel cannot move what is kept in one place: so somebody must look who else is there.
"""

from collections.abc import Mapping

CROWDED = 0.25
"""Where others take more than this share of a CPU, a run leaves it."""
CALM = 0.10
"""Where they take no more than this, it comes."""


def others_on(
    busy_ns: Mapping[int, int], own_ns: int, span_ns: int, here: int | None
) -> dict[int, float]:
    """Give, by CPU, the share of a span in which somebody else was on it.

    `busy_ns` is how long anybody was, `own_ns` how long the threads of the run were: on the CPU
    that they were kept on (`here`), or on any.
    """
    if here is None:
        own = dict.fromkeys(busy_ns, own_ns // max(1, len(busy_ns)))
    else:
        own = dict.fromkeys(busy_ns, 0) | {here: own_ns}
    return {cpu: max(0, busy - own[cpu]) / span_ns for cpu, busy in busy_ns.items()}


def place(here: int | None, others: Mapping[int, float], pick: int) -> int | None:
    """Give the CPU to be kept on from now on; None leaves it to the kernel.

    It stays until others crowd it out, and then goes where it is calm. `pick` chooses among such
    places: two runs with different ones do not follow each other.
    """
    if here is not None and others.get(here, 1.0) <= CROWDED:
        return here
    calm = [cpu for cpu, share in sorted(others.items()) if share <= CALM]
    return calm[pick % len(calm)] if calm else None
