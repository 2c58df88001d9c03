"""What `check` prints, and a start writes down: each default spelled out, a strategy's too."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cli
from ops.config import Config, parse
from ops.effective import effective_text
from strategies import all_params, check_params, names, strategy_class
from tests.cli.runs import command

NEEDED: dict[str, dict[str, Any]] = {
    "ema_cross": {"fast": 2, "slow": 3},
    "ensemble": {"members": [{"uses": "rsi_reversion", "params": {"leave": 60.0}}]},
    "grid": {"lower": "100", "upper": "200"},
    "sma_cross": {"fast": 2, "slow": 3},
}
MINE = """
from decimal import Decimal
from typing import Any
import msgspec
from strategies.protocol import Strategy

class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    look_back: int = 5
    band: float = 0.5
    money: Decimal = Decimal("10.50")
    unsaid: int | None = None
    unwritable: Any = object()
    holes: tuple[int | None, ...] = (1, None)
    tree: dict[str, int | None] = msgspec.field(default_factory=lambda: {"a": 1, "b": None})
    levels: tuple[int, ...] = (1, 2)

class Mine(Strategy):
    Params = Params
    def on_candle(self, candle, position): pass

class Plain(Strategy):
    def on_candle(self, candle, position): pass
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return f"{tmp_path / 'mine.py'}:"


def config_of(text: str) -> Config:
    return parse(tomllib.loads(text), Path(), check_params)


@pytest.mark.parametrize("name", names())
def test_the_defaults_of_a_strategys_parameters_are_printed_and_mean_the_same(name: str) -> None:
    symbols = ["BTC/USDT", "ETH/USDT"]
    told = NEEDED.get(name, {})
    strategy = {"id": "s", "uses": name, "params": told, "symbols": symbols}
    config = parse(
        {"name": "x", "feed": {"symbols": symbols}, "strategy": [strategy]}, Path(), check_params
    )

    printed = effective_text(config)

    params = tomllib.loads(printed)["strategy"][0]["params"]
    struct: Any = strategy_class(name).Params  # type: ignore[attr-defined]  # all of ours have them
    meant = msgspec.convert(told, struct)
    assert set(params) == {
        one for one in struct.__struct_fields__ if getattr(meant, one) is not None
    }
    assert msgspec.convert(params, struct) == meant
    assert effective_text(config_of(printed)) == printed


def test_those_of_a_table_within_them_are_printed_too() -> None:
    (member,) = all_params("ensemble", NEEDED["ensemble"])["members"]

    assert member == {
        "uses": "rsi_reversion", "params": {"leave": 60.0}, "weight": 1.0, "regime": "any"
    }  # fmt: skip


def test_what_cannot_be_written_is_left_out_and_what_was_said_counts(mine: str) -> None:
    assert all_params(f"{mine}Mine", {"look-back": 7}) == {
        "look-back": 7,
        "band": 0.5,
        "money": "10.50",
        "tree": {"a": 1},
        "levels": [1, 2],
    }


def test_a_strategy_that_takes_its_table_as_it_is_has_no_defaults(mine: str) -> None:
    assert all_params(f"{mine}Plain", {"x": 1}) == {"x": 1}


@pytest.mark.slow
def test_check_prints_it_and_a_start_writes_it_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    feed = "[feed]\nspeed = 0\nlimit = 3\n"
    (tmp_path / "c.toml").write_text(
        f'name = "x"\nrun_dir = "r"\n{feed}[[strategy]]\nid = "s"\nuses = "rsi_reversion"\n'
    )

    assert cli.main(["check", "c.toml"]) == 0
    printed = capsys.readouterr().out
    # In a process of its own: it takes the signals of the one that it is in.
    assert command("start", "c.toml", cwd=tmp_path).returncode == 0

    assert "oversold = " in printed
    assert (tmp_path / "r" / "config.effective.toml").read_text() == printed
