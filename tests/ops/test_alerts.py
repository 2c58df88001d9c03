"""Alerts, from a snapshot to a real receiver on loopback."""

import json
import os
import signal
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apprise", reason="the extra `alerts` is not installed")

import cli
from decisions.alerting import Notice
from messages.alerts import AlertTold
from messages.errors import ConfigError
from ops.alert_addresses import addresses, shown
from ops.alert_sender import Letter, apprise_sender
from ops.alert_watch import Watch, WatchOptions, _Signals, alert_watch, conditions
from ops.alerts import Alerts
from ops.config import Config, parse
from tests.ops.receiver import LIMIT_S, TOKEN, Receiver, receiver

Make = Callable[..., dict[str, Any]]
LETTER = Letter("x: CRITICAL halt", "it is halted", is_critical=True)
NOWHERE = "json://127.0.0.1:9/abcdefgh?cto=1&rto=1"


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def config_of(text: str = "") -> Config:
    base = 'name = "btc"\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'
    return parse(tomllib.loads(base + text), Path())


# ------------------------------------------------------------------ one address


@pytest.mark.slow
def test_a_letter_arrives(there: Receiver) -> None:
    assert apprise_sender(there.url)(LETTER) == ""

    (message,) = there.until(1)
    assert (message["title"], message["message"]) == ("x: CRITICAL halt", "it is halted")
    assert message["type"] == "failure"


def test_a_receiver_that_refuses_is_a_reason_without_the_address(there: Receiver) -> None:
    there.status = 500

    problem = apprise_sender(there.url)(LETTER)

    assert "500" in problem
    assert TOKEN not in problem


def test_a_receiver_that_is_away_is_a_reason_without_the_address() -> None:
    problem = apprise_sender(NOWHERE)(LETTER)

    assert problem
    assert "abcdefgh" not in problem


@pytest.mark.parametrize("url", ["nonsense", "nosuch://token-token", "tgram://"])
def test_an_address_that_is_none_is_a_reason(url: str) -> None:
    assert apprise_sender(url)(LETTER).startswith("the address is wrong: ")
    assert "token-token" not in apprise_sender(url)(LETTER)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("tgram://123:abc/456", "tgram://***"),
        ("json://user:word@127.0.0.1:80/token", "json://127.0.0.1:80/***"),
        ("mailto://me:word@example.com", "mailto://example.com"),
        ("pbul://o.AbCdEf0123456789", "pbul://***"),
        ("pbul://o.AbCdEf0123456789:80/chat", "pbul://***"),
        ("jsons://[::1]:80/token", "jsons://[::1]:80/***"),
        ("ntfy://127.0.0.1:80/topic", "ntfy://127.0.0.1:80/***"),
        ("o.AbCdEf0123456789:x", "?://***"),
        ("http://[broken", "***"),
        ("", "?://***"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(url: str, text: str) -> None:
    assert shown(url) == text


def test_addresses_that_look_the_same_are_told_apart_by_their_number() -> None:
    urls = ["pbul://o.AbCdEf0123456789", "pbul://o.GhIjKl0123456789"]
    alerts = Alerts(config_of(), urls, sender=lambda _: lambda _: "away")
    alerts.start(dict)
    alerts.happened("gone", "process 1 ends")
    alerts.close(dict)

    assert alerts.summary()["problem"] == "pbul://*** (1): away; pbul://*** (2): away"


def test_addresses_are_parted_by_white_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URLS", " json://a.b/c,d\n tgram://x/y ")

    assert addresses("URLS") == ["json://a.b/c,d", "tgram://x/y"]


def test_addresses_without_apprise_are_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URLS", "json://a.b")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(ConfigError, match="apprise is not installed"):
        addresses("URLS")


# ------------------------------------------------------------------ a run's alerts


def test_a_halt_is_told_and_its_end_too(there: Receiver, snapshot: Make) -> None:
    told: list[AlertTold] = []
    alerts = Alerts(config_of("[alerts]\ncalm_s = 0"), [there.url], tell=told.append)
    alerts.start(snapshot)
    halted = snapshot(halt={"state": "halted_proved", "reason": "I said so"})

    alerts.look(halted)
    there.until(1)
    assert [row["key"] for row in alerts.summary()["firing"]] == ["halt:trading"]
    alerts.look(halted)
    alerts.look(snapshot())
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


# ------------------------------------------------------------------ the commands


def test_alert_test_says_of_each_address_whether_it_went(
    there: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHKEEPER_ALERT_URLS", there.url)
    assert cli.main(["alert", "test"]) == 0
    monkeypatch.setenv("WATCHKEEPER_ALERT_URLS", f"{there.url} {NOWHERE}")
    assert cli.main(["alert", "test", "--json"]) == 1

    said = capsys.readouterr()
    text, sent, failed = said.out.splitlines()
    assert text.startswith("1  json://127.0.0.1:")
    assert text.endswith("sent")
    assert json.loads(sent)["sent"] is True
    assert json.loads(failed)["problem"]
    assert there.titles() == ["watchkeeper: test", "watchkeeper: test"]
    assert TOKEN not in said.out + said.err
    assert "abcdefgh" not in said.out + said.err


def test_alert_test_without_an_address_says_how_to_have_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WATCHKEEPER_ALERT_URLS", raising=False)

    assert cli.main(["alert", "test"]) == 2
    assert "WATCHKEEPER_ALERT_URLS is not set" in capsys.readouterr().err


# ------------------------------------------------------------------ watching over a run

AT_NS = 1_700_000_000_000_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("changes", "age_s", "told"),
    [
        ({}, 1, []),
        ({}, 16, ["what it says is 16s old"]),
        ({"verdict": "UNKNOWN", "gone": True, "why": "killed"}, 1, ["killed"]),
        ({"verdict": "UNKNOWN", "gone": True, "why": "x", "ended": {"exit_code": 70}}, 1, ["x"]),
        ({"verdict": "UNKNOWN", "gone": True, "ended": {"exit_code": 0}}, 99, []),
        ({"verdict": "UNKNOWN", "gone": True, "ended": {"exit_code": 130}}, 99, []),
        ({"verdict": "UNKNOWN", "gone": False, "why": "no answer"}, 1, []),
        (
            {"verdict": "UNKNOWN", "gone": False, "why": "no answer"},
            16,
            ["the process does not answer: no answer"],
        ),
    ],
)
def test_a_watch_tells_of_a_process_that_is_gone_or_silent(
    snapshot: Make, changes: dict[str, Any], age_s: int, told: list[str]
) -> None:
    found = conditions(snapshot(**changes), AT_NS + age_s * S, 15.0)

    assert [condition.sentence for condition in found] == told
    assert {condition.key for condition in found} <= {"gone"}


def test_a_watch_says_nothing_of_a_run_that_never_was() -> None:
    assert conditions({"verdict": "UNKNOWN", "why": "there is no run"}, AT_NS, 15.0) == []


SILENT = {"verdict": "UNKNOWN", "gone": False, "why": "no answer within 2 s", "captured_at_ns": 1}
KILLED = {"verdict": "UNKNOWN", "gone": True, "why": "it was killed"}
ENDED = {"verdict": "UNKNOWN", "gone": True, "why": "it ended", "ended": {"exit_code": 0}}
DELETED = {"verdict": "UNKNOWN", "why": "there is no run"}


@pytest.fixture
def watched(
    monkeypatch: pytest.MonkeyPatch, snapshot: Make, tmp_path: Path
) -> Iterator[Callable[[dict[str, Any]], list[Notice]]]:
    """A watch whose each look finds what it is given."""
    monkeypatch.setattr("ops.alert_watch.apprise_sender", lambda _: lambda _: "")
    watch = Watch(WatchOptions(run_dir=tmp_path), ["json://127.0.0.1:9"])

    def finds(changes: dict[str, Any]) -> list[Notice]:
        seen = changes if changes is DELETED else snapshot(**{"captured_at_ns": 1 << 62, **changes})
        monkeypatch.setattr("ops.alert_watch.look", lambda _: seen)
        return watch.look()

    yield finds
    watch.close()


def test_a_stopped_process_that_is_killed_never_answers_again(
    watched: Callable[[dict[str, Any]], list[Notice]], capsys: pytest.CaptureFixture[str]
) -> None:
    told = [notice.state for seen in (SILENT, KILLED, KILLED, {}, {}) for notice in watched(seen)]

    assert told == ["firing", "recovered"]
    assert capsys.readouterr().err.splitlines() == [
        "watchkeeper: firing: the process does not answer: no answer within 2 s",
        "watchkeeper: recovered: It answers again.",
    ]


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (SILENT, ENDED, "It has ended in order: it ended"),
        (KILLED, DELETED, "It can't be looked at any more: there is no run"),
        (SILENT, {**SILENT, "captured_at_ns": 1 << 62}, "Its status.json is written again"),
    ],
)
def test_an_end_of_a_fault_says_what_is_seen(
    watched: Callable[[dict[str, Any]], list[Notice]],
    capsys: pytest.CaptureFixture[str],
    first: dict[str, Any],
    then: dict[str, Any],
    said: str,
) -> None:
    told = [notice.state for seen in (first, then, then) for notice in watched(seen)]
    words = capsys.readouterr().err

    assert told == ["firing", "recovered"]
    assert f"recovered: {said}" in words
    assert "answers again" not in words


def test_a_watch_over_a_run_that_never_was_says_that_nothing_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHKEEPER_ALERT_URLS", "json://127.0.0.1:9")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert alert_watch(WatchOptions(run_dir=tmp_path / "mistyped", once=True)) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "nothing is seen yet: there is no run in" in capsys.readouterr().err


def test_a_watch_whose_words_nobody_reads_goes_on(
    monkeypatch: pytest.MonkeyPatch, watched: Callable[[dict[str, Any]], list[Notice]]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as closed:
        monkeypatch.setattr("sys.stderr", closed)
        assert [notice.state for notice in watched(KILLED)] == ["firing"]
        monkeypatch.setattr("sys.stderr", None)
        assert [notice.state for notice in watched({})] == ["recovered"]
        os.dup2(os.open(os.devnull, os.O_WRONLY), closed.fileno())


def test_a_signal_ends_a_wait_at_once() -> None:
    signals = _Signals()
    assert signals.none_within(0.0)
    signals.note(15, None)

    assert not signals.none_within(LIMIT_S)
