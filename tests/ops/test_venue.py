"""The `venue` command: what it says can be pasted, and what it refuses it refuses plainly."""

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.config import parse
from ops.venue import _risk

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
ccxt = pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

BOT = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}
COMMAND = [sys.executable, "-P", "-m", "cli", "venue"]


@contextmanager
def venue(*arguments: str) -> Iterator[Any]:
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


def refused(*arguments: str, code: str = "") -> str:
    command = [sys.executable, "-P", "-c", code, *arguments] if code else [*COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def texts(tree: Any) -> list[str]:
    """Give the leaves."""
    return [one for sub in tree.values() for one in ([sub] if isinstance(sub, str) else texts(sub))]


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["binance", "okx"])
def test_the_printed_toml_makes_an_unmodified_ccxt_trade_there(profile: str) -> None:
    with venue("--json", "--profile", profile, "--speed", "0", "--balance", "USDT=777") as said:
        facts = json.loads(said.readline())
        section = tomllib.loads(facts["toml"])["venue"]
        names = {
            "apiKey": "api_key_env",
            "secret": "api_secret_env",
            "password": "api_password_env",
        }
        secrets = {
            key: facts["environment"][section[name]]
            for key, name in names.items()
            if name in section
        }
        client = getattr(ccxt, section["exchange"])(section["ccxt"] | secrets)
        balance = client.fetch_balance()
        client.session.close()

    assert section["type"] == "ccxt"
    assert {urlsplit(one).hostname for one in texts(section["ccxt"]["urls"])} == {"127.0.0.1"}
    assert any("ws" in urlsplit(one).scheme for one in texts(section["ccxt"]["urls"]))
    assert balance["USDT"]["free"] == 777
    assert not any(value in facts["toml"] for value in facts["environment"].values())


@pytest.mark.slow
def test_what_it_says_to_a_person_can_be_pasted() -> None:
    with venue("--seed", "4", "--symbols", "ETH/USDT") as said:
        first = said.readline()
        lines = [said.readline() for _ in range(8)]

    assert first.startswith("A local binance at http://127.0.0.1:")
    assert "ETH/USDT, BNB/USDT" in first
    assert "Ctrl-C ends it" in first
    assert lines[1] == "# export LOCAL_KEY=local-key LOCAL_SECRET=local-secret\n"
    assert lines[2] == "[venue]\n"


@pytest.mark.parametrize("speed", [60.0, 0.0, 0.5, 1e300])
def test_where_the_market_keeps_another_time_its_config_lets_a_bot_enter(speed: float) -> None:
    """A week of rehearsing ahead of the clock, or behind it, is no market that is stale."""
    text = _risk(speed)

    limits = parse({**tomllib.loads(text), **BOT}, Path()).risk
    week_ms = 7 * 86_400_000
    a_century_ms = 100 * 365 * 86_400_000
    assert limits.max_market_age_ms >= min(abs(speed - 1) * week_ms, a_century_ms)
    assert text.startswith("# The market ")
    assert "every entry would be refused" in text


def test_where_it_keeps_the_clocks_time_the_limit_is_left_alone() -> None:
    assert _risk(1.0) == ""


@pytest.mark.slow
def test_what_it_prints_of_a_configuration_is_written_to_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"

    with venue("--speed", "60", "--write", str(path)) as said:
        first = said.readline()
        lines = [said.readline() for _ in range(9)]

    written = path.read_text()
    assert first.startswith("A local binance at ")
    assert "".join(lines) == f"\n{written}"[: len("".join(lines))]
    assert tomllib.loads(written)["venue"]["type"] == "ccxt"
    assert tomllib.loads(written)["risk"].keys() == {"max_market_age_ms"}
    assert refused("--write", str(path)).endswith(
        f"--write: {path} is there, and is not replaced: name another file, or remove it\n"
    )
    assert path.read_text() == written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--symbols", "BTCUSDT"), "--symbols: BTCUSDT is not a pair like BTC/USDT"),
        (("--balance", "USDT"), "--balance: USDT is not like USDT=1000"),
        (("--candles", "nowhere.csv"), "nowhere.csv"),
        (("--state", "no/folder/x.db"), "no/folder/x.db: cannot be used as a state file"),
        (("--speed", "-1"), "-1 is neither 0, where it stands until it is advanced, nor 0.001"),
        (("--port", "70000"), "'70000' is not a port"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(*arguments)


@pytest.mark.slow
def test_a_taken_port_is_refused_with_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert f"--port {port}" in refused("--port", port)


@pytest.mark.slow
def test_without_aiohttp_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['aiohttp'] = None; import cli; sys.exit(cli.main(['venue']))"

    assert "pip install '.[exchange]' from the checkout" in refused(code=code)


@pytest.mark.slow
def test_help_does_not_need_aiohttp() -> None:
    done = subprocess.run(
        [*COMMAND, "--help"], capture_output=True, text=True, timeout=90, check=False,
        env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip

    assert done.returncode == 0
    assert "--profile {binance,okx}" in done.stdout
