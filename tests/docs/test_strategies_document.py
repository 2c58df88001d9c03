"""docs/strategies.md, held against the code: every strategy, every parameter, every default."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

import strategies

TEXT = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<second>.+?) \|", re.MULTILINE)


def rows_under(heading: str) -> dict[str, str]:
    text = TEXT.split(f"\n{heading}\n")[1]
    return {row["name"]: row["second"] for row in ROW.finditer(re.split(r"\n##", text)[0])}


def struct_of(name: str) -> Any:
    module = import_module(f"strategies.{name}")
    (cls,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "Params")
    )
    return cls.Params


def test_every_registered_strategy_is_in_the_table_and_no_other() -> None:
    assert sorted(rows_under("## Those that come with it")) == strategies.names()


@pytest.mark.parametrize("name", strategies.names())
def test_every_parameter_is_documented_with_its_default(name: str) -> None:
    crosses = name in ("sma_cross", "ema_cross")
    rows = rows_under(f"### Parameters of {'sma_cross and ema_cross' if crosses else name}")
    shown = {msgspec.NODEFAULT: "needed", None: "order_notional"}

    expected = {
        field.name: shown[field.default]
        if field.default in (msgspec.NODEFAULT, None)
        else f"`{msgspec.json.encode(field.default).decode()}`"
        for field in msgspec.structs.fields(struct_of(name))
    }

    assert rows == expected
