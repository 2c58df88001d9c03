"""What is left of the local exchange once it has ended."""

import gc
import socket
import threading
import warnings
from urllib.parse import urlsplit

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

from exchanges.local.exchange import LocalExchange
from exchanges.local.server import running_exchange
from tests.waiting import until

QUESTION = b"GET /api/v3/exchangeInfo HTTP/1.1\r\nHost: exchange\r\n\r\n"
MANY = 3_000
"""Their answers are more than two sockets hold, so that some are never asked for."""


def stands_still(exchange: LocalExchange) -> bool:
    """Whether it has answered some and takes no more: what it has written nobody reads."""
    before = len(exchange.requests())
    threading.Event().wait(0.2)
    return 0 < before == len(exchange.requests())


@pytest.mark.slow
def test_a_client_that_reads_nothing_keeps_no_socket_of_it_open() -> None:
    with warnings.catch_warnings(record=True) as told, socket.socket() as deaf:
        warnings.simplefilter("always")
        with running_exchange(speed=0) as run:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", urlsplit(run.urls.http).port))
            deaf.sendall(QUESTION * MANY)
            until(lambda: stands_still(run.exchange))
            assert len(run.exchange.requests()) < MANY
        gc.collect()

    assert [str(one.message) for one in told] == []
