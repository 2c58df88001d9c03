"""Status and config may hold anything that JSON and TOML can say."""

import json
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
from ops.dashboard.standing import standing

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["demo", "replay", "ccxt", "paper", "USDT", "NaN", "1e999", "/dev/zero"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "symbols", "path", "seed", "limit", "balances", "USDT", "id"])
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
CONFIG_KEYS = ["feed", "venue", "strategy", "mode", "name"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(STATUS_KEYS), ANYTHING),
    st.dictionaries(st.sampled_from(CONFIG_KEYS), ANYTHING),
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
