"""Whether a key may withdraw is read from what is documented, and asked where orders go."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from exchanges import ccxt_withdrawal
from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_withdrawal import ask_withdrawal, is_asked_where_orders_go, may_withdraw
from exchanges.facts import WithdrawalRight
from exchanges.local.faults import Fault, Plan
from tests.cancelling import heeds_a_cancellation
from tests.exchanges.live import Desk, desk

BINANCE = CAPABILITIES["binance"]


def of_okx(perm: Any) -> dict[str, Any]:
    return {"code": "0", "data": [{"perm": perm}], "msg": ""}


@pytest.mark.parametrize(
    ("exchange", "answer", "told"),
    [
        ("binance", {"enableWithdrawals": True, "enableReading": True}, True),
        ("binance", {"enableWithdrawals": False, "enableInternalTransfer": True}, False),
        ("binance", {"enableWithdrawals": "false"}, None),
        ("binance", {"enableReading": True}, None),
        ("binance", [], None),
        ("binance", None, None),
        ("okx", of_okx("read_only,withdraw,trade"), True),
        ("okx", of_okx("read_only,trade"), False),
        ("okx", of_okx("withdraw"), True),
        ("okx", of_okx("read_only, trade, withdrawal_of_nothing"), False),
        ("okx", of_okx(""), None),
        ("okx", of_okx(None), None),
        ("okx", {"data": []}, None),
        ("okx", {"data": "withdraw"}, None),
        ("okx", {"data": {"perm": "withdraw"}}, None),
    ],
)
def test_the_right_is_where_the_exchange_documents_it_or_unknown(
    exchange: str, answer: Any, told: bool | None
) -> None:
    question = CAPABILITIES[exchange].withdrawal
    assert question is not None

    assert may_withdraw(answer, question) is told


@pytest.mark.parametrize(
    ("exchange", "is_sandbox", "is_asked"),
    [("binance", False, True), ("binance", True, False), ("okx", False, True)],
)
def test_at_its_own_addresses_the_question_goes_where_orders_go(
    exchange: str, is_sandbox: bool, is_asked: bool
) -> None:
    """By ccxt as it comes; in its sandbox Binance has no address for it."""
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.ccxt_client import import_ccxt

    question = CAPABILITIES[exchange].withdrawal
    assert question is not None

    async def looked() -> tuple[bool, bool]:
        client = getattr(import_ccxt(exchange), exchange)()
        client.set_sandbox_mode(is_sandbox)
        is_there = is_asked_where_orders_go(client, question.address)
        can_ask = callable(getattr(client, question.method, None))
        await client.close()
        return is_there, can_ask

    assert asyncio.run(looked()) == (is_asked, True)


def test_who_is_cancelled_while_it_asks_is_cancelled_also_as_the_answer_comes() -> None:
    class Silent:
        urls: ClassVar[dict[str, Any]] = {
            "api": {"sapi": "http://h/sapi", "private": "http://h/api"}
        }

        def __init__(self, answered: asyncio.Event) -> None:
            self.answered = answered

        async def sapiGetAccountApiRestrictions(self) -> object:  # noqa: N802 - ccxt's name
            await self.answered.wait()
            raise OSError("no answer")

    async def asks(answered: asyncio.Event) -> None:
        await ask_withdrawal(Silent(answered), BINANCE)

    assert asyncio.run(heeds_a_cancellation(asks))


# ------------------------------------------------------------------ whole exchanges


@contextmanager
def opened(profile: str) -> Iterator[tuple[Any, Desk]]:
    """An unmodified ccxt behind our venue, at a local exchange."""
    pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")
    from exchanges.local.server import running_exchange
    from exchanges.local.settings import Profile

    with running_exchange(profile=Profile(profile)) as run:
        password = run.exchange.settings.api_password if profile == "okx" else ""
        with desk(run.ccxt_config(), exchange=profile, password=password) as opening:
            opening.call(opening.venue.open())
            yield run, opening


def ask(opening: Desk) -> WithdrawalRight:
    return opening.call(opening.venue.withdrawal_right())


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["binance", "okx"])
def test_it_is_asked_by_one_question_that_reads(profile: str) -> None:
    with opened(profile) as (run, opening):
        usual = ask(opening)
        run.exchange.let_key_withdraw()
        more = ask(opening)

        assert (usual.may_withdraw, more.may_withdraw) == (False, True)
        assert usual.text == f"the key may not withdraw from {profile}"
        assert more.text == f"the key may withdraw from {profile}"
        asked = run.exchange.requests(operation="key_rights")
        assert [(one.method, one.http_status) for one in asked] == [("GET", 200)] * 2
        assert {one.method for one in run.exchange.requests()} == {"GET"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.HTML_BODY, "the reply is empty or no JSON"),
        (Fault.EMPTY_OBJECT, "the reply is empty or no JSON"),
        (Fault.SERVER_ERROR_BEFORE, "ExchangeNotAvailable"),
        (Fault.HANG_AFTER, "no answer within 0.3 s"),
    ],
)
def test_no_clear_answer_is_told_and_raises_nothing(
    fault: Fault, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("binance") as (run, opening):
        if fault is Fault.HANG_AFTER:
            monkeypatch.setattr(ccxt_withdrawal, "WITHDRAWAL_LIMIT_S", 0.3)
        run.exchange.arm(Plan(fault=fault, operation="key_rights"))

        right = ask(opening)

    assert right.may_withdraw is None
    assert right.is_unanswered
    assert right.text == f"binance did not tell whether the key may withdraw: {why}"


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:9/sapi/v1", None])
def test_the_key_is_shown_to_no_other_host(elsewhere: str | None) -> None:
    """As where only the addresses of orders are set to another exchange's, or in the sandbox."""
    with opened("binance") as (run, opening):
        addresses = opening.venue._client.urls["api"]
        del addresses["sapi"]
        if elsewhere is not None:
            addresses["sapi"] = elsewhere

        right = ask(opening)

        assert run.exchange.requests(operation="key_rights") == []
    assert right == WithdrawalRight(
        None, "at this address binance does not tell whether the key may withdraw"
    )


@pytest.mark.slow
def test_an_exchange_that_is_not_known_to_tell_is_not_asked() -> None:
    with opened("binance") as (run, opening):
        client = opening.venue._client

        right = opening.call(ask_withdrawal(client, CAPABILITIES["binanceus"]))

        assert run.exchange.requests(operation="key_rights") == []
    assert right.may_withdraw is None
    assert "binanceus is not known to tell" in right.text
