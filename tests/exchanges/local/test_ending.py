"""What is left of the local exchange once it has ended."""

import gc
import socket
import time
import warnings
from urllib.parse import urlsplit

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange

QUESTION = b"GET /api/v3/exchangeInfo HTTP/1.1\r\nHost: exchange\r\n\r\n"
MANY = 3_000
"""Their answers are more than two sockets hold."""


@pytest.mark.slow
def test_a_client_that_reads_nothing_keeps_no_socket_of_it_open() -> None:
    with warnings.catch_warnings(record=True) as told, socket.socket() as deaf:
        warnings.simplefilter("always")
        with running_exchange(speed=0) as run:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", urlsplit(run.urls.http).port))
            deaf.sendall(QUESTION * MANY)
            time.sleep(0.5)
        gc.collect()

    assert [str(one.message) for one in told] == []
