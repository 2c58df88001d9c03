"""The page of a fleet: one file with everything in it, still or alive.

Its style and small helpers are the dashboard's. The page itself holds no fact of the fleet where
it is alive: it asks for them, with the token that stands behind the `#` of its address, which a
browser sends to nobody. So the shell needs no guard, and `/fleet.json` has the usual one.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ops.dashboard.page import digest, embedded

_NONE, _SELF = "'none'", "'self'"


def page(model: Mapping[str, Any] | None) -> str:
    """Give the HTML of a model; without one, of a page that asks for it."""
    before, after = _shell(live=model is None).split("%DATA%")
    return f"{before}{embedded(model or {})}{after}"


def policy(*, live: bool) -> str:
    """Give the content security policy of the page."""
    scripts = " ".join(map(digest, _scripts()))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {digest(_style())}; img-src data:;"
        f" connect-src {_SELF if live else _NONE}; base-uri 'none'; form-action 'none'"
    )


@cache
def _shell(*, live: bool) -> str:
    html = _own("page.html").replace("%CSP%", policy(live=live)).replace("%CSS%", _style())
    return html.replace("%SCRIPTS%", "\n".join(f"<script>{text}</script>" for text in _scripts()))


@cache
def _scripts() -> tuple[str, ...]:
    return (_dashboards("base.js"), _own("fleet.js"))


@cache
def _style() -> str:
    return _dashboards("page.css")


def _dashboards(name: str) -> str:
    return files("ops.dashboard").joinpath(f"assets/{name}").read_text(encoding="utf-8")


def _own(name: str) -> str:
    return files("ops.fleet").joinpath(f"assets/{name}").read_text(encoding="utf-8")
