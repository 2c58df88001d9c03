"""Pictures of a run's page, to be looked at: desktop and phone, light and dark.

`python -m tests.ops.dashboard.screenshots RUN_DIR... --out FOLDER`, from the checkout.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.dashboard.command import DashboardOptions, model_of
from ops.dashboard.page import page

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
LIMIT_MS = 60_000


def launched(driver: Any) -> Any:
    """Give Debian's Chromium. Root has no sandbox to give; only our own page is opened."""
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    return driver.chromium.launch(executable_path=shutil.which("chromium"), args=flags)


def shoot(
    browser: Any, address: str, folder: Path, sizes: Mapping[str, tuple[int, int]] = SIZES
) -> list[Path]:
    """Write a picture of the whole page for each size and scheme."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for size, (width, height) in sizes.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            opened = context.new_page()
            opened.set_default_timeout(LIMIT_MS)
            opened.goto(address)
            opened.wait_for_selector("html[data-ready=yes]")
            # Charts are drawn at the next frame, and some once they know their width.
            opened.evaluate(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            written.append(folder / f"{size}-{scheme}.png")
            opened.screenshot(path=str(written[-1]), full_page=True)
            context.close()
    return written


def main() -> int:
    """Make the page anew and take its pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "page.html"
        path.write_text(page(model_of(DashboardOptions(runs=tuple(given.runs)))), encoding="utf-8")
        browser = launched(driver)
        for picture in shoot(browser, path.as_uri(), given.out):
            sys.stdout.write(f"{picture}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
