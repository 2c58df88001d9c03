"""Keeps the lease of an account: renews it on a thread of its own, and says who may still act.

Whether a send may leave is asked of the clock at the moment of the send, never of what the
thread last did: a process that was stopped finds its lease over with its first instruction.
"""

import threading
from collections.abc import Callable
from typing import Any

from actors.log import logger
from decisions.lease import Grant, Timing, barred, clock_step_ns, left_ns, named
from messages.errors import LeaseUnavailable, NotSent
from messages.ids import NS_PER_S
from messages.lease import Lease, Moment
from persistence.lease import LeaseStore

_CLOSE_LIMIT_S = 5.0
_RETRY_S = 0.2
"""How soon a renewal that failed is tried again."""

OnLost = Callable[[str], object]


class LeaseKeeper:
    """Holds one lease from `start` until `close`. Any thread may ask; its own thread renews.

    `is_in_place` says whether the lease that was taken still stands where others look for it, until
    the store says so of the one that was renewed last: it is asked beside the clock, for a file can
    be deleted between two renewals. `on_lost` is called on its thread, with a sentence, when
    another process has the account: it should end the process and not return. Who is given to
    `when_barred` is called, at most once, when nothing may be sent any more for a reason that will
    not pass by itself. With `rides_out`, an unusable store does not bar for good: a server comes
    back, a broken disk does not.
    """

    def __init__(
        self,
        lease: Lease,
        taken_at: Moment,
        timing: Timing,
        open_store: Callable[[], LeaseStore],
        now: Callable[[], Moment],
        on_lost: OnLost,
        *,
        is_in_place: Callable[[], bool],
        rides_out: bool = False,
    ) -> None:
        self.lease = lease
        self.problem = ""
        """Why it could not be renewed, while that is so."""
        self.on_clock_set: Callable[[], object] = lambda: None
        """Called on its thread, at each look, while the wall clock is to be compared anew."""
        self._timing, self._open_store, self._now = timing, open_store, now
        self._on_lost, self._rides_out = on_lost, rides_out
        self._is_in_place = is_in_place
        self._grant = Grant(lease.token, taken_at, timing.term_ns)
        self._failing_ns = 0
        self._compared: Moment | None = None
        self._told = self._over = self._gives_back = False
        self._barring = threading.Lock()
        self._barred = ""
        self._on_barred: Callable[[str], object] | None = None
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def when_barred(self, act: Callable[[str], object]) -> None:
        """Have this called with a sentence: on the lease's thread, or here at once if it is so."""
        with self._barring:
            self._on_barred, why = act, self._barred
        if why:
            act(why)

    def start(self) -> None:
        """Begin to renew it."""
        self._thread.start()

    def close(self, *, give_back: bool) -> None:
        """End; `give_back` says that nothing is under way any more, so that another may begin."""
        self._gives_back = give_back  # first: its thread may look the moment that it is over
        self._over = True
        self._wake.set()
        self._thread.join(_CLOSE_LIMIT_S)

    # ------------------------------------------------------------ asked from any thread

    def may_send(self) -> None:
        """Pass an order that is about to leave; see `decisions.lease` for the proof.

        Raises:
            NotSent: another process may trade the account before this order would be refused.
        """
        problem = barred(self._grant, self._now(), self._timing, self._compared)
        if problem:
            self._wake.set()
            raise NotSent(f"lease: {problem}")
        self._check_place()

    def may_call(self) -> None:
        """Pass any other request to the account: a question, a cancel.

        Raises:
            NotSent: the lease is over, or its file is not where it was.
        """
        if left_ns(self._grant, self._now()) <= 0:
            self._wake.set()
            raise NotSent("lease: it is over, so nothing is asked for the account")
        self._check_place()

    def _check_place(self) -> None:
        if not self._is_in_place():
            self._wake.set()  # its own thread finds out what stands there now
            raise NotSent("lease: its file was deleted or replaced: another may have the account")

    def comparing(self) -> Callable[[], None]:
        """Say that the venue's clock is being compared with ours: to be called before it is asked.

        What is given is to be called once they agree. A clock that is set meanwhile is noticed.
        """
        began = self._now()

        def agreed() -> None:
            self._compared = began

        return agreed

    def snapshot(self) -> dict[str, Any]:
        """Say how it stands, for `health`."""
        now = self._now()
        holder = self.lease.holder
        return {
            "account": self.lease.account,
            "token": self.lease.token,
            "pid": holder.pid,
            "host": holder.host,
            "expires_in_s": round(left_ns(self._grant, now) / NS_PER_S, 3),
            "barred": barred(self._grant, now, self._timing, self._compared),
            "problem": self.problem,
        }

    # ------------------------------------------------------------ on its own thread

    def _run(self) -> None:
        store: LeaseStore | None = None
        while not self._over:
            try:
                store = store or self._open_store()
                self._renew(store)
            except LeaseUnavailable as error:
                self._failed(str(error))
                if store is not None:
                    store.close()
                store = None
            except Exception as error:  # noqa: BLE001 - this thread must outlive every mistake
                self._failed(f"{type(error).__name__}: {error}")
            self._tell_if_barred()
            pause_s = _RETRY_S if self.problem else self._timing.renew_ns / NS_PER_S
            self._wake.wait(pause_s)
            self._wake.clear()
        if store is not None:
            if self._gives_back:
                self._give_back(store)
            store.close()

    def _renew(self, store: LeaseStore) -> None:
        at = self._now()
        others = self._is_anothers(store)
        if others or not store.renew(self.lease.token, at.boot_ns + self._timing.term_ns):
            self._lost(store)
            return
        self._grant = Grant(self.lease.token, at, self._timing.term_ns)
        self._is_in_place = store.is_in_place
        took_ns = self._now().boot_ns - at.boot_ns
        if took_ns > self._timing.renew_ns:  # what it gave is old by now: the next may be quicker
            self._failed(f"that took {took_ns / NS_PER_S:.1f} s")
            return
        if self.problem:
            logger.info("the lease of {} is renewed again", self.lease.account)
        self.problem, self._failing_ns = "", 0

    def _is_anothers(self, store: LeaseStore) -> bool:
        """Whether another stands there. Made anew, it is counted from 1: perhaps by our number."""
        found = store.read()
        return found is not None and found.holder != self.lease.holder

    def _failed(self, why: str) -> None:
        self._failing_ns = self._failing_ns or self._now().boot_ns
        if why != self.problem:
            logger.error("the lease of {} was not renewed in time: {}", self.lease.account, why)
        self.problem = why

    def _lost(self, store: LeaseStore) -> None:
        found = store.read()
        gone_s = (self._now().boot_ns - self._grant.at.boot_ns) / NS_PER_S
        self._over = True
        self._on_lost(
            f"{self._what_happened(found)}: this process (token {self.lease.token})"
            f" had not renewed its lease for {gone_s:.1f} s and sends and writes nothing more"
        )

    def _what_happened(self, found: Lease | None) -> str:
        name = self.lease.account
        if found is None:
            return f"the lease of {name} was deleted, so that another may have taken it"
        return f"{named(found.holder)}, token {found.token}, has taken over {name}"

    def _tell_if_barred(self) -> None:
        """Halt for renewals that fail; a clock that was set is compared anew."""
        now = self._now()
        if clock_step_ns(now, self._compared):
            self.on_clock_set()
        if not self.problem and left_ns(self._grant, now) <= self._timing.headroom_ns:
            self._wake.set()  # stopped since it was renewed a moment ago: that is done again first
            return
        problem = barred(self._grant, now, self._timing, None)
        lasts = not self.problem or now.boot_ns - self._failing_ns >= self._timing.renew_ns
        if self.problem and self._rides_out:
            return
        if problem and lasts and not self._told and not self._over:
            self._told = True
            why = self.problem or problem
            self._tell_barred(
                f"the lease of {self.lease.account}: {why}; set it right, start again"
            )

    def _tell_barred(self, why: str) -> None:
        with self._barring:
            self._barred, act = why, self._on_barred
        if act is not None:
            act(why)

    def _give_back(self, store: LeaseStore) -> None:
        try:
            store.give_back(self.lease.token)
        except LeaseUnavailable as error:
            logger.warning("the lease was not given back, and will run out: {}", error)
