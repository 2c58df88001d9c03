"""The live page: a process of its own that reads, tells what changes, and leaves nothing behind."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import cli
from messages.errors import ConfigError
from ops.dashboard import serve as serving
from ops.dashboard.command import DashboardOptions
from tests.ops.dashboard.runs import LIFE, T0, encoded, line, run_with

pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")

TOKEN = "a-token-of-this-test"


ENDLESS = """
import threading
import cli
from ops.dashboard.run import RunModel

def refresh(model):
    print("looking", flush=True)
    threading.Event().wait()

RunModel.refresh = refresh
raise SystemExit(cli.main())
"""
"""Serves a run of which no look ever ends."""


@contextmanager
def served(
    *runs: Path, program: tuple[str, ...] = ("-m", "cli"), **environment: str
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Serve on a free port; give where, and the process."""
    words = ("dashboard", *map(str, runs), "--serve", "--port", "0")
    process = subprocess.Popen(
        [sys.executable, "-P", *program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent), **environment},
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


def get(
    url: str, path: str = "/", method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)) as one:
        one.request(method, path, headers=headers)
        response = one.getresponse()
        return response, response.read().decode()


@contextmanager
def listening(url: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Give what the page's stream of events tells, as it comes."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    connection.request("GET", "/events")
    stream = connection.getresponse()

    def told() -> Iterator[dict[str, Any]]:
        for text in stream:
            if text.startswith(b"data: "):
                yield json.loads(text[len(b"data: ") :])

    try:
        yield told()
    finally:
        stream.close()
        connection.close()


@pytest.mark.slow
def test_a_page_hears_what_the_run_writes_and_the_end_is_in_order(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with served(tmp_path) as (url, process):
        response, text = get(url)
        with listening(url) as told:
            first = next(told)
            with (tmp_path / "metrics.ndjson").open("ab") as file:
                file.write(encoded(line(20, "alert", rule="r", state="firing", sentence="Look.")))
            news = next(one for one in told if "internals" in one["parts"])
            process.send_signal(signal.SIGTERM)
            assert list(told) == []
        output, errors = process.communicate(timeout=60)

    assert (response.status, process.returncode, output, errors) == (200, 0, "", "")
    assert "connect-src 'self'" in str(response.headers["Content-Security-Policy"])
    assert '"live":true' in text
    assert {"equity", "market", "orders", "internals"} <= first["parts"].keys()
    assert news["parts"]["internals"]["happenings"][-1] == [T0 / 1e9 + 20, "alert", "r", "Look."]
    changed = {path.name for path in tmp_path.iterdir()} ^ before.keys()
    assert changed == set()


@pytest.mark.slow
def test_ctrl_c_ends_it_with_the_exit_code_that_every_command_has_for_it(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE)
    with served(tmp_path) as (_, process):
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (130, "", "")


@pytest.mark.slow
def test_it_ends_at_once_while_the_first_look_lasts(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE)
    with served(tmp_path, program=("-c", ENDLESS)) as (_, process):
        assert process.stdout is not None
        assert process.stdout.readline() == "looking\n"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.slow
def test_with_a_token_nobody_sees_anything_without_it(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE)
    with served(tmp_path, WATCHKEEPER_DASHBOARD_TOKEN=TOKEN) as (url, _):
        statuses = [get(url, path)[0].status for path in ("/", "/events", "/?token=wrong")]
        entry, _ = get(url, f"/?token={TOKEN}")
        cookie = str(entry.headers["Set-Cookie"])
        inside, _ = get(url, Cookie=cookie.partition(";")[0])
        by_header, _ = get(url, Authorization=f"Bearer {TOKEN}")

    assert url.endswith(f"/?token={TOKEN}")
    assert statuses == [401, 401, 401]
    assert (entry.status, inside.status, by_header.status) == (303, 200, 200)
    assert "HttpOnly" in cookie
    assert re.search("samesite=strict", cookie, re.IGNORECASE)


@pytest.mark.slow
def test_it_only_reads_and_a_name_of_somebody_else_does_not_lead_to_it(tmp_path: Path) -> None:
    run_with(tmp_path, *LIFE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with served(tmp_path) as (url, _):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in ("/", "/events"):
                refused, _ = get(url, path, method)
                assert refused.status == 405
                assert set(str(refused.headers["Allow"]).split(", ")) == {"GET", "HEAD"}
        assert get(url, "/stop", "POST")[0].status == 404
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        assert get(url, Host="evil.example:80")[0].status == 421
        assert get(url, Host="localhost")[0].status == 200
        for site in ("cross-site", "same-site"):
            tricked = {"Sec-Fetch-Site": site}
            assert get(url, "/events", **tricked)[0].status == 403, "it would take all places"
            assert get(url, **tricked)[0].status == 200, "a link that a person follows"


@pytest.mark.parametrize(
    ("host", "is_only_here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("bot.example", False),
    ],
)
def test_beyond_loopback_a_token_is_made(
    host: str, is_only_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(serving.TOKEN_VARIABLE, raising=False)

    assert serving.is_loopback(host) == is_only_here
    assert (len(serving._token(host)) >= 32) == (not is_only_here)


def test_a_token_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serving.TOKEN_VARIABLE, "1234")

    with pytest.raises(ConfigError, match="at least 16"):
        serving._token("127.0.0.1")


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    with pytest.raises(ConfigError) as error:
        serving.serve(DashboardOptions(runs=(tmp_path,), serve=True))

    assert "pip install '.[dashboard]' from the checkout" in error.value.problems[0]


def test_an_address_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with serving._listener("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match="address already in use"):
            serving.serve(DashboardOptions(runs=(tmp_path,), serve=True, port=port))
