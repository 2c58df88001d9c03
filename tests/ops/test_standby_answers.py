"""A standby that waits answers: it lives, it is ready to take over, and it is no trading bot."""

import socket
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from messages.errors import ConfigError
from ops.config import Config, demo_config
from ops.loopback import split_address
from ops.standby_answers import StandbyView
from ops.standby_answers import answering as answering_with

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def place() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return f"127.0.0.1:{found.getsockname()[1]}"


WARMTH: dict[str, Any] = {"is_warm": True, "problems": {}, "candles_behind": 0}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)


def answering(config: Config) -> AbstractContextManager[None]:
    return answering_with(config, StandbyView(config, lambda: WARMTH))


def config(place: str | None, token_env: str | None = None) -> Config:
    metrics = {"http": place, "http_token_env": token_env}
    return demo_config(
        {"run_dir": "run", "metrics": {name: one for name, one in metrics.items() if one}}
    )


def ask(place: str, path: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(f"http://{place}{path}", headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_every_probe_passes_so_nobody_kills_who_waits(place: str) -> None:
    with answering(config(place)):
        for probe in ("/livez", "/readyz", "/startupz"):
            assert ask(place, probe)[0] == 200, probe


def test_its_figures_say_that_it_waits(place: str) -> None:
    """None of a bot's: two would tell of one account, and an alert on either would be wrong."""
    with answering(config(place)):
        status, text = ask(place, "/metrics")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert (status, samples) == (
        200,
        [
            "watchkeeper_standby 1",
            "watchkeeper_standby_warm 1",
            "watchkeeper_standby_candles_behind 0",
        ],
    )


def test_it_is_told_to_the_bearer_of_the_token_only(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", TOKEN)
    with answering(config(place, "SOME_TOKEN")):
        assert ask(place, "/metrics")[0] == 401
        assert ask(place, "/metrics", TOKEN)[0] == 200
        assert ask(place, "/livez")[0] == 200, "a kubelet has no token"


def test_a_token_that_is_not_there_is_said_before_it_listens(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_TOKEN", raising=False)
    with (
        pytest.raises(ConfigError, match="SOME_TOKEN is not set"),
        answering(config(place, "SOME_TOKEN")),
    ):
        pass


def test_the_place_is_free_again_for_the_bot_that_it_becomes(place: str) -> None:
    for _ in range(2):
        with answering(config(place)):
            assert ask(place, "/readyz")[0] == 200
    address = split_address(place)
    assert address is not None
    with socket.create_server(address):
        pass


def test_a_place_that_is_taken_is_one_sentence(place: str) -> None:
    address = split_address(place)
    assert address is not None
    with (
        socket.create_server(address),
        pytest.raises(
            ConfigError, match=f"metrics.http: cannot listen on {place}: address already"
        ),
        answering(config(place)),
    ):
        pass


def test_it_listens_nowhere_unless_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def listens(*_: object) -> None:
        raise AssertionError("nobody said where")

    monkeypatch.setattr("ops.standby_answers.http_server", listens)
    with answering(config(None)):
        pass
