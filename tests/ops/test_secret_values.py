"""Every spelling in which a secret could be written down."""

import json
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ops.config import parse
from ops.secret_names import masked, without_secrets
from ops.secret_values import cleaner, secret_parts, secrets_of, spellings

CONFIG = """
name = "x"
[venue]
api_key_env = "A_KEY"
api_secret_env = "A_SECRET"
[venue.ccxt]
httpsProxy = "http://user:opensesame@proxy:3128"
proxies = ["http://user:hidden-too@proxy:3128", [{ at = "http://u:deep-down@p" }]]
[metrics]
http_token_env = "A_TOKEN"
[[strategy]]
id = "a"
uses = "sma_cross"
params = { feed = { login_env = "A_LOGIN" }, more = [{ b_env = "B" }], c_env = ["C"] }
"""


def test_a_runs_secrets_are_those_that_its_variables_hold_and_its_proxys_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "key-of-mine")
    monkeypatch.setenv("A_SECRET", "")
    monkeypatch.setenv("A_TOKEN", "token-of-mine")
    monkeypatch.setenv("A_LOGIN", "login-of-mine")

    monkeypatch.setenv("B", "b-of-mine")
    monkeypatch.setenv("C", "c-of-mine")

    found = secrets_of(parse(tomllib.loads(CONFIG), Path()))

    assert {"key-of-mine", "opensesame", "token-of-mine", "login-of-mine"} <= set(found)
    assert {"hidden-too", "deep-down", "b-of-mine", "c-of-mine"} <= set(found)
    assert "" not in found


def test_of_a_password_that_an_address_spells_otherwise_both_are_secret() -> None:
    config = CONFIG.replace("opensesame", "open%40sesame")

    assert {"open%40sesame", "open@sesame"} <= set(secrets_of(parse(tomllib.loads(config), Path())))


def test_of_a_login_nothing_is_shown_whatever_its_password_holds() -> None:
    shown = masked({"httpsProxy": "http://user:open@sesame@proxy:3128"})

    assert shown == {"httpsProxy": "http://***@proxy:3128"}


def test_a_key_of_several_lines_is_hidden_line_by_line() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\nshort\n-----END PRIVATE KEY-----\n"

    assert "MC4CAQAwBQYDK2VwBCIEIJ" in spellings([key])
    assert "short" not in spellings([key])


@given(
    st.text(st.characters(max_codepoint=300), min_size=8, max_size=40),
    st.sampled_from([str, quote, repr, json.dumps, partial(json.dumps, ensure_ascii=False)]),
)
@example('a"quoted\\word', json.dumps)
@example("pässword", json.dumps)
def test_no_spelling_of_a_secret_is_left(secret: str, spell: Callable[[str], str]) -> None:
    spelled = spell(secret)

    shown = without_secrets(f"<{spelled}>", spellings([secret]))

    assert secret not in shown or secret == "*" * len(secret)
    assert shown.startswith("<")
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no key", "no key"),
        ("key-0123456789 at https://me:word@x/", "*** at https://***@x/"),
        ("http://me:wo@rd@x and http://you@y", "http://***@x and http://***@y"),
        ("HTTP 400: the key key-0123456...; ask", "HTTP 400: the key ***...; ask"),
        ("a keyring...", "a keyring..."),
        ("a name \udcff with key-0123456789", "a name \\udcff with ***"),
    ],
)
def test_a_text_is_cleaned_also_where_it_was_cut_within_a_secret(text: str, shown: str) -> None:
    assert cleaner(spellings(["key-0123456789"]))(text) == shown


@pytest.mark.parametrize(
    ("url", "hidden", "shown"),
    [
        ("tgram://123456:ABC-def/987654", {"123456:ABC-def", "987654"}, set()),
        ("jsons://user:password@example.com/pathtoken", {"password", "pathtoken"}, {"example.com"}),
        ("json://127.0.0.1:8080/x?token=abcdefgh", {"abcdefgh"}, {"127.0.0.1:8080", "x"}),
        ("pbul://o.AbCdEf0123456789", {"o.AbCdEf0123456789"}, set()),
        ("pbul://o.AbCdEf0123456789:80/x", {"o.AbCdEf0123456789:80"}, set()),
        ("ntfy://my.hidden.topic", {"my.hidden.topic"}, set()),
        ("http://[broken", {"http://[broken"}, set()),
    ],
)
def test_of_an_address_all_is_secret_that_is_no_place(
    url: str, hidden: set[str], shown: set[str]
) -> None:
    parts = set(secret_parts(url))

    assert hidden <= parts
    assert not shown & parts
