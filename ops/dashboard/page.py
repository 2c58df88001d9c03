"""The page of runs: verdict, equity, candles, orders, internals; from disk, or live."""

from collections.abc import Mapping
from typing import Any

from ops.dashboard.shell import Shell, embedded

__all__ = ["embedded", "page", "policy"]

_SCRIPTS = (
    "vendor/uplot.js",
    "vendor/lightweight-charts.js",
    "assets/base.js",
    "assets/charts.js",
    "assets/candles.js",
    "assets/orders.js",
    "assets/sections.js",
    "assets/theme.js",
    "assets/main.js",
)
_SELF, _NONE = "'self'", "'none'"
_SHELL = Shell(
    html="assets/page.html", scripts=_SCRIPTS, styles=("vendor/uplot.css", "assets/page.css")
)


def page(model: Mapping[str, Any]) -> str:
    """Give the HTML of a model; `model["live"]` lets it listen to where it came from."""
    return _SHELL.around(model, connect=_SELF if model["live"] else _NONE)


def policy(*, live: bool) -> str:
    """Give the content security policy of the page."""
    return _SHELL.policy(_SELF if live else _NONE)
