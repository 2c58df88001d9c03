"""Which of two kinds an account is, where its orders are found in two places."""

from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_account import questions_of
from exchanges.ccxt_call import current_call
from exchanges.ccxt_gate import GateLimits, pass_gate, refusing
from exchanges.ccxt_settings import CcxtSettings
from exchanges.responses import response_of
from exchanges.skew import Skew
from messages.errors import VenueRefused
from messages.ids import DurationNs
from tests.exchanges.answers.answering import Reply, answering, run
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow


def learn(exchange: str, replies: dict[str, Reply]) -> dict[str, Any]:
    client = answering(exchange, replies)

    async def ask() -> None:
        for question in questions_of(client, exchange):
            with refusing(exchange, "tell what kind of account it is"):
                await question(client)
        assert not questions_of(client, exchange)

    run(client, ask)
    options: dict[str, Any] = client.options
    return options


LOST = ConnectionResetError("lost")
BUSY = {"code": "429", "msg": "Too Many Requests", "label": "TOO_MANY_REQUESTS"}


@pytest.mark.parametrize(
    ("exchange", "path", "option"),
    [("bitget", "/account/settings", "uta"), ("gate", "/account/detail", "unifiedAccount")],
)
def test_a_lost_answer_is_not_taken_for_the_older_kind_of_account(
    exchange: str, path: str, option: str
) -> None:
    for reply in ((0, LOST), (429, BUSY), (503, {"label": "x", "code": "500", "msg": "x"})):
        with pytest.raises(VenueRefused):
            learn(exchange, {path: reply})

    refused = {"code": "40054", "msg": "x", "label": "FORBIDDEN", "message": "x"}
    newer = {"code": "00000", "msg": "success", "data": {}, "key": {"mode": 2}}
    assert learn(exchange, {path: (400, refused)})[option] is False
    assert learn(exchange, {path: (200, newer)})[option] is True


@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize(
    ("exchange", "path"), [("bitget", "/account/settings"), ("gate", "/account/detail")]
)
def test_the_gate_does_not_pass_before_it_knows_the_kind(
    exchange: str, path: str, is_listed: bool
) -> None:
    balances: Any = [] if exchange == "gate" else {"code": "00000", "data": []}
    client = answering(exchange, {path: (0, LOST), "": (200, balances)})
    if not is_listed:
        client.markets = None

    async def no_skew() -> Skew:
        call = current_call()
        assert call is not None
        call.response = response_of(200, {}, "[1]")
        return Skew(0, DurationNs(1), 1)

    async def ask() -> None:
        settings = CcxtSettings(exchange=exchange)
        row = CAPABILITIES[exchange]
        await pass_gate(client, settings, [BTC], row, GateLimits(), no_skew)

    with pytest.raises(VenueRefused, match="cannot be reached"):
        run(client, ask)


def test_kucoins_kind_of_account_is_asked_for_where_the_markets_were_not() -> None:
    options = learn(
        "kucoin",
        {
            "/hf/accounts/opened": (200, {"code": "200000", "data": True}),
            "/account/mode": (200, {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}}),
        },
    )

    assert (options["hf"], options["uta"]) == (True, False)
