import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import ConfigError
from messages.ids import Symbol
from ops.config import Config, FeedType, demo_config, effective_toml, load, parse
from ops.config_write import _table
from ops.options import StartOptions

SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwC"
BASE = 'name = "x"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'


def config_of(text: str, base: Path = Path()) -> Config:
    return parse(tomllib.loads(text), base)


def test_the_demo_needs_no_file() -> None:
    config = demo_config()

    assert (config.name, config.feed.type, config.feed.speed) == ("demo", FeedType.DEMO, 600.0)
    assert config.strategies[0].params == {"fast": 5, "slow": 15}


def test_money_is_exact() -> None:
    config = config_of(BASE + '[risk]\nmax_order_notional = "0.1"')

    assert config.risk.max_order_notional == Decimal("0.1")


@pytest.mark.parametrize("written", ["true", "false", '"auto"'])
def test_one_cpu_is_for_good_never_or_as_long_as_it_is_calm(written: str) -> None:
    config = config_of(f"{BASE}[runtime]\none_cpu = {written}")

    assert f"one_cpu = {written}" in effective_toml(config)
    assert config_of(BASE).runtime.one_cpu == "auto"


@pytest.mark.parametrize("written", ['"Auto"', "1", '"true"'])
def test_anything_else_of_it_is_a_mistake(written: str) -> None:
    with pytest.raises(ConfigError, match=r"runtime\.one_cpu: .* expected true, false or"):
        config_of(f"{BASE}[runtime]\none_cpu = {written}")


def test_a_start_waits_for_nothing_unless_it_is_asked_to_and_the_option_goes_over_the_file() -> (
    None
):
    asked = f"{BASE}[runtime]\nwait_for_services_s = 900"
    option = StartOptions(wait_for_services_s=0).overrides()

    assert config_of(BASE).runtime.wait_for_services_s == 0
    assert config_of(asked).runtime.wait_for_services_s == 900
    assert demo_config(option).runtime.wait_for_services_s == 0
    assert option == {"runtime.wait_for_services_s": 0}
    with pytest.raises(ConfigError, match=r"runtime\.wait_for_services_s: "):
        config_of(f"{BASE}[runtime]\nwait_for_services_s = -1")


def test_balances_begin_with_ten_thousand_of_each_quote_currency() -> None:
    config = config_of(BASE + '[feed]\nsymbols = ["BTC/USDT", "ETH/EUR"]')

    assert config.venue.balances == {"USDT": Decimal(10_000), "EUR": Decimal(10_000)}


def test_a_quote_currency_that_the_balances_leave_out_has_as_much_and_is_shown_with_it() -> None:
    """The paper venue gives it that much at its first order, whatever the file says."""
    config = config_of(
        BASE + '[feed]\nsymbols = ["BTC/USDT", "ETH/EUR"]\n[venue.balances]\nBTC = "1"\nEUR = "5"'
    )

    balances = {"BTC": Decimal(1), "EUR": Decimal(5), "USDT": Decimal(10_000)}
    assert config.venue.balances == balances
    assert 'USDT = "10000"' in effective_toml(config)
    assert config_of(effective_toml(config)) == config


@pytest.mark.parametrize(
    "lines",
    [
        'symbols = ["A/U", "B/U"]\npath = ["a.csv", "b.csv"]',
        'path = { "A/U" = "a.csv", "B/U" = "b.csv" }',
    ],
)
def test_a_list_or_a_table_of_paths_gives_each_symbol_its_file(tmp_path: Path, lines: str) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()

    config = config_of(f'{BASE}[feed]\ntype = "replay"\n{lines}', tmp_path)

    assert config.feed.paths == {
        Symbol("A/U"): tmp_path / "a.csv",
        Symbol("B/U"): tmp_path / "b.csv",
    }


def test_what_the_command_line_says_counts_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(BASE + "[metrics]\nenabled = true\n")

    config = load(path, {"metrics.enabled": False, "run_dir": tmp_path / "r", "feed.speed": 0.0})

    assert not config.metrics.enabled
    assert config.run_dir == tmp_path / "r"


def test_the_effective_config_means_the_same_as_the_config(tmp_path: Path) -> None:
    (tmp_path / 'a "b".csv').touch()
    config = config_of(
        BASE
        + '[strategy.params]\nx = [1, { y = 2.5 }]\n"k k" = "\\u007f\\n\\"é😀"\nd = 2020-01-01\n'
        + '[feed]\ntype = "replay"\nsymbols = ["BTC/USDT"]\npath = \'a "b".csv\'\n',
        tmp_path,
    )

    assert config_of(effective_toml(config)) == config


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
TREES = st.recursive(
    TEXTS | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, min_size=1),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(TEXTS, TREES))
def test_whatever_is_written_reads_back_as_it_was(document: dict[str, Any]) -> None:
    assert tomllib.loads("\n".join(_table(document, ""))) == document


@pytest.mark.parametrize(
    "lines",
    [
        f'[venue]\napi_key = "{SECRET}"',
        f'[venue]\napi_key_env = "{SECRET}"',
        f'[venue.ccxt]\napiKey = "{SECRET}"',
        f'[venue.ccxt.options]\nprivateKey = "{SECRET}"',
        f'BINANCE_SECRET = "{SECRET}"',
        f'[[accounts]]\npassword = "{SECRET}"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(lines: str) -> None:
    text = f"{lines}\n{BASE}" if lines.startswith("BINANCE") else f"{BASE}{lines}"

    with pytest.raises(ConfigError, match="environment") as caught:
        config_of(text)

    assert SECRET not in str(caught.value)


def test_a_login_in_a_url_is_masked_in_the_effective_config() -> None:
    config = config_of(BASE + f'[venue.ccxt]\nhttpsProxy = "http://me:{SECRET}@proxy:80/"')

    assert SECRET not in effective_toml(config)
    assert "http://***@proxy:80/" in effective_toml(config)


def test_the_names_of_the_variables_that_hold_secrets_are_shown() -> None:
    config = config_of(BASE + '[venue]\napi_key_env = "BINANCE_KEY"')

    assert config.venue.secret_variables == ("BINANCE_KEY",)
    assert 'api_key_env = "BINANCE_KEY"' in effective_toml(config)


def test_one_symbol_may_have_several_files_or_a_folder(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    lines = '[feed]\ntype = "replay"\nsymbols = ["A/U"]\npath = '

    several = config_of(f'{BASE}{lines}["a.csv", "b.csv"]', tmp_path)
    folder = config_of(f'{BASE}{lines}"folder"', tmp_path)

    assert several.feed.paths == {Symbol("A/U"): [tmp_path / "a.csv", tmp_path / "b.csv"]}
    assert folder.feed.paths == {Symbol("A/U"): tmp_path / "folder"}
    assert config_of(effective_toml(several)) == several
