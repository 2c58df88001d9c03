"""What people see of an exit that took more than one order."""

from decimal import Decimal
from pathlib import Path

from decisions.order_keys import rest_key
from decisions.risk import RiskLimits
from messages.values import Instrument, Side
from messages.values import OrderState as S
from ops.explain import story_of
from ops.explain_text import lines_of
from tests.actors.order_path import BTC, key_of
from tests.actors.stopped_path import AGE_NS, Stopped


def test_explain_leads_from_an_exit_to_what_follows_it_and_back(tmp_path: Path) -> None:
    desk = Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=RiskLimits(allow_short=False))
    desk.start()
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal("0.4"))
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    desk.tell(desk.intent(1, side=Side.SELL, leaves=Decimal(1)))
    desk.answers(S.FILLED, "0.4").answers(S.FILLED, "0.4")

    first, second, third = key_of(1), rest_key(key_of(1), 1), rest_key(key_of(1), 2)
    told = "\n".join(lines_of(story_of(tmp_path, first)))

    assert "followed by" in told
    assert f"{second}: 0.4 of 0.4 filled, filled" in told
    assert f"{third}: 0 of 0.2 filled, sent" in told
    assert f"the rest of {first}" in story_of(tmp_path, third)["order"]["reason"]
    assert story_of(tmp_path, key_of(0))["followed_by"] == []
