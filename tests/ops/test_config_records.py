"""`[alerts]`, `[logs]` and `[journal]`: what they say, and what is wrong with them."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from messages.errors import ConfigError
from ops.config import Config, parse

BASE = 'name = "x"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'


def config_of(text: str) -> Config:
    return parse(tomllib.loads(BASE + text), Path())


def test_the_measures_of_alerts_are_those_of_the_file() -> None:
    alerts = config_of('[alerts]\nunknown_after_s = 5\ndrawdown = "50"\nper_hour = 3').alerts

    assert alerts.limits.unknown_after_s == 5
    assert alerts.limits.drawdown == {"USDT": Decimal(50)}
    assert alerts.limits.stale_after_s is None
    assert alerts.notice_limits.per_hour == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[alerts]\nurls_env = "tgram://123456:ABCdef/987"',
            "alerts.urls_env: expected the name of an environment variable, not an address",
        ),
        ("[alerts]\nper_huor = 3", 'alerts.per_huor: unknown key; did you mean "per_hour"?'),
        ("[alerts]\nper_hour = 0", "alerts.per_hour: got 0, expected a whole number of 1 or more"),
        ('[logs]\nformat = "jsn"', 'one of text, json; did you mean "json"?'),
        ('[logs]\nlevel = "debgu"', 'did you mean "debug"?'),
        ('[journal]\nwhen = "allways"', 'one of live, always, never; did you mean "always"?'),
        ("[journal]\nkeep = 0", "journal.keep: got 0, expected a whole number of 1 or more"),
    ],
)
def test_a_mistake_is_one_sentence_and_shows_no_address(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as found:
        config_of(text)

    (problem,) = found.value.problems
    assert sentence in problem
    assert "ABCdef" not in problem
