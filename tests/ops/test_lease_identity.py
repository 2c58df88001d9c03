"""The name of an account: one for each account, and nothing of the key in it."""

from pathlib import Path
from typing import Any

import pytest

from messages.errors import ConfigError
from ops.lease_identity import account_name, default_lease_dir

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
REAL: dict[str, Any] = {}


def urls(*addresses: str) -> dict[str, Any]:
    return {"urls": {"api": {str(n): address for n, address in enumerate(addresses)}}}


def test_it_names_the_exchange_and_shows_nothing_of_the_key() -> None:
    name = account_name("binance", KEY, REAL)

    assert name.startswith("binance-")
    assert len(name) == len("binance-") + 16
    assert not any(KEY[at : at + 5] in name for at in range(len(KEY) - 4))


def test_it_is_the_same_at_each_start() -> None:
    assert account_name("binance", "a", REAL) == "binance-d08aa706bcdbcc6c"


@pytest.mark.parametrize(
    ("exchange", "key", "ccxt"),
    [
        ("binance", "b", REAL),
        ("okx", "a", REAL),
        ("binance", "a", {"sandbox": True}),
        ("binance", "a", urls("http://127.0.0.1:1/api")),
        ("binance", "a", urls("http://localhost:1/api")),
        ("binance", "a", urls("http://[::1]:1/api")),
    ],
)
def test_another_account_has_another_name(exchange: str, key: str, ccxt: dict[str, Any]) -> None:
    assert account_name(exchange, key, ccxt) != account_name("binance", "a", REAL)


def test_two_local_exchanges_are_two_and_two_mirrors_are_one() -> None:
    def at(*addresses: str) -> str:
        return account_name("binance", "a", urls(*addresses))

    assert at("http://127.0.0.1:1/a") != at("http://127.0.0.1:2/a")
    assert at("https://api1.example/a") == at("https://api2.example/a", "nonsense://[", "")
    assert at("http://u:p@127.0.0.1:1/a") == at("http://127.0.0.1:1/b")


def test_what_does_not_matter_does_not_make_another_account() -> None:
    more = {"options": {"x": 1}, "timeout": 5, "sandbox": False}

    assert account_name("binance", "a", more) == account_name("binance", "a", REAL)


def test_the_usual_place_is_the_users_own() -> None:
    assert default_lease_dir({"XDG_STATE_HOME": "/s"}) == Path("/s/watchkeeper/accounts")
    at_home = Path.home() / ".local/state/watchkeeper/accounts"
    assert default_lease_dir({}) == at_home
    assert default_lease_dir({"XDG_STATE_HOME": "not/absolute"}) == at_home


def test_a_user_without_a_home_must_name_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)

    with pytest.raises(ConfigError, match=r"venue.lease_dir: is needed"):
        default_lease_dir({})
