"""The fleet file: every mistake at once, each by its place, and nothing started of a wrong one."""

import json
import os
from pathlib import Path

import pytest

from decisions.fleet_bot import Measure
from decisions.fleet_rules import Act
from messages.errors import ConfigError
from ops.fleet.config import load_fleet

GOOD = """
name = "desk"
drain_s = 20
[restarts]
max = 3
[[rule]]
measure = "drawdown"
over = 250
for_s = 30
act = "park"
[[bot]]
id = "feed"
config = "one.toml"
[[bot]]
id = "taker"
config = "one.toml"
after = ["feed"]
memory_mb = 300
"""


def written(folder: Path, text: str) -> Path:
    (folder / "one.toml").write_text('name = "one"\n')
    path = folder / "fleet.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_fleet(written(folder, text))
    return refused.value.problems


def test_a_fleet_is_read_with_each_bot_in_a_directory_of_its_own(tmp_path: Path) -> None:
    fleet = load_fleet(written(tmp_path, GOOD))
    assert [bot.run_dir for bot in fleet.bots] == [
        str(tmp_path / "runs/desk/feed"),
        str(tmp_path / "runs/desk/taker"),
    ]
    assert fleet.bots[1].after == ("feed",)
    (rule,) = fleet.policy.rules
    assert (rule.measure, rule.over, rule.for_s, rule.act) == (Measure.DRAWDOWN, 250, 30, Act.PARK)
    assert (fleet.policy.intensity.max_restarts, fleet.policy.drain_s) == (3, 20)


def test_all_mistakes_are_told_at_once_by_their_place(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        name = "no spaces"
        stager_s = 1
        [[rule]]
        measure = "drawdwn"
        over = -1
        [[bot]]
        id = "a"
        config = "none.toml"
        [[bot]]
        id = "a"
        config = "one.toml"
        run_dir = "runs/x"
        after = ["b"]
        """,
    )
    assert [line.split(":")[1].strip() for line in found] == [
        "name",
        "bot[0].config",
        "bot[1].id",
        "bot[1].after",
        "rule[0].measure",
        "rule[0].over",
        "stager_s",
    ]
    assert 'did you mean "drawdown"' in found[4]
    assert 'did you mean "stagger_s"' in found[6]


def test_a_number_that_no_process_can_be_held_to_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("memory_mb = 300", "memory_mb = 10000000000\nnice = 20")

    found = problems(tmp_path, text.replace("drain_s = 20", "drain_s = 1e300"))

    assert [line.split(": ", 1)[1] for line in found] == [
        "bot[1].nice: got 20, expected a whole number of 0 or more, at most 19",
        "bot[1].memory_mb: got 10000000000, expected a whole number of 128 or more, at most"
        " 1000000000",
        "drain_s: got 1e+300, expected a number of 0 or more, at most 4000000000",
    ]


@pytest.mark.parametrize("other", ["runs/x", "./y/../runs/x/", "link/x"])
def test_two_bots_in_one_run_directory_are_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    bot = '[[bot]]\nid = "{}"\nconfig = "one.toml"\nrun_dir = "{}"\n'
    text = 'name = "d"\n' + bot.format("a", "runs/x") + bot.format("b", other)
    (found,) = problems(tmp_path, text)
    assert found.endswith('bot[1].run_dir: "a" has the same run directory')


def test_a_fleet_without_bots_says_how_one_is_written(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, 'name = "d"')
    assert found.endswith("expected at least one bot, written [[bot]]")


@pytest.mark.parametrize("place", ["runs/d", "runs/d/fleet.db", "runs/d/fleet.db-wal"])
def test_a_bot_cannot_have_what_is_the_fleets_own(tmp_path: Path, place: str) -> None:
    bot = f'[[bot]]\nid = "a"\nconfig = "one.toml"\nrun_dir = "{place}"\n'
    (found,) = problems(tmp_path, 'name = "d"\n' + bot)
    assert "bot[0].run_dir" in found
    assert found.endswith("is the fleet's own: give the bot another run_dir")


def test_a_bot_that_is_called_as_the_fleets_own_file_is_told_so(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, 'name = "d"\n[[bot]]\nid = "fleet.lock"\nconfig = "one.toml"\n')
    assert "bot[0].id" in found
    assert "is the fleet's own" in found


@pytest.mark.parametrize(("one", "other"), [("x", "x/journal"), ("x/journal", "x")])
def test_run_directories_do_not_lie_in_one_another(tmp_path: Path, one: str, other: str) -> None:
    bot = '[[bot]]\nid = "{}"\nconfig = "one.toml"\nrun_dir = "{}"\n'
    (found,) = problems(tmp_path, 'name = "d"\n' + bot.format("a", one) + bot.format("b", other))
    assert found.endswith('bot[1].run_dir: its run directory and that of "a" lie in one another')


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "a/b",
        "../a",
        "-rf",
        "a b",
        "a\nb",
        "a\u0000b",
        "\u202ea",
        "ä",
        "a" * 65,
        "a\n",
    ],
)
def test_a_bots_name_is_part_of_a_path_and_of_a_command_and_can_harm_neither(
    tmp_path: Path, name: str
) -> None:
    text = f'name = "d"\n[[bot]]\nid = {json.dumps(name)}\nconfig = "one.toml"\n'
    found = problems(tmp_path, text)
    assert any("bot[0].id: " in one and "expected a name of letters" in one for one in found)
    assert all(one.isprintable() for one in found)


@pytest.mark.parametrize("key", ["run_dir", "config"])
def test_a_path_that_no_file_can_have_is_a_sentence(tmp_path: Path, key: str) -> None:
    paths = {"config": "one.toml", "run_dir": "x", key: "a\u0000b"}
    lines = "".join(f"{name} = {json.dumps(path)}\n" for name, path in paths.items())
    found = problems(tmp_path, f'name = "d"\n[[bot]]\nid = "a"\n{lines}')
    assert all(f"bot[0].{key}" in one and one.isprintable() for one in found)


def test_a_folder_whose_name_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    """Nothing of it can be written down, in `fleet.db` or in a line of `up`."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    (found,) = problems(folder, GOOD)
    assert "is not UTF-8 text: give its folders other names" in found
    assert found.isprintable()
