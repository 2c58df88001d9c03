"""The page: one file with everything in it, which may talk to nobody.

The policy in it allows exactly the scripts and the style that stand in it, by their hashes, and
no network. What a run holds goes in as data, never as markup.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

_SCRIPTS = (
    "vendor/uplot.js",
    "vendor/lightweight-charts.js",
    "assets/base.js",
    "assets/charts.js",
    "assets/candles.js",
    "assets/orders.js",
    "assets/sections.js",
    "assets/main.js",
)
_SELF, _NONE = "'self'", "'none'"
_STYLES = ("vendor/uplot.css", "assets/page.css")
_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def page(model: Mapping[str, Any]) -> str:
    """Give the HTML of a model; `model["live"]` lets it listen to where it came from."""
    before, after = _shell(bool(model["live"])).split("%DATA%")
    return f"{before}{embedded(model)}{after}"


def embedded(model: Mapping[str, Any]) -> str:
    """Give JSON that nothing in it can end: no ``<``, no line separators of JavaScript."""
    text = json.dumps(model, separators=(",", ":"), allow_nan=False)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def policy(*, live: bool) -> str:
    """Give the content security policy of the page."""
    scripts = " ".join(map(digest, _texts()))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {digest(_style())}; img-src data:;"
        f" connect-src {_SELF if live else _NONE}; base-uri 'none'; form-action 'none'"
    )


@cache
def _shell(live: bool) -> str:
    html = _asset("assets/page.html").replace("%CSP%", policy(live=live))
    html = html.replace("%CSS%", _style())
    scripts = "\n".join(f"<script>{text}</script>" for text in _texts())
    return html.replace("%SCRIPTS%", scripts)


@cache
def _texts() -> tuple[str, ...]:
    return tuple(map(_asset, _SCRIPTS))


@cache
def _style() -> str:
    return "\n".join(map(_asset, _STYLES))


def _asset(name: str) -> str:
    return files("ops.dashboard").joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Name a script or a style as a content security policy does."""
    raw = sha256(text.encode()).digest()
    return f"'sha256-{b64encode(raw).decode()}'"
