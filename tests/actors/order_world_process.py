"""Our process in the order path's model: told what to do, run, killed and started anew."""

import os
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from decisions.order_keys import client_order_id
from messages.ids import NS_PER_S, ClientOrderId, OrderKey, TimestampNs
from messages.orders import CancelIntent, OrderIntent
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import LedgerEntry
from tests.actors.exchange_model import LAG_MS, ModelExchange
from tests.actors.order_path import ONE, key_of
from tests.actors.order_world import Life, new_folder
from tests.actors.stepped_loop import Task

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
IN_PLACE = 10
"""So much more is the number of a decision that takes the place of another, and of its rival twice
as much more."""
QUESTIONS = ("look", "seen", "cancel", "canceled")
SENDS = ("begin", "connect")
WAITS = (*SENDS, "answer", *QUESTIONS)


def name_of(number: int) -> ClientOrderId:
    return client_order_id(key_of(number))


class ProcessInAWorld(RuleBasedStateMachine):
    """The process, the exchange beside it, and what has been decided; nothing happens yet."""

    on_disk = STRESS

    def __init__(self) -> None:
        super().__init__()
        self.exchange = ModelExchange(lambda: self.now_ns)
        self.decided_ns: dict[int, int] = {}
        self.in_place: dict[int, tuple[int, Decimal]] = {}
        """By the number of a decision that takes another's place: whose, and its quantity."""
        self.ended: dict[int, int] = {}
        """What a strategy wants ended, and since when."""
        self.by_a_person: set[int] = set()
        """Those of which it was durable at the last look that a person wants them gone."""
        self.decided: set[int] = set()
        """Those that the ledger knew at the last look."""
        self.barred: set[int] = set()
        """Those that were decided later than a person wanted their place to be empty."""
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

    # ------------------------------------------------------------ what is decided

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

    # ------------------------------------------------------------ its coroutines

    def tasks(self, *names: str) -> list[Task]:
        return self.life.loop.waiting(*(names or WAITS))

    def go(self, task: Task, *, well: bool = True) -> None:
        words = {"begin": None, "look": 0 if well else LAG_MS}
        task.go(words.get(task.turn.name, well))

    # ------------------------------------------------------------ its life

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
            if self.life.path.kept.board.venue_failure and self.life.remains is None:
                self.life.kill()  # what a failed venue has ended is started with its process
                continue
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

    def entries(self) -> list[LedgerEntry]:
        keys = [key_of(number) for number in self.decided_ns]
        return list(self.life.path.actor._book.lookup(keys).values()) if keys else []
