"""The tear sheet in a real browser: Debian's Chromium, driven by Playwright."""

import json
import random
import shutil
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


from decisions.bars import Bars
from decisions.round_trips import Executed
from decisions.tear_sheet import Trials, sheet_of
from decisions.tear_sheet_model import marks_of, sheet_model
from decisions.valued import Lane
from messages.ids import DAY_NS, StrategyId, Symbol, TimestampNs, TradeId
from messages.orders import Fill
from messages.values import Liquidity, Side
from ops.dashboard.sheet_page import SHEET, sheet_page
from tests.ops.dashboard.browsing import (
    PHONE,
    Seen,
    assert_nothing_is_cut_off_on_a_phone,
    wait_until,
)
from tests.ops.dashboard.screenshots import SIZES, shoot
from tests.ops.dashboard.test_run_model import EVIL
from tests.system.conftest import STRESS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("chromium") is None, reason="there is no chromium: apt-get install chromium"
    ),
]
BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
HOUR_NS = DAY_NS // 24
T0 = 19_723 * DAY_NS  # 2024-01-01
HOURS = 2_400


def execution(at: int, side: str, price: float, symbol: Symbol, strategy: str) -> Executed:
    fill = Fill(
        trade_id=TradeId(f"{symbol}{at}"),
        price=Decimal(f"{price:.2f}"),
        quantity=Decimal("0.5"),
        fee=Decimal("0.05"),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(at),
    )
    return Executed(at, StrategyId(strategy), symbol, Side(side), fill, f"{side} by chance")


def model_of(*symbols: Symbol, name: str = "made", split: bool = True) -> dict[str, Any]:
    """A hundred days of hours, bought and sold by chance, without a few days in the middle."""
    draw, lanes, executions = random.Random(5), [], list[Executed]()
    bars: dict[str, Bars] = {}
    split_ns = T0 + 70 * DAY_NS if split else None
    for symbol in symbols:
        price, bars[symbol], times, closes, held = 100.0, Bars(800), list[int](), [], False
        for hour in range(HOURS):
            if 500 < hour < 620:
                continue
            opened, price = price, max(price + draw.gauss(0, 1), 10)
            at = T0 + (hour + 1) * HOUR_NS
            ohlc = (opened, max(opened, price) + 0.5, min(opened, price) - 0.5, price)
            bars[symbol].candle(at - HOUR_NS, ohlc, draw.uniform(1, 9))
            times.append(at)
            closes.append(price)
            if draw.random() < 0.12:
                side, held = ("sell" if held else "buy"), not held
                executions.append(execution(at, side, price, symbol, f"on {symbol}"))
        ours = [one for one in executions if one[2] == symbol]
        lanes.append(Lane(symbol, [(times, closes)], ours, hold=1_000.0, split_ns=split_ns))
    executions.sort(key=lambda one: one[0])
    trials = Trials(count=20, is_told=True)
    sheet = sheet_of("USDT", lanes, executions, capital=2_000.0, split_ns=split_ns, trials=trials)
    marks = marks_of(sheet)
    return {
        "schema": 1, "kind": "backtest", "name": name, "title": "made by chance",
        "claim": "no edge claimed", "trials": "Twenty trials.", "notes": [name], "why": [],
        "sheets": [sheet_model(sheet, trials, bars)],
        "market": {"sentence": "Made.", "symbols": {
            symbol: {
                "bars": bars[symbol].rows, "width_s": bars[symbol].shown_width_ns / 10**9,
                "gaps": bars[symbol].gaps, "is_line": False, "fills": marks[symbol][0],
                "fills_total": marks[symbol][1],
            }
            for symbol in symbols
        }},
        "facts": [["Configuration", name]], "config": f"name = {name!r}",
    }  # fmt: skip


def opened_page(browser: Any, folder: Path, model: dict[str, Any], **context: Any) -> Seen:
    path = folder / "sheet.html"
    path.write_text(sheet_page(model), encoding="utf-8")
    return Seen(browser, path.as_uri(), **context)


@pytest.fixture(scope="module")
def shown(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A sheet of two symbols, split in two."""
    seen = opened_page(browser, tmp_path_factory.mktemp("sheet"), model_of(BTC, ETH))
    yield seen
    seen.context.close()
    assert seen.said == []


def test_it_draws_everything_and_asks_nobody(shown: Seen) -> None:
    assert shown.text("h1") == "made"
    assert shown.count("#equity canvas") == 3
    assert shown.count("#market canvas") > 0
    assert shown.count("#figures tbody.group") == 6
    assert shown.count(".heat tbody tr") == 1
    assert shown.count("#trades tbody tr") == 25
    reasons = shown.page.locator("#trades tbody td").all_inner_texts()
    assert {"buy by chance", "sell by chance"} <= set(reasons)
    assert shown.said == []
    assert [url for url in shown.asked if not url.startswith(("file:", "data:"))] == []


def test_the_policy_forbids_the_network(shown: Seen) -> None:
    refused = shown.page.evaluate(
        "fetch('http://127.0.0.1:9/').then(() => 'reached', (error) => error.name)"
    )

    assert refused == "TypeError"
    assert any("Content Security Policy" in text for text in shown.said)
    shown.said.clear()
    assert "connect-src 'none'" in SHEET.policy("'none'")


def test_figures_stand_side_by_side_and_explain_themselves(shown: Seen) -> None:
    heads = shown.page.locator("#figures thead").first.locator("th").all_inner_texts()

    assert heads == ["", "Whole", "In sample", "Out of sample", "Buy and hold"]
    shown.page.get_by_role("button", name="Explained").click()
    assert "Mertens" in shown.text("#figures")
    shown.page.get_by_role("button", name="Figures", exact=True).click()
    assert "Mertens" not in shown.text("#figures")


def test_what_is_out_of_sample_is_shaded_and_a_gap_is_blank(shown: Seen) -> None:
    """The shade is a colour on the canvas: right of the split, and not left of it."""
    coloured = """(share) => {
      const { plot } = [...W.charts].find((one) => one.plot), { left, width, top } = plot.bbox;
      const at = Math.round(left + width * share);
      return [...plot.ctx.getImageData(at, top + 3, 1, 1).data].join();
    }"""
    before, after = (shown.page.evaluate(f"({coloured})({share})") for share in (0.53, 0.97))

    shown.said.clear()  # Chromium says that reading pixels is slow
    assert before != after
    assert "Left blank: a time without a price from 2024-01-21" in shown.text("#equity")


def test_a_chart_is_zoomed_by_keys_and_by_the_mouse_and_read_by_hovering(shown: Seen) -> None:
    chart = shown.page.locator("#equity .chart").first
    width = "((c) => Number(c.dataset.to) - Number(c.dataset.from))"
    whole = chart.evaluate(f"(c) => {width}(c)")
    chart.focus()
    chart.press("+")
    half = chart.evaluate(f"(c) => {width}(c)")
    chart.press("0")
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    shown.page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
    shown.page.mouse.up()
    dragged = chart.evaluate(f"(c) => {width}(c)")
    chart.press("0")

    assert half < 0.6 * whole
    assert dragged < 0.4 * whole
    assert chart.evaluate(f"(c) => {width}(c)") == whole
    value = shown.page.locator("#equity .keys b").first
    shown.page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    hovered = value.inner_text()
    shown.page.mouse.move(box["x"] + box["width"] * 0.7, middle)
    assert value.inner_text() != hovered


def test_a_fill_leads_to_its_trade_and_a_closer_look_marks_more(shown: Seen) -> None:
    chart = shown.page.locator("#market .chart")
    chart.focus()
    chart.press("ArrowLeft")
    chart.press("Enter")

    here = shown.page.locator("#trades tr.here")
    assert here.count() == 1
    assert shown.page.evaluate("document.activeElement.classList.contains('here')")
    assert "Trade " in shown.text("#said")

    whole = int(chart.get_attribute("data-bars") or 0)
    chart.focus()
    for _ in range(3):
        chart.press("+")
    wait_until(
        shown, f"Number(document.querySelector('#market .chart').dataset.bars) < {whole / 4}"
    )
    chart.press("0")
    shown.page.get_by_role("button", name="ETH/USDT").click()
    assert "ETH/USDT" in str(shown.page.locator("#market .chart").get_attribute("aria-label"))


def test_keys_that_come_faster_than_frames_are_all_heeded(shown: Seen) -> None:
    """The chart draws what a key asks for with its next frame; three in one were one."""
    chart = shown.page.locator("#market .chart")
    whole = int(chart.get_attribute("data-bars") or 0)

    shown.page.evaluate("""() => {
      const chart = document.querySelector("#market .chart");
      const plus = () => new KeyboardEvent("keydown", { key: "+" });
      for (let n = 0; n < 3; n += 1) chart.dispatchEvent(plus());
      const frames = (n, done) => n ? requestAnimationFrame(() => frames(n - 1, done)) : done();
      return new Promise((done) => frames(5, done));
    }""")

    assert int(chart.get_attribute("data-bars") or 0) < whole / 4


def test_many_fills_are_thinned_on_the_whole_and_all_marked_closer(
    browser: Any, tmp_path: Path
) -> None:
    seen = opened_page(browser, tmp_path, model_of(BTC), width=PHONE)
    chart = seen.page.locator("#market .chart")
    few, fills = int(chart.get_attribute("data-marks") or 0), model_of(BTC)["sheets"][0]
    executions = sum(row[13] for row in fills["trips"])

    assert 20 < few < executions / 3
    assert "fills is marked" in seen.text("#market")
    chart.focus()
    for _ in range(12):  # as often as it takes
        if "fills is marked" not in seen.text("#market"):
            break
        chart.press("+")
        seen.page.evaluate("new Promise((done) => requestAnimationFrame(done))")
    assert "fills is marked" not in seen.text("#market")
    assert seen.said == []
    seen.context.close()


def test_trades_are_sorted_chosen_and_unfolded(shown: Seen) -> None:
    shown.page.locator("[data-sort=amount]").click()
    profits = shown.page.locator("#trades tbody tr td:has(span.up)")
    assert profits.count() > 20
    assert shown.page.locator("#trades th[aria-sort=descending]").inner_text().startswith("Profit")
    shown.page.get_by_role("button", name="Lost").click()
    assert shown.count("#trades tbody span.up") == 0
    before = shown.count("#trades tbody tr")
    shown.page.locator("#trades .more button").click()
    assert shown.count("#trades tbody tr") > before


def test_at_phone_width_nothing_is_cut_off(shown: Seen) -> None:
    assert_nothing_is_cut_off_on_a_phone(shown)


def test_everything_has_a_name_and_tables_have_heads(shown: Seen) -> None:
    nameless = shown.page.evaluate(
        """[...document.querySelectorAll('button, [role=group], [role=region], table')]
          .filter((e) => !e.closest('.chart table'))
          .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim())).length"""
    )
    headless = shown.page.evaluate(
        """[...document.querySelectorAll('table')].filter((e) => !e.closest('.chart'))
          .filter((e) => !e.querySelector('caption') || !e.querySelector('th[scope=col]')).length"""
    )

    assert (nameless, headless) == (0, 0)
    assert shown.page.evaluate("document.documentElement.lang") == "en"


def test_another_currency_is_another_sheet_on_the_page(browser: Any, tmp_path: Path) -> None:
    model, other = model_of(BTC), model_of(Symbol("ETH/EUR"))
    model["sheets"] += [{**other["sheets"][0], "quote": "EUR"}]
    model["market"]["symbols"] |= other["market"]["symbols"]
    seen = opened_page(browser, tmp_path, model)
    seen.page.get_by_role("button", name="EUR", exact=True).click()

    assert "Profit in EUR" in seen.text("#equity")
    assert "ETH/EUR" in str(seen.page.locator("#market .chart").get_attribute("aria-label"))
    assert seen.count("#equity canvas") == 3
    assert seen.said == []
    seen.context.close()


def test_hostile_names_are_text(browser: Any, tmp_path: Path) -> None:
    evil = EVIL + "</script><script>document.title='owned'</script>\"'\u2028"
    seen = opened_page(browser, tmp_path, model_of(BTC, name=evil))

    assert EVIL in seen.text("h1")
    assert seen.count("main img") == 0
    assert seen.page.title() != "owned"
    assert seen.page.evaluate("document.scripts.length") == len(SHEET.scripts) + 1
    assert seen.said == []
    seen.context.close()


def test_colours_change_with_the_switch_and_months_with_them(browser: Any, tmp_path: Path) -> None:
    seen = opened_page(browser, tmp_path, model_of(BTC), color_scheme="dark")
    shade = "getComputedStyle(document.querySelector('.heat td[style]')).backgroundColor"
    dark = seen.page.evaluate(shade)

    seen.page.locator("#theme").click()
    wait_until(seen, f"{shade} !== {json.dumps(dark)}")

    assert seen.page.evaluate("document.documentElement.dataset.theme") == "light"
    assert seen.said == []
    seen.context.close()


def test_nothing_traded_says_why_and_draws_what_there_is(browser: Any, tmp_path: Path) -> None:
    model = model_of(BTC)
    empty = sheet_of("USDT", [Lane(BTC, [], [])], [], capital=0.0)
    model |= {"why": ["strategy s decided nothing"], "sheets": [sheet_model(empty, Trials(), {})]}
    seen = opened_page(browser, tmp_path, model)

    assert "strategy s decided nothing" in seen.text(".why-not")
    assert "strategy s decided nothing" in seen.text("#trades")
    assert "cannot be drawn" not in seen.text("main")
    assert seen.said == []
    seen.context.close()


@pytest.mark.skipif(not STRESS, reason="a look at colours: WATCHKEEPER_STRESS=1")
def test_it_prints_and_has_pictures_in_both_colours(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    path.write_text(sheet_page(model_of(BTC)), encoding="utf-8")
    pictures = shoot(browser, path.as_uri(), tmp_path, {"phone": SIZES["phone"]})
    seen = Seen(browser, path.as_uri())
    printed = seen.page.pdf()
    theme = "document.documentElement.dataset.theme || 'auto'"
    on_paper = seen.page.evaluate(f"dispatchEvent(new Event('beforeprint')), {theme}")
    afterwards = seen.page.evaluate(f"dispatchEvent(new Event('afterprint')), {theme}")

    sizes = [struct.unpack(">II", picture.read_bytes()[16:24]) for picture in pictures]
    assert [width for width, _ in sizes] == [390, 390]
    assert len({picture.read_bytes() for picture in pictures}) == 2
    assert printed.startswith(b"%PDF")
    assert (on_paper, afterwards) == ("light", "auto")
    assert seen.said == []
    seen.context.close()
