"""The page of a fleet: one file with everything in it, still or alive.

Its style and small helpers are the dashboard's. The page itself holds no fact of the fleet where
it is alive: it asks for them, with the token that stands behind the `#` of its address, which a
browser sends to nobody. So the shell needs no guard, and `/fleet.json` has the usual one.
"""

from collections.abc import Mapping
from typing import Any

from ops.dashboard.shell import Shell

_SELF, _NONE = "'self'", "'none'"
_SHELL = Shell(
    html="assets/fleet.html",
    scripts=("assets/base.js", "assets/theme.js", "assets/fleet.js"),
    styles=("assets/page.css",),
)


def page(model: Mapping[str, Any] | None) -> str:
    """Give the HTML of a model; without one, of a page that asks for it."""
    return _SHELL.around(model or {}, connect=_SELF if model is None else _NONE)


def policy(*, live: bool) -> str:
    """Give the content security policy of the page."""
    return _SHELL.policy(_SELF if live else _NONE)
