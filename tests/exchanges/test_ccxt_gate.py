"""The gate: each thing that is missing or wrong is refused in one sentence, and nothing is sent."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from messages.errors import Away, VenueRefused
from messages.ids import NS_PER_MS, Symbol
from tests.exchanges.live import BTC, HANG, MARKET, Script, desk, local_config, reply
from tests.exchanges.live import scripted as scripted_server

WITHOUT_CCXT = """
import sys
sys.modules["ccxt"] = None
import asyncio, random
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from messages.errors import VenueRefused
settings = CcxtSettings(exchange="binance", api_key="k", secret="s")
try:
    asyncio.run(CcxtVenue(settings, ("BTC/USDT",), rng=random.Random(1)).open())
except VenueRefused as error:
    print(error)
"""

LIGHT = "import exchanges.ccxt_venue, sys; print('ccxt' in sys.modules, 'aiohttp' in sys.modules)"


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_without_ccxt_the_venue_says_what_to_install() -> None:
    assert (
        python(WITHOUT_CCXT) == "ccxt is not installed: pip install '.[exchange]' from the checkout"
    )


@pytest.mark.slow
def test_importing_the_venue_imports_neither_ccxt_nor_aiohttp() -> None:
    assert python(LIGHT) == "False False"


def venue(**changes: Any) -> CcxtVenue:
    settings: dict[str, Any] = {"exchange": "binance", "api_key": "k", "secret": "s"} | changes
    symbols = settings.pop("symbols", (BTC,))
    return CcxtVenue(CcxtSettings(**settings), symbols, rng=msgspec.NODEFAULT)  # type: ignore[arg-type]  # it is refused before any chance


ETH = Symbol("ETH/USDT")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"api_key": ""}, "there is no key for binance: set the environment variables"),
        ({"secret": ""}, "there is no key for binance"),
        ({"symbols": ()}, "there is no symbol to trade"),
        ({"exchange": "okx"}, "a key of okx has a passphrase: .* venue.api_password_env names"),
        ({"exchange": "bybit"}, "bybit cannot find an order by our own id"),
        ({"exchange": "nowhere"}, "nobody has written down whether nowhere"),
    ],
)
def test_what_needs_no_network_is_refused_at_once(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VenueRefused, match=sentence):
        venue(**changes)


def test_the_settings_show_no_secret() -> None:
    settings = CcxtSettings(exchange="binance", api_key="topsecret", secret="topsecret")

    assert "topsecret" not in f"{settings} {settings!r}"


# ------------------------------------------------------------------ asked over the network


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


def refusal(
    config: dict[str, Any],
    symbols: tuple[Symbol, ...] = (BTC,),
    *,
    is_away: bool = False,
    **more: Any,
) -> str:
    """Give the gate's sentence; and see that it is called away only where nobody can mend it."""
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    with desk(config, symbols, **more) as opened:
        with pytest.raises(VenueRefused) as raised:
            opened.call(opened.venue.open())
        assert isinstance(raised.value, Away) == is_away
        return str(raised.value)


def body(value: Any) -> bytes:
    return reply(200, msgspec.json.encode(value))


@pytest.mark.slow
def test_to_look_and_to_cancel_a_market_may_be_blocked_and_others_gone(script: Script) -> None:
    """A kill switch that refuses because one market is gone cancels nothing in the others."""
    script.say("exchangeInfo", body({"symbols": [MARKET | {"status": "BREAK"}]}))
    with desk(local_config(script.port), (ETH, BTC), to_trade=False) as opened:
        facts = opened.call(opened.venue.open())

        assert list(facts.markets) == [BTC]


@pytest.mark.slow
def test_where_none_is_left_it_is_refused_all_the_same(script: Script) -> None:
    script.say("exchangeInfo", body({"symbols": []}))

    told = refusal(local_config(script.port), (ETH, BTC), to_trade=False)

    assert told.startswith("binance has no spot market ETH/USDT")


@pytest.mark.slow
def test_a_port_where_nobody_listens(script: Script) -> None:
    sentence = refusal(local_config(1), is_away=True)

    assert sentence.startswith(
        "binance cannot be reached (ExchangeNotAvailable): check the network"
    )


@pytest.mark.slow
def test_a_server_that_never_answers(script: Script) -> None:
    script.say("exchangeInfo", HANG)

    sentence = refusal(local_config(script.port), timeout_ms=200, is_away=True)

    assert sentence.startswith("binance cannot be reached (RequestTimeout): check the network")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "answer", "sentence"),
    [
        (
            "account",
            reply(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions"}'),
            "binance refuses the key (HTTP 401, code -2015): check key, secret, the addresses",
        ),
        (
            "account",
            reply(400, '{"code":-1022,"msg":"Signature for this request is not valid."}'),
            "binance refuses the key (HTTP 400, code -1022)",
        ),
        (
            "account",
            reply(429, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions"}'),
            "binance refuses the key (HTTP 429, code -2015)",
        ),
        ("account", body({"canTrade": False, "balances": []}), "the key may not trade at binance"),
        (
            "exchangeInfo",
            reply(503, "<html>busy</html>"),
            "binance could not list its markets (HTTP 503)",
        ),
        ("exchangeInfo", body({"symbols": []}), "binance has no spot market BTC/USDT"),
        (
            "exchangeInfo",
            body({"symbols": [MARKET | {"status": "BREAK"}]}),
            "binance does not trade BTC/USDT now",
        ),
        (
            "exchangeInfo",
            body({"symbols": [MARKET | {"filters": [], "baseAssetPrecision": 0}]}),
            "binance does not say how BTC/USDT is to be rounded",
        ),
        (
            "exchangeInfo",
            reply(200, "<html>hello</html>"),
            "binance could not list its markets (HTTP 200): the reply is empty or no JSON",
        ),
        ("time", body({"serverTime": "soon"}), "binance could not tell its time (HTTP 200): None"),
        ("time", body({}), "binance could not tell its time"),
        ("account", reply(200, "<html>hello</html>"), "binance could not show the account"),
        ("account", body({}), "binance could not show the account (HTTP 200): the reply is empty"),
        ("account", reply(403, "<html>"), "binance could not show the account (HTTP 403)"),
    ],
)
def test_a_venue_that_does_not_pass(
    path: str, answer: bytes, sentence: str, script: Script
) -> None:
    script.say(path, answer)

    told = refusal(local_config(script.port), is_away="HTTP 503" in sentence)

    assert told.startswith(sentence)
    assert told.isprintable()
    assert "signature" not in told
    assert script.requests("order") == []


@pytest.mark.slow
@pytest.mark.parametrize(("off_ms", "way"), [(5_000, "behind"), (-5_000, "ahead of")])
def test_a_clock_that_is_off_is_refused(off_ms: int, way: str, script: Script) -> None:
    script.answers["time"] = lambda: body({"serverTime": time.time_ns() // NS_PER_MS + off_ms})

    told = refusal(local_config(script.port))

    assert f"ms {way} binance's, more than 500: set it with NTP" in told


@pytest.mark.slow
def test_a_time_that_takes_seconds_to_come_shows_no_agreement(script: Script) -> None:
    """Its middle may be off by half of that: more than a lease pays for."""
    began_ms = time.time_ns() // NS_PER_MS
    script.answers["time"] = lambda: body({"serverTime": time.time_ns() // NS_PER_MS})
    ticks = iter(range(0, 10**9, 4_000))

    told = refusal(
        local_config(script.port),
        is_away=True,
        utc_ns=lambda: (began_ms - 2_000) * NS_PER_MS,
        monotonic_ns=lambda: next(ticks) * NS_PER_MS,
    )

    assert told.startswith("binance took 4000 ms to tell its time, too long to compare this clock")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"maxRetriesOnFailure": 2}, {"order": {"maxRetriesOnFailure": 1}}]
)
def test_settings_with_which_ccxt_would_send_twice_are_refused(
    options: dict[str, Any], script: Script
) -> None:
    told = refusal(local_config(script.port) | {"options": options})

    assert told.startswith("maxRetriesOnFailure makes ccxt send a lost order a second time")


@pytest.mark.slow
def test_an_exchange_that_ccxt_does_not_know(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = msgspec.structs.replace(CAPABILITIES["binance"], exchange="atlantis")
    monkeypatch.setitem(CAPABILITIES, "atlantis", row)

    assert refusal({}, exchange="atlantis").startswith("ccxt has no exchange 'atlantis'")


@pytest.mark.slow
def test_a_sound_venue_gives_its_facts(script: Script) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    with desk(local_config(script.port)) as opened:
        facts = opened.call(opened.venue.open())

    market = facts.markets[BTC]
    grid = market.instrument
    assert [str(n) for n in (grid.price_tick, grid.quantity_step, grid.min_notional)] == [
        "0.01",
        "0.00001",
        "5",
    ]
    assert (market.base, market.quote, str(market.taker_fee_rate)) == ("BTC", "USDT", "0.001")
    assert abs(facts.skew_ns) < 500 * NS_PER_MS
    assert facts.capability.tested


@pytest.mark.parametrize(
    ("at_market", "most"), [("120.5", "120.5"), ("0.00000000", "9000"), ("10000", "9000")]
)
def test_what_the_venue_takes_in_one_market_order_is_read(
    script: Script, at_market: str, most: str
) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    lot = {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": at_market, "stepSize": "0"}
    filters: Any = MARKET["filters"]
    market = MARKET | {"filters": [*filters, lot]}
    script.say("exchangeInfo", body({"symbols": [market]}))

    with desk(local_config(script.port)) as opened:
        facts = opened.call(opened.venue.open())

    assert str(facts.markets[BTC].instrument.max_market_quantity) == most
    assert str(facts.markets[BTC].max_quantity) == "9000"


@pytest.mark.slow
def test_the_gate_asks_only_what_trading_needs(script: Script) -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    with desk(local_config(script.port)) as opened:
        opened.call(opened.venue.open())

    assert {one.path.rpartition("/")[2] for one in script.asked} == {
        "exchangeInfo",
        "time",
        "account",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"options": []}, "options is a list: give a table, or remove it"),
        ({"rateLimit": float("nan")}, "rateLimit is nan: give a number of milliseconds above 0"),
        ({"rateLimit": True}, "rateLimit is true: give a number"),
        ({"headers": "Authorization: topsecret"}, "headers is a text: give a table"),
        ({"headers": {"X-Count": 1}}, "headers.X-Count is 1: give a text"),
        ({"httpsProxy": 5}, "httpsProxy is 5: give a text"),
        ({"markets": [1]}, "markets is no setting, but a part of ccxt that it would replace"),
        ({"close": 1}, "close is no setting, but a part of ccxt"),
        ({"fetchMarkets": "x"}, "fetchMarkets is no setting, but a part of ccxt"),
        ({"httpsproxy": "http://x"}, "httpsproxy is not known to ccxt: did you mean httpsProxy?"),
    ],
)
def test_a_setting_that_ccxt_cannot_use_is_named_before_anything_is_asked(
    config: dict[str, Any], sentence: str, script: Script
) -> None:
    told = refusal(local_config(script.port) | config)

    assert told.startswith(f"[venue.ccxt] {sentence}")
    assert "topsecret" not in told
    assert script.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("config", [{"urls": {"test": 5}}, {"fees": {"trading": [1]}}])
def test_of_one_that_it_stumbles_over_deeper_down_no_network_is_blamed(
    config: dict[str, Any], script: Script
) -> None:
    told = refusal(local_config(script.port) | config)

    assert "[venue.ccxt] gives it" in told
