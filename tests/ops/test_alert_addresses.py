"""One address of alerts: what it is taken for, how it is shown, whether a letter arrives there."""

import json

import pytest

pytest.importorskip("apprise", reason="the extra `alerts` is not installed")

import cli
from messages.errors import ConfigError
from ops.alert_addresses import addresses, shown
from ops.alert_sender import Letter, apprise_sender
from tests.ops.receiver import TOKEN, Receiver

LETTER = Letter("x: CRITICAL halt", "it is halted", is_critical=True)
NOWHERE = "json://127.0.0.1:9/abcdefgh?cto=1&rto=1"


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


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_letter_that_is_sent_elsewhere_was_not_taken(there: Receiver, status: int) -> None:
    """Of what follows such an answer most is a question for a page, without the letter."""
    there.status = status

    problem = apprise_sender(there.url)(LETTER)

    assert str(status) in problem
    assert TOKEN not in problem
    assert there.got == []


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
