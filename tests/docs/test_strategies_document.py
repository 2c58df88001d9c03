"""docs/strategies.md, held against the code: every strategy, every parameter, every default."""

import re
from importlib import import_module
from inspect import signature
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


# ------------------------------------------------------------------ for strategies of one's own

INDICATOR = re.compile(
    r"^\| `(?P<made>\w+\([\w, ]+\))` \| (?P<file>\w+) \| `(?P<taken>.+?)` \| .+? "
    r"\| (?P<has>.+) \|$",
    re.MULTILINE,
)
TOLD = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<module>\w+\.\w+) \| (?P<fields>.+) \|$", re.MULTILINE
)
FILES = ("indicators", "momentum", "regression", "rolling", "volatility", "wilder")
SHARED = {"period", "warmup_values"}
"""What the text says of all of them."""


def called(name: str, function: Any) -> str:
    """Write a call as the document does: without what Python gives by itself."""
    return f"{name}({', '.join([*signature(function).parameters][1:])})"


def quoted(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def readable(indicator: Any) -> set[str]:
    """Give what can be read of an object, and is no method."""
    names = (name for name in dir(indicator) if not name.startswith("_"))
    return {name for name in names if not callable(getattr(indicator, name))}


def indicators() -> dict[str, tuple[str, str, set[str]]]:
    """Give each by how it is made: its file, how it is updated, what can be read of it."""
    found = {}
    for file in FILES:
        module = import_module(f"strategies.{file}")
        for name, cls in vars(module).items():
            if isinstance(cls, type) and cls.__module__ == module.__name__:
                makes: Any = cls
                count = len(signature(makes).parameters)
                made = called(name, makes.__init__)
                has = readable(makes(*range(2, 2 + count))) - SHARED
                found[made] = file, called("update", makes.update), has
    return found


def test_every_indicator_is_documented_as_it_is_made_updated_and_read() -> None:
    rows = {
        row["made"]: (row["file"], row["taken"], set(quoted(row["has"])))
        for row in INDICATOR.finditer(TEXT)
    }

    assert rows == indicators()


def test_what_a_handler_gets_is_documented_field_by_field() -> None:
    rows = {row["name"]: row for row in TOLD.finditer(TEXT)}

    assert rows.keys() == {"Candle", "Fill", "Instrument", "OrderUpdate", "Tick", "Trade"}
    for name, row in rows.items():
        struct = getattr(import_module(row["module"]), name)
        properties = [one for one, value in vars(struct).items() if isinstance(value, property)]
        assert quoted(row["fields"]) == [*struct.__struct_fields__, *properties], name
