"""A feed runs no further ahead than the paper venue remembers, else orders meet another market."""

import tomllib
from pathlib import Path

import pytest

from exchanges.paper_tape import TAPE_LENGTH
from messages.errors import ConfigError
from ops.config import parse
from ops.config_window import check_window
from tests.cli.runs import command

CONFIG = """
name = "x"
run_dir = "{run_dir}"
[feed]
{feed}
window = {window}
[venue]
{venue}
[[strategy]]
id = "s"
uses = "sma_cross"
[strategy.params]
fast = 5
slow = 15
"""
DEMO = 'type = "demo"\nspeed = 0\nlimit = 5'
BUS = 'type = "nats"\nnats = { clock = "market" }'
LIVE = 'type = "ccxt"'
TOO_FAR = TAPE_LENGTH + 1
SENTENCE = (
    "feed.window: got 8193, expected at most 8192: the paper venue remembers so many events of a"
    " symbol, and an order that comes later is filled at other prices"
)


def text_of(feed: str, window: int, venue: str = "", run_dir: Path = Path("run")) -> str:
    return CONFIG.format(feed=feed, window=window, venue=venue, run_dir=run_dir)


def check(feed: str, window: int, venue: str = "") -> None:
    check_window(parse(tomllib.loads(text_of(feed, window, venue)), Path()))


@pytest.mark.parametrize("feed", [DEMO, BUS])
def test_a_market_that_waits_runs_no_further_ahead_than_the_venue_remembers(feed: str) -> None:
    check(feed, TAPE_LENGTH)
    with pytest.raises(ConfigError) as refused:
        check(feed, TOO_FAR)
    assert refused.value.problems == [SENTENCE]


def test_a_live_market_waits_for_nobody_and_may_have_any_window() -> None:
    check(LIVE, TOO_FAR, 'exchange = "binance"')


@pytest.mark.parametrize("word", ["start", "check"])
def test_a_command_refuses_it_before_anything_starts(tmp_path: Path, word: str) -> None:
    path = tmp_path / "bot.toml"
    path.write_text(text_of(DEMO, TOO_FAR, run_dir=tmp_path / "run"))

    done = command(word, str(path))

    assert done.returncode == 2
    assert SENTENCE in done.stderr
    assert not (tmp_path / "run").exists()


def test_doctor_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_text(text_of(DEMO, TOO_FAR, run_dir=tmp_path / "run"))

    assert SENTENCE in command("doctor", str(path)).stdout
