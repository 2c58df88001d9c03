"""By whichever session an order is to leave, it passes its fence first. Counted at the socket."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges import ccxt_additions, ccxt_session
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown
from messages.values import OrderState
from tests.exchanges.live import Desk, Script, desk, free, local_config, reply, scripted
from tests.exchanges.test_ccxt_placement import ACCEPTED

pytestmark = pytest.mark.slow


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        script.say("order", reply(200, ACCEPTED))
        yield script


@pytest.fixture
def opened(script: Script) -> Iterator[Desk]:
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def limit(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.001", limit_price="50000")


def barred() -> None:
    raise NotSent("not now")


async def new_session() -> Any:
    import aiohttp

    return aiohttp.ClientSession()


def its_own(opened: Desk) -> None:
    """The session that ccxt makes."""


def somebody_elses(opened: Desk) -> None:
    """A session that was given to ccxt."""
    client = opened.venue._client
    opened.call(client.session.close())
    client.session = opened.call(new_session())


def a_socks_proxys(opened: Desk) -> None:
    """The session that ccxt makes for a SOCKS proxy; here it leads to the exchange itself."""
    client = opened.venue._client
    client.socksProxy = "socks5://127.0.0.1:9"
    client.socks_proxy_sessions = {client.socksProxy: opened.call(new_session())}


SESSIONS = [its_own, somebody_elses, a_socks_proxys]


@pytest.mark.parametrize("session", SESSIONS)
def test_what_the_fence_stops_leaves_by_no_session(
    session: Callable[[Desk], None], script: Script, opened: Desk, limit: NewOrder
) -> None:
    session(opened)

    with pytest.raises(NotSent, match="not now"):
        opened.call(opened.venue.submit(limit, barred))

    assert script.requests("order") == []


@pytest.mark.parametrize("session", SESSIONS)
def test_what_passes_the_fence_leaves_once_and_nothing_before_it_is_asked(
    session: Callable[[Desk], None], script: Script, opened: Desk, limit: NewOrder
) -> None:
    session(opened)
    seen: list[int] = []

    def fence() -> None:
        seen.append(len(script.requests("order")))

    report = opened.call(opened.venue.submit(limit, fence))

    assert report.state is OrderState.ACCEPTED
    assert seen == [0]
    assert len(script.requests("order")) == 1


def test_a_connection_that_was_given_out_unasked_carries_no_order(
    script: Script, limit: NewOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the guard ever be passed by: aiohttp asks once more before it writes."""
    monkeypatch.setattr(ccxt_session, "guard", lambda _session, _clear: None)
    monkeypatch.setattr(ccxt_additions, "is_guarded", lambda _session: True)
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())

        with pytest.raises(OutcomeUnknown, match="without having passed its fence"):
            opened.call(opened.venue.submit(limit, free))

    assert script.requests("order") == []


def test_the_connection_of_a_request_that_did_not_leave_serves_the_next(
    script: Script, opened: Desk, limit: NewOrder
) -> None:
    connector = opened.venue._client.session.connector
    for _ in range(3):
        with pytest.raises(NotSent):
            opened.call(opened.venue.submit(limit, barred))

    assert not connector._acquired
    assert sum(len(free_ones) for free_ones in connector._conns.values()) == 1
    assert opened.call(opened.venue.submit(limit, free)).state is OrderState.ACCEPTED
