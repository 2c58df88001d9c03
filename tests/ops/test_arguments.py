"""The parser that knows one command, beside the one that knows them all."""

import argparse
from typing import Any

import pytest

from ops.arguments import _ADD, parser


def usages(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Give the help of every command that a parser knows, those of commands inside it too."""
    found: dict[str, Any] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                found |= {inner.format_usage(): inner.format_help(), name: ""} | usages(inner)
    return found


@pytest.mark.parametrize("command", list(_ADD))
def test_a_command_by_itself_reads_as_it_does_among_all(command: str) -> None:
    alone = usages(parser([command, "--json"]))

    assert command in alone
    assert alone.items() <= usages(parser()).items()


def test_every_command_has_the_name_it_is_found_under() -> None:
    known = [list(usages(parser([name])))[1] for name in _ADD]

    assert known == list(_ADD)


@pytest.mark.parametrize("words", [[], ["--help"], ["strat"], ["--version", "start"]])
def test_who_begins_with_anything_else_is_told_of_all(words: list[str]) -> None:
    assert parser(words).format_help() == parser().format_help()
    assert usages(parser(words)) == usages(parser())
