"""The claim is no row of its own: the history must read as if it were, whatever came after it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from playhouse.migrations import Runner

from messages.ids import OrderKey
from messages.order_states import LEGAL_TRANSITIONS
from messages.values import OrderState as S
from persistence.database import open_ledger_database
from persistence.histories import read_page
from persistence.ledger import Claim, SqliteLedger, Step
from persistence.memory_ledger import MemoryLedger
from persistence.migrate import MIGRATIONS
from persistence.reader import LedgerReader
from persistence.transitions import Event

Road = tuple[S, ...]
DEPTH = 4
ALL_BEFORE = OrderKey("")


def roads(road: Road) -> Iterator[Road]:
    """Give every legal road of at most so many steps that goes on from this one."""
    yield road
    if len(road) <= DEPTH:
        for to in sorted(LEGAL_TRANSITIONS[road[-1]]):
            if not (to in {S.NOT_SENT, S.REFUSED} and S.PARTIALLY_FILLED in road):
                yield from roads((*road, to))


ROADS = [road for first in (S.CLAIMED, S.SENT, S.REFUSED) for road in roads((first,))]


@pytest.fixture
def walked(
    path: Path, claim_of: Callable[..., Claim], step_of: Callable[..., Step]
) -> dict[OrderKey, list[Event]]:
    """A ledger with an order for each road, and the history as the memory ledger keeps it."""
    memory = MemoryLedger()
    with closing(SqliteLedger(path)) as disk:
        for ledger in (disk, memory):
            claims = []
            for number, road in enumerate(ROADS):
                claim = claim_of(number, refused="too large" if road[0] is S.REFUSED else None)
                claims.append(msgspec.structs.replace(claim, sent=road[0] is S.SENT))
            ledger.claim(claims, 5)
            for depth in range(1, DEPTH + 1):
                filled = f"0.{depth}"
                steps = [
                    step_of(
                        number,
                        road[depth],
                        filled if road[depth] in {S.PARTIALLY_FILLED, S.FILLED} else None,
                        reason=f"step {depth}",
                        at_ns=10 * depth,
                    )
                    for number, road in enumerate(ROADS)
                    if depth < len(road)
                ]
                ledger.record(steps)
    history: dict[OrderKey, list[Event]] = {}
    for event in memory.events:
        history.setdefault(event.order_key, []).append(event)
    return history


def test_every_road_has_the_history_that_was_walked(
    path: Path, walked: dict[OrderKey, list[Event]]
) -> None:
    assert len(walked) == len(ROADS) > 100
    with closing(LedgerReader(path)) as reader:
        assert {key: reader.events(key) for key in walked} == walked


def test_steps_are_numbered_from_one_without_a_gap(
    path: Path, walked: dict[OrderKey, list[Event]]
) -> None:
    with closing(LedgerReader(path)) as reader:
        page = read_page(reader, ALL_BEFORE)
    assert page.orphans == []
    assert set(page.steps) == set(walked)
    for steps in page.steps.values():
        assert [number for number, _, _ in steps] == list(range(1, len(steps) + 1))
        assert steps[0][1] is None


def test_the_history_survives_the_way_back_and_forth_between_versions(
    path: Path, walked: dict[OrderKey, list[Event]]
) -> None:
    with closing(open_ledger_database(path)) as database:
        Runner(database, str(MIGRATIONS)).down("0004_claims_once")
    with closing(sqlite3.connect(path)) as raw:
        written = raw.execute("SELECT count(*) FROM order_events WHERE from_state IS NULL")
        assert written.fetchone() == (len(walked),)
    SqliteLedger(path).close()
    with closing(LedgerReader(path)) as reader:
        assert {key: reader.events(key) for key in walked} == walked
