"""`doctor` on a config's exchange: what it can do, whether it lets us in, what the key may do."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchanges.local.settings import Settings
from ops.config import Config, VenueType, parse
from ops.doctor_finding import Finding, Level
from ops.doctor_venue import venue_findings


def live_config(exchange: str = "binance", **ccxt: Any) -> Config:
    """A config for an exchange, past whatever the file format allows today."""
    document = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}
    config = parse(document, Path.cwd())
    venue = msgspec.structs.replace(
        config.venue,
        type=VenueType.CCXT,
        exchange=exchange,
        api_key_env="DOCTOR_KEY",
        api_secret_env="DOCTOR_SECRET",
        ccxt=ccxt,
    )
    return msgspec.structs.replace(config, venue=venue)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_KEY", Settings().api_key)
    monkeypatch.setenv("DOCTOR_SECRET", Settings().api_secret)


def levels(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.about, str(finding.level)) for finding in found]


def test_keys_that_are_missing_are_named_and_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCTOR_KEY", raising=False)
    monkeypatch.setenv("DOCTOR_SECRET", "sesame-open")

    found = list(venue_findings(live_config(), online=True))

    assert levels(found) == [
        ("exchange", "ok"), ("key", "problem"), ("key", "ok"), ("gate", "problem")
    ]  # fmt: skip
    assert found[1].todo == "export DOCTOR_KEY (venue.api_key_env names it)"
    assert "sesame" not in repr(found)


@pytest.mark.usefixtures("keys")
def test_a_passphrase_that_a_key_has_and_no_variable_is_named_for_is_missing() -> None:
    found = list(venue_findings(live_config("okx"), online=True))

    assert [one.text for one in found if one.level is Level.PROBLEM] == [
        "venue.api_password_env is not set",
        "not asked, for a key is missing",
    ]


def test_an_exchange_that_cannot_find_our_orders_is_a_problem() -> None:
    found = list(venue_findings(live_config("bybit"), online=False))

    assert levels(found) == [("exchange", "problem")]


@pytest.mark.parametrize(
    ("exchange", "told"),
    [
        ("bybit", "only its market is bybit's; it could not trade there, for bybit cannot find"),
        ("coinfalcon", "it could not trade there, for nobody has written down whether"),
        ("kucoin", "the run trades on paper, and only its market is kucoin's"),
    ],
)
def test_where_no_order_is_sent_it_does_not_matter_how_one_is_found(
    exchange: str, told: str
) -> None:
    document = {
        "name": "x",
        "feed": {"type": "ccxt"},
        "venue": {"exchange": exchange},
        "strategy": [{"id": "a", "uses": "sma_cross"}],
    }

    found = list(venue_findings(parse(document, Path.cwd()), online=True))

    assert levels(found) == [("venue", "ok")]
    assert told in found[0].text


@pytest.mark.usefixtures("keys")
def test_an_exchange_that_was_only_read_about_is_a_warning() -> None:
    found = list(venue_findings(live_config("kucoin"), online=False))

    assert found[0].level is Level.WARNING
    assert found[-1].text.startswith("not asked; --online asks")


@pytest.fixture
def exchange() -> Iterator[Any]:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange

    with running_exchange() as server:
        yield server


def urls_of(server: Any) -> dict[str, Any]:
    config = server.ccxt_config()
    return {key: value for key, value in config.items() if key not in ("apiKey", "secret")}


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_online_the_gate_itself_is_asked_and_no_order_is_placed(exchange: Any) -> None:
    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-3:] == [("gate", "ok"), ("trading right", "ok"), ("withdrawal", "ok")]
    assert "takes the key and lists BTC/USDT" in found[-3].text
    assert found[-2].text.startswith("the key may trade at binance")
    assert found[-1].text == "the key may not withdraw from binance"
    assert exchange.exchange.orders() == []


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_key_that_may_withdraw_is_a_warning(exchange: Any) -> None:
    exchange.exchange.let_key_withdraw()

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-2:] == [("trading right", "ok"), ("withdrawal", "warning")]
    assert found[-1].text == "the key may withdraw from binance, which trading does not need"
    assert found[-1].todo == "make a key that may trade and not withdraw, and delete this one"


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_an_exchange_that_does_not_tell_whether_it_may_withdraw_is_a_warning(exchange: Any) -> None:
    from exchanges.local.faults import Fault, Plan

    exchange.exchange.arm(Plan(fault=Fault.HTML_BODY, operation="key_rights"))

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-2:] == [("trading right", "ok"), ("withdrawal", "warning")]
    assert found[-1].text.startswith("binance did not tell whether the key may withdraw: ")


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_key_that_may_not_trade_is_a_problem(exchange: Any) -> None:
    exchange.exchange.restrict_key()

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-2:] == [("gate", "ok"), ("trading right", "problem")]
    assert "may read at binance and not trade (HTTP 401, code -2015)" in found[-1].text
    assert found[-1].todo == "correct it: a start would be refused"


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_an_order_that_could_not_be_checked_is_a_warning(exchange: Any) -> None:
    from exchanges.local.faults import Fault, Plan

    exchange.exchange.arm(Plan(fault=Fault.SERVER_BUSY, operation="test_order"))

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-3:-1] == [("gate", "ok"), ("trading right", "warning")]
    assert "did not tell whether the key may trade: no_proof" in found[-2].text


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_a_key_that_the_exchange_refuses_is_a_problem_and_not_shown(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCTOR_SECRET", "wrong-and-secret")

    found = list(venue_findings(live_config(**urls_of(exchange)), online=True))

    assert levels(found)[-1] == ("gate", "problem")
    assert "refuses the key" in found[-1].text
    assert not any(secret in repr(found) for secret in (os.environ["DOCTOR_KEY"], "wrong-and"))


@pytest.mark.slow
@pytest.mark.usefixtures("keys")
def test_an_exchange_that_cannot_be_reached_is_a_problem() -> None:
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange

    with running_exchange() as server:
        urls = urls_of(server)

    found = list(venue_findings(live_config(**urls), online=True))

    assert levels(found)[-1] == ("gate", "problem")
    assert "cannot be reached" in found[-1].text


# ---------------------------------------------------------------- the lease
