"""A page in a browser, and what it says there."""

from typing import Any

DESKTOP, PHONE = 1280, 390
LIMIT_MS = 60_000


class Seen:
    """A page that is open, and everything that its console and the network said."""

    def __init__(self, browser: Any, address: str, width: int = DESKTOP, **context: Any) -> None:
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, reduced_motion="reduce", **context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(LIMIT_MS)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("html[data-ready=yes]")

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())


def wait_until(shown: Seen, condition: str) -> None:
    """Look at each frame; Playwright's own way needs `eval`, which the page's policy forbids."""
    shown.page.evaluate(
        "new Promise((done) => {"
        f" const look = () => (({condition}) ? done(true) : requestAnimationFrame(look));"
        " look(); })"
    )


def assert_nothing_is_cut_off_on_a_phone(shown: Seen) -> None:
    shown.page.set_viewport_size({"width": PHONE, "height": 844})
    inside = (
        "[...document.querySelectorAll('.card, .figures, .chart canvas')]"
        f".every((e) => e.getBoundingClientRect().right <= {PHONE})"
    )

    wait_until(shown, inside)
    assert shown.page.evaluate("document.documentElement.scrollWidth") == PHONE
    shown.page.set_viewport_size({"width": DESKTOP, "height": 900})
