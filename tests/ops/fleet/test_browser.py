"""The fleet's page in a real browser: from disk, and alive beside an orchestrator that dies."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from decisions.spoken import spoken_money
from ops.fleet.page import page
from ops.fleet.standing import standing
from tests.ops.dashboard.browsing import DESKTOP, PHONE, Seen
from tests.ops.fleet.test_page import EVIL, NOW_NS, said, seen

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("chromium") is None, reason="there is no chromium: apt-get install chromium"
    ),
]
BOT = """name = "one"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
[[strategy]]
id = "sma"
uses = "sma_cross"
params = { fast = 5, slow = 15 }
"""


def test_money_is_rounded_as_everywhere_else(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "fleet.html"
    file.write_text(page(standing("desk", 9, [], NOW_NS)), encoding="utf-8")
    amounts = ["-0.4057123412", "4.123456789", "0.00166", "-0.000000001", "0E-8", "1500"]
    shown = Seen(browser, file.as_uri(), DESKTOP)

    told = shown.page.evaluate("amounts => amounts.map(W.money)", amounts)

    assert told == [spoken_money(amount) for amount in amounts]
    shown.context.close()


def test_from_disk_it_says_who_needs_a_person_and_runs_nothing_that_a_bot_says(
    browser: Any, tmp_path: Path
) -> None:
    said(tmp_path, "one", alerts={"firing": [{"rule": "stale", "sentence": EVIL}]})
    said(tmp_path, "two")
    bots = [seen(tmp_path, "one", pid=1), seen(tmp_path, "two", pid=1), seen(tmp_path, "three")]
    file = tmp_path / "fleet.html"
    file.write_text(page(standing("desk", 9, bots, NOW_NS)), encoding="utf-8")
    for width in (DESKTOP, PHONE):
        shown = Seen(browser, file.as_uri(), width)

        assert shown.text("h1") == "✕\nA person is needed"
        assert "three" in shown.text(".why")
        levels = shown.page.locator("#bots tbody tr").evaluate_all(
            "rows => rows.map(r => [r.dataset.bot, r.dataset.level])"
        )
        assert levels == [["one", "warning"], ["two", "warning"], ["three", "critical"]]
        assert "owned" not in shown.page.title()
        assert shown.page.evaluate("document.querySelectorAll('script').length") == 4
        wide = shown.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, "nothing sticks out of the window"
        assert shown.said == []
        assert [url for url in shown.asked if not url.startswith(("file:", "data:"))] == []
        shown.context.close()


def test_alive_it_follows_the_bots_and_says_when_nobody_answers_any_more(
    browser: Any, tmp_path: Path
) -> None:
    (tmp_path / "one.toml").write_text(BOT)
    (tmp_path / "fleet.toml").write_text(
        'name = "desk"\n[[bot]]\nid = "one"\nconfig = "one.toml"\n'
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-P", "-m", "cli", "orchestrate"]
    fleet = str(tmp_path / "fleet.toml")
    up = subprocess.Popen(
        [*command, "up", fleet, "--json", "--serve", place],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert up.stdout is not None
        events = (json.loads(line) for line in up.stdout)
        assert next(e for e in events if e["event"] == "serving")["page"] == f"http://{place}/"
        shown = Seen(browser, f"http://{place}/")
        shown.page.wait_for_selector("tr[data-bot=one][data-level=ok]")
        assert shown.text("#live") == "Live"
        assert "All is well" in shown.text("h1")
        assert {url.split("/", 3)[2] for url in shown.asked if url.startswith("http")} == {place}

        done = subprocess.run([*command, "drain", fleet, "one"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        shown.page.wait_for_selector("tr[data-bot=one][data-level=unknown]")
        assert "a person drained it" in shown.text("#bots tbody tr")

        up.send_signal(signal.SIGKILL)
        shown.page.wait_for_selector("html[data-ready=old]")
        assert shown.text("#live").startswith("No answer since ")
        assert shown.page.locator("tr[data-bot=one]").count() == 1, "what was known stays"
        shown.context.close()
    finally:
        up.kill()
        up.communicate()  # which closes its pipe
        subprocess.run([*command, "down", fleet], capture_output=True, check=False)
