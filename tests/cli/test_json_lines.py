"""Lines of `--json` are what their published schemas say, with no key beside those."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runs import EXAMPLES, command

SCHEMAS = EXAMPLES.parent / "docs" / "schemas"
COMMANDS = {
    "orders_line": ("orders", "--run-dir"),
    "stops_line": ("orders", "--stops", "--run-dir"),
    "trades_line": ("trades",),
    "positions_line": ("positions",),
}

pytestmark = pytest.mark.slow


def validated(name: str, text: str) -> list[dict[str, Any]]:
    """Give the lines, each of which its schema lets through."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        validator.validate(line)
        assert not validator.is_valid({**line, "one_more": 1})
    return lines


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of a bot with stops that ended while it held something, and its stdout."""
    run_dir = tmp_path_factory.mktemp("lines") / "run"
    config, words = EXAMPLES / "stopped_bot.toml", ("--max-events", "700", "--json")
    done = command("start", str(config), "--run-dir", str(run_dir), *words)
    assert done.returncode == 0, done.stderr
    return run_dir, done.stdout


def test_the_lines_of_a_start(told: tuple[Path, str]) -> None:
    lines = validated("start_line", told[1])

    assert {line["event"] for line in lines} == {"start", "order", "supervision", "status", "end"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_lines_of_a_command(told: tuple[Path, str], name: str) -> None:
    done = command(*COMMANDS[name], str(told[0]), "--json")

    assert validated(name, done.stdout), done.stderr


def test_orders_of_the_venue_are_orders(told: tuple[Path, str]) -> None:
    done = command("orders", "--venue", "--run-dir", str(told[0]), "--json")

    assert validated("orders_line", done.stdout), done.stderr
