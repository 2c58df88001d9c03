"""`watchkeeper start` in live mode as a user behind a proxy runs it, at the real addresses."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from exchanges.local.server import running_exchange
from ops.config_write import to_toml
from persistence.ledger import read_orders
from tests.exchanges.tls.proxy import BINANCE, TlsProxy, tls_proxy

pytestmark = pytest.mark.slow

LIMIT_S = 60.0
SPEED = 300.0
LOGIN = "trader:pass-word-1"
AHEAD_MS = 86_400_000
"""The market of a compressed clock is ahead of the machine's."""
ORDERS = 3

NAMES_OF_THIS_MACHINE_ONLY = """
import os, socket
known = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    name = host.decode() if isinstance(host, bytes) else host
    if name not in ("127.0.0.1", "localhost", None):
        os.write(2, f"LOOKED UP {name}\\n".encode())
        raise socket.gaierror(f"{name} was looked up in a test")
    return known(host, *more, **named)
socket.getaddrinfo = getaddrinfo
"""


def write_config(folder: Path, authority: Path) -> Path:
    document = {
        "name": "behind-a-proxy",
        "run_dir": str(folder / "run"),
        "mode": "live",
        "feed": {"type": "ccxt", "symbols": ["BTC/USDT"]},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": "BINANCE_KEY",
            "api_secret_env": "BINANCE_SECRET",
            "ccxt": {"cafile": str(authority), "aiohttp_trust_env": True},
        },
        "strategy": [{"id": "s", "uses": "sma_cross", "params": {"fast": 2, "slow": 4}}],
        "risk": {"max_market_age_ms": AHEAD_MS},
    }
    path = folder / "config.toml"
    path.write_text(to_toml(document))
    return path


def environment(folder: Path, proxy: TlsProxy) -> dict[str, str]:
    """Give what the user has exported, and a Python that can look no real host up."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NAMES_OF_THIS_MACHINE_ONLY)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), *sys.path]),
        "BINANCE_KEY": "local-key",
        "BINANCE_SECRET": "local-secret",
        "HTTPS_PROXY": proxy.url_with(LOGIN),
        "WSS_PROXY": proxy.url_with(LOGIN),
    }


def test_real_orders_reach_the_exchange_through_the_tunnel_and_nothing_tells_the_login(
    tmp_path: Path,
) -> None:
    with running_exchange(seed=5, speed=SPEED) as run, tls_proxy(run.urls.http) as proxy:
        proxy.login = LOGIN
        path = write_config(tmp_path, proxy.write_authority(tmp_path / "authority.pem"))
        command = [sys.executable, "-P", "-m", "cli", "start", str(path), "--i-understand-live"]
        bot = subprocess.Popen(
            [*command, "--json"],
            env=environment(tmp_path, proxy),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            pause = threading.Event()
            for _ in range(int(LIMIT_S / 0.05)):
                if len(run.exchange.orders()) >= ORDERS or bot.poll() is not None:
                    break
                pause.wait(0.05)
        finally:
            bot.send_signal(signal.SIGTERM)
            out, err = bot.communicate(timeout=LIMIT_S)
        placed = Counter(order.client_order_id for order in run.exchange.orders())
        asked = run.exchange.requests(operation="place")

    assert (bot.returncode, "LOOKED UP" in err) == (0, False), err
    assert len(placed) >= ORDERS
    assert set(placed.values()) == {1}
    assert [one.transport for one in asked] == ["rest"] * len(placed)
    sent = [o for o in read_orders(tmp_path / "run" / "ledger.db") if o.state != "refused"]
    assert Counter(order.client_order_id for order in sent) == placed
    assert {target.partition(":")[0] for target in proxy.asked} == set(BINANCE[:3])
    files = [one for one in (tmp_path / "run").rglob("*") if one.is_file()]
    kept = "".join(one.read_text(errors="replace") for one in files)
    assert "pass-word" not in kept + out + err
