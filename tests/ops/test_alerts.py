"""A run's alerts, from a snapshot to a real receiver on loopback."""

import json
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apprise", reason="the extra `alerts` is not installed")

from messages.alerts import AlertTold
from ops.alerts import Alerts
from ops.config import Config, parse
from tests.ops.receiver import LIMIT_S, TOKEN, Receiver

Make = Callable[..., dict[str, Any]]


def config_of(text: str = "") -> Config:
    base = 'name = "btc"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'
    return parse(tomllib.loads(base + text), Path())


def test_a_halt_is_told_and_its_end_too(there: Receiver, snapshot: Make) -> None:
    told: list[AlertTold] = []
    alerts = Alerts(config_of("[alerts]\ncalm_s = 0"), [there.url], tell=told.append)
    halted = snapshot(halt={"state": "halted_proved", "reason": "I said so"})
    now = [halted]
    alerts.start(lambda: now[0])  # it looks by itself, too

    alerts.look(halted)
    there.until(1)
    assert [row["key"] for row in alerts.summary()["firing"]] == ["halt:trading"]
    alerts.look(halted)
    now[0] = snapshot()
    alerts.look(now[0])
    first, second = there.until(2)
    alerts.close()

    assert first["title"] == "btc: CRITICAL halt"
    assert first["message"].startswith(
        "trading is halted (halted_proved): I said so\npaper, pid 812"
    )
    assert second["title"] == "btc: over halt"
    assert second["type"] == "success"
    assert [(fact.state, fact.delivered, fact.problem) for fact in told] == [
        ("firing", True, ""),
        ("recovered", True, ""),
    ]


@pytest.mark.slow
def test_an_alert_that_cannot_be_delivered_is_shown(there: Receiver, snapshot: Make) -> None:
    told: list[AlertTold] = []
    there.status = 503
    alerts = Alerts(config_of(), [there.url], tell=told.append)
    alerts.start(snapshot)
    alerts.look(snapshot(halt={"state": "halted", "reason": "x"}))
    there.until_asked(2)  # the second attempt comes after the first was told

    summary = alerts.summary()
    assert summary["undelivered"] == 1
    assert "503" in summary["problem"]
    assert TOKEN not in json.dumps(summary)
    assert [fact.delivered for fact in told] == [False]
    there.status = 200
    there.until(1)
    alerts.close()
    assert alerts.summary()["problem"] == ""
    assert [fact.delivered for fact in told] == [False, True]


def test_without_an_address_faults_are_judged_and_shown(snapshot: Make) -> None:
    told: list[AlertTold] = []
    alerts = Alerts(config_of(), [], tell=told.append)
    alerts.look(snapshot(halt={"state": "halted", "reason": "x"}))

    assert alerts.summary()["firing"][0]["rule"] == "halt"
    assert alerts.summary()["undelivered"] == 0
    assert [(fact.delivered, fact.problem) for fact in told] == [
        (False, "no address is configured")
    ]


def test_a_snapshot_that_fails_ends_nothing_and_is_shown(there: Receiver, snapshot: Make) -> None:
    def fails() -> dict[str, Any]:
        raise RuntimeError("dictionary changed size during iteration")

    alerts = Alerts(config_of(), [there.url])
    alerts.start(fails)
    alerts.happened("gone", "process 1 ends")
    alerts.close(fails)

    assert "dictionary changed size" in alerts.summary()["rules_problem"]
    assert alerts.summary()["problem"] == ""
    assert there.titles() == ["btc: CRITICAL gone"]
    assert [row["rule"] for row in alerts.summary()["firing"]] == ["gone"]


@pytest.mark.slow
def test_an_end_is_told_also_while_a_look_hangs(
    there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.alerts.LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("ops.alerts.CLOSE_S", 1.0)
    is_inside, may_go = threading.Event(), threading.Event()

    def hangs() -> dict[str, Any]:
        is_inside.set()
        assert may_go.wait(LIMIT_S)
        return {}

    alerts = Alerts(config_of(), [there.url])
    alerts.start(hangs)
    assert is_inside.wait(LIMIT_S)
    alerts.happened("gone", "process 1 ends")
    alerts.close(hangs)
    there.until(1)
    may_go.set()

    assert there.titles() == ["btc: CRITICAL gone"]


def test_an_end_is_told_whatever_the_limits_say(there: Receiver, snapshot: Make) -> None:
    alerts = Alerts(config_of("[alerts]\nper_hour = 1"), [there.url])
    alerts.start(snapshot)
    alerts.look(snapshot(halt={"state": "halted", "reason": "x"}))
    alerts.happened("gone", "process 1 ends")
    alerts.close(snapshot)

    assert there.titles() == ["btc: CRITICAL halt", "btc: CRITICAL gone"]


def test_a_secret_in_an_errors_text_is_told_to_nobody(there: Receiver, snapshot: Make) -> None:
    told: list[AlertTold] = []
    alerts = Alerts(config_of(), [there.url], secrets=["opensesame"], tell=told.append)
    alerts.start(snapshot)
    alerts.look(snapshot(halt={"state": "halted", "reason": "bad key opensesame"}))
    alerts.look(snapshot(lease={"problem": "no opensesa... at https://me:word@x/"}))
    there.until(2)
    alerts.close()

    assert "bad key ***" in there.got[0]["message"]
    assert "no ***... at https://***@x/" in there.got[1]["message"]
    assert "opensesa" not in json.dumps([there.got, alerts.summary()]) + repr(told)


def test_what_happens_at_the_very_end_is_told(there: Receiver, snapshot: Make) -> None:
    alerts = Alerts(config_of(), [there.url])
    alerts.start(snapshot)
    alerts.happened("gone", "process 1 ends: supervision exhausted (exit code 70)")
    alerts.close(snapshot)

    assert there.titles() == ["btc: CRITICAL gone"]


def test_addresses_that_look_the_same_are_told_apart_by_their_number() -> None:
    urls = ["pbul://o.AbCdEf0123456789", "pbul://o.GhIjKl0123456789"]
    alerts = Alerts(config_of(), urls, sender=lambda _: lambda _: "away")
    alerts.start(dict)
    alerts.happened("gone", "process 1 ends")
    alerts.close(dict)

    assert alerts.summary()["problem"] == "pbul://*** (1): away; pbul://*** (2): away"
