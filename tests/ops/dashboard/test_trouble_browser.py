"""In a real browser: what the page shows of trouble, of what is not known, and of a hostile run."""

import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.dashboard.command import DashboardOptions, model_of
from ops.dashboard.page import page
from tests.ops.dashboard.browsing import Seen
from tests.ops.dashboard.runs import CONFIG, LIFE, line, recorded, run_with, said
from tests.ops.dashboard.screenshots import SIZES, shoot
from tests.ops.dashboard.test_run_model import EVIL, traded
from tests.system.conftest import STRESS

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def troubled(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page of a run with an exit, a restart, an alert, mail that waits, and a refusal."""
    actors = {f"actor/{n}": {"processed": n, "mailbox": n} for n in range(9)}
    lines = [*LIFE, line(9, "interval", actors=actors)]
    run_dir = traded(run_with(tmp_path_factory.mktemp("troubled"), *lines))
    software = {"watchkeeper": "0.1.0", "python": "3.12.1", "sqlite": "3.45.1", "ccxt": "4.5.1"}
    ended = {"exit_code": 0, "reason": "the market ended"}
    status = {"captured_at_ns": 1, "software": {**software, "host": "bot-1"}, "ended": ended}
    (run_dir / "status.json").write_text(json.dumps(status))
    path = run_dir / "page.html"
    path.write_text(page(model_of(DashboardOptions(runs=(run_dir,)))), encoding="utf-8")
    opened = Seen(browser, path.as_uri())
    yield opened
    opened.context.close()
    assert opened.said == []


def texts(shown: Seen, selector: str) -> list[str]:
    found = shown.page.locator(selector).evaluate_all("(all) => all.map((e) => e.textContent)")
    return [str(text) for text in found]


def test_mail_that_waits_is_a_line_for_each_mailbox(troubled: Any) -> None:
    chart = "#internals .chart[aria-label^='Messages that wait, by mailbox']"

    assert troubled.count(f"{chart} canvas") == 1
    assert texts(troubled, f"{chart} + .keys button") == [
        *[f"actor/{n}{n}" for n in (8, 7, 6, 5, 4)], "a3", *[f"actor/{n}{n}" for n in (3, 2, 1, 0)],
    ]  # fmt: skip
    looks = troubled.page.locator(f"{chart} + .keys line").evaluate_all(
        "(all) => all.map((e) => e.getAttribute('stroke') + e.getAttribute('stroke-dasharray'))"
    )
    assert len(set(looks)) == 10


def test_exits_restarts_and_alerts_have_lanes_of_their_own(troubled: Any) -> None:
    lanes = troubled.page.locator("svg.lanes").evaluate(
        """(svg) => {
          const names = [...svg.querySelectorAll(':scope > line')].map((line) =>
            [line.getAttribute('y1'), line.previousSibling.textContent]);
          const where = (sign) => sign.getAttribute('transform').match(/ ([0-9.]+)/)[1];
          const signs = [...svg.querySelectorAll('g')];
          return Object.fromEntries(names.map(([y, name]) => [name,
            signs.filter((sign) => where(sign) === y).map((sign) =>
              sign.querySelector('text').textContent)]));
        }"""
    )

    assert lanes["Exits"] == ["✕"]
    assert lanes["Restarts, halts"] == ["↻"]
    assert lanes["Alerts"] == ["!", "✓"]
    assert any("Restart x" in text for text in texts(troubled, "svg.lanes title"))


def test_reasons_of_refusals_and_of_errors_are_counted(troubled: Any) -> None:
    card = "#internals .card:has(h3:text-is('{}')) .bars li"

    assert texts(troubled, card.format("Refused and rejected, by reason")) == ["cooldown1"]
    assert texts(troubled, card.format("Errors, by reason")) == ["crashed1"]


def test_the_run_says_what_made_it_and_how_it_ended(troubled: Any) -> None:
    labels, values = texts(troubled, "#facts dt"), texts(troubled, "#facts dd")
    facts = dict(zip(labels, values, strict=True))

    assert facts["Versions"] == "Watchkeeper 0.1.0, Python 3.12.1, SQLite 3.45.1, ccxt 4.5.1"
    assert (facts["Host"], facts["Seed"]) == ("bot-1", "7")
    assert facts["Exit code"] == "0: the market ended"


@pytest.mark.skipif(not STRESS, reason="a look at colours: WATCHKEEPER_STRESS=1")
def test_pictures_of_it_are_whole_pages_in_both_colours(
    browser: Any, troubled: Any, tmp_path: Path
) -> None:
    pictures = shoot(browser, troubled.page.url, tmp_path, {"phone": SIZES["phone"]})

    # A PNG says how large it is in its bytes 16 to 24.
    sizes = [struct.unpack(">II", picture.read_bytes()[16:24]) for picture in pictures]
    assert [picture.name for picture in pictures] == ["phone-light.png", "phone-dark.png"]
    assert [width for width, _ in sizes] == [390, 390]
    assert min(height for _, height in sizes) > 2_000
    assert len({picture.read_bytes() for picture in pictures}) == 2


def test_nothing_is_told_by_colour_alone(troubled: Any) -> None:
    swatches = troubled.page.locator("#internals .keys").first.locator("line")
    dashes = swatches.evaluate_all("(all) => all.map((e) => e.getAttribute('stroke-dasharray'))")

    assert len(set(dashes)) == len(dashes) > 1
    assert sorted(set(texts(troubled, "#orders .side span"))) == ["▲ ", "▼ "]
    assert set(texts(troubled, "#orders td .state i")) == {"●", "⊘"}
    assert {text[0] for text in texts(troubled, "#internals .events .state")} >= set("✕↻!✓")
    assert all(texts(troubled, ".mark b"))


def test_a_line_ends_where_nothing_is_known_and_bars_leave_room_for_those_that_are_not_there(
    seen: Any, tmp_path: Path
) -> None:
    actors = {"a": {"processed": 9, "mailbox": 1}}
    alive = [line(at, "interval", actors=actors) for at in (*range(0, 90, 5), *range(600, 690, 5))]
    shown = seen(recorded(tmp_path / "run", [*range(40), *range(60, 90)], *alive))

    # Of the first line of each chart: whether something is left out, and how often it ends.
    found = shown.page.evaluate(
        """Object.fromEntries([...W.charts].filter((one) => one.plot).map(({ chart, plot }) => [
          chart.getAttribute('aria-label').split(/[ ,.]/)[0],
          [plot.data[1].filter((v) => v === null).length > 0,
           plot.series[1]._paths.gaps.length]]))"""
    )
    bars = int(shown.page.locator("#market .chart").get_attribute("data-bars"))

    assert found["Profit"] == found["Drawdown"] == found["Throughput"] == found["Messages"]
    assert found["Profit"] == [True, 1]
    assert bars >= 70 + 18
    assert "Left blank: a time without a candle from" in shown.text("#market .body")
    assert "Left blank: a time without any metric line" in shown.text("#internals .body")
    assert shown.said == []


def test_a_mailbox_that_was_always_empty_is_a_line_at_nought(seen: Any, tmp_path: Path) -> None:
    actors = {"a": {"processed": 9, "mailbox": 0}}
    empty = [line(at, "interval", actors=actors) for at in range(0, 60, 5)]
    backoff = said(4, "supervision", child="x", event="backoff", reason="0.5 s", epoch=1)
    shown = seen(run_with(tmp_path / "run", *LIFE[:7], backoff, *empty))

    top = shown.page.evaluate(
        "[...W.charts].find((one) => one.plot && one.chart.ariaLabel.startsWith('Messages that'))"
        ".plot.scales.y.max"
    )

    assert top == 1
    # Both are of one moment; the exit is on top.
    assert [text for text in texts(shown, "svg.lanes g > text") if text in "✕…"] == ["…", "✕"]


def test_a_hostile_run_is_shown_as_text(seen: Any, tmp_path: Path) -> None:
    hostile = said(1, "supervision", child=EVIL, event="exited", reason=EVIL, epoch=1)
    config = CONFIG.replace('"made"', json.dumps(EVIL))
    shown = seen(traded(run_with(tmp_path / "evil", hostile, b"{broken\n", config=config)))

    assert EVIL in shown.text(".runname")
    assert EVIL in shown.text("#internals .events")
    assert shown.count("main img") == 0
    assert shown.said == []


def test_an_empty_directory_is_a_page_that_says_what_it_lacks(seen: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shown = seen(tmp_path / "empty")

    assert "What this page lacks" in shown.text(".missing")
    assert shown.said == []
