"""Who may take a lease, and until when its holder may send."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from decisions.lease import (
    LEAST_SLACK_MS,
    MARGIN_MS,
    RENEWALS,
    STEP_MS,
    Grant,
    Sight,
    Take,
    Timing,
    Wait,
    barred,
    judge,
    least_term_ms,
    left_ns,
    left_of,
    look,
    taken,
    timing_of,
)
from exchanges.ccxt_gate import GateLimits
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lease import Holder, Lease, Moment

WINDOW_MS = 2_500
TIMING = timing_of(WINDOW_MS, None)
HOUR_NS = 3_600 * NS_PER_S
HOLDER = Holder(host="vps", pid=7, started=1, space="here", run_dir="/runs/a")


def lease(**changes: Any) -> Lease:
    fields: dict[str, Any] = {
        "account": "binance-1",
        "token": 4,
        "renewals": 9,
        "holder": HOLDER,
        "clock": "boot",
        "expires_ns": 100 * NS_PER_S,
        "term_ns": TIMING.term_ns,
    }
    return Lease(**fields | changes)


def verdict(
    seen: Lease | None, at_s: float, since_s: float | None = None, **changes: Any
) -> Take | Wait:
    told: dict[str, Any] = {"is_alive": None, "has_orders": True} | changes
    clock, run_dir = told.pop("clock", "boot"), told.pop("run_dir", HOLDER.run_dir)
    since_s = at_s if since_s is None else since_s
    sight = Sight(seen, int(since_s * NS_PER_S))
    return judge(sight, clock, int(at_s * NS_PER_S), run_dir, **told)


# ---------------------------------------------------------------- taking it


def test_what_nobody_has_is_taken() -> None:
    assert verdict(None, 0) == Take("nobody had it")
    assert verdict(lease(returned=True), 0) == Take("it was given back")


def test_what_is_given_back_is_taken_from_any_run_directory() -> None:
    assert isinstance(verdict(lease(returned=True), 0, run_dir="/runs/b"), Take)


@pytest.mark.parametrize("is_alive", [True, None])
def test_a_lease_that_runs_is_waited_for(is_alive: bool | None) -> None:
    found = verdict(lease(), 99.5, is_alive=is_alive)

    assert found == Wait("process 7 on vps (/runs/a)", NS_PER_S // 2, is_alive)


@pytest.mark.parametrize("is_alive", [True, None])
def test_a_lease_that_ran_out_is_taken_though_its_holder_lives(is_alive: bool | None) -> None:
    """A process that was stopped is alive, and does not renew."""
    assert isinstance(verdict(lease(), 100, is_alive=is_alive), Take)


def test_who_is_surely_dead_is_not_waited_for() -> None:
    assert verdict(lease(), 1, is_alive=False) == Take("process 7 on vps (/runs/a) is gone")


@pytest.mark.parametrize("clock", ["another boot", ""])
def test_on_another_clock_only_a_whole_term_without_a_renewal_counts(clock: str) -> None:
    """Of another boot, another machine: its deadline means nothing here, however far it is."""
    term_s = TIMING.term_ns / NS_PER_S

    assert isinstance(verdict(lease(), 1_000, 1_000, clock=clock), Wait)
    assert isinstance(verdict(lease(), 1_000 + term_s, 1_000, clock=clock), Wait)
    assert isinstance(verdict(lease(), 1_000 + term_s * 1.1, 1_000, clock=clock), Take)


def test_a_deadline_beyond_reason_is_outlived_by_the_watch() -> None:
    wrong = lease(expires_ns=10**18)

    assert isinstance(verdict(wrong, 1 + TIMING.term_ns / NS_PER_S * 1.1, 1), Take)


@pytest.mark.parametrize("at_s", [1, 200])
@pytest.mark.parametrize("is_alive", [True, False, None])
def test_from_another_run_directory_it_is_not_taken_while_that_ones_ledger_is_there(
    at_s: int, is_alive: bool | None
) -> None:
    found = verdict(lease(), at_s, is_alive=is_alive, run_dir="/runs/b")

    assert isinstance(found, Wait)
    assert found.elsewhere == "/runs/a"


def test_a_run_directory_that_is_gone_keeps_nobody() -> None:
    assert isinstance(verdict(lease(), 200, run_dir="/runs/b", has_orders=False), Take)
    assert isinstance(verdict(lease(), 1, run_dir="/runs/b", has_orders=False), Wait)


def test_a_renewal_and_a_new_holder_begin_the_watch_anew() -> None:
    first = look(None, lease(), 5)

    assert look(first, lease(expires_ns=1), 9) is first
    assert look(first, lease(renewals=10), 9).since_ns == 9
    assert look(first, lease(token=5), 9).since_ns == 9
    assert look(first, None, 9).since_ns == 9


@given(token=st.integers(0, 2**62), boot_ns=st.integers(0, 2**62))
def test_a_new_holder_has_a_token_that_was_nobodys(token: int, boot_ns: int) -> None:
    before = lease(token=token) if token else None

    new = taken(before, "binance-1", HOLDER, "boot", boot_ns, TIMING.term_ns)

    assert (new.token, new.renewals, new.returned) == (token + 1, 0, False)
    assert new.expires_ns == boot_ns + TIMING.term_ns


# ---------------------------------------------------------------- holding it


def test_the_usual_times() -> None:
    assert Timing(12 * NS_PER_S, 4 * NS_PER_S) == TIMING
    assert TIMING.renew_ns == 2 * NS_PER_S
    assert timing_of(10_000, None).term_ns == 19_500 * NS_PER_MS


@given(window_ms=st.integers(0, 60_000))
def test_the_shortest_lease_still_leaves_time_to_send(window_ms: int) -> None:
    timing = timing_of(window_ms, least_term_ms(window_ms))

    assert timing.renew_ns * RENEWALS == LEAST_SLACK_MS * NS_PER_MS


def granted(boot_s: float = 0, utc_s: float = 0) -> Grant:
    return Grant(1, moment(boot_s, utc_s), TIMING.term_ns)


def moment(boot_s: float, utc_s: float) -> Moment:
    return Moment(int(boot_s * NS_PER_S), int(utc_s * NS_PER_S))


@pytest.mark.parametrize(
    ("boot_s", "utc_s", "why"),
    [
        (0, 0, ""),
        (7.9, 7.9, ""),
        (8, 8, "the lease ends in 4.0 s"),
        (12, 12, "the lease ended 0.0 s ago"),
        (60, 60, "the lease ended 48.0 s ago"),
        (60, 1, "the lease ended 48.0 s ago"),
        (1, 60, "the lease ended 48.0 s ago"),
        (1, -3_600, ""),
    ],
)
def test_a_send_needs_the_headroom_on_both_clocks(boot_s: float, utc_s: float, why: str) -> None:
    assert barred(granted(), moment(boot_s, utc_s), TIMING, None) == why


@pytest.mark.parametrize(
    ("step_s", "why"),
    [
        (0.5, ""),
        (-0.5, ""),
        (0.6, "the clock was set by +0.6 s: it is being compared with the venue's again, "),
        (-3_600, "the clock was set by -3600.0 s: it is being compared with the venue's again, "),
    ],
)
def test_a_clock_that_was_set_since_the_gate_stops_sends(step_s: float, why: str) -> None:
    now = moment(101, 101 + step_s)
    renewed = Grant(1, now, TIMING.term_ns)

    said = barred(renewed, now, TIMING, moment(1, 1))
    assert said.startswith(why)
    assert bool(said) == bool(why)


# ---------------------------------------------------------------- the proof, held against a world


class World:
    """Two processes and an exchange, with one true time and three clocks that show others.

    All of it in ns. The first process renews and sends when it is let; the second looks on, and
    takes over when it may. Whatever the first let go may be held back for as long as one likes.
    """

    def __init__(self, *, venue_ahead_ns: int, utc_ns: int, rate_percent: int, clock: str) -> None:
        self.true_ns = 0
        self.utc_ahead_ns = utc_ns
        self.venue_ahead_ns = utc_ns + venue_ahead_ns
        self.rate_percent, self.clock = rate_percent, clock
        self.row = taken(None, "a", HOLDER, "boot", 0, TIMING.term_ns)
        self.grant = Grant(1, self.moment(), TIMING.term_ns)
        self.compared = self.moment()
        self.sight: Sight | None = None
        self.taken_at_ns: int | None = None
        self.last_arrivals_ns: list[int] = []

    def moment(self) -> Moment:
        return Moment(self.true_ns, self.true_ns + self.utc_ahead_ns)

    def renew(self) -> None:
        if self.taken_at_ns is None:
            self.grant = Grant(1, self.moment(), TIMING.term_ns)
            self.row = lease(
                token=1,
                renewals=self.row.renewals + 1,
                expires_ns=self.true_ns + TIMING.term_ns,
            )

    def send(self) -> None:
        """Sign, then look: what passes may arrive until the exchange finds it too old."""
        if not barred(self.grant, self.moment(), TIMING, self.compared):
            signed_ns = self.true_ns + self.utc_ahead_ns
            on_its_clock_ns = signed_ns + WINDOW_MS * NS_PER_MS
            self.last_arrivals_ns.append(on_its_clock_ns - self.venue_ahead_ns)

    def compare(self) -> None:
        """Compare the clocks anew, as the gate did: what differs by too much is no comparison."""
        if abs(self.venue_ahead_ns - self.utc_ahead_ns) <= SKEW_MS * NS_PER_MS:
            self.compared = self.moment()

    def wait(self, for_ms: int) -> None:
        """Let time pass, under the eyes of the second process."""
        for _ in range(for_ms // LOOK_MS):
            self.true_ns += LOOK_MS * NS_PER_MS
            self.watch()

    def watch(self) -> None:
        own_ns = self.true_ns * self.rate_percent // 100
        self.sight = look(self.sight, self.row, own_ns)
        found = judge(
            self.sight, self.clock, own_ns, HOLDER.run_dir, is_alive=None, has_orders=True
        )
        if self.taken_at_ns is None and isinstance(found, Take):
            self.taken_at_ns = self.true_ns


LOOK_MS = 100
SKEW_MS = GateLimits().skew_ms
moves = st.tuples(
    st.sampled_from([0, 300, 1_900, 2_500, 4_000, 7_900]),
    st.sampled_from(["send", "send", "send", "renew", "compare", "set the clock"]),
    st.sampled_from([-3_000, -STEP_MS, STEP_MS, STEP_MS, 3_000]),
)
"""A pause, what is done after it, and by how much if it is the clock that is set."""


@pytest.mark.slow
@given(
    script=st.lists(moves, max_size=12),
    venue_ahead_ms=st.sampled_from([-500, 0, 500]),
    clocks=st.sampled_from([("boot", 100), ("", 100), ("", 91), ("", 110)]),
)
@example(
    script=[(0, "set the clock", 3_000), (0, "renew", 0), (0, "compare", 0), (7_900, "send", 0)],
    venue_ahead_ms=0,
    clocks=("boot", 100),
)
@example(
    script=[(0, "set the clock", 3_000), (0, "renew", 0), (7_900, "send", 0)],
    venue_ahead_ms=0,
    clocks=("boot", 100),
)
def test_nothing_of_the_first_is_taken_by_the_exchange_once_the_second_has_the_lease(
    script: list[tuple[int, str, int]], venue_ahead_ms: int, clocks: tuple[str, int]
) -> None:
    clock, rate_percent = clocks
    world = World(
        venue_ahead_ns=venue_ahead_ms * NS_PER_MS,
        utc_ns=HOUR_NS,
        rate_percent=rate_percent,
        clock=clock,
    )
    for pause_ms, act, by_ms in [*script, (16_000, "send", 0)]:
        world.wait(pause_ms)
        if act == "renew":
            world.renew()
        elif act == "send":
            world.send()
        elif act == "compare":
            world.compare()
        else:
            world.utc_ahead_ns += by_ms * NS_PER_MS
        if world.taken_at_ns is not None:
            late = [ns for ns in world.last_arrivals_ns if ns >= world.taken_at_ns]
            assert late == []


@given(
    boot_ns=st.integers(0, HOUR_NS),
    utc_ns=st.integers(-HOUR_NS, HOUR_NS),
    later_ns=st.integers(0, HOUR_NS),
)
def test_time_alone_never_lengthens_a_lease(boot_ns: int, utc_ns: int, later_ns: int) -> None:
    now = Moment(boot_ns, utc_ns)
    later = Moment(boot_ns + later_ns, utc_ns)

    assert left_ns(granted(), later) <= left_ns(granted(), now) <= TIMING.term_ns - boot_ns
    sight = Sight(lease(), 0)
    assert left_of(sight, "boot", boot_ns + later_ns) <= left_of(sight, "boot", boot_ns)


def test_the_margin_pays_for_what_the_gate_lets_through_and_for_a_step() -> None:
    assert SKEW_MS + STEP_MS <= MARGIN_MS


@pytest.mark.parametrize("seen", [None, lease(returned=True)])
def test_of_a_lease_that_nobody_has_nothing_is_left(seen: Lease | None) -> None:
    assert left_of(Sight(seen, 0), "boot", 0) == 0
