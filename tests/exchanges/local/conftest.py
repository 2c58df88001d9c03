"""A local exchange on real sockets, and unmodified ccxt clients that believe in it."""

import asyncio
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

import ccxt

from exchanges.local.ccxt_config import restore_errors
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile


@pytest.fixture
def serve() -> Iterator[Callable[..., RunningExchange]]:
    """Serve exchanges with these settings; the market stands unless a speed is given."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(running_exchange(**({"speed": 0.0} | changes)))


@pytest.fixture
def profile() -> Profile:
    """Whose API is played, unless a module or a test says otherwise."""
    return Profile.BINANCE


@pytest.fixture
def run(serve: Callable[..., RunningExchange], profile: Profile) -> RunningExchange:
    """An exchange whose market stands, with its usual settings."""
    return serve(profile=profile)


@pytest.fixture
def ask(run: RunningExchange) -> Callable[..., Any]:
    """Send a signed request as the documentation writes it, and give status and body."""

    def send(method: str, path: str, **params: Any) -> tuple[int, Any]:
        settings = run.exchange.settings
        query = urlencode(params | {"timestamp": run.exchange.clock.now_ns() // 1_000_000})
        digest = hmac.new(settings.api_secret.encode(), query.encode(), hashlib.sha256)
        request = urllib.request.Request(
            f"{run.urls.http}/api/v3/{path}?{query}&signature={digest.hexdigest()}",
            headers={"X-MBX-APIKEY": settings.api_key},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return send


def client_of(library: Any, run: RunningExchange, **changes: Any) -> Any:
    """Make ccxt's own client of the exchange that is played."""
    profile = run.exchange.settings.profile
    client = getattr(library, profile)(run.ccxt_config(enableRateLimit=False, **changes))
    if profile is Profile.BINANCE:
        restore_errors(client)
    return client


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """Make a sync ccxt client for an exchange."""
    clients: list[Any] = []

    def make(run: RunningExchange, **changes: Any) -> Any:
        clients.append(client_of(ccxt, run, timeout=3000, **changes))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


@pytest.fixture
def client(run: RunningExchange, connect: Callable[..., Any]) -> Any:
    """A sync ccxt client of `run`, its markets loaded."""
    client = connect(run)
    client.load_markets()
    return client


@pytest.fixture
def live(run: RunningExchange) -> Callable[..., Any]:
    """Run a coroutine function with a ccxt.pro client of `run`, and give its result."""
    import ccxt.pro as ccxt_pro

    def play(story: Callable[[Any], Any], **changes: Any) -> Any:
        async def whole() -> Any:
            client = client_of(ccxt_pro, run, **changes)
            try:
                await client.load_markets()
                return await asyncio.wait_for(story(client), 20)
            finally:
                await client.close()

        return asyncio.run(whole())

    return play
