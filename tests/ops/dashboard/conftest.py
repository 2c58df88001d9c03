"""The pages of runs, opened in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.dashboard.command import DashboardOptions, model_of
from ops.dashboard.page import page
from tests.ops.dashboard.browsing import Seen


@pytest.fixture
def seen(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open the page of some runs."""
    opened: list[Seen] = []

    def show(*runs: Path, **context: Any) -> Seen:
        path = tmp_path / "page.html"
        path.write_text(page(model_of(DashboardOptions(runs=runs))), encoding="utf-8")
        opened.append(Seen(browser, path.as_uri(), **context))
        return opened[-1]

    yield show
    for one in opened:
        one.context.close()
