"""Status and config may hold anything that JSON and TOML can say."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dashboard.equity import equities
from ops.dashboard.facts import facts, toml_text
from ops.dashboard.fold import RunFold
from ops.dashboard.internals import internals
from ops.dashboard.market import Market, feed_of
from ops.dashboard.run import RunModel
from ops.dashboard.standing import standing
from ops.run_state import read_object
from tests.ops.dashboard.runs import CONFIG, LIFE, run_with

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(300, 4_200).map(lambda digits: 10**digits)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["demo", "replay", "ccxt", "paper", "USDT", "NaN", "1e999", "/dev/zero"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "symbols", "path", "seed", "limit", "balances", "USDT", "id", "speed"]
            )
            | st.sampled_from(
                [
                    "params",
                    "host",
                    "processors",
                    "python",
                    "exit_code",
                    "reason",
                    "restarts",
                    "p50_us",
                    "timeframe",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
STATUS_KEYS = [
    "captured_at_ns",
    "ended",
    "actors",
    "verdict",
    "why",
    "pid",
    "started_at_ns",
    "software",
    "mode",
]
FEED_KEYS = ["type", "symbols", "path", "seed", "speed", "timeframe", "limit"]
CONFIG_KEYS = ["feed", "venue", "strategy", "mode", "name"]


@pytest.mark.slow
@settings(max_examples=2_000 if os.environ.get("WATCHKEEPER_STRESS") else 60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(STATUS_KEYS), ANYTHING),
    st.dictionaries(st.sampled_from(CONFIG_KEYS), ANYTHING)
    | st.fixed_dictionaries({"feed": st.dictionaries(st.sampled_from(FEED_KEYS), LEAVES)}),
    st.booleans(),
)
def test_whatever_they_hold_there_is_a_page(
    status: dict[str, Any], config: dict[str, Any], is_alive: bool
) -> None:
    how = standing(
        status,
        is_alive=is_alive,
        states={"filled": 1},
        halted="",
        ledger_problem="",
        firing=0,
        now_ns=10**18,
    )
    market = Market(feed_of(config), 10)
    market.advance(5)
    parts = [
        how,
        internals(RunFold(), status),
        facts(Path("nowhere"), config, status),
        toml_text(config),
        equities(config, market.points, []),
        market.sentence,
    ]

    json.dumps(parts, allow_nan=False)


@pytest.mark.parametrize(
    ("speed", "told"),
    [
        (10**400, "demo"),
        (-(10**400), "demo"),
        (float("inf"), "demo, inf times real time"),
        (float("nan"), "demo, nan times real time"),
        (True, "demo"),
    ],
    ids=["huge", "deep", "inf", "nan", "true"],
)
def test_a_speed_beyond_any_float_ends_nothing(speed: float, told: str) -> None:
    found = facts(Path("nowhere"), {"feed": {"type": "demo", "speed": speed}}, {})

    assert found == [["Run directory", "nowhere"], ["Market", told]]


@pytest.mark.parametrize("number", ["9" * 400, "0x" + "f" * 6_000], ids=["decimal", "hex"])
@pytest.mark.parametrize("key", ["seed", "speed"])
def test_a_config_with_an_integer_that_toml_does_not_have_is_said(
    tmp_path: Path, number: str, key: str
) -> None:
    config = CONFIG.replace("seed = 7", f"{key} = {number}")
    reader = RunModel(run_with(tmp_path, *LIFE, config=config), most_orders=1)
    model = reader.refresh()
    reader.close()

    json.dumps(model, allow_nan=False)
    assert any("beyond 64 bits" in text for text in model["missing"])


def test_json_nested_deeper_than_anybody_can_read_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")

    assert read_object(path) == {}


def test_restarts_are_summed_as_far_as_they_can_be_true() -> None:
    actors = [{"restarts": number} for number in (2, 10**4299 * 9, 10**4299 * 9, -1)]
    how = standing(
        {"actors": actors},
        is_alive=False,
        states={},
        halted="",
        ledger_problem="",
        firing=0,
        now_ns=1,
    )

    assert ["ok", "4 actors, 2 restarts."] in how["evidence"]
