"""The page of a tear sheet: the dashboard's style and charts, and no live part."""

from collections.abc import Mapping
from typing import Any

from ops.dashboard.shell import Shell

SHEET = Shell(
    html="assets/sheet.html",
    scripts=(
        "vendor/uplot.js",
        "vendor/lightweight-charts.js",
        "assets/base.js",
        "assets/charts.js",
        "assets/candles.js",
        "assets/theme.js",
        "assets/sheet.js",
    ),
    styles=("vendor/uplot.css", "assets/page.css", "assets/sheet.css"),
)


def sheet_page(model: Mapping[str, Any]) -> str:
    """Give the HTML of a model as `decisions.tear_sheet_model` makes it."""
    return SHEET.around(model, connect="'none'")
