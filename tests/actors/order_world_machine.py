"""The order path as it is wired, against a model of an exchange: faults, kills, disorder, fills.

Real are the executor, its desk, the ledger on its file and the gateway to live venues. Played
are the exchange, the wire to it and the client (`exchange_model`), and every wait of theirs is
a choice: who goes on, what is lost, what comes late, who is killed where. A kill keeps the
files as they are at that moment, and the exchange, and the requests that have left."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import rule

from messages.halting import CancelOrder
from messages.lifecycle import HaltTrading, InjectCrash
from messages.values import OrderState as S
from tests.actors.exchange_model import HALF, Held, Request
from tests.actors.order_path import ONE, key_of
from tests.actors.order_world_process import IN_PLACE, QUESTIONS, SENDS
from tests.actors.order_world_promises import RESUME, KeepsPromises
from tests.actors.stepped_loop import Task

NUMBERS = range(3)
QUANTITIES = (HALF, ONE, ONE, ONE + HALF)
STEPS = st.sampled_from([None, None, None, None, 0, 1, 2])
"""How many steps our process takes then; None is as many as there are."""
WHICH = st.sampled_from(["all", "first", "last"])
HOWS = ("fill", "fill", "rest", "part", "refuse")
MOVES = (S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED)
FAILURES = ("fail before", "fail after", "kill before", "kill after")
DEATHS_MAX = 4


class OrderWorld(KeepsPromises):
    """Whatever may happen to the order path, in an order that is drawn."""

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
