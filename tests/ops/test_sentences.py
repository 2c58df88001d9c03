"""What a person is told of a command that failed: one readable sentence."""

from pathlib import Path

import pytest

import cli
from messages.errors import ConfigError, WatchkeeperError
from ops.sentences import sentences_of


def test_a_name_that_moves_a_terminal_is_spelled_out() -> None:
    assert sentences_of(WatchkeeperError("no \x1b[2Jstrategy \u202e")) == [
        "no \\x1b[2Jstrategy \\u202e"
    ]
    assert sentences_of(ConfigError(["\u00e9 \u20bf:\n\tas it is"])) == [
        "\u00e9 \u20bf:\n\tas it is"
    ]


def test_a_command_that_quotes_one_does_so_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bot.toml"
    path.write_text('name = "x"\n[[strategy]]\nid = "a"\nuses = "\\u001b[31mred"\n')

    assert cli.main(["check", str(path)]) == 2
    assert capsys.readouterr().err.startswith(
        'watchkeeper: strategy[0].uses: there is no strategy "\\x1b[31mred"'
    )
