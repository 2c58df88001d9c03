"""One file with everything in it, which may talk to nobody: what the pages have in common.

The policy in it allows exactly the scripts and the style that stand in it, by their hashes, and
no network. What a page shows goes in as data, never as markup.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import msgspec

_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a page is made of, under `ops/dashboard/`."""

    html: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...]

    def around(self, model: Mapping[str, Any], *, connect: str) -> str:
        """Give the page; `connect` is what its policy lets it talk to."""
        before, after = _filled(self, connect)
        return f"{before}{embedded(model)}{after}"

    def policy(self, connect: str) -> str:
        """Give the content security policy."""
        scripts = " ".join(_hash(asset(name)) for name in self.scripts)
        return (
            f"default-src 'none'; script-src {scripts}; style-src {_hash(_style(self))};"
            f" img-src data:; connect-src {connect}; base-uri 'none'; form-action 'none'"
        )


def embedded(model: Mapping[str, Any]) -> str:
    """Give JSON that nothing in it can end: no ``<``, no line separators of JavaScript."""
    text = json.dumps(model, separators=(",", ":"), allow_nan=False)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


@cache
def asset(name: str) -> str:
    """Read one of the files."""
    return files("ops.dashboard").joinpath(name).read_text(encoding="utf-8")


@cache
def _filled(shell: Shell, connect: str) -> tuple[str, str]:
    html = asset(shell.html).replace("%CSP%", shell.policy(connect))
    scripts = "\n".join(f"<script>{asset(name)}</script>" for name in shell.scripts)
    filled = html.replace("%CSS%", _style(shell)).replace("%SCRIPTS%", scripts)
    before, after = filled.split("%DATA%")
    return before, after


@cache
def _style(shell: Shell) -> str:
    return "\n".join(map(asset, shell.styles))


def _hash(text: str) -> str:
    digest = sha256(text.encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"
