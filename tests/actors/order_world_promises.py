"""What the order path must keep, after each step and when all is settled."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hypothesis.stateful import invariant

from decisions.order_wishes import BY_A_PERSON, UNWANTED
from messages.halting import ResumeTrading
from messages.ids import ClientOrderId, OrderKey
from messages.lifecycle import ActorState
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS
from messages.orders import OrderUpdate
from messages.values import OrderState as S
from persistence.ledger import LedgerEntry, read_events
from tests.actors.order_path import ONE, key_of
from tests.actors.order_world_process import ProcessInAWorld, name_of

RESTING = (S.ACCEPTED, S.PARTIALLY_FILLED)
PATIENCE_S = 90
RESUME = ResumeTrading(request="test", despite_open=True)


class KeepsPromises(ProcessInAWorld):
    """Looks at each step, and at the end lets all of it settle and compares."""

    @invariant()
    def never_two(self) -> None:
        names = [held.order.client_order_id for held in self.exchange.held]
        self.check(len(names) == len(set(names)), names)

    @invariant()
    def one_at_a_time(self) -> None:
        """Where an order takes the place of another, that is over before it leaves, for good."""
        there = {held.order.client_order_id: held for held in self.exchange.held}
        left = self.left()
        for number, (first, _) in self.in_place.items():
            before, second = there.get(name_of(first)), name_of(number)
            self.check(
                second not in left or before is None or not before.is_open,
                f"{number} has left, and {first} is open",
            )

    def left(self) -> set[ClientOrderId]:
        names = {held.order.client_order_id for held in self.exchange.held}
        return names | {request.order.client_order_id for request in self.exchange.wire}

    @invariant()
    def nothing_takes_the_place_of_what_a_person_canceled(self) -> None:
        self.barred |= {
            number
            for number, (first, _) in self.in_place.items()
            if first in self.by_a_person and number not in self.decided
        }
        names = {name_of(number) for number in self.barred}
        self.check(not names & self.left(), f"{self.barred} were barred")
        if not hasattr(self, "life"):
            return
        known, note = {entry.order_key for entry in self.entries()}, self.life.path.actor._book.note
        self.decided = {number for number in self.decided_ns if key_of(number) in known}
        firsts = {first for first, _ in self.in_place.values()} | self.decided
        self.by_a_person = {
            number for number in firsts if note(UNWANTED + key_of(number)) == BY_A_PERSON
        }

    @invariant()
    def never_more_than_was_wanted(self) -> None:
        """Of an order and all that take its place no more is filled than of the greatest."""
        filled = {held.order.client_order_id: held.filled for held in self.exchange.held}
        for first in {first for first, _ in self.in_place.values()}:
            family = {n: much for n, (of, much) in self.in_place.items() if of == first}
            family[first] = self.in_place.get(first, (0, ONE))[1]
            total = sum((filled.get(name_of(one), Decimal(0)) for one in family), Decimal(0))
            self.check(total <= max(family.values()), f"{total} of {family}")

    @invariant()
    def orders_only_go_forward(self) -> None:
        for entry in self.entries():
            before, filled = self.seen.get(entry.order_key, (None, Decimal(0)))
            is_final = before in FINAL_STATES
            self.check(not is_final or entry.state is before, f"{before} and then {entry}")
            self.check(entry.filled_quantity >= filled, f"{filled} and then {entry}")
            self.seen[entry.order_key] = entry.state, entry.filled_quantity

    def check(self, holds: bool, why: object) -> None:
        self.broken = self.broken or not holds
        assert holds, why

    # ------------------------------------------------------------ the end

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        try:
            if not self.broken:
                self._settle()
                self._compare()
        finally:
            self.life.bury()

    def _settle(self) -> None:
        """Nothing goes wrong any more, and every decision is made once more."""
        self.life.fails = ""
        self.exchange.late_cancels.clear()
        self._until_quiet()
        for number in sorted(self.decided_ns):
            self.tell(self.intent(number))
            self._until_quiet()
        self.tell(*(self.wish_to_end(number) for number in self.ended))
        self._until_quiet()
        for held in self.exchange.held:  # the stream compares with REST when it is live again
            self.life.venue.tell(self.exchange.report(held, "open_orders", held.fills))
        self._until_quiet()

    def _until_quiet(self) -> None:
        for _ in range(PATIENCE_S):
            for request in list(self.exchange.wire):
                self.exchange.arrive(request, "fill")
            for task in self.tasks():
                self.go(task)
            self.work(None)
            if not self.tasks() and not self.exchange.wire and self._is_quiet():
                return
            if self.life.path.kept.board.venue_failure:  # halted until it is started again
                self.life.kill()
                self.revive()
            elif self.life.path.cell.state is ActorState.HALTED:
                self.tell(RESUME)
            if not self.tasks():
                self.life.path.after(1)
        raise AssertionError(f"{self.life.path.cell.state}, not at rest: {self.entries()}")

    def _is_quiet(self) -> bool:
        over = (*FINAL_STATES, *RESTING)
        is_running = self.life.path.cell.state is ActorState.RUNNING
        is_running = is_running and not self.life.path.actor._cancels.waits
        return is_running and all(entry.state in over for entry in self.entries())

    def _compare(self) -> None:
        self.never_two()
        self.never_more_than_was_wanted()
        entries = {entry.client_order_id: entry for entry in self.entries()}
        for number in self.decided_ns:
            assert name_of(number) in entries, f"decision {number} was lost"
        held = {one.order.client_order_id: one for one in self.exchange.held}
        assert held.keys() <= entries.keys()
        for name, entry in entries.items():
            if name in held:
                theirs = (held[name].state, held[name].filled)
                ours = (entry.state, entry.filled_quantity)
                assert ours == theirs, f"{ours} and not {theirs}: {entry}"
            else:
                assert entry.state in (S.REFUSED, S.REJECTED), entry
            self._check_history(entry.order_key)
        for number in self.ended:
            ended = entries[name_of(number)]
            assert ended.state in FINAL_STATES, f"to be ended, and is open: {ended}"
        self._check_told(entries.values())
        assert self._position(entries.values()) == self._position_there()

    def _check_told(self, entries: Iterable[LedgerEntry]) -> None:
        """Its strategy was told how each order ended, whatever died in this process."""
        if self.kills:
            return
        mailbox, life = self.life.path.runtime.cell("strategy").mailbox, self.life.path.cell.life
        assert life is not None
        told = set()
        while (envelope := mailbox.poll(life)) is not None:
            if isinstance(envelope.message, OrderUpdate):
                told.add((envelope.message.order_key, envelope.message.state))
        for entry in entries:
            if entry.state in FINAL_STATES:
                assert (entry.order_key, entry.state) in told, f"not told: {entry}"

    def _position(self, entries: Any) -> Decimal:
        return sum((entry.filled_quantity * entry.side.sign for entry in entries), Decimal(0))

    def _position_there(self) -> Decimal:
        return sum((one.filled * one.order.side.sign for one in self.exchange.held), Decimal(0))

    def _check_history(self, key: OrderKey) -> None:
        before: S | None = None
        for event in read_events(self.life.folder / "ledger.db", key):
            assert event.from_state is before, event
            assert before is None or event.to_state in LEGAL_TRANSITIONS[before], event
            before = event.to_state
