"""The real addresses of an exchange, all of which lead to loopback, and nowhere else."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
pytest.importorskip("trustme", reason="it makes the certificates of these tests")

from exchanges.local.server import RunningExchange, running_exchange
from tests.exchanges.tls.proxy import TlsProxy, tls_proxy


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail whoever looks up a name that is not this machine's, whatever becomes of it then."""
    known, looked_up = socket.getaddrinfo, []

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in ("127.0.0.1", "localhost", None):
            looked_up.append(name)
            raise socket.gaierror(f"{name} was looked up in a test")
        return known(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    assert looked_up == []


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def proxy(run: RunningExchange) -> Iterator[TlsProxy]:
    with tls_proxy(run.urls.http) as proxy:
        yield proxy


@pytest.fixture
def authority(proxy: TlsProxy, tmp_path: Path) -> Path:
    """The file of the certificate that a user of this proxy trusts."""
    return proxy.write_authority(tmp_path / "authority.pem")
