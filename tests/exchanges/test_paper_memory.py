"""A paper venue without a file does exactly what one with a file does."""

from decimal import Decimal
from itertools import islice
from pathlib import Path

from exchanges.demo import DemoSource
from exchanges.paper import PaperVenue
from exchanges.paper_settings import PaperSettings
from messages.orders import OrderReport
from tests.exchanges.paper_run import BTC, EVENTS, STEP, free_in, orders_after

RICH = PaperSettings(balances={"USDT": Decimal(1_000_000), "BTC": Decimal(3)})


def everything_said(venue: PaperVenue) -> list[OrderReport | None]:
    """Partial fills, overlapping orders, lack of funds: every answer and every lookup."""
    events = DemoSource(BTC, limit=EVENTS).events()
    said: list[OrderReport | None] = []
    number = 0
    while step := tuple(islice(events, STEP)):
        said += venue.on_market(step)
        for order in orders_after(step[0], number):
            said.append(venue.submit(order))
            said.append(venue.submit(order))
            said.append(venue.find(order.client_order_id, BTC))
        number += 1
    return said


def test_with_and_without_a_file_the_answers_are_the_same(tmp_path: Path) -> None:
    on_disk, in_memory = PaperVenue(tmp_path / "paper.db", RICH), PaperVenue(None, RICH)

    assert everything_said(in_memory) == everything_said(on_disk)
    assert in_memory.balances() == on_disk.balances()
    assert free_in(in_memory) == free_in(on_disk)
    on_disk.close()


def test_after_a_failure_the_book_is_read_again_as_from_a_file() -> None:
    venue = PaperVenue(None, RICH)
    everything_said(venue)
    before = (venue.balances(), free_in(venue))

    venue._restore()

    assert (venue.balances(), free_in(venue)) == before
