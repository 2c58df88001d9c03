"""What may be written on the command line, and nothing of what it does.

Only the standard library, and of the command's own family alone: `--help` is waited for, and
probes run `health` every few seconds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, NoReturn

_WIDTH = 80
"""Columns, where nobody says how many."""

FAMILIES = {
    "start": "run",
    "health": "run",
    "stop": "run",
    "halt": "run",
    "resume": "run",
    "check": "run",
    "publish": "run",
    "orders": "look",
    "positions": "look",
    "trades": "look",
    "explain": "look",
    "account": "look",
    "audit": "look",
    "dashboard": "look",
    "report": "look",
    "doctor": "run",
    "venue": "rehearse",
    "drill": "rehearse",
    "alert": "run",
    "journal": "look",
    "ledger": "ledger",
    "orchestrate": "run",
    "data": "data",
    "backtest": "data",
    "replay": "data",
    "optimize": "search",
}
"""Every command in the order of the help, and which `ops.arguments_...` knows what it takes."""


class _Version(argparse.Action):
    """Looks the version up when it is asked for: importlib.metadata takes a while."""

    def __call__(self, *_: object, **__: object) -> None:
        """Print it and end."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            known = version("watchkeeper")
        except PackageNotFoundError:
            known = "(a checkout, not installed)"
        sys.stdout.write(f"watchkeeper {known}\n")
        raise SystemExit(0)


class _Formatter(argparse.HelpFormatter):
    """Told how wide it may be: to find that out by itself it imports shutil, and all archives.

    One is made for each argument that a parser takes, also where nobody asks for help.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


@cache
def _columns() -> int:
    """Say how wide the terminal is, as `shutil.get_terminal_size` does."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _WIDTH  # type: ignore[union-attr]  # None is an AttributeError, see below
    except (AttributeError, ValueError, OSError):  # closed, or no terminal
        return _WIDTH


class _Parser(argparse.ArgumentParser):
    """Its commands' parsers are of its kind."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", _Formatter)
        super().__init__(**settings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `ArgumentParser`; what nobody knows is told by the command that it was said to."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """See `ArgumentParser`; where a run may stand, a word is one unless it is a slip."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if not getattr(action, "takes_a_run", False) or "did you mean" in _hint(str(error)):
                raise

    def error(self, message: str) -> NoReturn:
        """See `ArgumentParser.error`; of a word that is none of the known ones say more."""
        super().error(message + _hint(message))


def _hint(message: str) -> str:
    """Say what was meant: a run where a verb stands, or a word with a slip in it."""
    import re
    from difflib import get_close_matches
    from pathlib import Path

    found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if found is None:
        return ""
    word, known = found[1], re.findall(r"[a-z][a-z-]*", found[2])
    if Path(word).is_dir():
        return f"; a run is named by --run-dir {word}"
    close = [] if "/" in word else get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Make the parser; what it gives names its `command`, and has the command's own arguments.

    With the `words` that it is to read it knows only their command, if they begin with one: to
    make all of them takes as long as half a start of Python.
    """
    root = _Parser(
        prog="watchkeeper",
        description="At most one order per decision, settled by evidence.",
        allow_abbrev=False,
    )
    root.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in words[:1] if words and words[0] in FAMILIES else FAMILIES:
        import_module(f"ops.arguments_{FAMILIES[name]}").ADD[name](commands)
    return root
