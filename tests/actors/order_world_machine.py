"""The order path as it is wired, against a model of an exchange: faults, kills, disorder, fills.

Real are the executor, its desk, the ledger on its file and the gateway to live venues. Played
are the exchange, the wire to it and the client (`exchange_model`), and every wait of theirs is
a choice: who goes on, what is lost, what comes late, who is killed where. A kill keeps the
files as they are at that moment, and the exchange, and the requests that have left."""

import os
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from decisions.order_keys import client_order_id
from messages.halting import CancelOrder, ResumeTrading
from messages.ids import NS_PER_S, ClientOrderId, OrderKey, TimestampNs
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS
from messages.orders import CancelIntent, OrderIntent, OrderUpdate
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import LedgerEntry, read_events
from tests.actors.exchange_model import HALF, LAG_MS, Held, ModelExchange, Request
from tests.actors.order_path import ONE, key_of
from tests.actors.order_world import Life, new_folder
from tests.actors.stepped_loop import Task

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
NUMBERS = range(3)
IN_PLACE = 10
"""So much more is the number of a decision that takes the place of another, and of its rival twice
as much more."""
QUANTITIES = (HALF, ONE, ONE, ONE + HALF)
RESTING = (S.ACCEPTED, S.PARTIALLY_FILLED)
STEPS = st.sampled_from([None, None, None, None, 0, 1, 2])
"""How many steps our process takes then; None is as many as there are."""
WHICH = st.sampled_from(["all", "first", "last"])
HOWS = ("fill", "fill", "rest", "part", "refuse")
MOVES = (S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED)
QUESTIONS = ("look", "seen", "cancel", "canceled")
SENDS = ("begin", "connect")
WAITS = (*SENDS, "answer", *QUESTIONS)
FAILURES = ("fail before", "fail after", "kill before", "kill after")
PATIENCE_S = 90
RESUME = ResumeTrading(request="test", despite_open=True)
DEATHS_MAX = 4


def name_of(number: int) -> ClientOrderId:
    return client_order_id(key_of(number))


class OrderWorld(RuleBasedStateMachine):
    on_disk = STRESS

    def __init__(self) -> None:
        super().__init__()
        self.exchange = ModelExchange(lambda: self.now_ns)
        self.decided_ns: dict[int, int] = {}
        self.in_place: dict[int, tuple[int, Decimal]] = {}
        """By the number of a decision that takes another's place: whose, and its quantity."""
        self.ended: dict[int, int] = {}
        """What a strategy wants ended, and since when."""
        self.seen: dict[OrderKey, tuple[S, Decimal]] = {}
        self.deaths = self.kills = 0
        self.broken = False

    @initialize(max_age_s=st.sampled_from([None, None, 20]))
    def begin(self, max_age_s: int | None) -> None:
        self.open(max_age_s)

    def open(self, max_age_s: int | None) -> None:
        self.max_age_ns = max_age_s and max_age_s * NS_PER_S
        folder = new_folder(on_disk=self.on_disk)
        self.life = Life(folder, self.exchange, 1_000_000 * NS_PER_S, self.max_age_ns)
        self.life.begin()

    @property
    def now_ns(self) -> int:
        return self.life.path.runtime.clock.utc_ns()

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One of what is possible now. As rules of their own they would mostly not be."""
        weights = {
            self.a_strategy_changes_its_mind: 2 if self.decided_ns else 0,
            self.decide: 2 if len(self.decided_ns) < len(NUMBERS) else 1,
            self.somebody_goes_on: 3 * bool(self.tasks()),
            self.questions_are_answered: 4 * bool(self.tasks(*QUESTIONS)),
            self.sends_end: 3 * bool(self.tasks(*SENDS, "answer")),
            self.a_request_arrives: 3 * bool(self.exchange.wire),
            self.a_request_is_lost: bool(self.exchange.wire),
            self.an_order_moves: 2 * bool(self.open_ones()),
            self.the_stream_tells: 2 * bool(self.exchange.news),
            self.a_commit_fails: self.may_die(),
            self.somebody_dies: 2 * self.may_die(),
            self.a_person_acts: 1 if self.decided_ns else 0,
            self.a_cancel_arrives_late: bool(self.exchange.late_cancels),
            self.time_passes: 2,
        }
        names = {what.__name__: what for what in weights}
        likely = [what.__name__ for what, weight in weights.items() for _ in range(weight)]
        names[data.draw(st.sampled_from(likely), "what")](data)

    # ------------------------------------------------------------ what is decided

    def decide(self, data: st.DataObject) -> None:
        numbers = data.draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3), "numbers")
        self.tell(*(self.intent(number) for number in numbers))
        self.work(data.draw(STEPS, "steps"))

    def intent(self, number: int) -> OrderIntent:
        """The same decision whenever it is made again."""
        decided_ns = self.decided_ns.setdefault(number, self.now_ns)
        side = Side.SELL if number % IN_PLACE % 2 else Side.BUY
        first, quantity = self.in_place.get(number, (None, ONE))
        return self.life.path.intent(
            number,
            side,
            decided_at_ns=decided_ns,
            quantity=quantity,
            replaces=None if first is None else key_of(first),
        )

    def a_strategy_changes_its_mind(self, data: st.DataObject) -> None:
        """An order is to end, or another is to take its place; or two, by a bug of the strategy's.

        Perhaps all at once, and perhaps with the decision itself.
        """
        first = data.draw(st.sampled_from(sorted(self.decided_ns)), "first")
        told: list[Any] = [self.intent(first)] if data.draw(st.booleans(), "again") else []
        what = data.draw(st.sampled_from(["end", "replace", "replace", "rival", "both"]), "what")
        if what in ("end", "both"):
            self.ended.setdefault(first, self.now_ns)
            told.append(self.wish_to_end(first))
        if what != "end" and first < 2 * IN_PLACE:
            number = first + (2 * IN_PLACE if what == "rival" else IN_PLACE)
            quantity = data.draw(st.sampled_from(QUANTITIES), "quantity")
            self.in_place.setdefault(number, (first, quantity))
            told.append(self.intent(number))
        self.tell(*told)
        self.work(data.draw(STEPS, "steps"))

    def wish_to_end(self, number: int) -> CancelIntent:
        whose = self.intent(number)
        return CancelIntent(
            order_key=key_of(100 + number),
            cancels=whose.order_key,
            strategy_id=whose.strategy_id,
            symbol=whose.symbol,
            side=whose.side,
            quantity=whose.quantity,
            decided_at_ns=TimestampNs(self.ended[number]),
            ts_created_ns=whose.ts_created_ns,
            reason="test",
        )

    # ------------------------------------------------------------ the client and the wire

    def somebody_goes_on(self, data: st.DataObject) -> None:
        """One coroutine reaches its next wait, well or badly."""
        tasks = self.tasks()
        task = tasks[data.draw(st.integers(0, len(tasks) - 1), "task")]
        self.go(task, well=data.draw(st.sampled_from([True, True, False]), "well"))
        self.work(data.draw(STEPS, "steps"))

    def questions_are_answered(self, data: st.DataObject) -> None:
        """Some of them go on, one of them perhaps badly."""
        badly = data.draw(st.integers(-3, 1), "badly")
        for place, task in enumerate(self._some(data, *QUESTIONS)):
            self.go(task, well=place != badly)
        self.work(data.draw(STEPS, "steps"))

    def sends_end(self, data: st.DataObject) -> None:
        """Sends that are under way end; what has not arrived may do so later."""
        ending = self._some(data, *SENDS, "answer")
        for task in ending:
            while task.turn.name in SENDS:
                self.go(task)
        how = data.draw(st.sampled_from(["stay", "stay", *HOWS]), "how")
        for request in list(self.exchange.wire) if how != "stay" else ():
            self.exchange.arrive(request, how)
        heard = data.draw(st.booleans(), "heard")
        for task in ending:
            if task.turn.name == "answer":
                self.go(task, well=heard)
        self.work(data.draw(STEPS, "steps"))

    def a_request_arrives(self, data: st.DataObject) -> None:
        """Perhaps long after its sender has given up."""
        self.exchange.arrive(self._on_the_wire(data), data.draw(st.sampled_from(HOWS), "how"))

    def a_request_is_lost(self, data: st.DataObject) -> None:
        self.exchange.wire.remove(self._on_the_wire(data))

    def _on_the_wire(self, data: st.DataObject) -> Request:
        wire = self.exchange.wire
        return wire[data.draw(st.integers(0, len(wire) - 1), "request")]

    def _some(self, data: st.DataObject, *names: str) -> list[Task]:
        tasks = self.tasks(*names)
        return {"first": tasks[:1], "last": tasks[-1:]}.get(data.draw(WHICH, "which"), tasks)

    def tasks(self, *names: str) -> list[Task]:
        return self.life.loop.waiting(*(names or WAITS))

    def go(self, task: Task, *, well: bool = True) -> None:
        words = {"begin": None, "look": 0 if well else LAG_MS}
        task.go(words.get(task.turn.name, well))

    # ------------------------------------------------------------ the market and the stream

    def an_order_moves(self, data: st.DataObject) -> None:
        """It fills, somebody cancels it, or it expires."""
        ones = self.open_ones()
        held = ones[data.draw(st.integers(0, len(ones) - 1), "order")]
        self.exchange.move(held, data.draw(st.sampled_from(MOVES), "to"))

    def open_ones(self) -> list[Held]:
        return [held for held in self.exchange.held if held.is_open]

    def the_stream_tells(self, data: st.DataObject) -> None:
        """In any order; `twice` leaves it there to be told again, `bare` without its trades."""
        news = self.exchange.news
        report = news[data.draw(st.integers(0, len(news) - 1), "news")]
        what = data.draw(st.sampled_from(["told", "twice", "bare", "lost"]), "what")
        if what != "twice":
            news.remove(report)
        if what != "lost":
            bare = msgspec.structs.replace(report, fills=())
            self.life.venue.tell(bare if what == "bare" else report)
        self.work(data.draw(STEPS, "steps"))

    # ------------------------------------------------------------ a person

    def a_person_acts(self, data: st.DataObject) -> None:
        """Trading is halted, or goes on again, or one order is to be canceled."""
        what = data.draw(st.sampled_from(["halt", "resume", "cancel", "cancel"]), "what")
        if what == "cancel":
            number = data.draw(st.sampled_from(sorted(self.decided_ns)), "number")
            self.tell(CancelOrder(request="test", order_key=key_of(number)))
        elif what == "halt":
            self.tell(HaltTrading(reason="test", durable=data.draw(st.booleans(), "durable")))
        else:
            self.tell(RESUME)
        self.work(data.draw(STEPS, "steps"))

    def a_cancel_arrives_late(self, data: st.DataObject) -> None:
        """Or never: its receive window is over."""
        name = self.exchange.late_cancels.pop(0)
        if data.draw(st.booleans(), "in time"):
            self.exchange.cancel(name)

    # ------------------------------------------------------------ what goes wrong

    def a_commit_fails(self, data: st.DataObject) -> None:
        """The next one, or the process dies there, before or after it has written."""
        self.deaths += 1
        self.life.fails = data.draw(st.sampled_from(FAILURES), "how")

    def somebody_dies(self, data: st.DataObject) -> None:
        """The process is killed, or the executor hangs or crashes and gets a successor."""
        self.deaths += 1
        how = data.draw(st.sampled_from(["kill", "hang", "crash"]), "how")
        if how == "kill":
            self.life.kill()
            self.revive(data.draw(st.sampled_from([0, 1, 5]), "down_s"))
        elif how == "hang":
            self.life.path.runtime.start(self.life.path.cell)
        else:
            self.tell(InjectCrash(reason="test"))
        self.work(None)

    def may_die(self) -> bool:
        """A few times, and while there is something to lose."""
        return self.deaths < DEATHS_MAX and bool(self.tasks() or self.exchange.wire)

    def time_passes(self, data: st.DataObject) -> None:
        self.life.path.after(data.draw(st.sampled_from([0.3, 0.3, 1.1, 3.5, 9]), "seconds"))
        self.revive()

    # ------------------------------------------------------------ our process

    def tell(self, *messages: Any) -> None:
        for message in messages:
            self.life.path.address.tell(message)

    def work(self, steps: int | None) -> None:
        runtime: Any = self.life.path.runtime
        if steps is None:
            runtime.run_until_idle()
        else:
            for _ in range(steps):
                runtime.step()
        self.revive()

    def revive(self, down_s: int = 0) -> None:
        """Start a killed process anew, and a dead executor as its supervisor would."""
        for _ in range(5):
            if self.life.remains is not None:
                self._next_life(down_s)
            life = self.life.path.cell.life
            if life is not None and not life.gone.is_set() and self.life.remains is None:
                return
            self.life.fails = ""
            self.life.path.runtime.start(self.life.path.cell)
            self.life.path.rest()
        raise AssertionError(f"it does not live: {self.life.path.cell.last_error}")

    def _next_life(self, down_s: int) -> None:
        dead, now_ns = self.life, self.now_ns
        self.kills += 1
        assert dead.remains is not None
        self.exchange.news.clear()  # of what was told while nobody listened
        start_ns = now_ns + down_s * NS_PER_S
        self.life = Life(dead.remains, self.exchange, start_ns, self.max_age_ns)
        dead.bury()
        self.life.begin()

    # ------------------------------------------------------------ what must hold

    @invariant()
    def never_two(self) -> None:
        names = [held.order.client_order_id for held in self.exchange.held]
        self.check(len(names) == len(set(names)), names)

    @invariant()
    def one_at_a_time(self) -> None:
        """Where an order takes the place of another, that is over before it leaves, for good."""
        there = {held.order.client_order_id: held for held in self.exchange.held}
        left = {request.order.client_order_id for request in self.exchange.wire} | there.keys()
        for number, (first, _) in self.in_place.items():
            before, second = there.get(name_of(first)), name_of(number)
            self.check(
                second not in left or before is None or not before.is_open,
                f"{number} has left, and {first} is open",
            )

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

    def entries(self) -> list[LedgerEntry]:
        keys = [key_of(number) for number in self.decided_ns]
        return list(self.life.path.actor._book.lookup(keys).values()) if keys else []

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
