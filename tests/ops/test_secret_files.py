"""Secrets that are mounted as files."""

from pathlib import Path

import pytest

from messages.errors import ConfigError
from ops.alert_addresses import addresses
from ops.config import load
from ops.options import StartOptions
from ops.run_config import config_for
from ops.secret_values import secrets_of
from persistence.secret_files import secret, take_secret_files

CONFIG = """
name = "x"
[[strategy]]
id = "a"
uses = "sma_cross"
params = { fast = 5, slow = 15 }
[metrics]
http = "127.0.0.1:0"
http_token_env = "SOME_TOKEN"
"""


def test_a_file_gives_the_variable_its_value_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  s3cret\n")
    environment = {"KEY_FILE": str(tmp_path / "key")}

    take_secret_files(["KEY", "OTHER"], environment)

    assert environment["KEY"] == "s3cret"
    assert "OTHER" not in environment


@pytest.mark.parametrize("given", ["s3cret\n", "  s3cret", "s3cret\r\n"])
def test_a_variable_loses_the_white_space_around_it(given: str) -> None:
    """As of a here-document: with a blank, a key would have the lease of another account."""
    environment = {"KEY": given}

    take_secret_files(["KEY"], environment)

    assert environment == {"KEY": "s3cret"}


def test_a_variable_of_white_space_alone_is_empty() -> None:
    environment = {"KEY": " \n"}

    take_secret_files(["KEY"], environment)

    assert environment == {"KEY": ""}


def test_a_variable_that_is_no_text_refuses_the_start_and_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        take_secret_files(["KEY"], {"KEY": "s3\udcffcret"})

    assert caught.value.problems == ["KEY: it is not UTF-8 text: export it again"]


def test_a_variable_without_a_file_is_left_alone() -> None:
    environment = {"KEY": "plain"}
    take_secret_files(["KEY"], environment)
    assert environment == {"KEY": "plain"}
    assert secret("KEY", environment) == "plain"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "there is no secret in it"),
        (b" \n", "there is no secret in it"),
        (b"a\0b", "there is no secret in it"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 70_000, "right file"),
    ],
)
def test_a_file_that_holds_no_secret_refuses_the_start_and_shows_none(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as refused:
        take_secret_files(["KEY"], {"KEY_FILE": str(path)})

    (sentence,) = refused.value.problems
    assert sentence.startswith("KEY_FILE: ")
    assert "xxxx" not in sentence


def test_two_values_for_one_name_are_refused_and_neither_is_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file")
    environment = {"KEY_FILE": str(tmp_path / "key"), "KEY": "from-outside"}

    with pytest.raises(ConfigError) as refused:
        take_secret_files(["KEY"], environment)

    assert "from-" not in str(refused.value.problems)
    assert secret("KEY", environment | {"KEY": "from-the-file"}) == "from-the-file"


def test_a_start_reads_the_files_of_all_that_its_config_names_and_they_are_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bot.toml").write_text(CONFIG)
    (tmp_path / "token").write_text("a-token-of-a-file\n")
    monkeypatch.delenv("SOME_TOKEN", raising=False)
    monkeypatch.setenv("SOME_TOKEN_FILE", str(tmp_path / "token"))

    load(tmp_path / "bot.toml")  # a look at a file needs no secret
    config = config_for(StartOptions(config_path=tmp_path / "bot.toml"))

    assert "a-token-of-a-file" in secrets_of(config)
    monkeypatch.delenv("SOME_TOKEN")  # what the start has set


def test_the_addresses_of_alerts_may_stand_in_a_file_that_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orchestrator hands its environment on to its bots: they read the file anew."""
    place = tmp_path / "urls"
    monkeypatch.delenv("URLS", raising=False)
    monkeypatch.setenv("URLS_FILE", str(place))
    for text in ("json://127.0.0.1:1", "json://127.0.0.1:2 json://127.0.0.1:3"):
        place.write_text(text)
        assert addresses("URLS") == text.split()
