"""The parser that knows one command, beside the one that knows them all."""

import argparse
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import cli
from ops.arguments import FAMILIES, parser


def usages(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Give the help of every command that a parser knows, those of commands inside it too."""
    found: dict[str, Any] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                found |= {inner.format_usage(): inner.format_help(), name: ""} | usages(inner)
    return found


@cache
def all_usages() -> dict[str, str]:
    """Give the help of all commands: to format it takes a while."""
    return usages(parser())


def actions(
    parser: argparse.ArgumentParser, told: str = ""
) -> Iterator[tuple[str, argparse.Action]]:
    """Give all that may be written, with the command that takes it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from actions(inner, f"{told} {name}".strip())
        else:
            yield told, action


def commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Give every `command` that a parser may name."""
    if parser.get_default("command") is not None:
        yield parser.get_default("command")
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from commands(inner)


@pytest.mark.parametrize("command", list(FAMILIES))
def test_a_command_by_itself_reads_as_it_does_among_all(command: str) -> None:
    alone = usages(parser([command, "--json"]))

    assert command in alone
    assert alone.items() <= all_usages().items()


def test_every_command_has_the_name_it_is_found_under() -> None:
    known = [list(usages(parser([name])))[1] for name in FAMILIES]

    assert known == list(FAMILIES)


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["--help"], ["strat"], ["--version", "start"]])
def test_who_begins_with_anything_else_is_told_of_all(words: list[str]) -> None:
    assert parser(words).format_help() == parser().format_help()
    assert usages(parser(words)) == all_usages()


def test_whatever_may_be_written_is_run_by_something_and_nothing_else_is() -> None:
    written = set(commands(parser()))
    run = set(cli._HERE).union(*(import_module(one).COMMANDS for one in cli._MODULES.values()))

    assert written == run
    assert all(callable(cli.command_of(name)) for name in written)


def test_every_option_and_word_says_what_it_is() -> None:
    silent = [f"{told}: {action.dest}" for told, action in actions(parser()) if not action.help]

    assert silent == []


def test_orders_take_a_run_where_a_command_of_theirs_may_stand() -> None:
    def read(*words: str) -> argparse.Namespace:
        return parser(["orders", *words]).parse_args(["orders", *words])

    assert read("x").run_dir == read("--run-dir", "x").run_dir == Path("x")
    filtered = read("--limit", "3", "x", "--json", "--state", "filled")
    assert (filtered.run_dir, filtered.limit, filtered.json) == (Path("x"), 3, True)
    assert filtered.command == "orders"
    shown = read("x", "show", "key")
    assert (shown.command, shown.run_dir, shown.order) == ("orders_show", Path("x"), "key")
    assert read("./show").run_dir == Path("show")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "y"], "y: a run is named already: x"),
        (["--run-dir", "x", "y"], "y: a run is named already: x"),
        ([""], "it is empty"),
        (["x", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_orders_take_one_run(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["orders", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["stop", "--nonsense"], "usage: watchkeeper stop "),
        (["orders", "show", "x", "--nonsense"], "usage: watchkeeper orders show "),
        (["--nonsense"], "usage: watchkeeper "),
    ],
)
def test_an_option_that_nobody_knows_is_told_with_the_usage_of_its_command(
    words: list[str], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert capsys.readouterr().err.startswith(usage)


@pytest.mark.parametrize("name", ["health", "stop", "positions", "trades", "audit", "replay"])
def test_a_run_is_named_by_a_word_or_by_an_option(name: str) -> None:
    by_word, by_option = (
        parser([name, *words]).parse_args([name, *words]) for words in (["x"], ["--run-dir", "x"])
    )

    assert (by_word.run, by_option.run_dir) == (Path("x"), Path("x"))


def test_a_list_of_stops_is_not_one_of_orders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["orders", "--stops", "--venue"]) == 2
    assert "not allowed with" in capsys.readouterr().err

    (tmp_path / "status.json").touch()
    assert cli.main(["orders", "--venue", str(tmp_path), "--stops"]) == 2
    assert "leave out --venue" in capsys.readouterr().err
    for words in (["--limit", "3"], ["--state", "filled"], ["--since", "2h"]):
        assert cli.main(["orders", "--run-dir", str(tmp_path), "--stops", *words]) == 2
        assert "--symbol and --strategy" in capsys.readouterr().err


def test_a_family_knows_its_own_commands_and_no_other() -> None:
    for family in set(FAMILIES.values()):
        known = import_module(f"ops.arguments_{family}").ADD
        assert set(known) == {name for name, its in FAMILIES.items() if its == family}


def test_a_word_with_a_slip_in_it_is_told_what_was_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, meant in (
        (["strat"], "did you mean start?"),
        (["orders", "shwo", "x"], "did you mean show?"),
        (["data", "verfy"], "did you mean verify?"),
        (["ledger", str(tmp_path)], f"a run is named by --run-dir {tmp_path}"),
    ):
        assert cli.main(words) == 2
        assert capsys.readouterr().err.endswith(f"; {meant}\n")

    assert cli.main(["zzz"]) == 2
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["health", "--timeout", "1e300"], "--timeout: 1e300 is not 0.001 to 31622400 s (a year)"),
        (["stop", "--timeout", "1e11"], "--timeout: 1e11 is not 0.001 to 31622400 s (a year)"),
        (["replay", "--event-limit-s", "1e-300"], "1e-300 is not 0.001 to 31622400 s (a year)"),
        (["orders", "--limit", f"{2**63}"], f"--limit: {2**63} is more than {2**63 - 1}"),
        (["trades", "--limit", "9" * 5_000], f"... is more than {2**63 - 1}"),
        (["start", "--wait-for-services", f"{2**63}"], f"{2**63} is more than {2**63 - 1}"),
        (["start", "--speed", "1e-300"], "1e-300 is neither 0, as fast as possible, nor 0.001 to"),
        (["venue", "--speed", "1e300"], "is neither 0, where it stands until it is advanced, nor"),
        (["publish", "x", "--keep-hours", "1e300"], "1e300 is more than 1111111 hours"),
        (["publish", "x", "--keep-mb", f"{10**10}"], f"{10**10} is more than 1000000000"),
        (["drill", "--seed", "9" * 20], f"{'9' * 20} is more than {2**63 - 1}"),
    ],
)
def test_a_number_that_nothing_holds_is_told_what_it_may_be(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1e300", "1e-300", "1e11", f"{2**63}", "9" * 5_000, "nan", ""])
def test_whatever_is_read_of_a_number_can_be_counted_with_and_waited_for(text: str) -> None:
    for told, action in actions(parser()):
        try:
            found = action.type(text) if callable(action.type) else None
        except (argparse.ArgumentTypeError, ValueError):
            continue
        if isinstance(found, int):
            assert found < 2**63, f"{told} {action.dest}"
        elif isinstance(found, float) and action.metavar == "SECONDS":
            assert 0.001 <= found <= 366 * 86_400, f"{told} {action.dest}"


def test_the_readme_names_the_commands_that_take_no_json() -> None:
    takes: dict[str, bool] = {}
    for told, action in actions(parser()):
        takes[told] = takes.get(told, False) or "--json" in action.option_strings
    families = {told.rpartition(" ")[0] for told in takes}
    without = [f"`{told}`" for told, does in takes.items() if not does and told not in families]

    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text().split())
    (named,) = re.findall(r"All but (.*?) take `--json`", readme)
    assert sorted(re.findall("`.*?`", named)) == sorted(without)
