"""A wall clock that is set back proves no absence too early, in this process or in the next."""

from pathlib import Path
from typing import Any

from actors.clock import VirtualClock
from exchanges.protocol import NewOrder
from messages.ids import NS_PER_S, Epoch, OrderKey, TimestampNs
from messages.values import OrderState
from tests.actors.order_path import HandGateway, OrderPath, key_of

SENT_NS = 1_000_000 * NS_PER_S
BACK_NS = 8 * NS_PER_S


class Asking(HandGateway):
    """Notes from when on an order may still arrive, as who proves absences is told."""

    def __init__(self, *rest: Any) -> None:
        super().__init__(*rest)
        self.may_arrive_since_ns: list[int] = []

    def find(self, epoch: Epoch, key: OrderKey, order: NewOrder, *, sent_at_ns: int) -> None:
        super().find(epoch, key, order, sent_at_ns=sent_at_ns)
        self.may_arrive_since_ns.append(sent_at_ns)


def test_no_window_is_counted_from_before_the_send(tmp_path: Path) -> None:
    desk = process(tmp_path, SENT_NS)
    desk.tell(desk.intent(1))
    assert desk.gateway.sent[0].key == key_of(1)
    set_back(desk)
    desk.tell(desk.submitted(1, OrderState.UNKNOWN))
    assert asked_since(desk) == [SENT_NS]

    after_a_kill = process(tmp_path, SENT_NS - BACK_NS)

    assert after_a_kill.order(1).state is OrderState.UNKNOWN
    assert asked_since(after_a_kill) == [SENT_NS]


def process(folder: Path, at_ns: int) -> OrderPath:
    return OrderPath(folder, make_gateway=Asking, start_ns=at_ns).start()


def set_back(desk: OrderPath) -> None:
    """Set the wall clock, and not the one that nobody sets."""
    clock = desk.runtime.clock
    assert isinstance(clock, VirtualClock)
    desk.cell.utc_ns = lambda: TimestampNs(clock.now_ns - BACK_NS)


def asked_since(desk: OrderPath) -> list[int]:
    assert isinstance(desk.gateway, Asking)
    return desk.gateway.may_arrive_since_ns
