"""The parser that knows one command, beside the one that knows them all."""

import argparse
from collections.abc import Iterator
from functools import cache
from importlib import import_module
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


def test_a_family_knows_its_own_commands_and_no_other() -> None:
    for family in set(FAMILIES.values()):
        known = import_module(f"ops.arguments_{family}").ADD
        assert set(known) == {name for name, its in FAMILIES.items() if its == family}
