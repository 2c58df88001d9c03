import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import ConfigError
from ops import own_code
from ops.config import demo_config, effective_toml, load, parse
from strategies import check_params

GOOD = """
name = "x"
[feed]
type = "demo"
[[strategy]]
id = "a"
uses = "sma_cross"
params = { fast = 5, slow = 15 }
"""


def problems_of(text: str, base: Path = Path()) -> list[str]:
    try:
        parse(tomllib.loads(text), base, check_params)
    except ConfigError as error:
        return error.problems
    return []


def problems_with(section: str, line: str) -> list[str]:
    lines = [GOOD.replace("[feed]", f"[feed]\n{line}") if section == "feed" else GOOD]
    if section not in ("", "feed", "strategy"):
        lines.append(f"[{section}]\n{line}\n")
    elif section == "strategy":
        lines = [GOOD.replace('id = "a"', f'id = "a"\n{line}')]
    elif section == "":
        lines = [f"{line}\n{GOOD}"]
    return problems_of("\n".join(lines))


def test_five_mistakes_in_one_file_are_all_reported_with_their_keys_and_suggestions() -> None:
    text = """
    name = "x"
    mode = "papr"
    [feed]
    spede = 3
    [venue]
    taker_fee_bps = 0.1
    [[strategy]]
    id = "a"
    uses = "sma_cros"
    [risk]
    max_orders_per_minute = "many"
    """

    assert problems_of(text) == [
        'feed.spede: unknown key; did you mean "speed"?',
        'mode: got "papr", expected one of paper, live; did you mean "paper"?',
        'venue.taker_fee_bps: got 0.1, expected it quoted, to be exact: "0.1"',
        'strategy[0].uses: there is no strategy "sma_cros"; did you mean "sma_cross"?',
        'risk.max_orders_per_minute: got "many", expected a whole number of 1 or more',
    ]


@pytest.mark.parametrize(
    ("section", "line", "sentence"),
    [
        ("", "run_dir = 3", "run_dir: got 3, expected a text"),
        ("feed", 'path = "x.csv"', 'feed.path: is for type "replay", and the type is "demo"'),
        ("feed", "speed = -1", "feed.speed: got -1, expected a number of 0 or more"),
        ("feed", "speed = nan", "feed.speed: got nan, expected a number of 0 or more"),
        ("feed", "speed = 1e-300", "feed.speed: got 1e-300, expected 0, which is as fast as"),
        ("feed", "speed = 1e7", "got 10000000.0, expected 0, which is as fast as possible, or"),
        ("feed", "speed = true", "feed.speed: got true, expected a number of 0 or more"),
        ("feed", 'timeframe = "1x"', 'feed.timeframe: got "1x", expected a length'),
        ("feed", "limit = 0", "feed.limit: got 0, expected a whole number of 1 or more"),
        ("feed", "batch = 2000", "feed.batch: got 2000, expected at most the window (1024)"),
        ("feed", 'symbols = ["BTC"]', 'feed.symbols[0]: got "BTC", expected base/quote'),
        ("feed", 'channels = ["tick"]', "feed.channels: got a list, expected a list of some of"),
        ("feed", "quiet_ms = 1", "feed.quiet_ms: got 1, expected a whole number of 100 or more"),
        ("feed", "symbols = []", "feed.symbols: got a list, expected a list such as"),
        ("venue", 'participation = "1.5"', 'venue.participation: got "1.5", expected a quoted'),
        ("venue", 'lease_dir = "leases"', 'venue.lease_dir: got "leases", expected an absolute'),
        ("venue", "lease_ms = 0", "venue.lease_ms: got 0, expected a whole number of 1 or more"),
        ("venue", f"latency_ms = {2**62}", "whole number of 0 or more, at most 4000000000000"),
        ("risk", f"max_open_orders = {2**63}", "of 1 or more, at most 9223372036854775807"),
        ("metrics", f'http = "127.0.0.1:{"9" * 5_000}"', "metrics.http: got"),
        ("venue", "balances = 5", "venue.balances: got 5, expected a table"),
        ("venue", 'balances.USDT = "-1"', 'venue.balances.USDT: got "-1", expected a quoted'),
        ("venue", 'balances.usdt = "5"', 'balances.usdt: no symbol has it; did you mean "USDT"?'),
        ("venue", 'balances.EUR = "5"', "venue.balances.EUR: no symbol has it (known: BTC, USDT)"),
        ("venue", 'slippage_bps = "1e3"', 'venue.slippage_bps: got "1e3", expected a quoted'),
        ("strategy", 'symbol = "ETH/USDT"', 'strategy[0].symbol: got "ETH/USDT", expected one of'),
        ("strategy", "order_notional = 1.5", "strategy[0].order_notional: got 1.5, expected it"),
        ("idempotency", 'backend = "sqlit"', "expected one of sqlite, memory, postgres; did you"),
        ("idempotency", 'backend = "postgres"', "idempotency.database_url_env: is needed"),
        ("metrics", "enabled = 1", "metrics.enabled: got 1, expected true or false"),
        ("supervision", "backoff_min_ms = 40000", "got 40000, expected backoff_max_ms (30000)"),
    ],
)
def test_a_mistake_is_named_by_its_key_with_what_was_got_and_what_is_expected(
    section: str, line: str, sentence: str
) -> None:
    found = problems_with(section, line)

    assert len(found) == 1
    assert sentence in found[0]


def test_no_span_and_no_size_is_longer_than_64_bits_of_nanoseconds_or_bytes_bear() -> None:
    sections = tomllib.loads(effective_toml(demo_config()))
    keys = [
        (name, key)
        for name, section in sections.items()
        if isinstance(section, dict)
        for key in section
        if key.endswith(("_ms", "_s", "_mb", "_days"))
    ]

    assert ("risk", "cooldown_ms") in keys
    for section, key in keys:
        (found,) = problems_with(section, f"{key} = {2**63 - 1}")
        assert found.startswith(f"{section}.{key}: got {2**63 - 1}, expected a whole number of")
        (most,) = re.findall("at most ([0-9]+)$", found)
        others = f"\nbackoff_max_ms = {most}" if key == "backoff_min_ms" else ""
        assert problems_with(section, f"{key} = {most}{others}") == []


@pytest.mark.parametrize("beside", ['path = "x.csv"', "nats = {}"])
def test_a_type_that_cannot_be_read_is_told_alone_and_what_goes_with_none_is_not(
    beside: str,
) -> None:
    (found,) = problems_of(GOOD.replace('type = "demo"', f'type = "binance"\n{beside}'))

    assert found == 'feed.type: got "binance", expected one of demo, replay, ccxt, nats'


def test_a_mode_is_held_against_no_type_that_nobody_wrote() -> None:
    live = GOOD.replace('type = "demo"', 'type = "binance"')
    text = f'mode = "live"\n{live}[venue]\ntype = "okx"\n[risk]\nmax_order_notional = "9"\n'

    assert problems_of(text) == [
        'feed.type: got "binance", expected one of demo, replay, ccxt, nats',
        'venue.type: got "okx", expected one of paper, ccxt',
    ]


def test_live_trading_needs_a_venue_a_live_market_and_limits() -> None:
    found = problems_of('mode = "live"\n' + GOOD)

    assert found == [
        'risk: mode "live" needs a [risk] section: say what may be lost',
        'mode: got "live" with venue.type "paper"; it goes with venue.type = "ccxt"',
        'mode: got "live" with feed.type "demo"; it goes with "ccxt", or with "nats" on the real'
        " clock",
    ]


def test_a_real_venue_needs_its_name_its_keys_and_the_word_live() -> None:
    found = problems_with("venue", 'type = "ccxt"')

    assert found == [
        'venue.api_key_env: is needed for type "ccxt", such as "BINANCE_KEY"',
        'venue.api_secret_env: is needed for type "ccxt", such as "BINANCE_SECRET"',
        'mode: got "paper" with venue.type "ccxt"; it goes with mode = "live"',
    ]


def test_a_live_market_needs_an_exchange_and_has_no_speed_and_no_end() -> None:
    live = GOOD.replace('type = "demo"', 'type = "ccxt"\nspeed = 600\nlimit = 5')

    assert problems_of(live) == [
        "feed.speed: a live market has its own; leave it out",
        "feed.limit: a live market has no end; use start --max-events",
        'venue.exchange: got none, expected an exchange of ccxt, such as "binance"',
    ]


def test_a_second_strategy_with_the_same_id_is_refused() -> None:
    text = GOOD + '[[strategy]]\nid = "a"\nuses = "sma_cross"\nparams = { fast = 1, slow = 2 }\n'

    assert problems_of(text) == ['strategy[1].id: "a" is already the id of strategy[0]']


def test_parameters_are_checked_by_the_strategy_itself() -> None:
    found = problems_of(GOOD.replace("fast = 5", "fast = 20"))

    assert found == ["strategy[0].params: slow must be greater than fast (20), not 15"]


def strategies_of(*tables: str, feed: str = "") -> list[str]:
    """Give what is wrong with strategies of such tables."""
    listed = "".join(f"[[strategy]]\nid = 's{n}'\n{one}\n" for n, one in enumerate(tables))
    return problems_of(f'name = "x"\n[feed]\ntype = "demo"\n{feed}\n{listed}')


@pytest.mark.parametrize(
    ("uses", "sentence"),
    [
        ("sma_cros", 'there is no strategy "sma_cros"; did you mean "sma_cross"?'),
        ("no.py:Mine", "there is no strategy file no.py"),
        ("mine.py", '"mine.py" must look like path/to/file.py:ClassName'),
        ("broken.py:Mine", "cannot be run: ZeroDivisionError: division by zero (broken.py:1)"),
        ("empty.py:Mine", 'has no class "Mine"'),
    ],
)
def test_what_is_wrong_with_the_strategy_itself_has_the_key_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uses: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "empty.py").touch()

    (problem,) = strategies_of(f"uses = '{uses}'")

    assert problem.startswith("strategy[0].uses: ")
    assert problem.endswith(sentence)


def test_a_mistake_beside_them_hides_none_of_a_strategys_name_symbol_and_parameters() -> None:
    wrong = 'symbol = "X/Y"\norder_notional = "-1"\ntypo = 1\n'

    found = strategies_of(
        wrong + 'uses = "sma_cros"', wrong + 'uses = "sma_cross"\nparams = { fast = 9, slow = 3 }'
    )

    same = [
        'symbol: got "X/Y", expected one of the feed\'s: BTC/USDT',
        'order_notional: got "-1", expected a quoted decimal of 0 or more, such as "100"',
        "typo: unknown key (known: symbols, symbol, id, uses, order_notional, params)",
    ]
    assert found == [
        *(f"strategy[0].{one}" for one in same),
        'strategy[0].uses: there is no strategy "sma_cros"; did you mean "sma_cross"?',
        *(f"strategy[1].{one}" for one in same),
        "strategy[1].params: slow must be greater than fast (9), not 3",
    ]


def test_of_a_wrong_table_or_timeframe_nothing_else_is_said() -> None:
    """What would be looked at are not the parameters, or the bars, that somebody has written."""
    assert strategies_of('uses = "sma_cross"\nparams = 7') == [
        "strategy[0].params: got 7, expected a table, written [strategy[0].params]"
    ]
    assert strategies_of("params = { x = 1 }") == [
        'strategy[0].uses: got nothing, expected a strategy, such as "sma_cross"'
    ]


def test_bars_are_held_against_a_timeframe_that_is_one(tmp_path: Path) -> None:
    path = tmp_path / "bars.py"
    path.write_text(
        "from strategies.protocol import Strategy\nclass Bars(Strategy):\n"
        "    timeframes = ('5m',)\n    def on_bar(self, *_): pass\n"
    )
    uses = f"uses = '{path}:Bars'"

    (fits_not,) = strategies_of(uses, feed='timeframe = "1h"')
    (no_timeframe,) = strategies_of(uses, feed='timeframe = "1x"')

    assert "needs bars of 5m" in fits_not
    assert no_timeframe.startswith("feed.timeframe: ")


@pytest.mark.slow
def test_after_a_file_that_does_not_end_the_rest_is_told_and_no_other_file_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_code, "LIMIT_S", 0.05)
    path = tmp_path / "hangs.py"
    path.write_text("while True: pass\n")
    uses = f"uses = '{path}:Mine'"

    stuck, typo, risk = strategies_of(
        uses, f"{uses}\ntypo = 1\n[risk]\nmax_open_orders = 0\n[supervision]\nhang_after_s = 1"
    )

    assert f"strategy[0].uses: {path}:Mine did not come back within" in stuck
    assert typo.startswith("strategy[1].typo: ")
    assert risk.startswith("risk.max_open_orders: ")


def test_with_real_money_an_unsaid_amount_is_told_beside_other_mistakes() -> None:
    live = GOOD.replace('type = "demo"', 'type = "ccxt"\nsymbols = ["ETH/BTC"]')

    found = problems_of(
        f'mode = "live"\n{live}\n[venue]\ntype = "ccxt"\nexchange = "binance"\n[risk]\n'
    )

    assert "strategy[0].order_notional: got nothing, expected a quoted decimal: the" in str(found)
    assert 'venue.api_key_env: is needed for type "ccxt"' in str(found)


def test_a_run_without_a_strategy_is_refused() -> None:
    assert problems_of('name = "x"') == ["strategy: got none, expected at least one [[strategy]]"]


def test_a_recording_that_is_not_there_is_named_with_the_places_that_were_searched(
    tmp_path: Path,
) -> None:
    feed = '[feed]\ntype = "replay"\nsymbols = ["BTC/USDT"]\npath = "no.csv"'

    found = problems_of(GOOD.replace('[feed]\ntype = "demo"', feed), tmp_path)

    assert found == [f'feed.path: there is no file "no.csv" in {tmp_path} or {Path.cwd()}']


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = ", "is not TOML: "),
        (b'name = "\xff"', "is not UTF-8 text (byte 8)"),
        (b"a = [" * 5000, "is not TOML: "),
        (b"[feed.ccxt]\n" + b"a." * 5000 + b"a = 1", "tables within tables that are too deep"),
        (b"#" * 1_000_001, "is longer than 1000000 bytes: no config is"),
        (None, "cannot be read: no such file or directory"),
    ],
)
def test_a_file_that_is_no_toml_is_one_problem(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert len(caught.value.problems) == 1
    assert sentence in caught.value.problems[0]


def test_a_wrong_override_is_reported_like_a_wrong_line() -> None:
    with pytest.raises(ConfigError, match=r'idempotency\.backend: got "sqlit"'):
        demo_config({"idempotency.backend": "sqlit"})


KEYS = st.sampled_from(
    (
        *("name", "run_dir", "mode", "feed", "venue", "strategy", "risk", "idempotency", "metrics"),
        *("supervision", "type", "path", "speed", "symbols", "id", "uses", "params", "balances"),
        *("api_key_env", "backend", "ccxt", "limit", "timeframe", "symbol", "url"),
    )
) | st.text(max_size=5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400)])
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(["demo", "replay", "paper", "sma_cross", "BTC/USDT", "1e9", "x" * 5000])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_no_document_brings_anything_out_of_the_parser_but_a_config_error(
    document: Mapping[str, Any],
) -> None:
    try:
        parse(document, Path(), check_params)
    except ConfigError as error:
        problems = error.problems
    else:
        problems = ["none"]

    assert problems
    assert all(problem.isprintable() for problem in problems)


def test_a_byte_order_mark_as_windows_editors_write_it_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())

    assert load(path).name
