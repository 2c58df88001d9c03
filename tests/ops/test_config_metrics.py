"""`[metrics]`: what is published to others asks for a token, which never stands in the file."""

import tomllib
from pathlib import Path

import pytest

from messages.errors import ConfigError
from ops.config import effective_toml, parse
from ops.config_schema import MetricsConfig

BASE = 'name = "x"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n[metrics]\n'


def metrics_of(text: str) -> MetricsConfig:
    config = parse(tomllib.loads(BASE + text), Path())
    assert parse(tomllib.loads(effective_toml(config)), Path()) == config
    return config.metrics


def test_nothing_is_published_unless_it_is_asked_for() -> None:
    metrics = metrics_of("")

    assert (metrics.http, metrics.http_token_env, metrics.prometheus_file) == (None, None, None)
    assert (metrics.rotate_max_lines, metrics.rotate_max_age_s) == (None, None)


@pytest.mark.parametrize("address", ["127.0.0.1:9464", "[::1]:9464", "localhost:9464"])
def test_this_machine_needs_no_token(address: str) -> None:
    assert metrics_of(f'http = "{address}"').http == address


def test_others_need_one() -> None:
    with pytest.raises(ConfigError, match=r"metrics\.http: .*open to others.*http_token_env"):
        metrics_of('http = "0.0.0.0:9464"')

    assert (
        metrics_of('http = "0.0.0.0:9464"\nhttp_token_env = "WK_TOKEN"').http_token_env
        == "WK_TOKEN"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('http = "9464"', r"metrics\.http: .*address and a port"),
        ("http = 9464", r"metrics\.http"),
        ('http_token_env = "two words"', r"metrics\.http_token_env: .*environment variable"),
        ('prometheus_file = "x.txt"', r"metrics\.prometheus_file: .*\.prom"),
        ("rotate_max_lines = 0", r"metrics\.rotate_max_lines"),
        ("sample_every = 0", r"metrics\.sample_every"),
        ("rotate_max_hours = 1", r"unknown key"),
    ],
)
def test_a_mistake_is_named(line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        metrics_of(line)
