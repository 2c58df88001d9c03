"""The page in a real browser, as a person uses it: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.dashboard.command import DashboardOptions, model_of
from ops.dashboard.page import page
from tests.cli.runs import real_run
from tests.ops.dashboard.browsing import Seen, assert_nothing_is_cut_off_on_a_phone, wait_until
from tests.ops.dashboard.runs import LIFE, encoded, line, run_with
from tests.ops.dashboard.test_run_model import traded
from tests.ops.dashboard.test_serve import served

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols that ended in order."""
    return real_run(tmp_path_factory.mktemp("browser") / "run")


@pytest.fixture(scope="module")
def desk(browser: Any, run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page of that run, opened once; `shown` gives it as it is when it was just opened."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(model_of(DashboardOptions(runs=(run_dir,)))), encoding="utf-8")
    opened = Seen(browser, path.as_uri())
    yield opened
    opened.context.close()


@pytest.fixture
def shown(desk: Any) -> Any:
    desk.page.evaluate("document.getElementById('order').close(), W.show(0)")
    return desk


def test_it_draws_everything_without_a_word_on_the_console_or_the_network(shown: Any) -> None:
    assert shown.text(".verdict").endswith("Ended in order")
    assert shown.count("#equity canvas") == 2
    assert shown.count("#market canvas") > 0
    assert shown.count("#internals .uplot") >= 2
    assert shown.said == []
    assert [url for url in shown.asked if not url.startswith(("file:", "data:"))] == []


def test_the_policy_forbids_the_network(shown: Any) -> None:
    refused = shown.page.evaluate(
        "fetch('http://127.0.0.1:9/').then(() => 'reached', (error) => error.name)"
    )

    assert refused == "TypeError"
    assert any("Content Security Policy" in text for text in shown.said)
    shown.said.clear()


def test_orders_are_filtered_sorted_and_searched(shown: Any) -> None:
    rows = shown.page.locator("#orders tbody tr")
    everything = shown.text("#orders .count")

    shown.page.locator("select[name=symbol]").select_option("ETH/USDT")
    assert all("ETH/USDT" in text for text in rows.all_inner_texts())
    assert shown.text("#orders .count") != everything
    shown.page.locator("select[name=side]").select_option("sell")
    assert all("Sell" in text for text in rows.all_inner_texts())
    shown.page.locator("#orders [data-sort=quantity]").click()
    numbers = [
        float(t) for t in shown.page.locator("#orders tbody td:nth-child(4)").all_inner_texts()
    ]
    assert numbers == sorted(numbers, reverse=True)
    shown.page.locator("input[type=search]").fill("nothing bears this name")
    assert rows.count() == 0
    assert shown.text("#orders .count") == "No order matches."


def test_a_click_opens_an_orders_life_and_escape_closes_it(shown: Any) -> None:
    shown.page.locator("#orders tbody tr").first.click()

    steps = shown.page.locator("dialog .steps .state").all_inner_texts()
    assert [text.split()[-1] for text in steps][:2] == ["claimed", "sent"]
    assert "Known from" in shown.text("dialog .steps")
    shown.page.keyboard.press("Escape")
    assert not shown.page.locator("dialog").is_visible()


def test_the_keyboard_does_all_of_it(shown: Any) -> None:
    keys, spoken = shown.page.keyboard, "#said"

    shown.page.locator("#orders tbody button.link").first.focus()
    keys.press("Enter")
    assert shown.page.locator("dialog").is_visible()
    keys.press("Escape")
    shown.page.locator("#equity .chart").first.focus()
    keys.press("ArrowLeft")
    assert "Profit of the run" in str(shown.page.locator(spoken).text_content())
    shown.page.locator("#market .chart").focus()
    keys.press("ArrowLeft")
    assert "Fill" in str(shown.page.locator(spoken).text_content())
    keys.press("Enter")
    assert shown.page.locator("dialog").is_visible()


def span_of(shown: Seen) -> float:
    data = shown.page.locator("#equity .chart").first.evaluate("(e) => ({...e.dataset})")
    return float(data["to"]) - float(data["from"])


def test_a_chart_zooms_by_dragging_and_by_keys_and_comes_back(shown: Any) -> None:
    chart = shown.page.locator("#equity .u-over").first
    whole = span_of(shown)

    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    shown.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 50)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=5)
    shown.page.mouse.up()
    dragged = span_of(shown)
    assert dragged < 0.3 * whole
    shown.page.locator("#equity .chart").first.focus()
    shown.page.keyboard.press("+")
    assert span_of(shown) < 0.6 * dragged
    shown.page.keyboard.press("0")
    assert span_of(shown) == pytest.approx(whole)


def test_candles_zoom_and_change_their_symbol(shown: Any) -> None:
    candles = "#market .chart"

    whole = int(shown.page.locator(candles).get_attribute("data-bars"))
    shown.page.locator(candles).focus()
    shown.page.keyboard.press("+")
    wait_until(shown, f"Number(document.querySelector('{candles}').dataset.bars) < {0.7 * whole}")
    shown.page.get_by_role("button", name="ETH/USDT").click()
    assert "ETH/USDT" in str(shown.page.locator(candles).get_attribute("aria-label"))


def test_an_axis_is_as_wide_as_what_stands_there_and_no_value_is_written_out_for_it(
    shown: Any,
) -> None:
    written = shown.page.evaluate(
        """() => {
          const holder = W.el('div', {}), times = [...Array(5000).keys()];
          document.body.append(holder);
          let count = 0;
          const show = (v) => { count += 1; return String(v); };
          const series = [{ name: 'a', values: times }];
          const chart = W.lines(holder, times, series, { label: 'x', show });
          return new Promise((done) => requestAnimationFrame(() => {
            chart.destroy(); holder.remove(); done(count);
          }));
        }"""
    )

    assert 0 < written < 200


def test_at_phone_width_nothing_is_cut_off(shown: Any) -> None:
    assert_nothing_is_cut_off_on_a_phone(shown)


def luminance(shown: Seen) -> float:
    return float(
        shown.page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g)"
            ".slice(0, 3).reduce((sum, x) => sum + Number(x), 0) / 765"
        )
    )


def test_colours_are_the_systems_until_the_switch_says_otherwise(seen: Any, run_dir: Path) -> None:
    shown = seen(run_dir, color_scheme="dark")
    dark = luminance(shown)

    shown.page.locator("#theme").click()
    light = luminance(shown)
    shown.page.reload()
    shown.page.wait_for_selector("html[data-ready=yes]")

    assert dark < 0.3 < 0.7 < light
    assert luminance(shown) == light
    assert shown.said == []


def test_text_meets_the_contrast_that_people_need(shown: Any) -> None:
    """WCAG AA: 4.5 to 1 for every colour of text on every ground it stands on."""
    for scheme in ("light", "dark"):
        shown.page.emulate_media(color_scheme=scheme)
        worst = shown.page.evaluate(
            """() => {
              W.forgetColours();
              const light = (name) => {
                const rgb = W.colour(name).match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255)
                  .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
                return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
              };
              const grounds = ["card", "page"];
              const inks = ["ink", "soft", "faint", "accent", "ok", "warning", "critical"];
              return Math.min(...inks.flatMap((ink) => grounds.map((ground) => {
                const [a, b] = [light(ink), light(ground)];
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
              })));
            }"""
        )
        assert worst >= 4.5


def test_several_runs_stand_side_by_side_and_one_is_looked_into(
    seen: Any, run_dir: Path, tmp_path: Path
) -> None:
    other = traded(run_with(tmp_path / "other", *LIFE))
    shown = seen(run_dir, other)

    assert shown.count("#compare thead th") == 3
    shown.page.get_by_role("tab", name="made").click()
    assert str(other) in shown.text(".runname")
    assert "1 of" not in shown.text("#orders .count")
    assert shown.said == []


def test_a_live_page_draws_what_is_new_and_leaves_alone_what_has_the_focus(
    browser: Any, tmp_path: Path
) -> None:
    one, two = run_with(tmp_path / "one", *LIFE), run_with(tmp_path / "two", *LIFE)
    events, firing = "#internals .events", ".evidence li:has-text('{} firing')"
    with served(one, two) as (url, _):
        shown = Seen(browser, url)
        shown.page.wait_for_selector("#live:has-text('Live')")
        assert shown.text("#orders .empty") != ""
        traded(one)
        shown.page.wait_for_selector("#orders tbody tr")

        shown.page.focus(events)
        alert_of(one, "First.")
        shown.page.wait_for_selector(firing.format("1 alert was"))
        assert "First." not in shown.text(events)
        assert shown.page.evaluate(f"document.activeElement.matches('{events}')")

        shown.page.get_by_role("tab", name="one").focus()
        shown.page.wait_for_selector(f"{events}:has-text('First.')")
        alert_of(one, "Second.")
        shown.page.wait_for_selector(firing.format("2 alerts were"))
        assert shown.page.evaluate("document.activeElement.textContent") == "one"
        shown.context.close()

    assert shown.said == []


def alert_of(run_dir: Path, sentence: str) -> None:
    alert = line(20, "alert", rule=sentence, state="firing", sentence=sentence)
    with (run_dir / "metrics.ndjson").open("ab") as file:
        file.write(encoded(alert))
