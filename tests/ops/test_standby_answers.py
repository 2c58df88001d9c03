"""A standby that waits answers: it lives, it is ready to take over, and it is no trading bot."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from messages.errors import ConfigError
from ops.config import demo_config
from ops.loopback import split_address
from ops.standby_answers import StandbyView, answering
from tests.ops.test_standby import COLD

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def place() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return f"127.0.0.1:{found.getsockname()[1]}"


Waits = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def waits(tmp_path: Path) -> Waits:
    """Answer for a standby that has only begun."""

    def waiting(place: str | None, token_env: str | None = None) -> AbstractContextManager[None]:
        metrics = {"http": place, "http_token_env": token_env}
        given = {"metrics": {name: one for name, one in metrics.items() if one}}
        config = demo_config({**given, "run_dir": str(tmp_path)})
        return answering(config, StandbyView(config, lambda: COLD))

    return waiting


def ask(place: str, path: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(f"http://{place}{path}", headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_every_probe_passes_so_nobody_kills_who_waits(waits: Waits, place: str) -> None:
    with waits(place):
        for probe in ("/livez", "/readyz", "/startupz"):
            assert ask(place, probe)[0] == 200, probe


def test_its_figures_say_that_it_waits(waits: Waits, place: str) -> None:
    """None of a bot's: two would tell of one account, and an alert on either would be wrong."""
    with waits(place):
        status, text = ask(place, "/metrics")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert (status, samples) == (200, ["watchkeeper_standby 1", "watchkeeper_standby_warm 0"])


def test_it_is_told_to_the_bearer_of_the_token_only(
    waits: Waits, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", TOKEN)
    with waits(place, "SOME_TOKEN"):
        assert ask(place, "/metrics")[0] == 401
        assert ask(place, "/metrics", TOKEN)[0] == 200
        assert ask(place, "/livez")[0] == 200, "a kubelet has no token"


def test_a_token_that_is_not_there_is_said_before_it_listens(
    waits: Waits, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_TOKEN", raising=False)
    with (
        pytest.raises(ConfigError, match="SOME_TOKEN is not set"),
        waits(place, "SOME_TOKEN"),
    ):
        pass


def test_the_place_is_free_again_for_the_bot_that_it_becomes(waits: Waits, place: str) -> None:
    for _ in range(2):
        with waits(place):
            assert ask(place, "/readyz")[0] == 200
    address = split_address(place)
    assert address is not None
    with socket.create_server(address):
        pass


def test_a_place_that_is_taken_is_one_sentence(waits: Waits, place: str) -> None:
    address = split_address(place)
    assert address is not None
    with (
        socket.create_server(address),
        pytest.raises(
            ConfigError, match=f"metrics.http: cannot listen on {place}: address already"
        ),
        waits(place),
    ):
        pass


def test_it_listens_nowhere_unless_told_to(waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    def listens(*_: object) -> None:
        raise AssertionError("nobody said where")

    monkeypatch.setattr("ops.standby_answers.http_server", listens)
    with waits(None):
        pass
