"""A run decided again otherwise than its journal says: the very decision is named, and no other."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.codec import to_msgpack
from messages.orders import OrderIntent, OrderUpdate
from messages.recorded import IntentsJudged, JudgedIntent, RunBegun
from messages.values import Side
from research.replay.found import JUDGED, OTHER, RAISED, RECORDED_ONLY, REPLAYED_ONLY
from strategies import strategy_class
from tests.replay.replayed_strategies import RaisesInReplay
from tests.replay.runs import (
    STRATEGY,
    changed,
    config_of,
    messages,
    one,
    remove,
    replace,
    replayed,
    rewrite,
    run,
)


@pytest.mark.parametrize("place", [0, 7, -1])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"quantity": Decimal(7)}, " 7 BTC/USDT"),
        ({"side": "other"}, None),
        ({"limit_price": Decimal(5)}, "at 5"),
        ({"reference_price": Decimal(5)}, None),
    ],
)
def test_a_changed_decision_is_found_and_no_other(
    tmp_path: Path, place: int, change: dict[str, Any], text: str | None
) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[place]
    if change == {"side": "other"}:
        change = {"side": Side.SELL if intent.side is Side.BUY else Side.BUY}
    replace(segment, number, changed(intent, **change))

    findings, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.who, found.order_key) == (OTHER, "one", intent.order_key)
    assert f"{intent.side} {intent.quantity} BTC/USDT" in found.replayed
    assert text is None or text in found.recorded
    assert "the candle of BTC/USDT that closed at" in found.event
    assert found.state["seen"].isdigit()
    assert Decimal(found.state["position BTC/USDT"]).is_finite()
    assert one(findings).same == one(findings).decisions - 1


@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_decision_that_is_missing_is_found_and_no_other(tmp_path: Path, place: int) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[place]
    remove(segment, number)

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.order_key) == (REPLAYED_ONLY, intent.order_key)
    assert found.recorded == ""


@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_decision_that_nothing_led_to_is_found_and_no_other(tmp_path: Path, place: int) -> None:
    run(config_of(tmp_path / "run"))
    segment, number, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[place]
    more = changed(intent, order_key=intent.order_key[:-4] + "0000")

    def add(there: list[Any]) -> None:
        there.insert(number + 1, there[number]._replace(payload=to_msgpack(more)))

    rewrite(segment, add)

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.order_key, found.replayed) == (RECORDED_ONLY, more.order_key, "")
    assert str(intent.decided_at_ns // 10**9 % 60) in found.event


def test_a_decision_that_stands_behind_a_message_nobody_decides_on_is_found_too(
    tmp_path: Path,
) -> None:
    run(config_of(tmp_path / "run", batch=16))
    segment, number, _ = messages(tmp_path / "run", OrderUpdate, STRATEGY)[2]
    _, _, intent = messages(tmp_path / "run", OrderIntent, STRATEGY)[0]
    more = changed(intent, order_key=intent.order_key[:-4] + "0000")

    def add(there: list[Any]) -> None:
        there.insert(number + 1, there[number]._replace(payload=to_msgpack(more)))

    rewrite(segment, add)

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.kind, found.order_key, found.event) == (
        RECORDED_ONLY,
        more.order_key,
        "OrderUpdate",
    )


@pytest.mark.parametrize(
    "change", [{"verdict": "refuse", "code": "cooldown_ms"}, {"quantity": Decimal(9)}]
)
def test_a_changed_judgement_is_found_with_what_the_executor_knew(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    run(config_of(tmp_path / "run", batch=8))
    segment, number, judged = messages(tmp_path / "run", IntentsJudged)[0]
    fifth: JudgedIntent = judged.verdicts[4]
    verdicts = (*judged.verdicts[:4], changed(fifth, **change), *judged.verdicts[5:])
    replace(segment, number, changed(judged, verdicts=verdicts))

    _, divergences = replayed(tmp_path / "run")

    (found,) = divergences
    assert (found.who, found.kind, found.order_key) == ("executor", JUDGED, fifth.order_key)
    assert found.replayed.startswith(fifth.verdict)
    assert found.recorded != found.replayed
    assert found.state["limit max_order_notional"] == "150"


@pytest.mark.parametrize("name", ["Gambles", "LooksAtTheClock"])
def test_a_strategy_that_is_not_a_function_of_what_it_sees_is_found(
    tmp_path: Path, name: str
) -> None:
    run(config_of(tmp_path / "run", name))
    first = messages(tmp_path / "run", OrderIntent, STRATEGY)[0][2]

    findings, divergences = replayed(tmp_path / "run")

    assert findings.divergences[OTHER] > 10
    assert divergences[0].order_key == first.order_key
    assert divergences[0].recorded != divergences[0].replayed


def test_what_raises_only_now_is_a_divergence_with_its_line_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    run(config_of(tmp_path / "run", "RaisesInReplay"))
    loaded: Any = strategy_class(messages(tmp_path / "run", RunBegun)[0][2].strategies[0].uses)
    assert loaded.__name__ == RaisesInReplay.__name__
    loaded.is_second = True

    findings, divergences = replayed(tmp_path / "run")

    assert divergences[0].kind == RAISED
    assert "KeyError: 'gone' (replayed_strategies.py:" in divergences[0].replayed
    assert findings.divergences[RAISED] == 1
    assert (one(findings).events, one(findings).replayed) == (120, 30)
