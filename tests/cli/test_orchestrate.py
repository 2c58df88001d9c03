"""`orchestrate` as a user meets it where nothing runs: sentences, exit codes, JSON."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="the extra `orchestrate` is not installed")

import cli

VERBS = ("restart", "drain", "reload")


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    (tmp_path / "one.toml").write_text('name = "one"\n')
    path = tmp_path / "fleet.toml"
    path.write_text('name = "desk"\n[[bot]]\nid = "one"\nconfig = "one.toml"\n')
    return str(path)


def words(verb: str, fleet: str) -> list[str]:
    return ["orchestrate", verb, fleet, *(["one"] if verb in ("restart", "drain") else [])]


@pytest.mark.parametrize("verb", VERBS)
def test_what_only_an_orchestrator_can_do_says_how_to_start_one(
    fleet: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words(verb, fleet)) == 3
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        f"watchkeeper: nobody runs this fleet: watchkeeper orchestrate up {fleet}\n",
    )

    assert cli.main([*words(verb, fleet), "--json"]) == 3
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["verb"], told["done"], said.err) == (verb, False, "")
    assert told["text"].startswith("nobody runs this fleet")


def test_a_fleet_that_was_never_up_is_said_so(
    fleet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words("ps", fleet)) == 3
    assert f"was never up: watchkeeper orchestrate up {fleet}" in capsys.readouterr().err


@pytest.mark.slow
def test_without_an_orchestrator_down_ends_what_there_is(
    fleet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words("down", fleet), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "verb": "down",
        "bot": None,
        "done": True,
        "text": "no bot runs any more",
    }
    assert cli.main(words("ps", fleet)) == 1, "the next `up` starts it"


def test_the_logs_of_a_bot_that_has_none_and_of_one_that_is_none(
    fleet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["orchestrate", "logs", fleet, "one"]) == 0
    assert "one has written nothing yet: watchkeeper orchestrate ps" in capsys.readouterr().err
    assert cli.main(["orchestrate", "logs", fleet, "two"]) == 1
    assert "there is no bot two (there are: one)" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["up", "ps", "down", *VERBS])
def test_a_fleet_file_that_cannot_be_used_is_a_sentence_for_each_mistake(
    tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fleet.toml"
    for text, sentence in (
        (None, "fleet.toml: cannot be read: no such file"),
        ("[", "fleet.toml: is not TOML: "),
        ('name = "x"', "fleet.toml: bot: "),
    ):
        if text is not None:
            path.write_text(text)
        assert cli.main(words(verb, str(path))) == 2
        said = capsys.readouterr().err
        assert sentence in said
        assert said.count("\n") == 1


def test_without_psutil_it_says_what_to_install(
    fleet: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)

    assert cli.main(words("ps", fleet)) == 2
    assert "pip install '.[orchestrate]' from the checkout" in capsys.readouterr().err
