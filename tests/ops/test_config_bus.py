"""`[feed.nats]`, and what `publish` is asked: each mistake in one sentence, no secret in a file."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import cli
from exchanges.bus_address import BusAddress
from exchanges.nats_gate import problem_of
from messages.errors import ConfigError
from messages.ids import ActorPath
from ops.bus_wiring import head_for
from ops.config import effective_toml, load, parse
from ops.config_bus import address_of, missing_from, url_problem
from ops.live_feed import request_of
from ops.secret_values import secrets_of
from strategies import check_params

ROOT = Path(__file__).parents[2]
BOT: dict[str, Any] = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}


def config_with(**nats: Any) -> Any:
    return parse(BOT | {"feed": {"type": "nats", "nats": nats}}, Path())


def problems_with(**nats: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        config_with(**nats)
    return refused.value.problems


def test_a_feed_over_nats_has_defaults_and_comes_back_from_its_own_file() -> None:
    config = config_with(user_env="BUS_USER", password_env="BUS_PASSWORD")

    assert config.feed.nats.url == "nats://127.0.0.1:4222"
    assert (config.feed.nats.stream, config.feed.nats.clock) == ("market", "real")
    assert config.feed.is_live
    assert config.feed.is_connected
    assert parse(tomllib.loads(effective_toml(config)), Path()) == config


def test_a_market_with_its_own_clock_is_decided_as_a_replay() -> None:
    feed = config_with(clock="market").feed

    assert feed.is_connected
    assert not feed.is_live


@pytest.mark.parametrize(
    ("nats", "sentence"),
    [
        ({"url": "nats://me:word@host"}, "feed.nats.url: must not hold a login"),
        ({"url": "http://host"}, "feed.nats.url: expected an address such as nats://"),
        ({"url": "nats://host:99999"}, "feed.nats.url: expected an address such as nats://"),
        ({"stream": "a.b"}, "feed.nats.stream: got "),
        ({"clock": "utc"}, "feed.nats.clock: got "),
        ({"user_env": "U"}, "feed.nats.user_env: goes with password_env"),
        ({"ca_file": "ca.pem"}, "feed.nats.ca_file: is for tls://, and the address is not"),
        ({"token": "abc"}, "feed.nats.token: a secret must not stand in the file"),
        ({"token_env": "not a name"}, "feed.nats.token_env: expected the name of an environment"),
        ({"ulr": "x"}, 'feed.nats.ulr: unknown key; did you mean "url"?'),
    ],
)
def test_a_mistake_is_told_with_its_key(nats: dict[str, Any], sentence: str) -> None:
    (found,) = problems_with(**nats)

    assert found.startswith(sentence)


def test_another_feed_has_no_bus() -> None:
    with pytest.raises(ConfigError) as refused:
        parse(BOT | {"feed": {"nats": {}}}, Path())

    assert refused.value.problems == ['feed.nats: is for type "nats", and the type is "demo"']


def test_secrets_come_from_the_environment_and_are_known_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUS_USER", "somebody")
    monkeypatch.setenv("BUS_PASSWORD", "hunter22")
    config = config_with(user_env="BUS_USER", password_env="BUS_PASSWORD")

    address = address_of(config.feed.nats)
    assert (address.user, address.password) == ("somebody", "hunter22")
    assert "hunter22" in secrets_of(config)
    assert "hunter22" not in effective_toml(config)


def test_certificates_are_looked_for_beside_the_file_that_names_them(tmp_path: Path) -> None:
    nats = {"url": "tls://host:4222", "ca_file": "ca.pem"}
    config: Any = parse(BOT | {"feed": {"type": "nats", "nats": nats}}, tmp_path)

    assert address_of(config.feed.nats).ca_file == str(tmp_path / "ca.pem")
    assert parse(tomllib.loads(effective_toml(config)), Path()) == config
    assert missing_from(config.feed.nats) == [
        f"feed.nats.ca_file: {tmp_path / 'ca.pem'} cannot be read: correct the path"
    ]


def test_a_start_without_the_login_that_its_file_names_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        'name = "a"\n[feed]\ntype = "nats"\n[feed.nats]\ntoken_env = "NO_SUCH"\n'
        '[[strategy]]\nid = "a"\nuses = "sma_cross"\nparams = {fast = 2, slow = 4}\n'
    )

    assert cli.main(["start", str(file), "--run-dir", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == (
        "watchkeeper: feed.nats.token_env: the environment variable NO_SUCH is not set: export it"
        " before the start\n"
    )


def test_a_live_mode_takes_a_market_on_the_real_clock_only() -> None:
    live = BOT | {
        "mode": "live",
        "risk": {},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": "K",
            "api_secret_env": "S",
        },
    }
    assert parse(live | {"feed": {"type": "nats"}}, Path()).feed.is_live
    with pytest.raises(ConfigError, match='with "nats" on the real clock'):
        parse(live | {"feed": {"type": "nats", "nats": {"clock": "market"}}}, Path())


def test_a_place_is_named_without_a_login() -> None:
    address = BusAddress(url="nats://a:b@host:1", stream="m")

    assert address.place == "nats://host:1"
    assert url_problem("tls://host:4222") == url_problem("nats://[::1]:4222") == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "nats://u:p@h"], "--to: must not hold a login"),
        (["--stream", "a b"], "--stream: expected letters"),
        (["--token-env", "a b"], "an option that ends in -env: name a variable"),
        (["--user-env", "U"], "--user-env goes with --password-env"),
        (
            ["--token-env", "NO_SUCH"],
            "--token-env: the environment variable NO_SUCH is not set: ex",
        ),
        (["--ca-file", "ca.pem"], "--ca-file: is for tls://"),
        (["--to", "tls://h", "--ca-file", "no.pem"], "--ca-file: no.pem cannot be read: correct"),
    ],
)
def test_publish_says_what_is_wrong_with_its_arguments(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n')

    assert cli.main(["publish", str(file), *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"watchkeeper: {sentence}")


def test_the_commands_of_the_documentation_fit_each_other() -> None:
    text = (ROOT / "docs" / "fleet-market.md").read_text()
    block = text.partition("```text\n")[2].partition("```")[0]
    published, followed = re.findall(r"examples/\w+\.toml", block)

    head = head_for(load(ROOT / published, {}, check_params))
    bot = load(ROOT / followed, {}, check_params)
    request = request_of(bot, ActorPath("feed"), 0)

    assert bot.feed.nats is not None
    assert problem_of(head, request, str(bot.feed.nats.clock), "") == ""


def test_what_comes_over_nats_is_not_published_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n[feed]\ntype = "nats"\n')

    assert cli.main(["publish", str(file), "--run-dir", str(tmp_path / "run")]) == 2
    assert "is published already" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["start", "publish"])
def test_without_nats_py_one_sentence_says_what_to_install(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "nats"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nats", None)
    kind = "nats" if command == "start" else "demo"
    file = tmp_path / "a.toml"
    strategy = '[[strategy]]\nid = "a"\nuses = "sma_cross"\nparams = {fast = 2, slow = 4}\n'
    file.write_text(f'name = "a"\n[feed]\ntype = "{kind}"\n{strategy}')

    assert cli.main([command, str(file), "--run-dir", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == (
        "watchkeeper: nats-py is not installed: pip install '.[nats]' from the checkout\n"
    )
