"""One writer for an account: who may take its lease, and until when its holder may send. Pure.

The proof that two never send at once. A request is stamped with the wall clock's time t before
it is signed, and the exchange takes it until its own clock shows t + w, the receive window. It
leaves only while the lease has more than the *headroom* left, w + `MARGIN_MS`. So however long
the process is frozen between that look at the clock and the write to the socket: what arrives
once the lease is over is too old for the exchange, and nobody else sends before it is over.
The look at the clock is the last thing before the write. The margin pays for a venue's clock that
is behind ours and for the steps of our own.

Time is measured by the clock that no one sets and that runs while the machine sleeps. The wall
clock can only shorten a lease: a virtual machine that was paused has not seen the time go by,
but its wall clock is put right, and then what it signs is fresh to the exchange.
"""

import msgspec

from messages.ids import NS_PER_MS, NS_PER_S
from messages.lease import Holder, Lease, Moment

MARGIN_MS = 1_500
"""A clock of the venue that is behind ours: 500 ms by its gate, as much for what the gate could
not see, and as much for a step of our own since."""
STEP_MS = 500
"""How far the wall clock may have been set since it was compared with the venue's."""
SLACK_MS = 8_000
"""How long after a renewal everything may still be sent, by default."""
LEAST_SLACK_MS = 2_000
RENEWALS = 4
"""How many fall into the slack: one that fails or is late stops nothing."""
DRIFT = 10
"""Two clocks of one rate are taken to differ by at most one part in so many."""


class Timing(msgspec.Struct, frozen=True):
    """How long a lease lasts, and how much of that no send may fall into."""

    term_ns: int
    headroom_ns: int

    @property
    def renew_ns(self) -> int:
        """How often it is renewed."""
        return (self.term_ns - self.headroom_ns) // RENEWALS


def least_term_ms(window_ms: int) -> int:
    """Give the shortest lease that leaves time to send. `window_ms`: how late a request may be."""
    return window_ms + MARGIN_MS + LEAST_SLACK_MS


def timing_of(window_ms: int, term_ms: int | None) -> Timing:
    """Give the times of a lease of `term_ms`, or of the usual length."""
    headroom_ms = window_ms + MARGIN_MS
    term_ms = headroom_ms + SLACK_MS if term_ms is None else term_ms
    return Timing(term_ms * NS_PER_MS, headroom_ms * NS_PER_MS)


# ---------------------------------------------------------------- taking it


class Sight(msgspec.Struct, frozen=True):
    """A lease as it was seen, and since when, on the watcher's own clock, it has not changed."""

    lease: Lease | None
    since_ns: int


class Take(msgspec.Struct, frozen=True):
    """Nobody can send for the account any more: take the lease."""

    why: str


class Wait(msgspec.Struct, frozen=True):
    """Somebody may still send, or has left orders that we know nothing of."""

    holder: str
    """The process, as a person reads it."""
    left_ns: int
    """So long, if it is not renewed; 0: it is over."""
    is_alive: bool | None
    """None: it cannot be seen from here."""
    elsewhere: str = ""
    """The other run directory whose ledger holds the holder's orders: waiting does not help."""


def look(before: Sight | None, lease: Lease | None, boot_ns: int) -> Sight:
    """Note what is seen now; a renewal or a new holder begins the watch anew."""
    if before is not None and _mark(before.lease) == _mark(lease):
        return before
    return Sight(lease, boot_ns)


def _mark(lease: Lease | None) -> tuple[int, int, bool] | None:
    return None if lease is None else (lease.token, lease.renewals, lease.returned)


def left_of(sight: Sight, clock: str, boot_ns: int) -> int:
    """Give how long the lease that is seen may still be good, in ns; 0 or less: it is over.

    By its own deadline where that is on our clock. And anyhow by the watch: what was not
    renewed for a whole term is over, whatever the holder's clock shows.
    """
    lease = sight.lease
    if lease is None or lease.returned:
        return 0
    watched_ns = sight.since_ns + lease.term_ns * (DRIFT + 1) // DRIFT - boot_ns
    if clock and lease.clock == clock:
        return min(lease.expires_ns - boot_ns, watched_ns)
    return watched_ns


def judge(
    sight: Sight,
    clock: str,
    boot_ns: int,
    run_dir: str,
    *,
    is_alive: bool | None,
    has_orders: bool,
) -> Take | Wait:
    """Say whether a process of `run_dir` may take the lease now.

    `is_alive`: whether the holder can be seen to live. `has_orders`: its run directory has a
    ledger; where that is another directory than ours, we would know nothing of those orders.
    """
    lease = sight.lease
    if lease is None:
        return Take("nobody had it")
    if lease.returned:
        return Take("it was given back")
    left_ns = 0 if is_alive is False else max(0, left_of(sight, clock, boot_ns))
    elsewhere = lease.holder.run_dir if has_orders and lease.holder.run_dir != run_dir else ""
    if left_ns or elsewhere:
        return Wait(named(lease.holder), left_ns, is_alive, elsewhere)
    how = "is gone" if is_alive is False else "did not renew it"
    return Take(f"{named(lease.holder)} {how}")


def taken(
    before: Lease | None, account: str, holder: Holder, clock: str, boot_ns: int, term_ns: int
) -> Lease:
    """Give the lease of a new holder: its token was never anybody's."""
    return Lease(
        account=account,
        token=(before.token if before is not None else 0) + 1,
        renewals=0,
        holder=holder,
        clock=clock,
        expires_ns=boot_ns + term_ns,
        term_ns=term_ns,
    )


def named(holder: Holder) -> str:
    """Name a process as a person finds it."""
    return f"process {holder.pid} on {holder.host} ({holder.run_dir})"


# ---------------------------------------------------------------- holding it


class Grant(msgspec.Struct, frozen=True):
    """The last renewal that is known to have succeeded. `at` is from before it was asked for."""

    token: int
    at: Moment
    term_ns: int


def left_ns(grant: Grant, now: Moment) -> int:
    """Give how long the holder may still call itself so, by the clock that shows less."""
    gone_ns = max(now.boot_ns - grant.at.boot_ns, now.utc_ns - grant.at.utc_ns)
    return grant.term_ns - gone_ns


def clock_step_ns(now: Moment, compared: Moment | None) -> int:
    """Give how far the wall clock was set since it was compared; 0 where that is little.

    `compared` is when the venue's clock was compared with ours, None before.
    """
    if compared is None:
        return 0
    step_ns = (now.utc_ns - compared.utc_ns) - (now.boot_ns - compared.boot_ns)
    return step_ns if abs(step_ns) > STEP_MS * NS_PER_MS else 0


def barred(grant: Grant, now: Moment, timing: Timing, compared: Moment | None) -> str:
    """Say why no order may leave now; empty when it may. `compared`: see `clock_step_ns`."""
    left = left_ns(grant, now)
    if left <= 0:
        return f"the lease ended {-left / NS_PER_S:.1f} s ago"
    if left <= timing.headroom_ns:
        return f"the lease ends in {left / NS_PER_S:.1f} s"
    if step_ns := clock_step_ns(now, compared):
        return (
            f"the clock was set by {step_ns / NS_PER_S:+.1f} s: it is being compared with the"
            " venue's again, and must agree with it; if this lasts, set it with NTP"
        )
    return ""
