"""Who may speak for an account: the lease, its holder, and the moments it is measured at."""

import msgspec

from messages.learning import learn


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """One process, so that another can tell whether it is still there."""

    host: str
    pid: int
    started: int
    """When it started, in the kernel's ticks since boot: a number that was used again is another
    process. 0: not known."""
    space: str
    """The boot and the set of process numbers that `pid` belongs to. Empty: not known."""
    run_dir: str
    """Absolute. Its ledger holds the orders that this process sends."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the one place that all processes of an account look at."""

    account: str
    token: int
    """Rises by one with each new holder: the fencing token."""
    renewals: int
    """Rises with each renewal: who sees it rise knows that the holder lives."""
    holder: Holder
    """Its last one, where it was given back."""
    clock: str
    """Which clock `expires_ns` is on. Another boot's, another machine's cannot be compared."""
    expires_ns: int
    term_ns: int
    """How long it lasts from the renewal on."""
    returned: bool = False
    """Given back in order: nothing of the holder's is under way any more."""


learn(Lease)


class Moment(msgspec.Struct, frozen=True):
    """Now, on two clocks.

    One runs on while the machine is suspended, and nobody sets it. The other is the wall's, which
    requests are stamped with, and which somebody may set.
    """

    boot_ns: int
    utc_ns: int
