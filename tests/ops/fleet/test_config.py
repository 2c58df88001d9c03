"""The fleet file: every mistake at once, each by its place, and nothing started of a wrong one."""

from pathlib import Path

import pytest

from decisions.fleet import Act, Measure
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
